"""Chunk groups: against Vault's published figures, against a whole network, and against themselves."""

import math
import random
import time
from dataclasses import replace

import numpy as np
import pytest
from scipy import linalg, stats

from agents.core.durability import groups
from agents.core.durability.hazards import YEAR_SECONDS
from agents.core.errors import Misuse
from agents.simulation import intervals
from agents.simulation.groups import (
    LOST,
    PIECE,
    REPLICATED,
    GroupSetting,
    ObjectLoss,
    byzantine,
    even_rotation,
    half_lost,
    object_losses,
    safe_rotation,
    simulate_groups,
    trace,
)
from tests.simulation.reference import Network

HOUR, DAY, YEAR = 3_600.0, 86_400.0, float(YEAR_SECONDS)
CHURN, MEMBERS = 4.0, 80
FIRST_YEAR = {0: 528.64, 6: 405.98, 12: 311.55, 24: 185.01, 48: 64.95}
"""Figure 4, left: cache lifetime in hours -> object sizes moved an object in the first year."""
TEN_YEARS = {0: (1185.9, 4298.6, 8348.9), 24: (927.0, 1764.0, 1553.0), 48: (728.0, 762.0, 470.0)}
"""Figure 4, right: the same in ten years at churns of 1, 4 and 8."""
TEN_YEARS_REPLICATED = (30.1, 120.2, 239.7)
LOST_PERCENT = {80: {0.28: 0, 0.32: 2.1, 0.36: 97.5, 0.40: 100}, 100: {0.40: 0, 0.48: 100}, 120: {0.44: 0, 0.48: 0.1}}
"""Figure 6, top, where nearly none or nearly all are lost: members -> Byzantine share -> percent in ten years."""
HALF_LOST = {80: 0.3401, 100: 0.4345, 120: 0.5035}
"""The share at which half is lost, on the line between the two published points around it."""


def calm(churn: float = CHURN, cache: float = 0.0) -> GroupSetting:
    """Figure 4's: nobody is Byzantine."""
    return GroupSetting(churn=churn, rotation=even_rotation(churn, MEMBERS), cache=cache * HOUR)


@pytest.mark.parametrize("cache", FIRST_YEAR)
def test_the_first_years_repair_traffic_is_the_published_one(cache: int) -> None:
    found = simulate_groups(calm(cache=cache), YEAR, 300)
    assert found.losses == 0
    assert found.traffic.value == pytest.approx(FIRST_YEAR[cache], rel=0.04)


@pytest.mark.parametrize("cache", TEN_YEARS)
def test_ten_years_repair_traffic_is_the_published_one(cache: int) -> None:
    found = [simulate_groups(calm(churn, cache), 10 * YEAR, 100).traffic.value for churn in (1.0, 4.0, 8.0)]
    assert found == pytest.approx(TEN_YEARS[cache], rel=0.02)


def test_the_baseline_repairs_a_copy_for_each_departure() -> None:
    found = [simulate_groups(replace(REPLICATED, churn=churn), 10 * YEAR, 1_000) for churn in (1.0, 4.0, 8.0)]
    assert [each.traffic.value for each in found] == pytest.approx(TEN_YEARS_REPLICATED, rel=0.02)
    assert all(each.traffic.holds(30 * churn) for each, churn in zip(found, (1, 4, 8), strict=True))


def test_traffic_with_a_cache_is_the_closed_form_over_the_years() -> None:
    """Repairs come nearly at random, at rate L: one finds the chunk cached with probability 1 - exp(-L t)."""
    bare, cached = (simulate_groups(calm(cache=cache), 10 * YEAR, 100) for cache in (0, 24))
    rate = bare.repairs_per_year.value
    missed = math.exp(-rate * DAY / YEAR)
    assert rate == pytest.approx(343.9, rel=0.01)
    assert cached.traffic.value == pytest.approx(12.5 * rate * (missed + (1 - missed) / 32), rel=0.01)


def test_fragments_alive_at_a_third_byzantine_are_the_published_ones() -> None:
    """Figure 5, R = 80: between 35 and 61 in ten years, 49.0 on average, and some 955 repairs a year."""
    (setting,) = byzantine(GroupSetting(), [0.33])
    assert setting.rotation == pytest.approx(9.17 * HOUR, rel=1e-3)
    found = simulate_groups(setting, 10 * YEAR, 300, 1)
    kept = np.isinf(found.lost_at)
    low, high = np.quantile(found.least[kept], (0.005, 0.995)), np.quantile(found.most[kept], (0.005, 0.995))
    assert low[0] <= 35 <= low[1] and high[0] <= 61 <= high[1]
    assert np.quantile(found.mean[kept], 0.01) <= 49.0 <= np.quantile(found.mean[kept], 0.99)
    assert found.repairs_per_year.holds(955.0)


def test_a_trace_of_ten_years_takes_well_under_a_second_and_shows_what_the_result_says() -> None:
    (setting,) = byzantine(GroupSetting(), [0.30])
    trace(setting, YEAR, DAY)
    began = time.process_time()
    samples = trace(setting, 10 * YEAR, DAY, 4)
    assert time.process_time() - began < 0.3
    found = simulate_groups(setting, 10 * YEAR, 1, 4)
    assert len(samples) == 3_651 and found.losses == 0
    assert found.least[0] <= samples.min() and samples.max() <= found.most[0]
    assert samples.mean() == pytest.approx(found.mean[0], rel=0.01)


def test_the_trace_of_a_lost_chunk_ends_when_it_is_lost() -> None:
    setting = GroupSetting(byzantine=0.5)
    samples = trace(setting, YEAR, DAY, 2)
    lost_at = simulate_groups(setting, YEAR, 1, 2).lost_at[0]
    lived = math.floor(lost_at / DAY) + 1
    assert 1 < lived < 365 and (samples[:lived] >= setting.needed).all() and (samples[lived:] == LOST).all()


@pytest.mark.parametrize("members", LOST_PERCENT)
def test_byzantine_loss_is_the_published_one(members: int) -> None:
    published = LOST_PERCENT[members]
    losses = object_losses(byzantine(GroupSetting(members=members), list(published)), 10 * YEAR, 60)
    assert [100 * loss.share.value for loss in losses] == pytest.approx(list(published.values()), abs=2.0)
    assert all(loss.share.low <= loss.counted.high and loss.counted.low <= loss.share.high for loss in losses)


@pytest.mark.parametrize("members", HALF_LOST)
def test_half_of_all_objects_are_lost_at_the_published_share(members: int) -> None:
    shares = [HALF_LOST[members] + step for step in (-0.01, 0.0, 0.01, 0.02)]
    assert half_lost(object_losses(byzantine(GroupSetting(members=members), shares), 10 * YEAR, 60)) == pytest.approx(
        HALF_LOST[members], abs=0.01
    )


def test_the_published_baseline_is_rotated_like_groups_of_80() -> None:
    """Three copies are all lost at a share of 0.04, as published, only if they are rotated like Vault's own groups."""
    rotated = object_losses(byzantine(REPLICATED, [0.04], members=80), 10 * YEAR, 2_000)[0]
    still = object_losses(byzantine(REPLICATED, [0.04], rotates=False), 10 * YEAR, 2_000)[0]
    assert rotated.share.value > 0.998 and 0.88 < still.share.value < 0.93
    assert rotated.setting.rotation == safe_rotation(CHURN, 80, 0.04) and math.isinf(still.setting.rotation)


@pytest.mark.parametrize("cache", [0.0, 20 * DAY])
def test_a_network_with_all_its_nodes_agrees(cache: float) -> None:
    """Where nodes leave all their groups at once, and a group's new member may be any node that is not in it."""
    setting = GroupSetting(
        nodes=1_000, members=16, needed=8, byzantine=0.2, rotation=safe_rotation(CHURN, 16, 0.2), cache=cache
    )
    ours = simulate_groups(setting, 2 * YEAR, 20_000, 1)
    networks = [Network(setting, 40, random.Random(seed)) for seed in range(6)]
    for network in networks:
        network.live(2 * YEAR)
    lost = sum(math.isfinite(at) for network in networks for at in network.lost_at)
    assert intervals.share(lost, 240, 0.99).holds(ours.loss.value) and lost > 30
    for name in ("repairs", "fetched"):
        theirs = intervals.mean([count for network in networks for count in getattr(network, name)], 0.99)
        assert theirs.holds(float(getattr(ours, name).mean()))


def test_without_departures_or_rotation_the_hypergeometric_says_it_all() -> None:
    setting = GroupSetting(nodes=40, members=10, needed=6, byzantine=0.5, churn=0.0)
    found = simulate_groups(setting, YEAR, 20_000, 2)
    kept = sum(math.comb(20, honest) * math.comb(20, 10 - honest) for honest in range(6, 11)) / math.comb(40, 10)
    assert found.loss.holds(1 - kept) and found.repairs.sum() == 0
    lost = np.isfinite(found.lost_at)
    assert (found.lost_at[lost] == 0).all() and (found.least == found.most).all() and (found.mean == found.least).all()
    assert (found.least[lost] < 6).all() and (found.least[~lost] >= 6).all()


@pytest.mark.parametrize(("share", "years"), [(0.15, 1.5), (0.2, 1.0), (0.3, 0.4)])
def test_without_rotation_the_chain_of_honest_members_says_it_all(share: float, years: float) -> None:
    """An honest one leaves at rate churn / (1 - f) and a Byzantine one takes the place with the share of those outside."""
    setting = GroupSetting(nodes=2_000, members=40, needed=16, byzantine=share)
    faulty, sizes = round(share * 2_000), range(16, 41)
    chain, start = np.zeros((26, 26)), np.zeros(26)
    for at, alive in enumerate(sizes):
        worse = (faulty - (40 - alive)) / (2_000 - 39)
        leaving = alive * setting.leaving * YEAR
        chain[at, at] -= leaving if alive == 16 else leaving * worse
        chain[at, at - 1] += leaving if alive == 16 else leaving * worse  # from 16 to the last state: lost
        start[at] = stats.hypergeom.pmf(alive, 2_000, 2_000 - faulty, 40)
    start[-1] = 1 - start.sum()
    lost = float((start @ linalg.expm(chain * years))[-1])
    found = simulate_groups(setting, years * YEAR, 20_000, 3)
    assert 0.05 < lost < 0.95 and intervals.share(found.losses, found.groups, 0.99).holds(lost)


def test_the_models_chain_of_a_group_is_the_simulations_where_nothing_rotates() -> None:
    for share, seconds in ((0.2, YEAR), (0.3, YEAR / 2)):
        setting = GroupSetting(nodes=2_000, members=40, needed=16, byzantine=share)
        found = simulate_groups(setting, seconds, 10_000, 4)
        assert found.loss.value == pytest.approx(groups.chunk_loss(setting, seconds), abs=0.01)


def test_the_models_chain_is_the_simulations_where_groups_rotate() -> None:
    (setting,) = byzantine(GroupSetting(), [0.34])
    found = simulate_groups(setting, 10 * YEAR, 1_000, 5)
    assert found.loss.holds(groups.chunk_loss(setting, 10 * YEAR))
    for cache in (0, 24):
        simulated = simulate_groups(calm(cache=cache), YEAR, 300, 5).traffic.value
        assert simulated == pytest.approx(groups.traffic(calm(cache=cache), YEAR), rel=0.01)


def test_the_seed_alone_decides_and_another_stays_within_the_interval() -> None:
    (setting,) = byzantine(GroupSetting(cache=DAY), [0.35])
    first, again, other = (simulate_groups(setting, 3 * YEAR, 2 * PIECE + 3, seed) for seed in (1, 1, 2))
    for name in ("lost_at", "repairs", "fetched", "least", "most", "mean"):
        assert np.array_equal(getattr(first, name), getattr(again, name)) and first.groups == 2 * PIECE + 3
        assert not np.array_equal(getattr(first, name), getattr(other, name))
    for name in ("loss", "traffic", "repairs_per_year"):
        assert getattr(first, name).holds(getattr(other, name).value), name


def test_half_is_found_between_two_points_or_nowhere() -> None:
    def loss(share: float, chunks_lost: int) -> ObjectLoss:
        return ObjectLoss(GroupSetting(byzantine=share, chunks=1, chunks_needed=1), 100, chunks_lost, chunks_lost)

    assert half_lost([loss(0.1, 0), loss(0.2, 25), loss(0.3, 75), loss(0.4, 100)]) == pytest.approx(0.25)
    assert math.isnan(half_lost([loss(0.1, 0), loss(0.2, 49)]))


def test_an_objects_loss_follows_from_its_chunks() -> None:
    setting = GroupSetting(chunks=3, chunks_needed=2)
    assert ObjectLoss(setting, 100, 20, 75).share.value == pytest.approx(3 * 0.25**2 * 0.75 + 0.25**3)
    assert ObjectLoss(setting, 100, 20, 75).counted.value == 0.2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"members": 31}, "groups of 31 out of 100000 nodes, 32 needed, cannot be"),
        ({"nodes": 79}, "groups of 80 out of 79 nodes"),
        ({"needed": 0}, "0 needed, cannot be"),
        ({"chunks": 7}, "cannot need 8 of its 7 chunks"),
        ({"byzantine": 1.0}, "1.0 of all nodes cannot be Byzantine"),
        ({"byzantine": -0.1}, "-0.1 of all nodes"),
        ({"churn": -1.0}, "-1.0 departures a year"),
        ({"churn": math.nan}, "nan departures a year"),
        ({"rotation": 0.0}, "evicted every 0.0 s"),
        ({"cache": -1.0}, "cached for -1.0 s"),
    ],
)
def test_what_cannot_be_is_refused(changes: dict[str, float], message: str) -> None:
    with pytest.raises(Misuse, match=message):
        replace(GroupSetting(), **changes)  # type: ignore[arg-type]


def test_times_and_counts_that_cannot_be_are_refused() -> None:
    with pytest.raises(Misuse, match="inf seconds"):
        simulate_groups(GroupSetting(), math.inf, 1)
    with pytest.raises(Misuse, match="0 of them"):
        simulate_groups(GroupSetting(), YEAR, 0)
    with pytest.raises(Misuse, match="looked at every 0"):
        trace(GroupSetting(), YEAR, 0.0)
