"""A model from its recipe: which traces it is trained on, and how; the file that it is kept in says so."""

import io
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from agents.core.admission.model import Model, model_of
from agents.core.errors import FileRejected, Malformed, Misuse, StorageTrouble
from agents.learning.lessons import Lessons, Looks, joined, lessons_of
from agents.learning.training import CLUSTERS, trained
from agents.simulation.caching.levels import Setting
from agents.simulation.caching.mixes import synthetic

TRAINING_SEEDS = range(1_000, 1_100)
"""Of the traces that the shipped model has seen. Nothing is measured on them."""

PROVENANCE = "provenance"
"""The entry of a model's file that tells its recipe, as JSON; no array of the model."""

LIBRARIES = ("numpy", "scikit-learn")


@dataclass(frozen=True)
class Recipe:
    """How a model is made."""

    seeds: range = TRAINING_SEEDS
    """Of the synthetic traces."""
    requests: int = 600_000
    """Of each."""
    phases: int = 6
    """Of each."""
    clusters: int = CLUSTERS
    looks: Looks = field(default_factory=Looks)
    setting: Setting = field(default_factory=Setting)
    seed: int = 1
    """Of clustering and of the networks' first weights."""

    def __post_init__(self) -> None:
        if not len(self.seeds):
            raise Misuse("No seed is named", "nothing can be learnt", "Name some, like 1000-1099.")

    @property
    def provenance(self) -> dict[str, Any]:
        """What the model was made of, and with what."""
        return {
            "traces": "synthetic",
            "seeds": [self.seeds.start, self.seeds.stop - 1],
            "requests": self.requests,
            "phases": self.phases,
            "clusters": self.clusters,
            "looks": asdict(self.looks),
            "setting": asdict(self.setting),
            "seed": self.seed,
            "versions": {name: version(name) for name in LIBRARIES},
        }


def learnt(recipe: Recipe, told: Callable[[str, int, int], None] = lambda what, done, total: None) -> Model:
    """The model of ``recipe``; ``told`` hears what is done, how much of it, and how much there is.

    Raises ToolMissing, Misuse.
    """
    parts: list[Lessons] = []
    for done, seed in enumerate(recipe.seeds, 1):
        trace = synthetic(seed, recipe.requests, recipe.phases)
        parts.append(lessons_of(trace, recipe.setting, recipe.looks, seed))
        told("replaying traces", done, len(recipe.seeds))
    return trained(joined(parts), recipe.seed, recipe.clusters, lambda done, all_: told("learning", done, all_))


def written(model: Model, recipe: Recipe) -> bytes:
    """A model's file: the same bytes for the same model and recipe."""
    told = np.array(json.dumps(recipe.provenance, sort_keys=True))
    into = io.BytesIO()
    np.savez_compressed(into, **{PROVENANCE: told}, **model.arrays())
    return into.getvalue()


def save(model: Model, recipe: Recipe, path: Path) -> None:
    """Write it to ``path``. Raises StorageTrouble."""
    try:
        path.write_bytes(written(model, recipe))
    except OSError as error:
        raise StorageTrouble(
            f"{path} cannot be written", str(error), "Free some room, or name another file."
        ) from error


def load(path: Path) -> tuple[Model, dict[str, Any]]:
    """The model in a file, and its provenance. Raises FileRejected, Malformed."""
    try:
        with np.load(path, allow_pickle=False) as found:
            arrays = {name: found[name] for name in found.files}
    except OSError as error:
        raise FileRejected(f"{path} cannot be read", str(error), "Name a file that agent cache train wrote.") from error
    except Exception as error:  # zipfile, zlib and numpy have many words for damage
        raise Malformed(f"{path} is no model of admission", str(error), "Train one: agent cache train.") from error
    return model_of(arrays), json.loads(str(arrays.get(PROVENANCE, "{}")))
