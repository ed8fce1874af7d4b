"""The circuit accepts honest inputs of every shape and refuses each kind of lie; proofs of both profiles verify."""

import asyncio
import copy
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.artefacts.files import circuit_folder, verification_key
from agents.core.dataset.layout import layout_for
from agents.core.errors import FileRejected
from agents.core.proofs.inputs import circuit_input
from agents.core.proofs.poseidon2 import hash_bytes
from agents.core.proofs.profiles import PROFILES, Profile, profile_named
from agents.core.proofs.proof import public_inputs
from agents.core.proofs.sampling import cell_indices, entropy_of
from agents.core.proofs.verification import verify
from agents.proving.prover import prover_for
from tests.circuits.compiling import accepted
from tests.circuits.slots import CHALLENGE, LargeSlot, Slot, codex_cell, inputs_for, slot_of

DEVNET, CODEX, PRODUCTION = (profile_named(name) for name in ("devnet", "codex", "production"))
ENTROPY = 1234567
"""Of Codex's fixture."""


@cache
def codex_slot() -> Slot:
    return slot_of(CODEX, 3, 11, 16, codex_cell)


@pytest.fixture(scope="module", params=[CODEX, DEVNET, PRODUCTION], ids=lambda profile: profile.name)
def slot(request: pytest.FixtureRequest) -> Slot:
    """Of each circuit, tall enough for blocks below the crown."""
    return replace(codex_slot(), profile=request.param)


def wasm_of(profile: Profile) -> Path:
    return circuit_folder(profile.name) / "storage_proof.wasm"


def witnesses(profile: Profile, tries: list[dict[str, Any]], folder: Path) -> list[bool]:
    """Whether a witness exists for each of ``tries``."""
    return accepted(wasm_of(profile), tries, folder / "witness.wtns")


@pytest.mark.parametrize("profile", [CODEX, DEVNET, PRODUCTION], ids=lambda profile: profile.name)
def test_honest_inputs_of_every_shape_have_a_witness(profile: Profile, tmp_path: Path) -> None:
    last = profile.max_slots - 1
    shapes = [(0, 2, 2), (0, 3, 2), (2, 3, 4), (4, 5, 2), (last - 1, last, 2), (last, last + 1, 2)]
    tries = [inputs_for(slot_of(profile, index, slots, blocks)) for index, slots, blocks in shapes]
    assert witnesses(profile, tries, tmp_path) == [True] * len(shapes)


@pytest.mark.parametrize("profile", [CODEX, DEVNET, PRODUCTION], ids=lambda profile: profile.name)
def test_slots_of_every_size_up_to_the_largest_have_a_witness_and_larger_ones_have_none(
    profile: Profile, tmp_path: Path
) -> None:
    pattern = slot_of(profile, index=1, slots=3, blocks=2)
    most = profile.max_blocks.bit_length() - 2  # doublings of two blocks
    tries = [inputs_for(LargeSlot(pattern, doublings, slots=3)) for doublings in range(most + 1)]
    assert tries[-1]["nCellsPerSlot"] == str(profile.max_blocks * profile.cells_per_block)
    assert witnesses(profile, tries, tmp_path) == [True] * len(tries)
    too_large = inputs_for(LargeSlot(pattern, most + 1, slots=3))
    cut = {**too_large, "merklePaths": [path[:-1] for path in too_large["merklePaths"]]}
    assert witnesses(profile, [too_large, cut], tmp_path) == [False, False]


def test_a_slot_of_one_gibibyte_is_the_largest_of_production() -> None:
    most = 10_922 * 65_536  # and half as much parity: a block less than 1 GiB
    assert layout_for(6 * most, 6, 2, PRODUCTION).slot_bytes == (1 << 30) - 65_536
    with pytest.raises(FileRejected, match=f"the production circuit proves {1 << 30} bytes at most"):
        layout_for(6 * most + 1, 6, 2, PRODUCTION)
    with pytest.raises(FileRejected, match="the devnet circuit proves 16 at most"):
        layout_for(1 << 20, 15, 2, DEVNET)


def bumped(value: str) -> str:
    return str(int(value) + 1)


Lie = Callable[[dict[str, Any], Profile], None]


def on_path(place: Callable[[Profile], int]) -> Lie:
    """Another sibling at one height of the first sample's path."""

    def lie(i: dict[str, Any], profile: Profile) -> None:
        path, at = i["merklePaths"][0], place(profile)
        path[at] = bumped(path[at])

    return lie


LIES: dict[str, Lie] = {
    "wrong cell byte": lambda i, _: i["cellData"][0].__setitem__(3, bumped(i["cellData"][0][3])),
    "last cell element": lambda i, _: i["cellData"][-1].__setitem__(-1, bumped(i["cellData"][-1][-1])),
    "path node inside the block": on_path(lambda profile: 0),
    "path node at the block's top": on_path(lambda profile: profile.block_tree_depth - 1),
    "path node over the blocks": on_path(lambda profile: profile.block_tree_depth),
    "slot path node": lambda i, _: i["slotProof"].__setitem__(1, bumped(i["slotProof"][1])),
    "slot root": lambda i, _: i.__setitem__("slotRoot", bumped(i["slotRoot"])),
    "dataset root": lambda i, _: i.__setitem__("dataSetRoot", bumped(i["dataSetRoot"])),
    "another slot's index": lambda i, _: i.__setitem__("slotIndex", bumped(i["slotIndex"])),
    "index out of range": lambda i, _: i.__setitem__("slotIndex", i["nSlotsPerDataSet"]),
    "index beyond the circuit": lambda i, p: i.__setitem__("slotIndex", str(int(i["slotIndex"]) + p.max_slots)),
    "another challenge": lambda i, _: i.__setitem__("entropy", bumped(i["entropy"])),
    "fewer cells": lambda i, _: i.__setitem__("nCellsPerSlot", str(int(i["nCellsPerSlot"]) // 2)),
    "more cells": lambda i, _: i.__setitem__("nCellsPerSlot", str(int(i["nCellsPerSlot"]) * 2)),
    "cells not a power of two": lambda i, _: i.__setitem__("nCellsPerSlot", str(int(i["nCellsPerSlot"]) * 3 // 4)),
    "more slots": lambda i, _: i.__setitem__("nSlotsPerDataSet", str(2 * int(i["nSlotsPerDataSet"]))),
    "fewer slots than the index": lambda i, _: i.__setitem__("nSlotsPerDataSet", "2"),
    "no slots": lambda i, _: i.__setitem__("nSlotsPerDataSet", "0"),
}


def test_every_lie_is_refused(slot: Slot, tmp_path: Path) -> None:
    honest = inputs_for(slot)
    tries = []
    for lie in LIES.values():
        tried = copy.deepcopy(honest)
        lie(tried, slot.profile)
        assert tried != honest
        tries.append(tried)
    found = witnesses(slot.profile, [*tries, honest], tmp_path)
    assert [name for name, taken in zip(LIES, found, strict=False) if taken] == []
    assert found[-1]


def test_any_sample_of_another_cell_with_its_own_path_is_refused(slot: Slot, tmp_path: Path) -> None:
    profile, entropy = slot.profile, entropy_of(CHALLENGE)
    drawn = cell_indices(entropy, slot.root, len(slot.cells), profile.samples)
    tries = []
    for sample in sorted({0, profile.samples - 1}):
        for other in (drawn[sample] ^ 1, drawn[sample] ^ len(slot.cells) // 2):
            asked = [other if i == sample else cell for i, cell in enumerate(drawn)]
            tries.append(circuit_input(profile, entropy, slot.facts, [slot.opening(cell) for cell in asked]))
    assert witnesses(profile, [*tries, inputs_for(slot)], tmp_path) == [False] * len(tries) + [True]


@pytest.mark.parametrize("profile", [CODEX, DEVNET, PRODUCTION], ids=lambda profile: profile.name)
def test_an_odd_slot_cannot_pose_as_another(profile: Profile, tmp_path: Path) -> None:
    """The last of five has no sibling in the lowest layer."""
    honest = inputs_for(slot_of(profile, index=4, slots=5, blocks=2))
    tries = [{**honest, "slotIndex": index} for index in ("0", "3", "5")]
    assert witnesses(profile, [*tries, honest], tmp_path) == [False, False, False, True]


def test_samples_that_leave_parts_of_the_crown_unseen_are_accepted(tmp_path: Path) -> None:
    slot = replace(codex_slot(), profile=PRODUCTION)
    facts = slot.facts

    def seen(entropy: int) -> int:
        """Eighths of the slot in which a sample lies."""
        return len({cell * 8 // facts.cells for cell in cell_indices(entropy, facts.slot_root, facts.cells, 10)})

    fewest, most = min(range(60), key=seen), max(range(60), key=seen)
    assert seen(fewest) <= 4 and seen(most) >= 7
    tries = [inputs_for(slot, entropy) for entropy in (fewest, most)]
    assert witnesses(PRODUCTION, tries, tmp_path) == [True, True]


def test_production_takes_codexs_own_fixture_and_draws_the_same_cells() -> None:
    """One statement, two circuits: the first samples of the one are those of the other."""
    theirs = inputs_for(codex_slot(), ENTROPY)
    ours = inputs_for(replace(codex_slot(), profile=PRODUCTION), ENTROPY)
    assert ours["cellData"][:5] == theirs["cellData"]
    assert [path[:19] for path in theirs["merklePaths"]] == ours["merklePaths"][:5]
    for name in ("entropy", "dataSetRoot", "slotIndex", "slotRoot", "nCellsPerSlot", "nSlotsPerDataSet", "slotProof"):
        assert ours[name] == theirs[name]


@pytest.mark.parametrize("profile", [CODEX, PRODUCTION], ids=lambda profile: profile.name)
def test_swapped_samples_are_refused(profile: Profile, tmp_path: Path) -> None:
    honest = inputs_for(replace(codex_slot(), profile=profile), ENTROPY)
    swapped = copy.deepcopy(honest)
    for name in ("cellData", "merklePaths"):
        swapped[name][0], swapped[name][1] = swapped[name][1], swapped[name][0]
    assert witnesses(profile, [swapped, honest], tmp_path) == [False, True]


@pytest.mark.parametrize("profile", [CODEX, PRODUCTION], ids=lambda profile: profile.name)
def test_codex_fixture_is_accepted_and_proven(profile: Profile) -> None:
    """Codex's published fixture: entropy 1234567, slot 3 of 11, 512 cells, 5 samples, or twice as many."""
    slot = replace(codex_slot(), profile=profile)
    assert hash_bytes(slot.cells[0]) == 17033041910967151034136324870959232982916157925751316473693996492621564867107
    challenge = ENTROPY.to_bytes(31, "little") + b"\xff"
    facts = slot.facts
    # The indices depend on the slot's root alone, which its own data fixes.
    assert cell_indices(ENTROPY, facts.slot_root, facts.cells, 5) == [287, 21, 307, 157, 508]

    async def prove() -> Any:
        prover = prover_for(profile)
        try:
            return await prover.prove(inputs_for(slot, ENTROPY))
        finally:
            await prover.close()

    proof = asyncio.run(prove())
    key = verification_key(profile.name)
    assert verify(key, proof, public_inputs(challenge, facts.dataset_root, 3))
    assert not verify(key, proof, public_inputs(challenge, facts.dataset_root, 4))


@settings(max_examples=20, deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_entropy_ignores_the_last_byte_and_fits_the_field(challenge: bytes) -> None:
    assert entropy_of(challenge) == entropy_of(challenge[:31] + b"\0") < 1 << 248


def test_profiles_match_the_circuits() -> None:
    import tomllib

    found = tomllib.loads((Path(__file__).parents[2] / "circuits" / "profiles.toml").read_text())
    assert found == {
        name: {key: value for key, value in vars(profile).items() if key != "name"}
        for name, profile in PROFILES.items()
    }
    assert (CODEX.block_tree_depth, CODEX.elements_per_cell, DEVNET.elements_per_cell) == (5, 67, 67)
    assert all(profile.crown <= profile.block_tree_depth for profile in PROFILES.values())
