"""Which expert is in force, from what becomes of requests: Darwin's epochs as a state machine (Darwin, section 4.3).

Requests come in windows of one length. At the end of each the controller is told what became of the window and how its
traffic looked, and says which expert is in force in the next::

    warming ----> collecting ----> trying ----> deployed
                   ^    ^            | drift        | drift, end of the epoch
                   |    +------------+              |
                   +--------------------------------+

Where the traffic does not look any more as it did when experts were chosen for it, the best of the cluster that it
resembles now is put in force at once, and the next window is looked at again, which has nothing of the old traffic.

Nothing has to be tried where side information is complete. Of hits miniatures tell for every expert what it would have made
of the window, starting from what memory really held: a round of one is a round of all. Then the best is put in force after
every window, of the cluster's experts and those around the one in force, and the only stage is following.
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import numpy as np

from agents.core.admission.clusters import TOLERANCE
from agents.core.admission.experts import Expert, beside
from agents.core.admission.features import Features
from agents.core.admission.identification import DELTA, LEAST_VARIANCE, MOST_ROUNDS, Identification
from agents.core.admission.model import Model
from agents.core.admission.objectives import OBJECT_HITS, Objective
from agents.core.admission.predictors import combined
from agents.core.admission.windows import Window
from agents.core.errors import Misuse


class Stage(Enum):
    """What a controller is doing."""

    WARMING = "warming"
    """The cache fills."""
    COLLECTING = "collecting"
    """The traffic is looked at."""
    TRYING = "trying"
    """Candidates are deployed in turn, a window each."""
    DEPLOYED = "deployed"
    """One expert stays in force."""
    FOLLOWING = "following"
    """In every window that expert is in force which would have been best in the one before."""


@dataclass(frozen=True)
class Lengths:
    """How long everything takes, in requests."""

    epoch: int
    """From one look at the traffic to the next."""
    window: int
    """Of a look, and of a round."""
    warm_up: int
    """Until the first look."""
    history: int
    """Before a window that are remembered, to know which of its objects were requested before."""
    lead: int
    """Before a window in which an expert's miniature already admits by itself."""

    def __post_init__(self) -> None:
        if (
            not 2 <= self.window <= self.epoch
            or not 0 <= self.warm_up <= self.epoch
            or min(self.history, self.lead) < 0
        ):
            raise Misuse("These lengths make no epoch", f"{self}", "The window and the warm-up are parts of the epoch.")


WINDOW_SHARE = 0.25
WARM_UP_SHARE = 0.25
"""Of the epoch."""
HISTORY = 24
LEAD = 6
"""Windows."""

EPOCH = 16_000
"""Of a live cache, in requests."""


def lengths(
    epoch: int,
    window: float = WINDOW_SHARE,
    warm_up: float = WARM_UP_SHARE,
    history: float = HISTORY,
    lead: float = LEAD,
) -> Lengths:
    """Those of an epoch: window and warm-up as fractions of it, history and lead in windows. Raises Misuse."""
    length = max(2, round(epoch * window))
    return Lengths(epoch, length, round(epoch * warm_up), round(length * history), round(length * lead))


@dataclass(frozen=True)
class Rules:
    """How a controller decides."""

    objective: Objective = OBJECT_HITS
    miniatures: bool = True
    """Whether estimates come from miniatures too, of hits from these only, and not, as in the paper, from networks alone."""
    tolerance: float = TOLERANCE
    """Candidates that miniatures show to be further from the best than this are not tried."""
    delta: float = DELTA
    most_rounds: int = MOST_ROUNDS
    drift: float = 3.0
    """Traffic has changed when it looks so many times as different as unchanged traffic does."""


@dataclass(frozen=True)
class State:
    """Of a controller. The search alone is changed in place."""

    stage: Stage
    expert: int
    """In force: a position in the model's experts."""
    left: int
    """Requests until the stage, or in DEPLOYED the epoch, ends; 0 in FOLLOWING, which does not."""
    known: Features | None = None
    """How the traffic looked when experts were chosen for it."""
    candidates: tuple[int, ...] = ()
    search: Identification | None = None
    looks: int = 0
    """How often experts were chosen."""
    drifts: int = 0
    """How often the traffic changed."""


class Controller:
    """Steps from state to state."""

    def __init__(self, model: Model, lengths: Lengths, rules: Rules | None = None) -> None:
        self.model = model
        self.lengths = lengths
        self.rules = rules or Rules()

    def begin(self) -> State:
        """Before the first request: the expert that is best over all clusters."""
        expert = int(np.argmax(self.rules.objective.reward(self.model.clusters.shares).mean(axis=0)))
        if self.rules.miniatures and self.rules.objective.hits_alone:
            return State(Stage.FOLLOWING, expert, 0)
        return State(Stage.WARMING if self.lengths.warm_up else Stage.COLLECTING, expert, self.lengths.warm_up)

    def expert(self, state: State) -> Expert:
        """The one in force."""
        return self.model.experts[state.expert]

    def step(self, state: State, seen: Window) -> State:
        """What follows a window of requests."""
        if state.stage is Stage.FOLLOWING:
            return self._followed(state, seen)
        state = replace(state, left=state.left - self.lengths.window)
        if state.stage is Stage.WARMING:
            return state if state.left > 0 else replace(state, stage=Stage.COLLECTING)
        if state.stage is Stage.COLLECTING:
            return self._chosen(state, seen)
        assert state.known is not None
        if self.model.clusters.distance(state.known, seen.features) > self.rules.drift:
            best = self._candidates(state, seen)[0]
            return replace(state, stage=Stage.COLLECTING, expert=best, search=None, drifts=state.drifts + 1)
        if state.stage is Stage.TRYING:
            return self._tried(state, seen)
        return state if state.left > 0 else self._chosen(state, seen)

    def _followed(self, state: State, seen: Window) -> State:
        """The best by miniatures goes in force, of those that are likely to be best now.

        Those around the one in force are among them, as the traffic may be of a kind that training had none of.
        """
        candidates = tuple(dict.fromkeys((state.expert, *beside(state.expert), *self._alike(seen).tolist())))
        rewards = seen.miniature(candidates) @ np.array(self.rules.objective.weights[:2])
        best = candidates[int(np.argmax(rewards))]
        return replace(state, expert=best, candidates=candidates, looks=state.looks + 1)

    def _alike(self, seen: Window) -> Any:
        """Experts that may be best on traffic of the cluster that this resembles, the best first."""
        clusters = self.model.clusters
        return clusters.candidates(clusters.nearest(seen.features), self.rules.objective)

    def _candidates(self, state: State, seen: Window) -> tuple[int, ...]:
        """Of the cluster that the traffic resembles, the best first.

        Where miniatures may be used, the expert in force stands beside them, and those that are clearly worse go.
        """
        found = self._alike(seen)
        if self.rules.miniatures:
            found = np.unique([*found, state.expert])
            rewards = self._estimates(state.expert, seen, found)[0]
            order = np.argsort(-rewards, kind="stable")
            best = rewards[order[0]]
            found = found[order[rewards[order] >= best - self.rules.tolerance * abs(best)]]
        return tuple(int(expert) for expert in found)

    def _estimates(self, expert: int, seen: Window, candidates: Any) -> tuple[Any, Any]:
        """Rewards of ``candidates`` (k,) in a window with ``expert``, one of them, in force, and their variances."""
        predictors = self.model.predictors
        estimates, variances = predictors.estimates(expert, seen.counted.shares, seen.features.inputs, candidates)
        if self.rules.miniatures:
            errors = predictors.miniature_errors[candidates]
            hot = combined(estimates[:, :2], variances[:, :2], seen.miniature(candidates), errors)
            estimates, variances = np.hstack([hot[0], estimates[:, 2:]]), np.hstack([hot[1], variances[:, 2:]])
        weights = np.array(self.rules.objective.weights)
        return self.rules.objective.reward(estimates), np.maximum(variances @ (weights * weights), LEAST_VARIANCE)

    def _chosen(self, state: State, seen: Window) -> State:
        """Candidates for the traffic seen; an epoch begins."""
        candidates = self._candidates(state, seen)
        search = Identification(len(candidates), self.rules.delta, self.rules.most_rounds)
        fresh = replace(
            state,
            left=self.lengths.epoch,
            known=seen.features,
            candidates=candidates,
            search=search,
            looks=state.looks + 1,
        )
        if search.settled:
            return replace(fresh, stage=Stage.DEPLOYED, expert=candidates[0], search=None)
        return replace(fresh, stage=Stage.TRYING, expert=candidates[search.next()])

    def _tried(self, state: State, seen: Window) -> State:
        """A round ended: what it says of every candidate, and who is next."""
        search, candidates = state.search, list(state.candidates)
        assert search is not None
        search.observe(candidates.index(state.expert), *self._estimates(state.expert, seen, candidates))
        if search.settled:
            return replace(state, stage=Stage.DEPLOYED, expert=candidates[search.best], search=None)
        return replace(state, expert=candidates[search.next()])
