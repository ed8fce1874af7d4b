"""The chain of a chunk group: against the published figures, an exact solution without rotation, and the simulation."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.linalg import expm
from scipy.stats import binom, hypergeom

from agents.core.durability.group_setting import GroupSetting, even_rotation, safe_rotation
from agents.core.durability.groups import (
    chunk_loss,
    life,
    object_loss,
    repairs_per_year,
    traffic,
    traffic_closed_form,
)
from agents.core.durability.hazards import YEAR_SECONDS
from agents.core.errors import Misuse
from agents.simulation.groups import simulate_groups

FIGURES: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "vault_figures.json").read_text())
HOUR = 3_600.0
DECADE = 10 * YEAR_SECONDS
EVEN = GroupSetting(rotation=even_rotation(4, 80))


def safe(fraction: float, members: int = 80) -> GroupSetting:
    return GroupSetting(byzantine=fraction, members=members, rotation=safe_rotation(4, members, fraction))


def test_the_first_year_of_figure_4() -> None:
    for hours, published in FIGURES["fig4a_repair_traffic_1yr_per_object"]["vault_cache_hours"].items():
        setting = replace(EVEN, cache=float(hours) * HOUR)
        assert traffic(setting, YEAR_SECONDS) == pytest.approx(published, rel=0.01)


@pytest.mark.parametrize("churn", [1, 4])
def test_ten_years_of_figure_4_at_every_cache(churn: int) -> None:
    published = FIGURES["fig4b_repair_traffic_10yr_by_churn_1_to_8"]
    setting = GroupSetting(churn=churn, rotation=even_rotation(churn, 80))
    repairs = repairs_per_year(setting, DECADE)
    for hours in (0, 24, 48):
        cached = replace(setting, cache=hours * HOUR)
        expected = published[f"cache_{hours}h"][churn - 1]
        assert traffic(cached, DECADE) == pytest.approx(expected, rel=0.005)
        assert 10 * traffic_closed_form(cached, repairs) == pytest.approx(expected, rel=0.02)


def test_where_the_closed_form_falls_short() -> None:
    repairs = repairs_per_year(EVEN, YEAR_SECONDS)
    published = FIGURES["fig4a_repair_traffic_1yr_per_object"]["vault_cache_hours"]
    errors = {
        hours: traffic_closed_form(replace(EVEN, cache=float(hours) * HOUR), repairs) / value - 1
        for hours, value in published.items()
    }
    # In the first year a quarter of the repairs are evictions, W = 27 h apart: below W fewer of them find a chunk cached than
    # at random times, beyond it more.
    assert EVEN.rotation == 27.375 * HOUR
    assert errors["24"] < -0.03
    assert errors["48"] > 0.03
    assert abs(errors["0"]) < 0.005


def test_repairs_of_a_group_that_only_departs() -> None:
    assert repairs_per_year(GroupSetting(), YEAR_SECONDS) == pytest.approx(320, rel=1e-12)
    # Evictions add 24 a year over ten years, and most of these in the first.
    assert repairs_per_year(EVEN, DECADE) == pytest.approx(343.9, rel=0.001)
    assert repairs_per_year(EVEN, YEAR_SECONDS) == pytest.approx(422.9, rel=0.005)


def test_figure_5() -> None:
    for members, published in ((80, FIGURES["fig5_alive_fragments_10yr_f0.33"]["R80"]), (100, {"mean": 57.7})):
        setting = safe(0.33, members)
        lived = life(setting, DECADE)
        # The published traces are of one chunk each.
        assert lived.honest[-1] == pytest.approx(published["mean"], rel=0.08)
        assert lived.repairs_within(DECADE) / 10 == pytest.approx(YEAR_SECONDS / setting.rotation, rel=0.01)


@pytest.mark.parametrize(("members", "fraction"), [(80, "0.32"), (80, "0.36"), (80, "0.40")])
def test_figure_6a(members: int, fraction: str) -> None:
    published = FIGURES["fig6a_percent_lost_by_byzantine_fraction"][f"R{members}"][fraction]
    assert 100 * object_loss(safe(float(fraction), members), DECADE) == pytest.approx(published, abs=2)


def test_without_rotation_the_chain_is_exact() -> None:
    setting = GroupSetting(nodes=500, members=12, needed=4, byzantine=0.3)
    honest = np.arange(4, 13)
    rates = np.zeros((10, 10))
    for at, count in enumerate(honest):
        leaving = count * setting.leaving * YEAR_SECONDS
        byzantine = (150 - (12 - count)) / (500 - 12 + 1)
        if at == 0:
            rates[at, 9] = leaving
        else:
            rates[at, at - 1] = leaving * byzantine
        rates[at, at] = -rates[at].sum()
    start = np.append(hypergeom.pmf(honest, 500, 350, 12), hypergeom.cdf(3, 500, 350, 12))
    for years in (0.1, 1.0):
        expected = (start @ expm(rates * years))[9]
        assert chunk_loss(setting, years * YEAR_SECONDS) == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize(
    "setting",
    [
        GroupSetting(byzantine=0.33),
        GroupSetting(byzantine=0.6, churn=0.0),
        GroupSetting(members=3, needed=1, byzantine=0.05),
        GroupSetting(members=20, needed=8, byzantine=0.3, rotation=even_rotation(4, 20) / 3),
    ],
)
def test_losses_against_the_simulation(setting: GroupSetting) -> None:
    duration = YEAR_SECONDS / 5
    assert simulate_groups(setting, duration, 2_000, seed=3).loss.holds(chunk_loss(setting, duration))


def test_repairs_and_members_against_the_simulation() -> None:
    for setting in (safe(0.3), replace(EVEN, byzantine=0.2), replace(EVEN, rotation=10 * even_rotation(4, 80))):
        simulated = simulate_groups(setting, YEAR_SECONDS, 300, seed=4)
        assert simulated.repairs.mean() == pytest.approx(
            life(setting, YEAR_SECONDS).repairs_within(YEAR_SECONDS), rel=0.01
        )
        assert simulated.mean.mean() == pytest.approx(life(setting, YEAR_SECONDS).honest.mean(), rel=0.02)


def test_an_object_needs_k_of_its_chunks() -> None:
    setting = safe(0.36)
    lost = chunk_loss(setting, DECADE)
    assert object_loss(setting, DECADE) == pytest.approx(binom.sf(2, 10, lost), rel=1e-12)
    assert object_loss(replace(setting, chunks=1, chunks_needed=1), DECADE) == pytest.approx(lost, rel=1e-12)


def test_small_losses_keep_their_digits() -> None:
    assert 0 < chunk_loss(GroupSetting(byzantine=0.05), YEAR_SECONDS / 5) < 1e-28
    assert chunk_loss(GroupSetting(), DECADE) == 0.0
    rotated = GroupSetting(members=20, needed=4, byzantine=0.1, rotation=safe_rotation(4, 20, 0.1))
    assert 0 < chunk_loss(rotated, DECADE) < 1e-8


@pytest.mark.parametrize(
    "make",
    [
        lambda: GroupSetting(byzantine=1.0),
        lambda: GroupSetting(needed=81),
        lambda: GroupSetting(members=10, needed=5, nodes=9),
        lambda: GroupSetting(churn=-1.0),
        lambda: GroupSetting(rotation=0.0),
        lambda: GroupSetting(cache=-1.0),
        lambda: GroupSetting(chunks=7),
        lambda: chunk_loss(GroupSetting(), 0.0),
    ],
)
def test_what_cannot_be_is_refused(make: Any) -> None:
    with pytest.raises(Misuse):
        make()
