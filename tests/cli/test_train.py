"""``agent cache train`` as it is typed."""

import json
import sys
from pathlib import Path

import pytest

from agents.learning import training
from agents.learning.recipe import load
from tests.cli.conftest import Agent

COMMAND = ("cache", "train")


def test_a_small_model_is_learnt_and_written(lonely: Agent, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(training, "MOST", 1)
    monkeypatch.setattr(training, "STEPS", 2)
    out = tmp_path / "model.npz"
    done = lonely(
        *COMMAND, "--out", str(out), "--seeds", "7-8", "--requests", "150000", "--clusters", "3", "--json"
    )  # fmt: skip
    assert done.code == 0, done.err
    facts = json.loads(done.out)
    assert facts["file"] == str(out) and facts["seeds"] == [7, 8] and facts["bytes"] == out.stat().st_size
    assert len(load(out)[0].clusters.centroids) == 3
    assert "replaying traces 100%" in done.err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--seeds", "9-3"), "the last comes before the first"),
        (("--seeds", "few"), "few"),
        (("--requests", "-1"), "-1"),
        (("--out", "/no/such/folder/model.npz"), "there is no such folder"),
    ],
)
def test_mistakes_are_told_before_anything_is_done(lonely: Agent, words: tuple[str, str], told: str) -> None:
    done = lonely(*COMMAND, *words)
    assert done.code == 2 and told in done.err and done.out == ""


def test_without_scikit_learn_it_says_what_to_install(lonely: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.cluster", None)
    done = lonely(*COMMAND)
    assert done.code == 3 and "pip install" in done.err
