"""A figure of a paper, run again: what was published, what we find, how far apart they are, and what to draw."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from agents.simulation.intervals import Interval

Floats = npt.NDArray[np.float64]


class Measure(Enum):
    """How a difference is told."""

    RELATIVE = "%"
    """Of the published value."""

    POINTS = "points"
    """Between two percentages."""

    ABSOLUTE = ""
    """As it is."""

    BELOW = "<"
    """What is published is a bound: ours is to be below it."""

    RANGE = "range"
    """What is published was one draw: it is to be within the range of 95 % of ours."""


OK = "ok"
EXPLAINED = "explained"
UNSURE = "unsure"
OFF = "off"


@dataclass(frozen=True)
class Value:
    """One published value beside ours."""

    group: str
    """The curve, or the part of the table, that it belongs to."""

    at: str
    """Where on it, as people read it."""

    x: float
    """Where on it, on the plot's axis."""

    paper: float
    ours: float

    low: float
    """95 % interval of ours; where ours is computed, not sampled, both its ends are ours."""

    high: float

    measure: Measure = Measure.RELATIVE
    limit: float | None = None
    """The largest difference that counts as the same: a share, points, or as it is. None: nothing was asked for."""

    model: float | None = None
    """The closed form, where ours was simulated and there is one."""

    explained: str = ""
    """Why ours differs and the paper is wrong; empty where it is not."""

    read: tuple[str, str, str] | None = None
    """Paper's, ours and what stands where the interval would, for values that a number alone does not tell."""

    details: Mapping[str, Any] = field(default_factory=dict)
    """What else belongs to the value: the numbers of slots behind a row, for instance."""

    drawn: bool = True
    """Whether it is a point of the plot."""

    @property
    def difference(self) -> float:
        """Ours less the paper's, in the units of ``measure``: a share of the paper's, points, or as it is."""
        difference = self.ours - self.paper
        if self.measure is Measure.RELATIVE:
            return difference / self.paper if self.paper else (0.0 if not difference else float("inf"))
        return difference

    @property
    def verdict(self) -> str:
        """``ok``, ``off``, ``explained``; ``unsure`` where our interval is too wide to tell; empty if nothing was asked."""
        if self.explained:
            return EXPLAINED
        if self.measure is Measure.BELOW:
            return OK if self.ours < self.paper else OFF
        if self.measure is Measure.RANGE:
            return OK if self.low <= self.paper <= self.high else OFF
        if self.limit is None:
            return ""
        if abs(self.difference) <= self.limit + ROUNDING:
            return OK
        allowed = self.limit * (abs(self.paper) if self.measure is Measure.RELATIVE else 1.0)
        return UNSURE if self.low <= self.paper + allowed and self.high >= self.paper - allowed else OFF


ROUNDING = 1e-12
"""So that 0.02 is not above 0.02."""


@dataclass(frozen=True)
class Curve:
    """One line of a plot; shapes: all (points,)."""

    group: str
    """Drawn in one colour with the values of this group."""

    x: Floats
    y: Floats
    low: Floats | None = None
    """Of its 95 % interval."""

    high: Floats | None = None
    dashed: bool = False
    points: bool = False
    """Of a simulation, drawn as such, each with its interval."""

    note: str = ""
    """What the legend adds to the group's name."""

    @classmethod
    def of(cls, group: str, x: Sequence[float], found: Sequence[Interval], *, points: bool = False) -> "Curve":
        """What was simulated at each ``x``, with its interval."""
        value, low, high = np.array([(each.value, each.low, each.high) for each in found], np.float64).reshape(-1, 3).T
        return cls(group, np.array(x, np.float64), value, low, high, points=points)


@dataclass(frozen=True)
class Line:
    """A level that the eye should see: a threshold, a target. Across the plot, or down it where ``upright``."""

    at: float
    text: str
    upright: bool = False


@dataclass(frozen=True)
class Axes:
    """What the plot's axes say, with units."""

    x: str
    y: str
    x_log: bool = False
    y_log: bool = False
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float | None] | None = None
    names: tuple[str, ...] = ()
    """Of the places 0, 1, ... on x, where these are no numbers: ours are then bars."""
    marker: str = "paper"
    """What the legend calls a marker."""


@dataclass(frozen=True)
class Figure:
    """A table or figure, run again."""

    paper: str
    name: str
    title: str
    unit: str
    """What the numbers are, in one line under the title."""

    where: str
    """Head of the first column."""

    axes: Axes
    values: tuple[Value, ...]
    curves: tuple[Curve, ...] = ()
    lines: tuple[Line, ...] = ()
    wrong: tuple[str, ...] = ()
    """Where the paper's text is wrong."""

    notes: tuple[str, ...] = ()
    """What else should be known of the numbers."""

    seconds: float = 0.0
    """How long it took."""

    digits: int | None = 1
    """Decimals of its numbers in a table; None for powers of ten."""

    beside: str = "95 % interval"
    """Head of the column beside ours."""

    @property
    def groups(self) -> list[str]:
        """Of its values, then of its curves, each once."""
        return list(dict.fromkeys([value.group for value in self.values] + [curve.group for curve in self.curves]))


def counted(figures: tuple[Figure, ...]) -> dict[str, int]:
    """How many values have each verdict."""
    verdicts = [value.verdict for figure in figures for value in figure.values]
    return {verdict: verdicts.count(verdict) for verdict in (OK, EXPLAINED, UNSURE, OFF, "")}
