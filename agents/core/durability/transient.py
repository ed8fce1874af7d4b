"""The exact probability that a dataset is lost by a time, from all slots there: Codex's chain (§5.4) without averaging.

`slots.loss_probability` takes the time to loss as exponential, as the paper does; the chain's own distribution starts slower,
since nothing is lost at once. This one is for small codes: it holds a matrix over all states.
"""

from math import ceil, exp, log2

import numpy as np

from agents.core.durability.fates import Groups, Struck
from agents.core.durability.hazards import Code, Hazards, positive
from agents.core.durability.observing import Floats
from agents.core.errors import CodeParameters

MOST_STATES = 800
"""Beyond that the matrices take seconds to multiply."""

TERMS = 20
"""Of the exponential series of a matrix whose rates add up to 1 at most."""

State = tuple[Struck, int, tuple[int, ...] | None]
"""(groups struck, slots lost of the others, lost slots by missed proofs until they are observed; None once repair is due)."""

LOST: State = (Struck(), -1, None)


def loss_by(code: Code, hazards: Hazards, duration: float) -> float:
    """Probability that the dataset is lost within ``duration`` seconds, exactly. Raises Misuse, CodeParameters.

    The matrix of one short step is a series of non-negative terms, and squaring it doubles the time; rows are kept at a sum
    of 1, so that rounding does not add up over the squarings.
    """
    positive("The duration", duration)
    rates = transition_rates(code, hazards)
    leaving = rates.sum(axis=1)
    fastest = float(leaving.max())
    doublings = max(0, ceil(log2(fastest * duration)))
    jumps = rates / fastest
    np.fill_diagonal(jumps, 1 - leaving / fastest)
    step = _exponential(jumps, fastest * duration / 2**doublings)
    for _ in range(doublings):
        step = step @ step
        step /= step.sum(axis=1, keepdims=True)
    return float(step[0, -1])


def transition_rates(code: Code, hazards: Hazards) -> Floats:
    """(states, states), per second, zeros on the diagonal; the first state has all slots, the last is the loss."""
    moves = _Moves(code, hazards)
    start: State = (Struck(), 0, (0,) * code.misses)
    numbers = {start: 0}
    found: list[tuple[State, State, float]] = []
    waiting = [start]
    while waiting:
        state = waiting.pop()
        for to, rate in moves.of(state):
            found.append((state, to, rate))
            if to != LOST and to not in numbers:
                numbers[to] = len(numbers)
                waiting.append(to)
        if len(numbers) > MOST_STATES:
            raise CodeParameters(
                f"The chain of {code.data} + {code.parity} slots has more than {MOST_STATES} states",
                "it is for small codes, thresholds and numbers of misses",
                "Use the probability that takes the time to loss as exponential.",
            )
    numbers[LOST] = len(numbers)
    rates = np.zeros((len(numbers), len(numbers)))
    for state, to, rate in found:
        rates[numbers[state], numbers[to]] += rate
    return rates


class _Moves:
    """Where each state leads, and at which rate per second."""

    def __init__(self, code: Code, hazards: Hazards) -> None:
        self.code = code
        self.hazards = hazards
        self.groups = Groups.of(code, hazards)

    def of(self, state: State) -> list[tuple[State, float]]:
        struck, lost, missing = state
        others = self.code.slots - self.groups.lost(struck)
        moves = [(self._at(struck, lost + 1, missing, 1), (others - lost) * self.hazards.failing)]
        for then, size, rate in self.groups.next_strikes(struck):
            for inside, chance in enumerate(self.groups.inside(struck, size, lost)):
                moves.append((self._at(then, lost - inside, missing, size - inside), rate * chance))
        if missing is None:
            start: State = (Struck(), 0, (0,) * self.code.misses)
            moves.append((start, 1 / self.hazards.mttr))
        else:
            moves += self._proofs(struck, lost, missing)
        return [(to, rate) for to, rate in moves if rate > 0]

    def _at(self, struck: Struck, lost: int, missing: tuple[int, ...] | None, fresh: int) -> State:
        if lost > self.groups.spare(struck):
            return LOST
        return struck, lost, None if missing is None else (missing[0] + fresh, *missing[1:])

    def _proofs(self, struck: Struck, lost: int, missing: tuple[int, ...]) -> list[tuple[State, float]]:
        moves: list[tuple[State, float]] = []
        for stage, slots in enumerate(missing):
            after = list(missing)
            after[stage] -= 1
            if stage + 1 < len(after):
                after[stage + 1] += 1
            seen = self.groups.lost(struck) + lost - sum(after)
            observed = None if seen >= self.code.repair_threshold else tuple(after)
            moves.append(((struck, lost, observed), slots / self.hazards.mtbp))
        return moves


def _exponential(jumps: Floats, rate: float) -> Floats:
    """The matrix of one step with Poisson many jumps, ``rate`` on average, at most 1."""
    term = exp(-rate) * np.eye(len(jumps))
    total = term.copy()
    for number in range(1, TERMS):
        term = term @ jumps * (rate / number)
        total += term
    return total
