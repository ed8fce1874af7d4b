"""The constraints themselves: a prover need not compute its witness as the circuit's own generator does."""

import asyncio
import gzip
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from agents.artefacts.files import circuit_folder
from agents.core.proofs.field import SCALAR_ORDER
from agents.core.proofs.profiles import profile_named
from agents.kernels.limbs import to_ints
from agents.proving.files.r1cs import ROWS, Circuit, read_r1cs
from agents.proving.files.wtns import read_witness
from agents.proving.node import NodeWorker
from tests.circuits.slots import inputs_for, slot_of, small_cell

ROOT = Path(__file__).resolve().parents[2]
DEVNET = profile_named("devnet")


Row = list[tuple[int, int]]
"""(wire, coefficient) of one linear combination."""


def rows_of(circuit: Circuit) -> list[tuple[Row, ...]]:
    """A, B and C of every constraint."""
    return [tuple(circuit.row(number, matrix) for matrix in range(ROWS)) for number in range(circuit.constraints)]


def value(row: Row, witness: Sequence[int]) -> int:
    return sum(coefficient * witness[wire] for wire, coefficient in row)


def broken(circuit: Circuit, witness: Sequence[int]) -> list[int]:
    """Constraints that do not hold."""
    return [
        number
        for number, (a, b, c) in enumerate(rows_of(circuit))
        if (value(a, witness) * value(b, witness) - value(c, witness)) % SCALAR_ORDER
    ]


def test_no_wire_of_an_honest_witness_can_be_changed(tmp_path: Path) -> None:
    r1cs, wtns = tmp_path / "devnet.r1cs", tmp_path / "witness.wtns"
    r1cs.write_bytes(gzip.decompress((circuit_folder("devnet") / "storage_proof.r1cs.gz").read_bytes()))
    circuit = read_r1cs(r1cs)
    wasm = circuit_folder("devnet") / "storage_proof.wasm"
    inputs = inputs_for(slot_of(DEVNET, index=2, slots=5, blocks=2, cell=small_cell))

    async def generate() -> None:
        worker = NodeWorker()
        await worker.ask({"input": inputs, "wasm": str(wasm), "witness": str(wtns)})
        await worker.close()

    asyncio.run(generate())
    witness, constraints = to_ints(read_witness(wtns)), rows_of(circuit)
    assert len(witness) == circuit.wires
    assert len(constraints) <= 8190
    assert broken(circuit, witness) == []

    sums = [[value(row, witness) for row in rows] for rows in constraints]
    shares: list[dict[int, list[int]]] = [{} for _ in range(circuit.wires)]
    for number, rows in enumerate(constraints):
        for matrix, row in enumerate(rows):
            for wire, coefficient in row:
                shares[wire].setdefault(number, [0, 0, 0])[matrix] += coefficient

    def noticed(wire: int, change: int) -> bool:
        return any(
            ((sums[n][0] + a * change) * (sums[n][1] + b * change) - sums[n][2] - c * change) % SCALAR_ORDER
            for n, (a, b, c) in shares[wire].items()
        )

    for change in (1, -1, SCALAR_ORDER // 2):
        assert [wire for wire in range(1, circuit.wires) if not noticed(wire, change)] == []


def test_the_drawn_index_has_one_reading_only() -> None:
    """5 and 5 + the field's order are the same element, and both have 254 bits: only one may name the cell."""
    with tempfile.TemporaryDirectory(prefix="bits-", dir=ROOT / ".build") as folder:
        # circom reads and writes below the working directory only.
        source, place = Path(folder) / "bits.circom", Path(folder).relative_to(ROOT)
        source.write_text(
            'pragma circom 2.1.6;\ninclude "../../circuits/bits.circom";\ncomponent main = CanonicalBits();\n'
        )
        circom = ["node", str(ROOT / "node_modules" / "circom2" / "cli.js"), str(place / "bits.circom")]
        done = subprocess.run(
            [*circom, "--O0", "--r1cs", "--sym", "-o", str(place)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        circuit = read_r1cs(source.with_suffix(".r1cs"))
        names = [line.split(",") for line in source.with_suffix(".sym").read_text().split()]
    wires = {name.removeprefix("main."): int(wire) for _, wire, _, name in names}

    def witness(element: int, number: int) -> list[int]:
        """``element`` with the bits of ``number``, everything else as the template computes it."""
        found, tight = [1] + [0] * (circuit.wires - 1), 1
        found[wires["in"]], found[wires["tight[254]"]] = element, 1
        for i in range(253, -1, -1):
            bit = (number >> i) & 1
            tight = tight * bit if ((SCALAR_ORDER - 1) >> i) & 1 else tight
            found[wires[f"out[{i}]"]], found[wires[f"tight[{i}]"]] = bit, tight
        return found

    for element in (0, 5, SCALAR_ORDER - 1, 2**253):
        assert broken(circuit, witness(element, element)) == []
    for element in (0, 5, 2**254 - 1 - SCALAR_ORDER):
        assert broken(circuit, witness(element, element + SCALAR_ORDER)) != []
