"""The circuit accepts honest inputs of every shape and refuses each kind of lie; proofs of both profiles verify."""

import asyncio
import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.artefacts.files import circuit_folder, verification_key
from agents.core.errors import ProofFailed
from agents.core.proofs.inputs import circuit_input
from agents.core.proofs.poseidon2 import hash_bytes
from agents.core.proofs.profiles import PROFILES, Profile, profile_named
from agents.core.proofs.proof import public_inputs
from agents.core.proofs.sampling import cell_indices, entropy_of
from agents.core.proofs.verification import verify
from agents.proving.node import NodeWorker
from agents.proving.prover import prover_for
from tests.circuits.slots import CHALLENGE, Slot, codex_cell, inputs_for, slot_of, small_cell

DEVNET, CODEX = profile_named("devnet"), profile_named("codex")


@pytest.fixture(scope="module")
def slot() -> Slot:
    return slot_of(DEVNET, index=2, slots=5, blocks=4, cell=small_cell)


@pytest.fixture(scope="module")
def last_slot() -> Slot:
    """The odd one: it has no sibling in the lowest layer."""
    return slot_of(DEVNET, index=4, slots=5, blocks=2, cell=small_cell)


def witnesses(profile: Profile, tries: list[dict[str, Any]], folder: Any) -> list[bool]:
    """Whether a witness exists for each of ``tries``."""

    async def run() -> list[bool]:
        worker, found = NodeWorker(), []
        wasm = str(circuit_folder(profile.name) / "storage_proof.wasm")
        for inputs in tries:
            try:
                await worker.ask({"input": inputs, "wasm": wasm, "witness": str(folder / "witness.wtns")})
                found.append(True)
            except ProofFailed:
                found.append(False)
        await worker.close()
        return found

    return asyncio.run(run())


def test_honest_inputs_of_every_shape_have_a_witness(tmp_path: Any) -> None:
    shapes = [(0, 2, 2), (1, 2, 2), (0, 3, 4), (2, 3, 2), (4, 5, 8), (6, 7, 2), (10, 11, 2), (15, 16, 2)]
    tries = [inputs_for(slot_of(DEVNET, index, slots, blocks, small_cell)) for index, slots, blocks in shapes]
    assert witnesses(DEVNET, tries, tmp_path) == [True] * len(shapes)


def bumped(value: str) -> str:
    return str(int(value) + 1)


LIES: dict[str, Callable[[dict[str, Any]], None]] = {
    "wrong cell byte": lambda i: i["cellData"][0].__setitem__(3, bumped(i["cellData"][0][3])),
    "last cell element": lambda i: i["cellData"][0].__setitem__(-1, bumped(i["cellData"][0][-1])),
    "path node inside the block": lambda i: i["merklePaths"][0].__setitem__(0, bumped(i["merklePaths"][0][0])),
    "path node at the block's top": lambda i: i["merklePaths"][0].__setitem__(7, bumped(i["merklePaths"][0][7])),
    "path node over the blocks": lambda i: i["merklePaths"][0].__setitem__(9, bumped(i["merklePaths"][0][9])),
    "slot path node": lambda i: i["slotProof"].__setitem__(1, bumped(i["slotProof"][1])),
    "slot root": lambda i: i.__setitem__("slotRoot", bumped(i["slotRoot"])),
    "dataset root": lambda i: i.__setitem__("dataSetRoot", bumped(i["dataSetRoot"])),
    "another slot's index": lambda i: i.__setitem__("slotIndex", "3"),
    "index out of range": lambda i: i.__setitem__("slotIndex", "5"),
    "index beyond the circuit": lambda i: i.__setitem__("slotIndex", "18"),
    "another challenge": lambda i: i.__setitem__("entropy", bumped(i["entropy"])),
    "fewer cells": lambda i: i.__setitem__("nCellsPerSlot", "512"),
    "cells not a power of two": lambda i: i.__setitem__("nCellsPerSlot", "768"),
    "more slots": lambda i: i.__setitem__("nSlotsPerDataSet", "9"),
    "fewer slots than the index": lambda i: i.__setitem__("nSlotsPerDataSet", "2"),
    "no slots": lambda i: i.__setitem__("nSlotsPerDataSet", "0"),
}


def test_every_lie_is_refused(slot: Slot, tmp_path: Any) -> None:
    honest = inputs_for(slot)
    tries = []
    for lie in LIES.values():
        tried = copy.deepcopy(honest)
        lie(tried)
        assert tried != honest
        tries.append(tried)
    accepted = [name for name, found in zip(LIES, witnesses(DEVNET, tries, tmp_path), strict=True) if found]
    assert accepted == []


def test_another_cell_with_its_own_path_is_refused(slot: Slot, tmp_path: Any) -> None:
    honest, entropy = inputs_for(slot), entropy_of(CHALLENGE)
    (drawn,) = cell_indices(entropy, slot.root, len(slot.cells), 1)
    swapped = circuit_input(DEVNET, entropy, slot.facts, [slot.opening(drawn ^ 1)])
    assert swapped["cellData"] != honest["cellData"]
    assert witnesses(DEVNET, [swapped, honest], tmp_path) == [False, True]


def test_an_odd_slot_cannot_pose_as_another(last_slot: Slot, tmp_path: Any) -> None:
    tries = []
    for index in ("0", "3", "5"):
        tries.append({**inputs_for(last_slot), "slotIndex": index})
    assert witnesses(DEVNET, [*tries, inputs_for(last_slot)], tmp_path) == [False, False, False, True]


def test_swapped_samples_are_refused(tmp_path: Any) -> None:
    slot = slot_of(CODEX, 3, 11, 16, codex_cell)
    honest = inputs_for(slot, 1234567)
    swapped = copy.deepcopy(honest)
    for name in ("cellData", "merklePaths"):
        swapped[name][0], swapped[name][1] = swapped[name][1], swapped[name][0]
    assert witnesses(CODEX, [swapped], tmp_path) == [False]


def test_codex_fixture_is_accepted_and_proven() -> None:
    """Codex's published fixture: entropy 1234567, slot 3 of 11, 512 cells, 5 samples."""
    slot = slot_of(CODEX, 3, 11, 16, codex_cell)
    assert hash_bytes(slot.cells[0]) == 17033041910967151034136324870959232982916157925751316473693996492621564867107
    challenge = (1234567).to_bytes(31, "little") + b"\xff"
    facts = slot.facts
    # The indices depend on the slot's root alone, which its own data fixes.
    assert cell_indices(1234567, facts.slot_root, facts.cells, 5) == [287, 21, 307, 157, 508]

    async def prove() -> Any:
        prover = prover_for(CODEX)
        try:
            return await prover.prove(inputs_for(slot, 1234567))
        finally:
            await prover.close()

    proof = asyncio.run(prove())
    key = verification_key("codex")
    assert verify(key, proof, public_inputs(challenge, facts.dataset_root, 3))
    assert not verify(key, proof, public_inputs(challenge, facts.dataset_root, 4))


@settings(max_examples=20, deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_entropy_ignores_the_last_byte_and_fits_the_field(challenge: bytes) -> None:
    assert entropy_of(challenge) == entropy_of(challenge[:31] + b"\0") < 1 << 248


def test_profiles_match_the_circuits() -> None:
    import tomllib
    from pathlib import Path

    found = tomllib.loads((Path(__file__).parents[2] / "circuits" / "profiles.toml").read_text())
    assert found == {
        name: {key: value for key, value in vars(profile).items() if key != "name"}
        for name, profile in PROFILES.items()
    }
    assert (CODEX.block_tree_depth, CODEX.elements_per_cell, DEVNET.elements_per_cell) == (5, 67, 9)
