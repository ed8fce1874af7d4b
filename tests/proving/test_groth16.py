"""Proofs on this machine's own kernels: four verifiers accept them, no two are alike, and nothing false is ever returned."""

from __future__ import annotations

import json
import random
import struct
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from eth_utils.crypto import keccak

from agents.artefacts.files import FOLDER, verification_key
from agents.chain.anvil import Anvil, AnvilOptions
from agents.core.errors import BadData, ProofFailed
from agents.core.proofs.field import BASE_ORDER, SCALAR_ORDER
from agents.core.proofs.profiles import PROFILES, Profile, profile_named
from agents.core.proofs.proof import Groth16Proof
from agents.core.proofs.verification import verify
from agents.kernels import buckets
from agents.kernels.forms import FORMS, best_form
from agents.kernels.limbs import from_ints, to_ints
from agents.kernels.memory import Words
from agents.kernels.warm import warm
from agents.proving.build import find_zkey
from agents.proving.development import write_zkey
from agents.proving.files.r1cs import parse_r1cs
from agents.proving.files.zkey import open_key, parse_key, verification_key_of
from agents.proving.groth16 import Groth16Prover
from agents.proving.witness import WitnessGenerator
from tests.circuits.slots import codex_cell, inputs_for, slot_of
from tests.proving import reference, small

ROOT = Path(__file__).resolve().parents[2]
HERE = [name for name, form in FORMS.items() if form.supported()]
FORM = pytest.mark.parametrize("form", HERE)
EVERY_PROFILE = pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))


# --- the circuits of the market ---


@cache
def witness_of(profile: Profile) -> Words:
    def cell(slot: int, cell: int, size: int = profile.cell_bytes) -> bytes:
        return codex_cell(slot, cell, size)

    return WitnessGenerator(profile).witness(inputs_for(slot_of(profile, index=1, slots=3, blocks=2, cell=cell)))


@cache
def prover_of(profile: Profile, form: str) -> Groth16Prover:
    return Groth16Prover(open_key(find_zkey(profile.name)), form)


@cache
def proof_of(profile: Profile, form: str) -> Groth16Proof:
    return prover_of(profile, form).prove(witness_of(profile))


def publics_of(profile: Profile) -> tuple[int, ...]:
    return tuple(to_ints(witness_of(profile)[1:4]))


@FORM
@EVERY_PROFILE
def test_arkworks_accepts_a_proof_of_every_profile(profile: Profile, form: str) -> None:
    key, publics = verification_key(profile.name), publics_of(profile)
    assert verify(key, proof_of(profile, form), publics)
    assert not verify(key, proof_of(profile, form), (publics[0], publics[1], publics[2] + 1))


@EVERY_PROFILE
def test_py_ecc_accepts_it(profile: Profile) -> None:
    assert reference.verify(verification_key(profile.name), proof_of(profile, best_form()), publics_of(profile))


SNARKJS = """
const claims = JSON.parse(require("fs").readFileSync(0)), { groth16 } = require(process.argv[1]);
(async () => {
  const found = [];
  for (const { key, publics, proof } of claims) found.push(await groth16.verify(key, publics, proof));
  console.log(JSON.stringify(found));
  process.exit(0);
})();
"""


def test_snarkjs_accepts_them_and_no_others() -> None:
    claims = []
    for profile in PROFILES.values():
        proof, publics = proof_of(profile, best_form()), [str(value) for value in publics_of(profile)]
        key = verification_key(profile.name)
        claims.append({"key": key, "publics": publics, "proof": proof.as_json()})
        claims.append({"key": key, "publics": [*publics[:2], "4"], "proof": proof.as_json()})
    main = ROOT / "node_modules" / "snarkjs" / "build" / "main.cjs"
    done = subprocess.run(
        ["node", "-e", SNARKJS, str(main)],
        input=json.dumps(claims),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert json.loads(done.stdout) == [True, False] * len(PROFILES)


@pytest.fixture(scope="module")
def anvil() -> Iterator[Anvil]:
    with Anvil(AnvilOptions(block_time=None)) as chain:
        yield chain


def on_chain(anvil: Anvil, profile: Profile, proof: Groth16Proof, publics: tuple[int, ...]) -> bool:
    """What the profile's Solidity verifier says; its code is put where it is called."""
    made = json.loads((FOLDER / "contracts" / f"{profile.name.capitalize()}Verifier.json").read_text())
    g1, g2 = "(uint256,uint256)", "((uint256,uint256),(uint256,uint256))"
    selector = keccak(f"verifyProof(({g1},{g2},{g1}),uint256[3])".encode())[:4]
    words = [*proof.a, *proof.b[0], *proof.b[1], *proof.c, *publics]
    call = {
        "to": "0x" + "77" * 20,
        "data": "0x" + (selector + b"".join(word.to_bytes(32, "big") for word in words)).hex(),
    }
    asked = [call, "latest", {call["to"]: {"code": made["deployedBytecode"]}}]
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "eth_call", "params": asked}).encode()
    request = urllib.request.Request(anvil.url, body, {"content-type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return bool(int(json.load(answer)["result"], 16))


@FORM
@EVERY_PROFILE
def test_the_solidity_verifier_accepts_it(anvil: Anvil, profile: Profile, form: str) -> None:
    proof, publics = proof_of(profile, form), publics_of(profile)
    assert on_chain(anvil, profile, proof, publics)
    assert not on_chain(anvil, profile, proof, (publics[0] + 1, *publics[1:]))
    moved = Groth16Proof(proof.c, proof.b, proof.a)
    assert not on_chain(anvil, profile, moved, publics)


@FORM
def test_two_proofs_of_one_witness_have_nothing_in_common(form: str) -> None:
    devnet = profile_named("devnet")
    first, second = proof_of(devnet, form), prover_of(devnet, form).prove(witness_of(devnet))
    for one, other in ((first.a, second.a), (first.b, second.b), (first.c, second.c)):
        assert one[0] != other[0] and one[1] != other[1]
    assert verify(verification_key("devnet"), second, publics_of(devnet))


def test_threads_may_share_a_prover() -> None:
    devnet = profile_named("devnet")
    with ThreadPoolExecutor(3) as pool:
        proofs = list(pool.map(prover_of(devnet, best_form()).prove, [witness_of(devnet)] * 3))
    assert all(verify(verification_key("devnet"), proof, publics_of(devnet)) for proof in proofs)
    assert len({proof.a for proof in proofs}) == 3


def test_a_witness_with_a_changed_wire_gives_no_proof() -> None:
    devnet = profile_named("devnet")
    prover, witness = prover_of(devnet, best_form()), witness_of(devnet)
    chance = random.Random(1)
    for wire in [0, 1, 3, 4, len(witness) - 1, chance.randrange(4, len(witness))]:
        changed = witness.copy()
        changed[wire, 0] ^= np.uint64(1)
        with pytest.raises(ProofFailed, match="does not verify"):
            prover.prove(changed)


def test_what_is_no_witness_of_the_circuit_is_refused() -> None:
    devnet, codex = profile_named("devnet"), profile_named("codex")
    prover, witness = prover_of(devnet, best_form()), witness_of(devnet)
    for other in (witness_of(codex), witness[:-1], witness.reshape(-1), witness.astype(np.int32)):
        with pytest.raises(ProofFailed, match="not one of the key's circuit"):
            prover.prove(other)
    for wire in (1, len(witness) - 1):
        for value in (SCALAR_ORDER, 2**254, 2**256 - 1):
            beyond = witness.copy()
            beyond[wire] = np.frombuffer(value.to_bytes(32, "little"), dtype=np.uint64)
            with pytest.raises(ProofFailed, match="not below the order"):
                prover.prove(beyond)


# --- circuits made by hand, down to the smallest ---


def squares(count: int, publics: int) -> tuple[bytes, list[int]]:
    """x, x^2, x^4, .. by ``count`` constraints, the last ones first; the .r1cs and a witness."""
    wires = [*range(count + 1, 0, -1)]  # of x, x^2, ..
    constraints = [([(wires[i], 1)], [(wires[i], 1)], [(wires[i + 1], 1)]) for i in range(count)]
    values = [3]
    for _ in range(count):
        values.append(values[-1] * values[-1] % SCALAR_ORDER)
    return small.r1cs_bytes(constraints, count + 2, publics, 0, 1), [1, *values[::-1]]


@FORM
@pytest.mark.parametrize("size", [2, 4, 8, 16, 32, 64, 128, 256, 4096])
def test_domains_of_every_size(form: str, size: int, tmp_path: Path) -> None:
    publics = min(3, size // 4)
    for count in {size // 2 - publics, size - publics - 1} - {0}:
        file, witness = squares(count, publics)
        write_zkey(parse_r1cs(file), tmp_path / "squares.zkey")
        key = open_key(tmp_path / "squares.zkey")
        assert key.domain == size
        proof = Groth16Prover(key, form).prove(from_ints(witness))
        assert verify(verification_key_of(key), proof, tuple(witness[1 : publics + 1]))
        assert reference.verify(verification_key_of(key), proof, tuple(witness[1 : publics + 1])) if size < 5 else True
        wrong = from_ints([*witness[:-1], witness[-1] + 1])
        with pytest.raises(ProofFailed, match="does not verify"):
            Groth16Prover(key, form).prove(wrong)


@cache
def small_key(folder: Path) -> bytes:
    path = folder / "small.zkey"
    write_zkey(parse_r1cs(small.r1cs_bytes()), path)
    return path.read_bytes()


WITNESSES = (small.witness(x * 3**150 % SCALAR_ORDER, 7**80) for x in range(1, 10**6))
SMALL_WITNESS = next(values for values in WITNESSES if all(value % 2 for value in values))
"""All odd: a bit flipped in a point at infinity makes one whose double is infinity, which even multiples would hide."""


@FORM
def test_every_changed_wire_of_a_small_circuit_is_noticed(form: str, tmp_path: Path) -> None:
    prover = Groth16Prover(parse_key(small_key(tmp_path)), form)
    assert verify(verification_key_of(prover.key), prover.prove(from_ints(SMALL_WITNESS)), tuple(SMALL_WITNESS[1:3]))
    for wire in range(len(SMALL_WITNESS)):
        for value in (0, SMALL_WITNESS[wire] + 1, -SMALL_WITNESS[wire]):
            changed = [*SMALL_WITNESS[:wire], value, *SMALL_WITNESS[wire + 1 :]]
            with pytest.raises(ProofFailed):
                prover.prove(from_ints(changed))


@FORM
def test_sections_anywhere_in_the_file(form: str, tmp_path: Path) -> None:
    """In any order, and after one of an odd length: numbers begin at any byte."""
    data = small_key(tmp_path)
    sections = small.sections_of(data)
    point = dict(sections)[5][:64]
    contribution = point * 3 + bytes(128) + bytes(64) + struct.pack("<I", 0)
    for note in (b"", b"x", b"four"):
        odd = bytes(64) + struct.pack("<I", 1) + contribution + struct.pack("<I", len(note)) + note
        moved = [(10, odd), *((kind, body) for kind, body in reversed(sections) if kind != 10)]
        key = parse_key(small.file_of(data, moved))
        proof = Groth16Prover(key, form).prove(from_ints(SMALL_WITNESS))
        assert verify(verification_key_of(key), proof, tuple(SMALL_WITNESS[1:3]))


def flips(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Section, byte and bit: some in each section that a prover reads, and its length and kind."""
    at, chance = 12, random.Random(7)
    for kind, body in small.sections_of(data):
        yield from ((kind, at + byte, chance.randrange(8)) for byte in range(12))
        if kind != 10:  # the ceremony's contributions are no prover's business
            step = max(1, len(body) // 30)
            yield from ((kind, at + 12 + byte, chance.randrange(8)) for byte in range(0, len(body), step))
        at += 12 + len(body)


def prove_flipped(path: str, form: str) -> None:
    """Print what becomes of every flip. In a process of its own, which a test sees crash."""
    data = Path(path).read_bytes()
    outcomes: dict[str, int] = {}
    for kind, byte, bit in flips(data):
        flipped = bytearray(data)
        flipped[byte] ^= 1 << bit
        try:
            Groth16Prover(parse_key(bytes(flipped)), form).prove(from_ints(SMALL_WITNESS))
            outcome = f"returned, section {kind}, byte {byte}, bit {bit}"
        except (BadData, ProofFailed) as error:
            outcome = type(error).__name__
        outcomes[outcome] = outcomes.get(outcome, 0) + 1
    print(json.dumps(outcomes))


def output(call: str) -> str:
    """Of a process of its own."""
    program = f"from tests.proving.test_groth16 import *; {call}"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, text=True, capture_output=True, timeout=240)
    assert done.returncode == 0, f"code {done.returncode}: {done.stderr[-3000:]}"
    return done.stdout


@FORM
def test_a_key_with_a_flipped_bit_anywhere_gives_no_proof(form: str, tmp_path: Path) -> None:
    (tmp_path / "copy.zkey").write_bytes(small_key(tmp_path))
    outcomes = json.loads(output(f"prove_flipped({str(tmp_path / 'copy.zkey')!r}, {form!r})"))
    assert set(outcomes) == {"Malformed", "ProofFailed", "BadData"}
    assert sum(outcomes.values()) > 300 and outcomes["ProofFailed"] > 150


def test_a_flipped_bit_in_a_key_of_the_market_gives_no_proof(tmp_path: Path) -> None:
    devnet = profile_named("devnet")
    data, witness = find_zkey("devnet").read_bytes(), witness_of(devnet)
    used = int(np.flatnonzero(witness.any(axis=1))[-1])  # a wire that is not zero
    at, places = 12, {}
    for kind, body in small.sections_of(data):
        places[kind] = at + 12
        at += 12 + len(body)
    publics, last = 3, len(dict(small.sections_of(data))[4]) - 32  # the value of the last coefficient
    insides = {4: last, 5: 64 * used, 6: 64 * used, 7: 128 * used, 8: 64 * (used - publics - 1), 9: 64 * 100}
    for kind, inside in insides.items():
        flipped = bytearray(data)
        flipped[places[kind] + inside] ^= 4
        with pytest.raises((ProofFailed, BadData)):
            Groth16Prover(parse_key(bytes(flipped))).prove(witness)


def points_1(*coordinates: int) -> bytes:
    return b"".join((value * 2**256 % BASE_ORDER).to_bytes(32, "little") for value in coordinates)


@FORM
def test_points_off_the_curve_and_at_infinity_give_no_proof(form: str, tmp_path: Path) -> None:
    data = small_key(tmp_path)
    sections, head = dict(small.sections_of(data)), 84
    witness = from_ints(SMALL_WITNESS)
    hostile = [
        {kind: bytes(len(sections[kind])) for kind in (5, 6, 7, 8, 9)},
        {5: points_1(5, 0) + bytes(64 * 5), 2: sections[2][:head] + points_1(5, 7) + sections[2][head + 64 : -192] + bytes(64)
         + sections[2][-128:]},
        {5: points_1(5, 7) + points_1(5, 0) * 5},
        {8: points_1(1, 1) * 3},
        {6: points_1(1, 0) * 6, 9: points_1(0, 1) * 8},
        {7: points_1(1, 1, 0, 0) * 6},
    ]  # fmt: skip
    for changes in hostile:
        changed = small.file_of(data, [(kind, changes.get(kind, body)) for kind, body in sections.items()])
        with pytest.raises((ProofFailed, BadData)):
            Groth16Prover(parse_key(changed), form).prove(witness)


# --- the code on disk ---


def prove_when_warm() -> None:
    """Print how many signatures of each of numba's functions there are when all is warm, and after a proof."""
    warm()
    functions = [value for value in vars(buckets).values() if hasattr(value, "signatures")]
    before = [len(function.signatures) for function in functions]
    devnet = profile_named("devnet")
    prover_of(devnet, best_form()).prove(witness_of(devnet))
    read_only = np.frombuffer(bytes(4) + witness_of(devnet).tobytes(), dtype=np.uint64, offset=4).reshape(-1, 4)
    prover_of(devnet, best_form()).prove(read_only)
    print(json.dumps([before, [len(function.signatures) for function in functions]]))


def test_a_machine_that_was_set_up_compiles_nothing_more() -> None:
    before, after = json.loads(output("prove_when_warm()"))
    assert before == after == [1] * len(before) and len(before) > 4
