"""What was learnt in training, as arrays that fit a small file."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from agents.core.admission.clusters import Clusters
from agents.core.admission.experts import EXPERTS, Expert
from agents.core.admission.features import INPUTS
from agents.core.admission.objectives import EVENTS, OBJECTIVES
from agents.core.admission.predictors import HIDDEN, Predictors
from agents.core.errors import Malformed

PAIRS = (len(EXPERTS), len(EXPERTS), len(EVENTS))
NONE = 0
"""Of a shape: any length."""

SHAPES: dict[str, tuple[int, ...]] = {
    "clusters.mean": (INPUTS,),
    "clusters.deviation": (INPUTS,),
    "clusters.centroids": (NONE, INPUTS),
    "clusters.shares": (NONE, len(EXPERTS), len(EVENTS)),
    "clusters.near": (NONE, len(OBJECTIVES), len(EXPERTS)),
    "clusters.noise": (INPUTS,),
    "predictors.mean": (INPUTS,),
    "predictors.deviation": (INPUTS,),
    "predictors.weights": (*PAIRS, INPUTS, HIDDEN),
    "predictors.biases": (*PAIRS, HIDDEN),
    "predictors.out_weights": (*PAIRS, HIDDEN, 2),
    "predictors.out_biases": (*PAIRS, 2),
    "predictors.errors": PAIRS,
    "predictors.miniature_errors": (len(EXPERTS), 2),
}
"""Of every array of a model."""

POSITIVE = ("clusters.deviation", "clusters.noise", "predictors.deviation")


@dataclass(frozen=True, eq=False)
class Model:
    """Darwin's knowledge of traffic; the experts are `EXPERTS`, in that order."""

    clusters: Clusters
    predictors: Predictors

    @property
    def experts(self) -> tuple[Expert, ...]:
        """Those that it knows."""
        return EXPERTS

    def arrays(self) -> dict[str, Any]:
        """By name, as `SHAPES` has them."""
        parts = {"clusters": self.clusters, "predictors": self.predictors}
        return {name: getattr(parts[part], field) for name in SHAPES for part, field in [name.split(".")]}


def model_of(arrays: Mapping[str, Any]) -> Model:
    """The model of its arrays. Raises Malformed where one is missing, has another shape or holds no numbers."""
    clusters = set()
    for name, shape in SHAPES.items():
        if name not in arrays:
            raise Malformed("This is no model of admission", f"it has no {name}", "Train one: agent cache train.")
        found = np.asarray(arrays[name])
        if len(found.shape) != len(shape) or any(w not in (NONE, f) for w, f in zip(shape, found.shape, strict=True)):
            raise Malformed(
                "The model of admission fits other experts", f"its {name} is {found.shape}", "Train it anew."
            )
        if not np.isfinite(found).all() or (name in POSITIVE and (found <= 0).any()):
            raise Malformed(
                "The model of admission is damaged", f"its {name} holds what is no number", "Train it anew."
            )
        if shape[0] == NONE:
            clusters.add(found.shape[0])
    if len(clusters) != 1 or 0 in clusters:
        raise Malformed(
            "The model of admission is damaged", "its clusters are not as many everywhere", "Train it anew."
        )
    return Model(*(_part(kind, arrays) for kind in (Clusters, Predictors)))


def _part(kind: type, arrays: Mapping[str, Any]) -> Any:
    name = kind.__name__.lower()
    return kind(*(np.asarray(arrays[f"{name}.{field.name}"]) for field in fields(kind)))
