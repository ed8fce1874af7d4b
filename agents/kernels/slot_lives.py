"""Lives of datasets of erasure-coded slots, event by event: losses, proofs missed, lazy repairs (Codex, section 5).

All arrivals are memoryless, so the next event's time and kind are drawn from the rates of the moment (Gillespie). Slots keep
their identity: those of one group can be lost at one blow.
"""

import math
from typing import Any

from numba import njit, types

from agents.kernels.chance import STATE, below, exponential, uniform

COUNTS = types.Array(types.int32, 1, "C")
TIMES = types.Array(types.float64, 1, "C")
SLOTS = types.Array(types.int64, 1, "C")


@njit(inline="always")
def _swap(order: Any, place: Any, at: Any, to: Any) -> Any:
    """Exchange two positions of the list of slots; the slot that is now at ``to``."""
    slot, other = order[at], order[to]
    order[at], order[to] = other, slot
    place[other], place[slot] = at, to
    return slot


@njit(
    types.void(
        STATE, types.int64, types.int64, types.int64, types.int64, types.int64,
        types.float64, types.float64, types.float64, types.float64, types.float64, types.float64, types.float64,
        SLOTS, TIMES, COUNTS, COUNTS,
    ),
    cache=True,
    nogil=True,
)  # fmt: skip
def live(
    state: Any, slots: Any, parity: Any, threshold: Any, misses: Any, group: Any,
    losing: Any, striking: Any, proving: Any, mending: Any, period: Any, asked: Any, duration: Any,
    work: Any, lost_at: Any, repairs: Any, written: Any,
) -> None:  # fmt: skip
    """Fill ``lost_at`` (inf: it lived on), ``repairs`` and ``written`` (slots made anew), one entry a dataset.

    A slot is lost at rate ``losing``, and each run of ``group`` slots together at rate ``striking``. A lost slot misses a
    proof at rate ``proving``, or, where ``period`` is not 0, at the end of each period with probability ``asked``; with
    ``misses`` of them it is observed. From ``threshold`` observed on, all is restored at rate ``mending``. The dataset is
    lost with ``parity`` + 1 slots. Rates per second, ``duration`` and ``period`` in seconds; ``work`` is room for
    3 * ``slots`` numbers.
    """
    # The list of slots: first those that are there, then those lost but not observed, then the observed ones.
    order, place, missed = work[:slots], work[slots : 2 * slots], work[2 * slots : 3 * slots]
    groups = (slots + group - 1) // group
    for dataset in range(lost_at.shape[0]):
        lost_at[dataset] = math.inf
        repairs[dataset] = 0
        written[dataset] = 0
        for slot in range(slots):
            order[slot] = slot
            place[slot] = slot
        there, hidden, turn, now = slots, 0, 0.0, 0.0
        while True:
            seen = slots - there - hidden
            losses = there * losing
            strikes = groups * striking
            proofs = hidden * proving if period == 0.0 else 0.0
            mends = mending if seen >= threshold else 0.0
            total = losses + strikes + proofs + mends
            then = now + exponential(state) / total if total > 0.0 else math.inf
            if period > 0.0 and hidden > 0:
                turn = max(turn, math.floor(now / period))
                if (turn + 1.0) * period <= min(then, duration):
                    turn += 1.0
                    now = turn * period
                    for at in range(there + hidden - 1, there - 1, -1):
                        if uniform(state) < asked:
                            missed[order[at]] += 1
                            if missed[order[at]] == misses:
                                hidden -= 1
                                _swap(order, place, at, there + hidden)
                    continue
            if then >= duration:
                break
            now = then
            kind = uniform(state) * total
            if kind < losses:
                there -= 1
                hidden += 1
                missed[_swap(order, place, below(state, there + 1), there)] = 0
            elif kind < losses + strikes:
                first = below(state, groups) * group
                for slot in range(first, min(first + group, slots)):
                    if place[slot] < there:
                        there -= 1
                        hidden += 1
                        missed[_swap(order, place, place[slot], there)] = 0
            elif kind < losses + strikes + proofs:
                at = there + below(state, hidden)
                missed[order[at]] += 1
                if missed[order[at]] == misses:
                    hidden -= 1
                    _swap(order, place, at, there + hidden)
            else:
                repairs[dataset] += 1
                written[dataset] += slots - there
                there, hidden = slots, 0
            if slots - there > parity:
                lost_at[dataset] = now
                break
