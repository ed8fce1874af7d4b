"""What policies made of a trace, over time, as a picture. Needs matplotlib."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from agents.core.errors import StorageTrouble
from agents.repro.plots import COLOURS, DOTS, STYLE, require

if TYPE_CHECKING:
    from agents.simulation.caching.comparison import Comparison

INCHES = (9.0, 4.8)
LEARNERS = ("darwin", "hindsight")
"""Drawn above the others, and thicker."""
DASHES = ("-", "--", ":")
TITLES = {
    "objects": "requests that memory answered",
    "bytes": "bytes that memory answered",
    "writes": "bytes that were not written to disk",
    "earnings": "earnings, of income",
}


def prepare(path: Path) -> None:
    """See that ``path`` can be drawn, before the work and not after it. Raises StorageTrouble, ToolMissing."""
    require()
    if path.suffix != ".png" or not path.parent.is_dir():
        raise StorageTrouble(f"{path} cannot be written", "", "Name a file.png in a folder that is there.")


def draw(comparison: "Comparison", path: Path) -> None:
    """Write a PNG: a line a policy, a vertical one where a phase begins. Raises StorageTrouble."""
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        canvas = Figure(figsize=INCHES, dpi=DOTS)
        FigureCanvasAgg(canvas)
        axes = canvas.add_subplot()
        middles = [(one + other) / 2 for one, other in zip(comparison.points, comparison.points[1:], strict=False)]
        for number, row in enumerate(comparison.rows):
            thick = row.name in LEARNERS
            axes.plot(
                middles,
                [100 * comparison.reward(tally) for tally in row.curve],
                label=row.name,
                color="#111111" if row.name == "hindsight" else COLOURS[number % len(COLOURS)],
                linestyle=DASHES[number // len(COLOURS) % len(DASHES)],
                linewidth=2.2 if thick else 1.0,
                zorder=4 if thick else 2,
            )
        _finish(axes, comparison)
        try:
            canvas.savefig(path)
        except (OSError, ValueError) as error:
            raise StorageTrouble(
                f"{path} cannot be written", str(error), "Name another file, such as a.png."
            ) from error


def _finish(axes: Any, comparison: "Comparison") -> None:
    for edge in comparison.edges[1:-1]:
        axes.axvline(edge, color="#999999", linewidth=1, linestyle=":", zorder=1)
    source = comparison.trace.source + (" trace" if comparison.trace.synthetic else "")
    axes.set_title(f"{source}: {TITLES[comparison.objective.name]}", wrap=True)
    axes.set_xlabel("requests")
    axes.set_ylabel("%")
    axes.set_xlim(0, len(comparison.trace))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
