"""What a prover may hint about the crown of a tree, and what it cannot get away with."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.core.proofs.poseidon2 import compress
from tests.circuits.compiling import ROOT, Compiled, accepted, compiled

LEVELS, PATHS = 3, 2
FOOT = 1 << LEVELS
KEYS = [0, 1, 0]
LEAVES = [100 + i for i in range(FOOT)]

MAIN = f"""pragma circom 2.1.6;
include "./crown.circom";
template Rooted(levels, paths) {{
    signal input root;
    signal input key[levels];
    signal input turn[paths][levels];
    signal input node[paths];
    signal input given[2 << levels];
    signal input claimed[1 << levels];
    component crown = Crown(levels, paths);
    crown.key <== key;
    crown.turn <== turn;
    crown.node <== node;
    crown.given <== given;
    crown.claimed <== claimed;
    for (var i = 0; i < paths; i++) for (var j = 0; j < levels; j++) crown.sibling[i][j] <== 0;
    crown.root === root;
}}
component main = Rooted({LEVELS}, {PATHS});
"""

HINTS = {
    '"./poseidon2.circom"': '"../../circuits/poseidon2.circom"',
    "signal output root;": "signal output root; signal input given[2 << levels]; signal input claimed[1 << levels];",
    "value[2 * h] <-- left;": "value[2 * h] <-- given[2 * h];",
    "value[2 * h + 1] <-- right;": "value[2 * h + 1] <-- given[2 * h + 1];",
    "known[h] <-- leftMet + rightMet > 0 ? 1 : 0;": "known[h] <-- claimed[h];",
}
"""What the circuit hints, taken from inputs instead: a prover's own program may say anything there."""


@pytest.fixture(scope="module")
def crown() -> Iterator[Compiled]:
    text = (ROOT / "circuits" / "crown.circom").read_text()
    for hint, ours in HINTS.items():
        assert text.count(hint) == 1
        text = text.replace(hint, ours)
    assert text.count("<--") == 3
    with compiled(MAIN, "--O2", "--wasm", files={"crown.circom": text}) as made:
        yield made


def tree() -> list[int]:
    """Nodes by number: 1 is the root, 2 h and 2 h + 1 are the children of h."""
    nodes = [0] * FOOT + LEAVES
    for h in range(FOOT - 1, 0, -1):
        nodes[h] = compress(nodes[2 * h], nodes[2 * h + 1], KEYS[h.bit_length() - 1])
    return nodes


def climb(leaves: list[int]) -> dict[str, Any]:
    """The honest input for the paths from ``leaves``, as the circuit's own hints are."""
    nodes = tree()
    passed = {(FOOT + leaf) >> up for leaf in leaves for up in range(1, LEVELS + 1)}
    return {
        "root": nodes[1],
        "key": KEYS,
        "turn": [[leaf >> (LEVELS - 1 - height) & 1 for height in range(LEVELS)] for leaf in leaves],
        "node": [nodes[FOOT + leaf] for leaf in leaves],
        "given": [nodes[h] if h > 1 and h >> 1 in passed else 0 for h in range(2 * FOOT)],
        "claimed": [int(h in passed) for h in range(FOOT)],
    }


def changed(inputs: dict[str, Any], **hints: dict[int, int]) -> dict[str, Any]:
    found = copy.deepcopy(inputs)
    for name, values in hints.items():
        for place, value in values.items():
            found[name][place] = value
    return found


def test_honest_paths_wherever_they_meet(crown: Compiled, tmp_path: Path) -> None:
    tries = [climb([a, b]) for a, b in ((0, 0), (0, 1), (2, 3), (0, 2), (5, 4), (7, 0), (3, 4), (6, 1))]
    assert all(accepted(crown.wasm, tries, tmp_path / "w"))


def test_each_hint_on_a_path_is_bound_and_no_other(crown: Compiled, tmp_path: Path) -> None:
    honest = climb([0, 3])  # the nodes passed: 1, 2, 4, 5
    bound = [changed(honest, given={h: 7}) for h in (2, 3, 4, 5, 8, 9, 10, 11)]
    bound += [changed(honest, claimed={h: value}) for h in (2, 4, 5) for value in (0, 2, -1)]
    bound += [changed(honest, claimed={h: 1}) for h in (3, 6, 7)]  # nothing is known below them
    assert accepted(crown.wasm, bound, tmp_path / "w") == [False] * len(bound)
    unbound = [changed(honest, given=dict.fromkeys((6, 7, 12, 13, 14, 15), 7))]
    assert accepted(crown.wasm, unbound, tmp_path / "w") == [True]


def test_a_false_node_gets_in_nowhere(crown: Compiled, tmp_path: Path) -> None:
    """The node 99 instead of leaf 0, with every story about it that the prover could tell."""
    honest, nodes = climb([0, 1]), tree()
    false = {**honest, "node": [99, nodes[9]]}
    parent = compress(99, nodes[9], KEYS[2])
    above = compress(parent, nodes[5], KEYS[1])
    stories = [
        false,
        changed(false, given={8: 99}),
        changed(false, given={8: 99}, claimed={4: 0}),
        changed(false, given={8: 99}, claimed={4: 0, 2: 0}),
        changed(false, given={8: 99, 4: parent}),
        changed(false, given={8: 99, 4: parent}, claimed={2: 0}),
        changed(false, given={8: 99, 4: parent, 2: above}),
        changed(false, given={8: 99, 4: parent}, claimed={2: 2}),
        # Somewhere else, with a turn that says so.
        changed({**false, "turn": [[1, 1, 1], [0, 0, 1]]}, given={15: 99}),
        changed({**false, "turn": [[1, 1, 1], [0, 0, 1]]}, given={15: 99}, claimed={7: 1}),
        changed({**false, "turn": [[1, 1, 1], [0, 0, 1]]}, given={15: 99}, claimed={7: 1, 3: 1}),
    ]
    assert accepted(crown.wasm, [*stories, honest], tmp_path / "w") == [False] * len(stories) + [True]


def test_places_and_keys_are_bound(crown: Compiled, tmp_path: Path) -> None:
    honest = climb([0, 6])
    tries = [{**honest, "turn": [turn, honest["turn"][1]]} for turn in ([0, 0, 1], [0, 1, 0], [1, 0, 0])]
    tries += [{**honest, "node": honest["node"][::-1]}, {**honest, "root": 5}]
    tries += [{**honest, "key": key} for key in ([1, 1, 0], [0, 0, 0], [0, 1, 1])]
    assert accepted(crown.wasm, [*tries, honest], tmp_path / "w") == [False] * len(tries) + [True]
