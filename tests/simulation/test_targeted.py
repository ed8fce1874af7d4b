"""Attacks on chosen groups: against the exact law and the published points of Vault's figure 6."""

import numpy as np
import pytest

from agents.core.durability.targeted import groups_reached, lost, lost_at
from agents.core.errors import Misuse
from agents.simulation.groups import REPLICATED, GroupSetting
from agents.simulation.targeted import random_groups, targeted_losses

NODES, MEMBERS, OBJECTS = 100_000, 80, 100
PUBLISHED = {14: {0.148: 0.15, 0.181: 0.6, 0.213: 1.65, 0.30: 12.6}, 12: {0.302: 49.0}, 10: {0.039: 1.1, 0.18: 47.0}}
"""Chunks of an object, 8 of them needed -> share of nodes attacked -> percent of objects lost."""


@pytest.mark.parametrize("chunks", PUBLISHED)
def test_the_loss_is_the_published_and_the_exact_one(chunks: int) -> None:
    found = targeted_losses(GroupSetting(chunks=chunks), list(PUBLISHED[chunks]), OBJECTS, 40)
    for each in found:
        exact = lost_at(each.attacked, members=MEMBERS, nodes=NODES, objects=OBJECTS, chunks=chunks, chunks_needed=8)
        width = max(1.5 * (each.share.high - each.share.value), 0.003)
        assert each.share.value == pytest.approx(exact, abs=width)
        assert 100 * each.share.value == pytest.approx(PUBLISHED[chunks][each.attacked], abs=2.0)
        assert each.groups.value == pytest.approx(groups_reached(each.attacked, MEMBERS, NODES), abs=1.5)


def test_nothing_is_lost_to_no_attack_and_all_to_an_attack_on_all() -> None:
    none, everyone = targeted_losses(GroupSetting(), [0.0, 1.0], OBJECTS, 3)
    assert (none.share.value, none.groups.value) == (0.0, 0.0)
    assert (everyone.share.value, everyone.groups.value) == (1.0, OBJECTS * 10)


def test_groups_hit_in_passing_are_counted() -> None:
    """Groups that can spare a tenth of their members fall to an attack on a sixth of all nodes, aimed at or not."""
    (found,) = targeted_losses(GroupSetting(needed=72, chunks=14), [1 / 6], OBJECTS, 4)
    aimed = lost(round(found.groups.value), OBJECTS, 14, 8)
    assert aimed < 0.01 and found.share.value > 0.9


def test_the_baseline_loses_all_before_two_percent_are_attacked() -> None:
    assert targeted_losses(REPLICATED, [0.02], 600, 4)[0].share.value == 1.0
    (found,) = targeted_losses(REPLICATED, [0.001], 600, 10)
    assert found.share.value == pytest.approx(100 / 3 / 600, rel=0.05)


def test_the_seed_alone_decides_and_another_stays_within_the_interval() -> None:
    first, again, other = (targeted_losses(GroupSetting(), [0.18], OBJECTS, 30, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert first[0].share.holds(other[0].share.value)


def test_members_of_a_group_are_different_nodes_drawn_evenly() -> None:
    groups = random_groups(12, 5, 4_000, np.random.default_rng(1))
    assert (np.diff(np.sort(groups, axis=1), axis=1) > 0).all()
    assert np.bincount(groups.ravel(), minlength=12) / 4_000 == pytest.approx(np.full(12, 5 / 12), abs=0.03)
    whole = random_groups(6, 6, 50, np.random.default_rng(1))
    assert (np.sort(whole, axis=1) == np.arange(6)).all()


@pytest.mark.parametrize(
    ("shares", "objects", "networks"), [([1.1], 1, 1), ([-0.1], 1, 1), ([0.5], 0, 1), ([0.5], 1, 0)]
)
def test_what_cannot_be_attacked_is_refused(shares: list[float], objects: int, networks: int) -> None:
    with pytest.raises(Misuse):
        targeted_losses(GroupSetting(), shares, objects, networks)
