"""The constraints themselves: a prover need not compute its witness as the circuit's own generator does."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import pytest

from agents.core.proofs.field import SCALAR_ORDER
from agents.core.proofs.profiles import Profile, profile_named
from agents.kernels.limbs import to_ints
from agents.proving.build import main_source
from agents.proving.files.r1cs import ROWS, Circuit, constraint_count, read_r1cs
from agents.proving.files.wtns import read_witness
from tests.circuits.compiling import ROOT, Compiled, accepted, compiled
from tests.circuits.slots import inputs_for, slot_of

SMALL = Profile("small", cell_bytes=62, block_bytes=62 * 16, max_depth=8, max_log2_slots=3, samples=3)
"""Small enough to try every wire."""


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


@pytest.mark.parametrize(("crown", "sizes"), [(0, [4]), (3, [2, 16])])
def test_no_wire_of_an_honest_witness_can_be_changed(crown: int, sizes: list[int]) -> None:
    """In Codex's circuit, and in the one whose samples share a crown, most of which lies in the blocks of the least slot."""
    profile = replace(SMALL, crown=crown)
    with compiled(main_source(profile), "--O2", "--r1cs", "--wasm") as made:
        for blocks in sizes:
            constraints_bind_every_wire(profile, made, blocks)


def constraints_bind_every_wire(profile: Profile, made: Compiled, blocks: int) -> None:
    """Whoever changes one wire of an honest witness breaks a constraint."""
    circuit, wtns = read_r1cs(made.r1cs), made.folder / "witness.wtns"
    assert accepted(made.wasm, [inputs_for(slot_of(profile, index=2, slots=5, blocks=blocks))], wtns) == [True]
    witness, constraints = to_ints(read_witness(wtns)), rows_of(circuit)
    assert len(witness) == circuit.wires
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


@pytest.mark.parametrize("template", ["CanonicalBits()", "BitsOfHash(128)"])
def test_the_drawn_index_has_one_reading_only(template: str) -> None:
    """5 and 5 + the field's order are the same element, and both have 254 bits: only one may name the cell."""
    source = f'pragma circom 2.1.6;\ninclude "../../circuits/bits.circom";\ncomponent main = {template};\n'
    with compiled(source, "--O0", "--r1cs", "--sym") as made:
        circuit, wires = read_r1cs(made.r1cs), made.wires()
    canonical = "tight[254]" in wires

    def witness(element: int, number: int) -> list[int]:
        """``element`` with the bits of ``number``, everything else as the template computes it."""
        found, tight = [1] + [0] * (circuit.wires - 1), 1
        found[wires["in"]], found[wires["tight[254]" if canonical else "tight[0]"]] = element, 1
        for i in range(253, -1, -1):
            bit = (number >> i) & 1
            tight = tight * bit if ((SCALAR_ORDER - 1) >> i) & 1 else tight
            found[wires[f"out[{i}]"]] = bit
            after = f"tight[{i if canonical else 254 - i}]"
            if after in wires:
                found[wires[after]] = tight
        return found

    for element in (0, 5, 2**253, SCALAR_ORDER - 2**126):
        assert broken(circuit, witness(element, element)) == []
    for element in (0, 5, 2**254 - 1 - SCALAR_ORDER):
        assert broken(circuit, witness(element, element + SCALAR_ORDER)) != []
    # The largest elements have bits, but not where the highest 128 decide; no hash is one of them.
    assert (broken(circuit, witness(SCALAR_ORDER - 1, SCALAR_ORDER - 1)) == []) == canonical


def test_production_fills_its_domain_at_what_a_sample_may_cost() -> None:
    profile, built = profile_named("production"), ROOT / ".build" / "circuits" / "production.r1cs"
    constraints, publics = constraint_count(built), 3
    assert constraints <= 14_500 * profile.samples
    assert 0.98 * 2**17 < constraints + publics + 1 <= 2**17


def test_codexs_circuit_stays_what_it_is() -> None:
    """The oracle: its key would be another with one constraint changed."""
    built = (ROOT / ".build" / "circuits" / "codex.r1cs").read_bytes()
    assert hashlib.sha256(built).hexdigest() == "cd54429fabbdafecb31cde3a579684a4f900d11b10afb6adfcf1bc1532585d83"
