"""The papers' figures come out as published, or it is said why they cannot."""

import numpy as np
import pytest

from agents.repro import published
from agents.repro.effort import Effort
from agents.repro.figures import EXPLAINED, OFF, OK, Figure, counted
from agents.repro.selection import printed, selected, sound
from tests.repro.conftest import Least, figures

Every = dict[str, Figure]


def test_five_rows_of_table_1_are_minimal_and_one_is_explained(every: Every) -> None:
    table = every["table1"]
    assert [value.verdict for value in table.values] == [OK, OK, OK, OK, EXPLAINED, OK]
    odd = table.values[4]
    assert odd.details["paper_code"] == [13, 13] and odd.details["our_code"] == [11, 11]
    assert odd.details["our_code_loss"] == pytest.approx(9.25e-10, rel=1e-3)
    assert any("13+13" in note and "11+11" in note for note in table.wrong)


def test_codexs_curves_pass_through_table_1(every: Every) -> None:
    assert [value.verdict for name in ("3", "9", "10") for value in every[name].values] == [OK] * 17
    for value, curve in zip(every["9"].values, every["9"].curves, strict=True):
        assert curve.group == value.group
        assert float(np.interp(value.x, curve.x, np.log(curve.y))) == pytest.approx(np.log(value.ours))
        assert (np.diff(curve.y) < 0).all()
    for curve in every["10"].curves[: len(published.TABLE_1)]:
        assert (np.diff(curve.y) > 0).all()


def test_simulated_datasets_lie_on_codexs_curves(every: Every) -> None:
    lines = {curve.group: curve for curve in every["10"].curves if not curve.points}
    seen = 0
    for found in (curve for curve in every["10"].curves if curve.points):
        line = lines[found.group]
        model = line.y[np.isin(line.x, found.x)]
        assert found.low is not None and found.high is not None
        assert ((model >= found.low) & (model <= found.high)).all()
        seen += len(model)
    assert seen > 2


@pytest.mark.parametrize("name", ["4a", "4b", "6a", "6b"])
def test_nothing_of_vault_is_off(every: Every, name: str) -> None:
    """In so short a run some intervals are too wide to tell."""
    assert [value for value in every[name].values if value.verdict == OFF] == []
    assert counted((every[name],))[OK] > 0.8 * sum(value.limit is not None for value in every[name].values)


def test_the_closed_form_is_close_to_the_simulation(every: Every) -> None:
    for value in every["4a"].values + every["4b"].values:
        assert value.model == pytest.approx(value.ours, rel=0.05), value


def test_vaults_traces_are_among_ours(every: Every) -> None:
    assert {value.verdict for value in every["5"].values} == {OK}
    for curve in every["5"].curves:
        assert curve.y.min() >= published.K_IN - 1


def test_the_printed_selection_rule_selects_a_sixth(every: Every) -> None:
    wrong, right = every["selection-rule"].values
    assert wrong.verdict == EXPLAINED and right.verdict == OK
    assert wrong.low < 13.529 < wrong.high
    assert right.low < 80 < right.high


def test_the_rules_select_as_they_say_in_a_small_network_too() -> None:
    found = selected(sound, 10, 500, 20_000, np.random.SeedSequence(1))
    assert found.mean() == pytest.approx(10, abs=4 * (10 / 20_000) ** 0.5)
    assert printed(np.array([0.0, 5.0, 6.0]), 80) == pytest.approx([1.0, 1.0, 0.625])


def test_another_seed_moves_our_figures_inside_their_intervals() -> None:
    """Two intervals of 95 % around the same truth almost never miss each other."""
    names = ("4a", "6b", "selection-rule")
    first, second = (figures(Least(seed, True), *names) for seed in (1, 2))
    moved = 0
    for name in names:
        for one, other in zip(first[name].values, second[name].values, strict=True):
            assert one.low <= other.high and other.low <= one.high, (one, other)
            moved += one.ours != other.ours
    assert moved > 10


def test_the_same_seed_gives_the_same_figures() -> None:
    assert figures(Least(7, True), "6b")["6b"].values == figures(Least(7, True), "6b")["6b"].values


def test_quick_is_less() -> None:
    assert Effort(quick=True).count(1000, 10) == 10
    assert Effort().count(1000, 10) == 1000
