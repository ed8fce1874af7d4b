"""Slow and plain references for the chains: every group and miss is told apart, and equations are solved as they stand."""

from collections.abc import Callable, Hashable
from typing import Any

import mpmath
import numpy as np

from agents.core.durability.hazards import Code, Hazards

Moves = list[tuple[Hashable, float]]
LOST, REPAIRED = "lost", "repaired"


def published(code: Code, hazards: Hazards) -> Callable[[Any], Moves]:
    """Codex's chain as printed: (l, f), with f counted to the end."""

    def moves(state: tuple[int, int]) -> Moves:
        lost, seen = state
        found: Moves = [
            (LOST if lost == code.parity else (lost + 1, seen), (code.slots - lost) / hazards.mttf),
            ((lost, seen + 1), (lost - seen) / hazards.mtbp),
        ]
        if seen >= code.repair_threshold:
            found.append((REPAIRED, 1 / hazards.mttr))
        return [(to, rate) for to, rate in found if rate]

    return moves


def told_apart(code: Code, hazards: Hazards) -> tuple[Any, Callable[[Any], Moves]]:
    """(start, moves) of the chain of all groups: each is (struck, slots there, slots by missed proofs, slots observed)."""
    grouped = hazards.group_size > 1 and hazards.group_mttf < float("inf")
    size = hazards.group_size if grouped else 1
    sizes = [size] * (code.slots // size) + ([code.slots % size] if code.slots % size else [])
    start = tuple(sorted((0, slots, *(0,) * (code.misses + 1)) for slots in sizes))

    def moves(state: Any) -> Moves:
        seen = sum(group[-1] for group in state)
        found: Moves = [(REPAIRED, 1 / hazards.mttr)] if seen >= code.repair_threshold else []
        for at, group in enumerate(state):

            def then(changed: list[int], at: int = at) -> Hashable:
                groups = tuple(sorted((*state[:at], tuple(changed), *state[at + 1 :])))
                there = sum(one[1] for one in groups)
                return LOST if there < code.data else groups

            struck, there, *stages = group
            if there:
                found.append((then([struck, there - 1, stages[0] + 1, *stages[1:]]), there / hazards.mttf))
            if grouped and not struck:
                found.append((then([1, 0, stages[0] + there, *stages[1:]]), 1 / hazards.group_mttf))
            for stage in range(code.misses):
                if stages[stage]:
                    after = list(stages)
                    after[stage] -= 1
                    after[stage + 1] += 1
                    found.append((then([struck, there, *after]), stages[stage] / hazards.mtbp))
        return [(to, rate) for to, rate in found if rate]

    return start, moves


def solved(start: Hashable, moves: Callable[[Any], Moves], lost_in: Callable[[Any], int]) -> tuple[Any, Any, Any, Any]:
    """(mean seconds, chance of loss, chance of repair, lost slots times the latter) of one cycle, by linear equations."""
    states, found = [start], {start: moves(start)}
    for state in states:
        for to, _ in found[state]:
            if to not in found and to not in (LOST, REPAIRED):
                found[to] = moves(to)
                states.append(to)
    number = {state: at for at, state in enumerate(states)}
    equations = mpmath.zeros(len(states))
    ends = mpmath.zeros(len(states), 2)
    for state in states:
        for to, rate in found[state]:
            equations[number[state], number[state]] += mpmath.mpf(rate)
            if to in (LOST, REPAIRED):
                ends[number[state], int(to == REPAIRED)] += mpmath.mpf(rate)
            else:
                equations[number[to], number[state]] -= mpmath.mpf(rate)
    begin = mpmath.zeros(len(states), 1)
    begin[0] = 1
    spent = mpmath.lu_solve(equations, begin)
    loss, repair = ((spent.T * ends)[0, end] for end in (0, 1))
    vacant = sum(spent[number[state]] * ends[number[state], 1] * lost_in(state) for state in states)
    return sum(spent), loss, repair, vacant


def eliminated(code: Code, hazards: Hazards) -> float:
    """Mean time to loss of the published chain, by Grassmann, Taksar and Heyman's elimination: floats, no subtraction."""
    moves = published(code, hazards)
    states = [(lost, seen) for lost in range(code.parity + 1) for seen in range(lost + 1)]
    number: dict[Any, int] = {state: at + 1 for at, state in enumerate(states)} | {LOST: 0, REPAIRED: 1}
    rates = np.zeros((len(states) + 1, len(states) + 1))
    for state in states:
        for to, rate in moves(state):
            rates[number[state], number[to]] += rate
    np.fill_diagonal(rates, 0.0)
    rewards = np.ones(len(rates))
    for last in range(len(rates) - 1, 1, -1):
        out = rates[last, :last].sum()
        share = rates[:last, last] / out
        rates[:last, :last] += np.outer(share, rates[last, :last])
        rewards[:last] += share * rewards[last]
        np.fill_diagonal(rates, 0.0)
    return float(rewards[1] / rates[1, 0])
