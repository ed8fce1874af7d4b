"""Lives of chunk groups, event by event: departures, rotation, repairs with a chunk cache (Vault, sections 4.3 and 6.1).

One group at a time: what its members do does not depend on any other group.
"""

import math
from typing import Any

from numba import njit, types

from agents.kernels.chance import STATE, below, exponential, uniform

COUNTS = types.Array(types.int32, 1, "C")
TIMES = types.Array(types.float64, 1, "C")
ROOM = types.Array(types.int64, 1, "C")
GONE = -1


@njit(types.float64(STATE, types.float64), cache=True, nogil=True)
def _pause(state: Any, rate: Any) -> Any:
    """Until the next of events that come at a rate; for ever if that is 0."""
    return exponential(state) / rate if rate > 0.0 else math.inf


@njit(
    types.void(
        STATE, types.int64, types.int64, types.int64, types.int64,
        types.float64, types.float64, types.float64, types.float64, types.float64,
        ROOM, TIMES, COUNTS, COUNTS, COUNTS, COUNTS, TIMES, COUNTS,
    ),
    cache=True,
    nogil=True,
)  # fmt: skip
def live(
    state: Any, nodes: Any, faulty: Any, members: Any, needed: Any,
    leaving: Any, rotation: Any, cached: Any, duration: Any, sampled: Any,
    work: Any, lost_at: Any, repairs: Any, fetched: Any, least: Any, most: Any, mean: Any, trace: Any,
) -> None:  # fmt: skip
    """Fill one entry a group: ``lost_at`` (inf: it lived on), ``repairs`` of one fragment each, those of them that
    ``fetched`` fragments as no member had the chunk cached, and ``least``, ``most`` and ``mean`` fragments alive.

    ``faulty`` of the ``nodes`` are Byzantine: they stay for ever and store nothing. An honest member leaves at rate
    ``leaving``. Fragments are numbered as they are made; every ``rotation`` seconds the next number is due, and its holder is
    evicted if it is still a member. Either way another random node takes the place at once, if ``needed`` honest members
    remain; else the group is lost. A chunk is cached for ``cached`` seconds after a repair. ``trace`` gets the first group's
    fragments alive every ``sampled`` seconds, GONE once it is lost; it may be empty. ``work`` is room for
    5 * ``members`` numbers.
    """
    number, older, newer = work[:members], work[members : 2 * members], work[2 * members : 3 * members]
    honest, place = work[3 * members : 4 * members], work[4 * members : 5 * members]
    for group in range(lost_at.shape[0]):
        repairs[group] = 0
        fetched[group] = 0
        alive = 0
        for member in range(members):
            number[member], older[member], newer[member], place[member] = member, member - 1, member + 1, GONE
            if uniform(state) * (nodes - member) >= faulty - (member - alive):
                honest[alive] = member
                place[member] = alive
                alive += 1
        oldest, newest, made, due = 0, members - 1, members, 0
        lost_at[group] = math.inf if alive >= needed else 0.0
        least[group] = alive
        most[group] = alive
        now, turn, repaired, since, total, shown = 0.0, rotation, -math.inf, 0.0, 0.0, 0
        leaves = _pause(state, alive * leaving)
        while alive >= needed:
            now = min(leaves, turn)
            if now >= duration:
                now = duration
                break
            if leaves < turn:
                member = honest[below(state, alive)]
            else:
                turn += rotation
                member = oldest
                due += 1
                if number[member] != due - 1:
                    continue
            total += alive * (now - since)
            since = now
            while group == 0 and shown < trace.shape[0] and shown * sampled < now:
                trace[shown] = alive
                shown += 1
            before = alive
            if place[member] != GONE:
                alive -= 1
                moved = honest[alive]
                honest[place[member]] = moved
                place[moved] = place[member]
                place[member] = GONE
            least[group] = min(least[group], alive)
            if alive < needed:
                lost_at[group] = now
                break
            repairs[group] += 1
            if now - repaired >= cached:
                fetched[group] += 1
            repaired = now
            # Take the member out of the list by age, and put its successor at the end.
            if member != newest:
                if member == oldest:
                    oldest = newer[member]
                else:
                    newer[older[member]] = newer[member]
                older[newer[member]] = older[member]
                newer[newest] = member
                older[member] = newest
                newest = member
            number[member] = made
            made += 1
            if uniform(state) * (nodes - (members - 1)) >= faulty - (members - 1 - alive):
                honest[alive] = member
                place[member] = alive
                alive += 1
                most[group] = max(most[group], alive)
            if leaves <= now:
                leaves = now + _pause(state, alive * leaving)
            elif alive != before:
                # The wait that is left is memoryless: it stretches with the rate.
                leaves = now + (leaves - now) * before / alive
        total += alive * (now - since)
        while group == 0 and shown < trace.shape[0]:
            trace[shown] = alive if math.isinf(lost_at[group]) else GONE
            shown += 1
        mean[group] = total / now if now > 0.0 else float(alive)
