"""Recipes, files, and the model that ships."""

import json
from pathlib import Path

import numpy as np
import pytest

from agents.artefacts.files import FOLDER, admission_model
from agents.core.admission.experts import EXPERTS
from agents.core.admission.model import SHAPES
from agents.core.errors import FileRejected, Malformed, Misuse, StorageTrouble
from agents.learning import training
from agents.learning.recipe import PROVENANCE, TRAINING_SEEDS, Recipe, learnt, load, save, written
from agents.runtime.shipped import shipped_model
from tests.learning.made import TINY

SHIPPED = FOLDER / "admission.npz"


def test_a_recipe_gives_the_same_file_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(training, "MOST", 2)
    monkeypatch.setattr(training, "STEPS", 5)
    told: list[tuple[str, int, int]] = []
    model = learnt(TINY, lambda *done: told.append(done))
    assert told[:2] == [("replaying traces", 1, 2), ("replaying traces", 2, 2)]
    assert told[-1][0] == "learning" and told[-1][1] == told[-1][2]
    assert written(learnt(TINY), TINY) == written(model, TINY)
    save(model, TINY, tmp_path / "model.npz")
    again, provenance = load(tmp_path / "model.npz")
    assert written(again, TINY) == written(model, TINY)
    assert provenance["seeds"] == [31, 32] and set(provenance["versions"]) == {"numpy", "scikit-learn"}


def test_the_shipped_model_is_small_and_says_what_it_is_made_of() -> None:
    model, provenance = load(SHIPPED)
    assert SHIPPED.stat().st_size < 1_000_000
    assert provenance == {**Recipe().provenance, "versions": provenance["versions"]}
    assert provenance["seeds"] == [TRAINING_SEEDS.start, TRAINING_SEEDS.stop - 1] == [1_000, 1_099]
    assert shipped_model().arrays().keys() == model.arrays().keys() == SHAPES.keys()
    assert model.experts == EXPERTS and len(model.clusters.centroids) == Recipe().clusters
    assert json.loads(str(admission_model()[PROVENANCE])) == provenance


def test_shares_of_the_shipped_model_are_shares() -> None:
    model = shipped_model()
    assert (model.clusters.shares >= 0).all() and (model.clusters.shares <= 1).all()
    chances = model.predictors.chances(model.clusters.mean, range(len(EXPERTS)))
    assert (chances >= 0).all() and (chances <= 1).all()
    # Miniatures, which guess nothing, are far better than networks are.
    hot = model.predictors.errors[:, :, 0][~np.eye(len(EXPERTS), dtype=bool)]
    assert model.predictors.miniature_errors[:, 0].mean() < hot.mean() / 10


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 and no more", b"\x93NUMPY"])
def test_damaged_files_are_refused(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "model.npz"
    path.write_bytes(damage)
    with pytest.raises((Malformed, FileRejected)):
        load(path)


def test_a_cut_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.npz"
    whole = SHIPPED.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(Malformed):
        load(path)
    with pytest.raises(FileRejected):
        load(tmp_path / "none.npz")


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(StorageTrouble):
        save(shipped_model(), Recipe(), tmp_path / "no" / "folder.npz")


def test_a_recipe_needs_a_seed() -> None:
    with pytest.raises(Misuse):
        Recipe(seeds=range(0))
