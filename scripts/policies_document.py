"""What the README says of policies: a row each over several made-up traces, a row a trace, and a row an objective."""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from statistics import mean

from agents.cli.output import note
from agents.cli.simulate import EPOCHS, shares
from agents.core.admission.controller import lengths
from agents.core.admission.model import Model
from agents.core.admission.objectives import OBJECTIVES
from agents.simulation.caching.catalogue import Options, policies_named
from agents.simulation.caching.comparison import BEST, HINDSIGHT, Comparison, Row, compare
from agents.simulation.caching.levels import Setting
from agents.simulation.caching.mixes import synthetic
from scripts.repro_document import LINE, row

START, END = "<!-- policies: written by scripts/policies_page -->\n", "<!-- end of policies -->"

SEEDS = tuple(range(401, 406))
"""Of the traces: neither training nor the choice of any constant has seen them."""
REQUESTS, PHASES = 2_000_000, 5
SETTING = Setting()

EVICTIONS = {"lru": "LRU, as in the paper", "s3fifo": "S3-FIFO"}
"""In which memory evicts under all policies that admit, and what that is called."""
OTHERS = ("bytes", "earnings")
"""Objectives beside object hits."""
UNDER_OTHERS = "lru s3fifo darwin"

COLUMNS = ("policy", "objects", "of hindsight", "least in a phase", "bytes", "written", "earned", "M requests/s")
TRACE_COLUMNS = ("seed", "lru", "s3fifo", "best of the baselines", BEST, HINDSIGHT, "darwin", "of hindsight")
OBJECTIVE_COLUMNS = ("objective", "lru", "s3fifo", BEST, HINDSIGHT, "darwin", "of hindsight")
BASELINES = ("percentile", "hillclimbing", "adaptsize", "adaptsize-fill", "mapping")

Found = Mapping[str, Sequence[Comparison]]


def replayed(
    model: Callable[[], Model], seeds: Sequence[int] = SEEDS, requests: int = REQUESTS
) -> dict[str, list[Comparison]]:
    """A comparison a trace, for object hits under each of EVICTIONS, and for each of OTHERS under LRU."""
    found: dict[str, list[Comparison]] = {name: [] for name in (*EVICTIONS, *OTHERS)}
    main, once = OBJECTIVES["objects"], cache(model)
    for number, seed in enumerate(seeds, 1):
        note(f"{number} of {len(seeds)}: the trace of seed {seed}")
        trace = synthetic(seed, requests, PHASES)
        options = Options(main, lengths(requests // EPOCHS), once)
        for order in EVICTIONS:
            setting = replace(SETTING, order=order)
            found[order].append(compare(trace, setting, policies_named("all", options), main))
        statics = found["lru"][-1].statics
        for name in OTHERS:
            one = OBJECTIVES[name]
            policies = policies_named(UNDER_OTHERS, replace(options, objective=one))
            found[name].append(compare(trace, SETTING, policies, one, known=statics))
    return found


def section(found: Found, minutes: float, where: str) -> str:
    """The text between the marks."""
    some = found["lru"]
    introduction = textwrap.fill(
        f"By `scripts/policies_page` in {minutes:.0f} minutes on {where}: {len(some)} synthetic traces of"
        f" {len(some[0].trace):,} requests, each with {PHASES} phases of other mixes, which no policy was trained or tuned"
        " on. Memory 100 MB, disk 10 GB; means over traces, as shares of what was asked for. Hindsight is the best static"
        " expert of every phase, known beforehand; the others know only what was requested so far.",
        LINE,
    )
    main = [line for order, called in EVICTIONS.items() for line in of_eviction(called, found[order])]
    objectives = [row(of_objective("objects", some)), *(row(of_objective(name, found[name])) for name in OTHERS)]
    return "\n".join(
        [
            introduction,
            *main,
            "",
            "Under each objective, with LRU, as a share of what would be ideal:",
            "",
            row(OBJECTIVE_COLUMNS),
            "|---|---:|---:|---:|---:|---:|---:|",
            *objectives,
        ]
    )


def of_eviction(called: str, comparisons: Sequence[Comparison]) -> list[str]:
    """Two tables: a row a policy, and a row a trace."""
    return [
        "",
        f"Where memory evicts by {called}, under every policy that admits:",
        "",
        row(COLUMNS),
        "|---|---:|---:|---:|---:|---:|---:|---:|",
        *(row(summary(each.name, comparisons)) for each in comparisons[0].rows),
        "",
        row(TRACE_COLUMNS),
        "|---:|---:|---:|---|---:|---:|---:|---:|",
        *(row(of_trace(comparison)) for comparison in comparisons),
    ]


def percent(share: float) -> str:
    """``41.23 %``."""
    return f"{100 * share:.2f} %"


def named(comparison: Comparison, name: str) -> Row:
    """The row of a policy."""
    return next(each for each in comparison.rows if each.name == name)


def reward(comparison: Comparison, name: str) -> float:
    """Of a policy over the whole trace."""
    return comparison.reward(named(comparison, name).total)


def summary(name: str, comparisons: Sequence[Comparison]) -> list[str]:
    """One row of the first table."""
    rows = [named(comparison, name) for comparison in comparisons]
    told = [shares(each.total) for each in rows]
    whole = mean(reward(comparison, name) / reward(comparison, HINDSIGHT) for comparison in comparisons)
    least = min(
        comparison.reward(ours) / comparison.reward(theirs)
        for comparison, each in zip(comparisons, rows, strict=True)
        for ours, theirs in zip(each.phases, named(comparison, HINDSIGHT).phases, strict=True)
    )
    taken = sum(each.seconds for each in rows)
    speed = f"{sum(len(comparison.trace) for comparison in comparisons) / taken / 1e6:.1f}" if taken else ""
    objects, *others = (percent(mean(each[column] for each in told)) for column in told[0])
    return [name, objects, percent(whole), percent(least), *others, speed]


def of_trace(comparison: Comparison) -> list[str]:
    """One row of the second table."""
    baseline = max(BASELINES, key=lambda name: reward(comparison, name))
    return [
        comparison.trace.source.split()[-1],
        percent(reward(comparison, "lru")),
        percent(reward(comparison, "s3fifo")),
        f"{percent(reward(comparison, baseline))}, {baseline}",
        percent(reward(comparison, BEST)),
        percent(reward(comparison, HINDSIGHT)),
        percent(reward(comparison, "darwin")),
        percent(reward(comparison, "darwin") / reward(comparison, HINDSIGHT)),
    ]


def of_objective(name: str, comparisons: Sequence[Comparison]) -> list[str]:
    """One row of the third table."""
    columns = ("lru", "s3fifo", BEST, HINDSIGHT, "darwin")
    means = [mean(reward(comparison, column) for comparison in comparisons) for column in columns]
    return [name, *map(percent, means), percent(means[-1] / means[-2])]
