"""Attacks on chosen nodes: the published figure, exact fractions, and bounds that keep their digits."""

import json
import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import mpmath
import pytest
from scipy.stats import hypergeom

from agents.core.durability.selection import picked_as_printed, picked_exponentially
from agents.core.durability.targeted import bound, groups_reached, lost, lost_at, share_attacked
from agents.core.errors import Misuse

FIGURE_6B = json.loads((Path(__file__).parents[2] / "vectors" / "vault_figures.json").read_text())[
    "fig6b_percent_lost_by_attacked_fraction"
]
NETWORK = {"members": 80, "nodes": 100_000, "objects": 100, "chunks_needed": 8}


@pytest.mark.parametrize(
    ("chunks", "share", "percent"),
    [
        (int(name.split("_")[0]), float(share), percent)
        for name, row in FIGURE_6B.items()
        for share, percent in row.items()
    ],
)
def test_figure_6b(chunks: int, share: float, percent: float) -> None:
    assert 100 * lost_at(share, chunks=chunks, **NETWORK) == pytest.approx(percent, rel=0.06, abs=0.05)


def test_nothing_and_everything_attacked() -> None:
    assert lost_at(0.0, chunks=14, **NETWORK) == 0.0
    assert lost_at(1.0, chunks=14, **NETWORK) == pytest.approx(1.0, rel=1e-12)
    assert groups_reached(1.0, 80, 100_000) == math.inf
    assert share_attacked(0, 80, 100_000) == 0.0
    assert share_attacked(279, 80, 100_000) == pytest.approx(1 - (1 - 80 / 100_000) ** 279, rel=1e-12)
    assert groups_reached(share_attacked(279, 80, 100_000), 80, 100_000) == pytest.approx(279, rel=1e-12)
    assert (share_attacked(1, 5, 5), groups_reached(0.5, 5, 5)) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("groups", "objects", "chunks", "needed"),
    [(3, 1, 10, 8), (2, 1, 10, 8), (279, 100, 14, 8), (1_400, 100, 14, 8), (5_000, 1_000, 12, 8)],
)
def test_lost_objects_are_hypergeometric(groups: int, objects: int, chunks: int, needed: int) -> None:
    expected = hypergeom.sf(chunks - needed, objects * chunks, chunks, groups)
    assert lost(groups, objects, chunks, needed) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(
    ("needed", "spare", "objects", "attacked", "held"),
    [
        (8, 2, 10**6, 1_000, 10),
        (8, 6, 10**9, 1_000, 10),
        (8, 2, 100, 50, 3),
        (4, 1, 1, 3, 1),
        (80, 40, 10**6, 500, 100),
    ],
)
def test_lemma_4_2_against_its_formula(needed: int, spare: int, objects: int, attacked: int, held: int) -> None:
    together = Fraction(1)
    for i in range(1, spare + 1):
        together *= Fraction(needed + spare - i, objects * (needed + spare) - i)
    ways = math.comb(attacked * held, spare + 1)
    with mpmath.workdps(400):
        value = mpmath.mpf(together.numerator) / together.denominator
        exact = 1 - (1 - value) ** ways if value < 1 else mpmath.mpf(1)
        assert float(abs(bound(needed, spare, objects, attacked, held) / exact - 1)) < 1e-10


def test_the_bound_counts_no_attack_that_is_too_small() -> None:
    assert bound(8, 6, 10**6, 3, 2) == 0.0
    assert bound(8, 6, 10**6, 7, 1) > 0.0


def test_the_printed_rule_does_not_pick_r_nodes() -> None:
    assert picked_as_printed(80, 100_000) == pytest.approx(13.5, abs=0.05)
    assert picked_exponentially(80, 100_000) == 80.0
    for members, nodes in ((80, 1_000), (7, 20), (1, 50)):
        half = mpmath.mpf(nodes) / 2
        kink = min(half, max(mpmath.mpf(0), mpmath.log(members, 2) - 1))
        printed = mpmath.quad(lambda d, r=members: 2 * min(1, r * 2 ** -(d + 1)), [0, kink, (kink + half) / 2, half])
        smooth = mpmath.quad(lambda d, r=members: 2 * mpmath.exp(-2 * d / r), mpmath.linspace(0, half, 9))
        assert picked_as_printed(members, nodes) == pytest.approx(float(printed), rel=1e-9)
        assert picked_exponentially(members, nodes) == pytest.approx(float(smooth), rel=1e-9)


@pytest.mark.parametrize(
    "make",
    [
        lambda: bound(0, 2, 1, 1, 1),
        lambda: bound(8, -1, 1, 1, 1),
        lambda: bound(8, 2, 0, 1, 1),
        lambda: lost(-1, 10, 10, 8),
        lambda: lost(101, 10, 10, 8),
        lambda: lost(1, 10, 10, 11),
        lambda: groups_reached(1.5, 80, 100),
        lambda: groups_reached(math.nan, 80, 100),
        lambda: groups_reached(0.5, 101, 100),
        lambda: share_attacked(1, 0, 100),
        lambda: picked_as_printed(0, 10),
        lambda: picked_exponentially(11, 10),
    ],
)
def test_what_cannot_be_is_refused(make: Any) -> None:
    with pytest.raises(Misuse):
        make()
