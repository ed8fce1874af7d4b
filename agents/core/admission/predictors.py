"""What every expert would make of requests while another one is deployed (Darwin, section 4.2).

For each ordered pair of experts i, j and each of EVENTS a small network, INPUTS -> 2 -> 2, gives from the traffic's inputs
the probability that the event happens under j, given that it did under i, and given that it did not.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

HIDDEN = 2


@dataclass(frozen=True, eq=False)
class Predictors:
    """The networks of all pairs. Arrays begin with (experts i, experts j, events)."""

    mean: Any
    """Of the inputs in training, (INPUTS,)."""
    deviation: Any
    """Their standard deviations, (INPUTS,), above 0."""
    weights: Any
    """(i, j, events, INPUTS, HIDDEN)"""
    biases: Any
    """(i, j, events, HIDDEN)"""
    out_weights: Any
    """(i, j, events, HIDDEN, 2)"""
    out_biases: Any
    """(i, j, events, 2)"""
    errors: Any
    """Mean squares of what was wrong in the prediction of j's share of a window by what i made of its second half."""
    miniature_errors: Any
    """The same of what miniatures give for hot requests and hot bytes, (experts, 2)."""

    def chances(self, inputs: Any, experts: Any) -> Any:
        """Of ``experts`` (k,) under traffic ``inputs`` (INPUTS,): (k, k, events, 2).

        Entry i, j: the probability of the event under j, given that it happened under i, and given that it did not.
        """
        pairs = np.ix_(experts, experts)
        scaled = (inputs - self.mean) / self.deviation
        hidden = np.tanh(
            np.einsum("n,ijenh->ijeh", scaled, self.weights[pairs].astype(np.float64)) + self.biases[pairs]
        )
        logits = np.einsum("ijeh,ijehp->ijep", hidden, self.out_weights[pairs].astype(np.float64))
        found = 1.0 / (1.0 + np.exp(-(logits + self.out_biases[pairs])))
        same = np.arange(len(experts))
        found[same, same] = (1.0, 0.0)
        return found

    def estimates(self, expert: int, counted: Any, inputs: Any, experts: Any) -> tuple[Any, Any]:
        """Shares of EVENTS of ``experts`` (k,) and their variances, (k, events) both, from the ``counted`` ones of ``expert``.

        ``expert`` is one of ``experts``; ``counted`` (events,).
        """
        chances = self.chances(inputs, experts)[list(experts).index(expert)]
        return chances[:, :, 0] * counted + chances[:, :, 1] * (1.0 - counted), self.errors[expert, experts]


def combined(estimates: Any, variances: Any, others: Any, their_variances: Any) -> tuple[Any, Any]:
    """Two estimates of the same as one, by their precisions; arrays of one shape."""
    total = 1.0 / variances + 1.0 / their_variances
    return (estimates / variances + others / their_variances) / total, 1.0 / total
