"""The placement window against published values, and its bounds."""

import json
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.core.market.fixed_point import WAD, exp_wad, ln_wad
from agents.core.market.placement import EVERYTHING, Sale, position, share, steepness

ROWS = json.loads((Path(__file__).parents[2] / "vectors" / "placement_window.json").read_text())["rows"]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"h={row['h']} x={row['x']}")
def test_published_values(row: dict[str, str]) -> None:
    h, x = Decimal(row["h"]), Decimal(row["x"])
    found = share(steepness(int(h * 10_000)), int(x * 100), 100)
    assert abs(Decimal(found) / WAD - Decimal(row["F"])) < Decimal("1e-15")


@settings(max_examples=200)
@given(st.integers(-40 * WAD, 60 * WAD))
def test_ln_undoes_exp(x: int) -> None:
    value = exp_wad(x)
    if value > WAD:  # enough digits to tell
        assert abs(ln_wad(value) - x) <= 2 + WAD // value


windows = st.integers(1, 30 * 86_400)


@settings(max_examples=100)
@given(st.integers(100, 9_900), windows, st.data())
def test_the_window_only_grows(h: int, window: int, data: st.DataObject) -> None:
    sale = Sale(1_000, 5, window, steepness(h))
    late = data.draw(st.integers(0, window))
    early = data.draw(st.integers(0, late))
    assert sale.threshold(1_000) == (EVERYTHING if window == 0 else 0)
    assert sale.threshold(1_000 + early) <= sale.threshold(1_000 + late)
    assert sale.threshold(1_000 + window) == EVERYTHING


@settings(max_examples=100)
@given(st.integers(100, 9_900), windows, st.integers(0, EVERYTHING), st.data())
def test_who_is_eligible_stays_so_and_everybody_is_in_the_end(
    h: int, window: int, distance: int, data: st.DataObject
) -> None:
    sale = Sale(1_000, 5, window, steepness(h))
    early, late = sorted(1_000 + data.draw(st.integers(0, window)) for _ in range(2))
    assert sale.eligible(distance, early, 6) <= sale.eligible(distance, late, 6)
    assert sale.eligible(distance, 1_000 + window, 6)
    assert sale.eligible(distance, 1_000, 5 + 8_192)  # the seed is forgotten: nobody is left out


def test_each_reservation_has_a_position_of_its_own() -> None:
    seen = {position(bytes(32), bytes(31) + b"\0", slot, count) for slot in range(4) for count in range(4)}
    assert len(seen) == 16
