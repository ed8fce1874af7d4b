"""``agent cache simulate``: a trace replayed through many policies."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agents.cli import output
from agents.cli.options import Json
from agents.cli.parsing import maybe, read
from agents.cli.progress import progress
from agents.core.errors import Misuse
from agents.core.units import format_size, parse_count, parse_size

if TYPE_CHECKING:
    from agents.core.admission.model import Model
    from agents.core.admission.objectives import Objective, Tally
    from agents.simulation.caching.catalogue import Options
    from agents.simulation.caching.comparison import Comparison, Row
    from agents.simulation.caching.levels import Setting
    from agents.simulation.caching.traces import Trace

EPOCHS = 125
"""Of a trace, unless it is told."""
STRETCHES = 5
"""Of a trace whose phases nobody knows."""
SHORTEST_EPOCH = 1000
REQUESTS = 2_000_000
MOST_PHASES = 6
"""That fit a line of a terminal."""


def simulate(
    trace: Annotated[
        Path | None,
        typer.Argument(metavar="TRACE", help="A CSV of lines t,id,size, or a trace of libcachesim's formats."),
    ] = None,
    synthetic: Annotated[
        str | None, typer.Option("--synthetic", metavar="SEED", help="Make a trace up instead: a network that changes.")
    ] = None,
    requests: Annotated[
        str | None,
        typer.Option("--requests", metavar="N", help=f"Of the trace. Default: all, or {REQUESTS:,} made up."),
    ] = None,
    phases: Annotated[str, typer.Option("--phases", metavar="N", help="Of a trace made up.")] = "5",
    policies: Annotated[
        str, typer.Option("--policies", metavar="NAMES", help="With spaces between; static:F,SIZE too. Default: all.")
    ] = "all",
    memory: Annotated[
        str | None, typer.Option("--memory", metavar="SIZE", help="For hot objects. Default: 100 MB.")
    ] = None,
    disk: Annotated[str | None, typer.Option("--disk", metavar="SIZE", help="For others. Default: 10 GB.")] = None,
    eviction: Annotated[
        str, typer.Option("--eviction", metavar="ORDER", help="From memory, where experts and others admit.")
    ] = "lru",
    objective: Annotated[
        str, typer.Option("--objective", metavar="NAME", help="ohr, bhr, writes or earnings: what learners maximise.")
    ] = "ohr",
    prices: Annotated[
        str | None,
        typer.Option(
            "--prices",
            metavar="A,B,C,D",
            help="Of a byte served, fetched, read from disk, written to it; for earnings. Default: 1,.5,.05,.05",
        ),
    ] = None,
    epoch: Annotated[
        str | None,
        typer.Option("--epoch", metavar="N", help="Darwin's, in requests. Default: a 125th of the trace."),
    ] = None,
    hindsight: Annotated[
        bool, typer.Option(help="Every static expert too, for the best one and those of each phase.")
    ] = True,
    write: Annotated[Path | None, typer.Option("--write", metavar="FILE", help="Write the trace as CSV too.")] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw hit rates over time as a PNG, with matplotlib.")
    ] = None,
    json: Json = False,
) -> None:
    """Replay a trace of requests through every policy: hits of memory, disk writes, earnings, speed.

    Made-up traces are synthetic: they show how policies take change, not what your users ask for.
    """
    if plot is not None:
        from agents.cli.hit_rates import prepare

        prepare(plot)
    from agents.simulation.caching.comparison import compare
    from agents.simulation.caching.traces import write_csv

    wanted = _objective(objective, prices)
    setting = _setting(memory, disk, eviction)
    found = _trace(trace, synthetic, maybe("--requests", requests, parse_count), read("--phases", phases, parse_count))
    options = _options(wanted, maybe("--epoch", epoch, parse_count) or max(SHORTEST_EPOCH, len(found) // EPOCHS))
    from agents.simulation.caching.catalogue import policies_named

    chosen = read("--policies", policies, lambda text: policies_named(text, options))
    if write is not None:
        write_csv(found, write)
    phase = 0 if len(found.phases) > 1 else -(-len(found) // STRETCHES)
    with progress() as told:
        comparison = compare(found, setting, chosen, wanted, phase, hindsight, told)
    if plot is not None:
        from agents.cli.hit_rates import draw

        draw(comparison, plot)
        output.note(f"drew {plot}")
    output.Output(json).result(facts(comparison), lambda: show(comparison))


OBJECTIVES = {"ohr": "objects", "bhr": "bytes", "writes": "writes", "earnings": "earnings"}
"""As they are typed -> as core has them."""


def _objective(name: str, prices: str | None) -> "Objective":
    from agents.core.admission.objectives import earnings, objective

    if name not in OBJECTIVES:
        raise typer.BadParameter(f"{name!r} is none of {', '.join(OBJECTIVES)}", param_hint="--objective")
    if prices is None:
        return objective(OBJECTIVES[name])
    if name != "earnings":
        raise typer.BadParameter("prices matter to --objective earnings only", param_hint="--prices")
    try:
        served, origin, reading, writing = map(float, prices.split(","))
    except ValueError:
        raise typer.BadParameter(f"{prices!r} is not four numbers like 1,.5,.05,.05", param_hint="--prices") from None
    return read("--prices", prices, lambda _: earnings(served, origin, reading, writing))


def _setting(memory: str | None, disk: str | None, eviction: str) -> "Setting":
    from agents.simulation.caching.levels import Setting

    usual = Setting()
    return Setting(
        usual.memory if memory is None else read("--memory", memory, parse_size),
        usual.disk if disk is None else read("--disk", disk, parse_size),
        eviction,
    )


def _trace(path: Path | None, seed: str | None, requests: int | None, phases: int) -> "Trace":
    """The trace that was named, or made up. Raises Misuse, and what reading raises."""
    if (path is None) == (seed is None):
        raise Misuse("there is no one trace", "", "Name a file, or else --synthetic SEED.")
    if path is not None:
        from agents.simulation.caching.traces import read_trace

        found = read_trace(path)
        return found if requests is None else found.cut(read("--requests", str(requests), _some))
    from agents.simulation.caching.mixes import synthetic

    assert seed is not None
    return synthetic(read("--synthetic", seed, parse_count), REQUESTS if requests is None else requests, phases)


def _some(text: str) -> int:
    if not (count := parse_count(text)):
        raise Misuse("nothing would be replayed", "", "Type 1 or more.")
    return count


def _options(objective: "Objective", epoch: int) -> "Options":
    from agents.core.admission.controller import lengths
    from agents.simulation.caching.catalogue import Options

    return Options(objective, read("--epoch", str(epoch), lambda _: lengths(epoch)), _model)


def _model() -> "Model":
    """The one that this package has."""
    from agents.runtime.shipped import shipped_model

    return shipped_model()


COLUMNS = ("policy", "objects", "bytes", "written", "earned", "M req/s")


def show(comparison: "Comparison") -> None:
    """The trace in a line or two, a row a policy, and hits by phase."""
    trace, setting = comparison.trace, comparison.setting
    output.line(
        f"{trace.source}: {len(trace):,} requests for {len(trace.sizes):,} objects, {100 * trace.lone:.0f} % once"
    )
    output.line(f"memory {format_size(setting.memory)}, evicting by {setting.order}; disk {format_size(setting.disk)}")
    output.line("hits of memory, bytes written to disk, earnings: shares of what was asked for")
    output.table(COLUMNS, [cells(row, len(trace)) for row in comparison.rows], "no policy")
    count = len(comparison.edges) - 1
    if 1 < count <= MOST_PHASES:
        output.line(f"\n{comparison.objective.name} of each phase, from so many thousand requests on")
        heads = ["policy", *(f"{edge // 1000:,}k" for edge in comparison.edges[:-1])]
        output.table(heads, [[row.name, *by_phase(comparison, row)] for row in comparison.rows], "no policy")


def cells(row: "Row", requests: int) -> list[str]:
    """Of COLUMNS."""
    total = row.total
    speed = f"{requests / row.seconds / 1e6:.1f}" if row.seconds else ""
    return [row.name, *(f"{100 * share:.2f} %" for share in shares(total).values()), speed]


def shares(total: "Tally") -> dict[str, float]:
    """What is shown of a tally: hit rates of memory, bytes written, and earnings at the usual prices."""
    from agents.core.admission.objectives import EARNINGS

    objects, size, _, written = (float(share) for share in total.shares)
    return {"objects": objects, "bytes": size, "written": written, "earned": float(EARNINGS.reward(total.shares))}


def by_phase(comparison: "Comparison", row: "Row") -> list[str]:
    """The reward of each phase."""
    return [f"{100 * comparison.reward(tally):.2f} %" for tally in row.phases]


def facts(comparison: "Comparison") -> dict[str, Any]:
    """Everything, as JSON."""
    trace = comparison.trace
    return {
        "trace": {
            "source": trace.source,
            "synthetic": trace.synthetic,
            "requests": len(trace),
            "objects": len(trace.sizes),
            "bytes": str(trace.lengths.sum()),
            "footprint": str(trace.footprint),
            "once": round(trace.lone, 6),
        },
        "memory": comparison.setting.memory,
        "disk": comparison.setting.disk,
        "eviction": comparison.setting.order,
        "objective": comparison.objective.name,
        "phases": list(comparison.edges[:-1]),
        "policies": [
            {
                "name": row.name,
                "reward": comparison.reward(row.total),
                **shares(row.total),
                "phases": [{"reward": comparison.reward(tally), **shares(tally)} for tally in row.phases],
                "over_time": [comparison.reward(tally) for tally in row.curve],
                "choices": [{"from": first, "choice": choice} for first, choice in row.choices],
                "seconds": round(row.seconds, 4),
            }
            for row in comparison.rows
        ],
    }
