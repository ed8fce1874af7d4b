"""Where a rising curve reaches a level."""

import numpy as np

from agents.repro.figures import Floats


def crossing(x: Floats, y: Floats, level: float) -> float:
    """The x at which the line through the points first reaches ``level``; nan where it never does. x rises."""
    above = np.flatnonzero(y >= level)
    if not len(above) or (above[0] == 0 and y[0] > level):
        return float("nan")
    after = int(above[0])
    if after == 0:
        return float(x[0])
    before = after - 1
    return float(x[before] + (level - y[before]) / (y[after] - y[before]) * (x[after] - x[before]))
