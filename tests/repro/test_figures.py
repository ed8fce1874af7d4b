"""What counts as the same value."""

import numpy as np
import pytest

from agents.repro.crossings import crossing
from agents.repro.figures import EXPLAINED, OFF, OK, UNSURE, Floats, Measure, Value
from agents.repro.tables import difference, target


def value(paper: float, ours: float, spread: float = 0.0, **others: object) -> Value:
    return Value("a curve", "a place", 0.0, paper, ours, ours - spread, ours + spread, **others)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("found", "verdict", "told"),
    [
        (value(100, 102, limit=0.02), OK, "+2.00 %"),
        (value(100, 102.1, limit=0.02), OFF, "+2.10 %"),
        (value(100, 102.1, 0.2, limit=0.02), UNSURE, "+2.10 %"),
        (value(100, 96, 1.9, limit=0.02), OFF, "-4.00 %"),
        (value(97.5, 95.4, measure=Measure.POINTS, limit=2.0), OFF, "-2.10 pt"),
        (value(0, 2, measure=Measure.POINTS, limit=2.0), OK, "+2.00 pt"),
        (value(27, 27, measure=Measure.ABSOLUTE, limit=0.0), OK, "+0"),
        (value(26, 22, measure=Measure.ABSOLUTE, limit=0.0), OFF, "-4"),
        (value(26, 22, measure=Measure.ABSOLUTE, limit=0.0, explained="the paper's is not minimal"), EXPLAINED, "-4"),
        (value(1e-9, 9.9e-10, measure=Measure.BELOW), OK, ""),
        (value(1e-9, 1e-9, measure=Measure.BELOW), OFF, ""),
        (value(35, 34, 2, measure=Measure.RANGE), OK, "-1"),
        (value(35, 32, 2, measure=Measure.RANGE), OFF, "-3"),
        (value(57.9, 60), "", "+3.63 %"),
    ],
)
def test_the_verdict_is_that_of_the_limit(found: Value, verdict: str, told: str) -> None:
    assert (found.verdict, difference(found)) == (verdict, told)
    assert target(found).startswith(verdict)


def test_a_curve_crosses_a_level_between_its_points() -> None:
    x: Floats = np.array([0.0, 1.0, 2.0, 3.0])
    y: Floats = np.array([0.0, 0.0, 80.0, 100.0])
    assert crossing(x, y, 40.0) == 1.5
    assert crossing(x, y, 90.0) == 2.5
    assert crossing(x, y, 0.0) == 0.0
    assert np.isnan(crossing(x, y, 101.0)) and np.isnan(crossing(x, y + 1, 0.5))
