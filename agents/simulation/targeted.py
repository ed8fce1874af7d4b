"""Attacks on chosen chunk groups (Vault, section 4.4.2 and the lower plot of figure 6).

The attacker knows who is in every group and disconnects whole groups, but cannot tell which chunks belong to one object: the
groups come in random order, as many as a share of all nodes allows. Groups that are hit in passing are counted as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents.core.errors import Misuse
from agents.simulation import intervals
from agents.simulation.groups import GroupSetting
from agents.simulation.intervals import Interval
from agents.simulation.running import HERE, Runner, cut

PIECE = 4
"""Networks at most that are attacked without a break."""


@dataclass(frozen=True)
class TargetedLoss:
    """What is lost when a share of all nodes is attacked."""

    attacked: float
    """The share of nodes the attacker can disconnect."""
    share: Interval
    """Of objects lost, over the networks."""
    groups: Interval
    """Groups disconnected on purpose."""


@dataclass(frozen=True)
class _Piece:
    setting: GroupSetting
    objects: int
    shares: tuple[float, ...]
    networks: int
    seed: np.random.SeedSequence


def targeted_losses(
    setting: GroupSetting, shares: Sequence[float], objects: int = 100, networks: int = 40, seed: int = 0, *,
    runner: Runner = HERE,
) -> list[TargetedLoss]:  # fmt: skip
    """Objects lost with each share of nodes attacked, in so many networks that hold ``objects``. Raises Misuse."""
    if not all(0.0 <= share <= 1.0 for share in shares):
        raise Misuse("a share of nodes to attack is not between 0 and 1")
    if objects < 1:
        raise Misuse(f"{objects} objects cannot be attacked", "", "Take 1 or more.")
    pieces = [_Piece(setting, objects, tuple(shares), *part) for part in cut(networks, PIECE, seed)]
    found = np.concatenate(runner.run(_attack, pieces))
    return [
        TargetedLoss(share, intervals.mean(found[:, at, 0]), intervals.mean(found[:, at, 1]))
        for at, share in enumerate(shares)
    ]


def _attack(piece: _Piece) -> Any:
    """(networks, shares, 2): the share of objects lost, and the groups attacked."""
    chance = np.random.Generator(np.random.PCG64(piece.seed))
    return np.array([_network(piece, chance) for _ in range(piece.networks)])


def _network(piece: _Piece, chance: np.random.Generator) -> list[tuple[float, int]]:
    setting = piece.setting
    groups = random_groups(setting.nodes, setting.members, piece.objects * setting.chunks, chance)
    order = chance.permutation(len(groups))
    # The turn, in the attacker's order of groups, at which a node is disconnected.
    turn = np.full(setting.nodes, len(groups))
    np.minimum.at(turn, groups[order], np.arange(len(groups))[:, None])
    used = np.cumsum(np.bincount(turn, minlength=len(groups))[: len(groups)])
    found = []
    for share in piece.shares:
        attacked = int(np.searchsorted(used, share * setting.nodes, side="right"))
        alive = (turn[groups] >= attacked).sum(axis=1)
        lost = (alive < setting.needed).reshape(piece.objects, setting.chunks).sum(axis=1)
        found.append((float((lost > setting.chunks - setting.chunks_needed).mean()), attacked))
    return found


def random_groups(nodes: int, members: int, groups: int, chance: np.random.Generator) -> Any:
    """(groups, members) node numbers, those of a group all different: drawn again where two are the same."""
    found = chance.integers(nodes, size=(groups, members))
    while True:
        ordered = np.sort(found, axis=1)
        twice = (ordered[:, 1:] == ordered[:, :-1]).any(axis=1)
        if not twice.any():
            return found
        found[twice] = chance.integers(nodes, size=(int(twice.sum()), members))
