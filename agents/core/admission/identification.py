"""Which of a few experts is best, as surely as asked and in few rounds (Darwin, section 4.3).

Track-and-stop with side information: in every round one expert is deployed, and what it makes of the round's requests
gives an estimate of every other expert's reward too, each with a variance of its own. An expert's reward is the mean of its
estimates, weighted by their precisions. Rounds are shared out so that the evidence against the strongest rival grows as
fast as it can, and they end when it exceeds a threshold, or when there were too many of them.
"""

import math
from typing import Any

import numpy as np

DELTA = 0.01
"""The probability of a wrong choice that is accepted."""

MOST_ROUNDS = 5
"""Times the number of experts."""

STEPS = 80
"""Of the search for the best shares."""

LEAST_VARIANCE = 1e-12
"""No estimate is believed to be more precise."""


def tail(arms: int, delta: float = DELTA) -> float:
    """g^-1(delta) above ``arms``, where g(x) = e^(arms - x) (x / arms)^arms falls from 1 to 0."""
    # In logarithms, u = x / arms: arms (1 - u + ln u) = ln delta. Newton's steps from above never go past the root.
    target = math.log(delta) / arms
    at = 1.0 - target + math.sqrt(-2.0 * target) + 1.0
    for _ in range(100):
        step = (1.0 - at + math.log(at) - target) / (1.0 / at - 1.0)
        at -= step
        if abs(step) < 1e-14 * at:
            break
    return arms * at


def threshold(rounds: int, arms: int, delta: float = DELTA) -> float:
    """The evidence at which rounds end: beta = arms ln(t^2 + t) + g^-1(delta)."""
    return arms * math.log(rounds * rounds + rounds) + tail(arms, delta)


def _rates(rewards: Any, best: int, precisions: Any) -> Any:
    """How far the evidence stands for ``best`` against every expert at such total precisions; inf for itself."""
    gaps = rewards[best] - rewards
    own = precisions[best]
    rates = 0.5 * gaps * gaps * own * precisions / (own + precisions)
    rates[best] = math.inf
    return rates


def proportions(rewards: Any, variances: Any) -> Any:
    """The share of rounds of each expert that makes the least evidence grow fastest, (k,).

    ``rewards`` (k,) are taken for true; ``variances[i, j]`` is that of an estimate of j's reward while i is deployed.
    The function is concave; exponentiated gradient, the best point on the way.
    """
    arms = len(rewards)
    precision = 1.0 / np.maximum(variances, LEAST_VARIANCE)
    best = int(np.argmax(rewards))
    shares = np.full(arms, 1.0 / arms)
    found, least = shares, -1.0
    for step in range(1, STEPS + 1):
        total = shares @ precision
        rates = _rates(rewards, best, total)
        rival = int(np.argmin(rates))
        if rates[rival] > least:
            found, least = shares, rates[rival]
        part = total[rival] / (total[best] + total[rival])
        slope = part * part * precision[:, best] + (1.0 - part) ** 2 * precision[:, rival]
        shares = shares * np.exp(slope / slope.max() / math.sqrt(step))
        shares = shares / shares.sum()
    return found


class Identification:
    """One search for the best of ``arms`` experts."""

    def __init__(self, arms: int, delta: float = DELTA, most_rounds: int = MOST_ROUNDS) -> None:
        self._delta = delta
        self._most = most_rounds * arms
        self._weighted = np.zeros(arms)
        self._precision = np.zeros(arms)
        self._variances = np.zeros((arms, arms))
        self.deployed = np.zeros(arms, np.int64)
        """Rounds of each."""

    @property
    def arms(self) -> int:
        """Experts."""
        return len(self.deployed)

    @property
    def rounds(self) -> int:
        """So far."""
        return int(self.deployed.sum())

    @property
    def rewards(self) -> Any:
        """The estimate of each, (k,); 0 before the first round."""
        return self._weighted / np.maximum(self._precision, 1e-300)

    @property
    def best(self) -> int:
        """The one of the highest estimate."""
        return int(np.argmax(self.rewards))

    def observe(self, arm: int, estimates: Any, variances: Any) -> None:
        """A round with ``arm`` gave ``estimates`` (k,) of all rewards, with such ``variances`` (k,)."""
        variances = np.maximum(variances, LEAST_VARIANCE)
        self._weighted += estimates / variances
        self._precision += 1.0 / variances
        mean = self._variances[arm] * self.deployed[arm] + variances
        self.deployed[arm] += 1
        self._variances[arm] = mean / self.deployed[arm]

    @property
    def evidence(self) -> float:
        """Z: that the best is better than its strongest rival."""
        return float(_rates(self.rewards, self.best, self._precision).min())

    @property
    def settled(self) -> bool:
        """Whether there is nothing more to be tried."""
        if self.arms == 1:
            return True
        if self.rounds < self.arms:
            return False
        return self.rounds >= self._most or self.evidence >= threshold(self.rounds, self.arms, self._delta)

    def next(self) -> int:
        """The expert to deploy for a round: each once, then any that fell far behind, then what the proportions ask."""
        rarest = int(np.argmin(self.deployed))
        if self.deployed[rarest] == 0 or self.deployed[rarest] < math.sqrt(self.rounds) - self.arms / 2.0:
            return rarest
        wanted = proportions(self.rewards, self._variances)
        return int(np.argmax((self.rounds + 1) * wanted - self.deployed))
