"""Figures as pictures: the paper's points as markers, ours as lines with their intervals. Needs matplotlib."""

from pathlib import Path
from typing import Any

from agents.core.errors import StorageTrouble, ToolMissing
from agents.repro.catalogue import Entry
from agents.repro.figures import Axes, Figure, Measure, Value

COLOURS = ("#0b6e99", "#d9730d", "#0f7b6c", "#ad1a72", "#6940a5", "#8a6d3b", "#3f3f3f")
"""Of groups, in order; told apart in grey and by the colour-blind with the markers below."""

MARKERS = "osD^vph"
MANY, THIN = 200, 1.1
"""A line of so many points is drawn so thin."""

INCHES = (7.2, 4.5)
DOTS = 160
STYLE = {
    "font.size": 10,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#888888",
    "axes.labelcolor": "#333333",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "xtick.color": "#555555",
    "ytick.color": "#555555",
    "lines.linewidth": 1.7,
    "figure.constrained_layout.use": True,
}


def require() -> None:
    """Raise ToolMissing where there is no matplotlib: before minutes of work, not after them."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ToolMissing(
            "matplotlib is not installed", "--plot draws with it", "Type: pip install 'holdfast[figures]'"
        ) from None


def make_folder(folder: Path) -> None:
    """Make ``folder`` and see that it can be written to. Raises StorageTrouble."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / ".written").write_bytes(b"")
        (folder / ".written").unlink()
    except OSError as error:
        raise StorageTrouble(f"plots cannot be written to {folder}", str(error), "Name another folder.") from error


def draw(figure: Figure, folder: Path) -> Path:
    """Write ``figure`` to ``folder`` as PNG; where it is. Raises StorageTrouble, ToolMissing."""
    require()
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    path = folder / f"{figure.paper}-{figure.name}.png"
    with rc_context(STYLE):
        canvas = Canvas(figsize=INCHES, dpi=DOTS)
        FigureCanvasAgg(canvas)
        axes = canvas.add_subplot()
        colours = {group: COLOURS[at % len(COLOURS)] for at, group in enumerate(figure.groups)}
        _bars(axes, figure)
        _lines(axes, figure, colours)
        _points(axes, figure, colours)
        _levels(axes, figure)
        _axes(axes, figure.axes)
        axes.set_title(f"{Entry(figure.paper, figure.name, '').heading}: {figure.title}", wrap=True)
        _legend(axes, figure)
        try:
            canvas.savefig(path)
        except OSError as error:
            raise StorageTrouble(f"{path} cannot be written", str(error), "Free some room.") from error
    return path


def _bars(axes: Any, figure: Figure) -> None:
    """Ours, where the axis has names instead of numbers."""
    if figure.axes.names:
        places, ours = [value.x for value in figure.values], [value.ours for value in figure.values]
        bars = axes.bar(places, ours, width=0.6, color=COLOURS[0], alpha=0.35, label="ours")
        for value in figure.values:
            if value.read and value.paper != value.ours:
                axes.annotate(
                    value.read[0], (value.x, value.paper), xytext=(0, 7), textcoords="offset points", ha="center",
                    fontsize=8.5, color=COLOURS[0],
                )  # fmt: skip
        axes.bar_label(bars, [value.read[1] if value.read else "" for value in figure.values], padding=3, fontsize=8.5)
        axes.set_xticks(range(len(figure.axes.names)), figure.axes.names)
        axes.grid(visible=False, axis="x")


def _lines(axes: Any, figure: Figure, colours: dict[str, str]) -> None:
    for curve in figure.curves:
        colour = colours[curve.group]
        if not len(curve.x):
            continue
        label = ", ".join(part for part in (curve.group, curve.note) if part)
        if curve.points:
            assert curve.low is not None and curve.high is not None
            axes.errorbar(
                curve.x, curve.y, yerr=[(curve.y - curve.low).tolist(), (curve.high - curve.y).tolist()],
                fmt="o", color=colour, markersize=4, markerfacecolor="white", capsize=3, linewidth=1.2, zorder=3,
            )  # fmt: skip
            continue
        axes.plot(
            curve.x, curve.y, color=colour, linestyle="--" if curve.dashed else "-", label=label,
            linewidth=THIN if len(curve.x) > MANY else None,
        )  # fmt: skip
        if curve.low is not None and curve.high is not None:
            axes.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.18, linewidth=0)


def _points(axes: Any, figure: Figure, colours: dict[str, str]) -> None:
    """The paper's values filled; where it states a bound alone, ours is marked, since the paper's is a line."""
    drawn = {curve.group for curve in figure.curves}
    for at, group in enumerate(figure.groups):
        values = [value for value in figure.values if value.group == group and value.drawn]
        if not values:
            continue
        colour, marker = colours[group], MARKERS[at % len(MARKERS)]
        bounds = all(value.measure is Measure.BELOW for value in values)
        label = None if group in drawn else group
        axes.scatter(
            [value.x for value in values],
            [_marked(value) for value in values],
            color=colour, marker=marker, s=42, zorder=4, edgecolor="white", linewidth=0.8, label=label,
        )  # fmt: skip
        spread = [value for value in values if value.low < value.high]
        if spread and group not in drawn and not bounds:
            axes.errorbar(
                [value.x for value in spread],
                [value.ours for value in spread],
                yerr=[[value.ours - value.low for value in spread], [value.high - value.ours for value in spread]],
                fmt="none", ecolor=colour, capsize=4, zorder=3,
            )  # fmt: skip


def _marked(value: Value) -> float:
    return value.ours if value.measure is Measure.BELOW else value.paper


def _levels(axes: Any, figure: Figure) -> None:
    for line in figure.lines:
        along = axes.axvline if line.upright else axes.axhline
        along(line.at, color="#999999", linewidth=1, linestyle=":", zorder=1)
        if line.upright:
            axes.annotate(
                line.text, (line.at, 1), xycoords=("data", "axes fraction"), xytext=(4, -4), textcoords="offset points",
                va="top", fontsize=8.5, color="#666666",
            )  # fmt: skip
        else:
            axes.annotate(
                line.text, (1, line.at), xycoords=("axes fraction", "data"), xytext=(-2, 3),
                textcoords="offset points", ha="right", fontsize=8.5, color="#666666",
            )  # fmt: skip


def _axes(axes: Any, said: Axes) -> None:
    axes.set_xlabel(said.x)
    axes.set_ylabel(said.y)
    if said.x_log:
        axes.set_xscale("log")
    if said.y_log:
        axes.set_yscale("log")
    low, _ = sorted(axes.get_ylim())
    if not said.names:
        axes.xaxis.set_major_formatter(_plain)
    if not said.y_log or low > PLAIN:
        axes.yaxis.set_major_formatter(_plain)
    if said.x_range:
        axes.set_xlim(*said.x_range)
    if said.y_range:
        axes.set_ylim(*said.y_range)


PLAIN = 1e-3
"""A logarithmic axis from here on has plain numbers, one that goes below powers of ten."""


def _plain(value: float, _: int) -> str:
    """``1,000``, ``0.1``."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:g}"


def _legend(axes: Any, figure: Figure) -> None:
    """Beside the curves, with one entry that tells what a marker is."""
    from matplotlib.lines import Line2D

    handles, labels = axes.get_legend_handles_labels()
    if not handles:
        return
    seen = {label: handle for handle, label in reversed(list(zip(handles, labels, strict=True)))}
    handles = [seen[label] for label in dict.fromkeys(labels)]
    if any(value.drawn for value in figure.values):
        handles.append(Line2D([], [], linestyle="", marker="o", color="#777777", markeredgecolor="white"))
        labels.append(figure.axes.marker)
    if any(curve.points for curve in figure.curves):
        handles.append(Line2D([], [], linestyle="", marker="o", markersize=4, markerfacecolor="white", color="#777777"))
        labels.append("simulated")
    axes.legend(handles, list(dict.fromkeys(labels)), loc="best")
