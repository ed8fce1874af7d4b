"""Direct mapping: from what the traffic looks like straight to an expert, as learnt on other traces, with nothing tried."""

from dataclasses import dataclass

import numpy as np

from agents.core.admission.model import Model
from agents.core.admission.objectives import Objective
from agents.simulation.caching.darwin import seen
from agents.simulation.caching.levels import Cache, Setting
from agents.simulation.caching.policies import Log, Replayed, windows
from agents.simulation.caching.traces import Trace


@dataclass(frozen=True)
class DirectMapping:
    """In every window the expert that was best, in training, on the traffic which the last one resembles most."""

    model: Model
    objective: Objective
    window: int
    """Requests."""
    history: int
    """Requests before a window that are remembered."""
    name: str = "mapping"

    def replay(self, trace: Trace, setting: Setting) -> Replayed:
        """As Policy."""
        cache, log = Cache(trace, setting), Log()
        rewards = self.objective.reward(self.model.clusters.shares)
        best = int(np.argmax(rewards.mean(axis=0)))
        for first, last in windows(trace, self.window):
            expert = self.model.experts[best]
            log.add(first, expert.name, cache.with_expert(last, expert))
            features = seen(trace, first, last, self.history, setting.memory).features
            best = int(np.argmax(rewards[self.model.clusters.nearest(features)]))
        return log.replayed()
