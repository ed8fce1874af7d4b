"""``agent repro`` as it is typed."""

import json
import sys

import pytest

from tests.cli.conftest import Agent


def test_a_table_again(lonely: Agent) -> None:
    done = lonely("repro", "codex", "--figure", "table1", "--workers", "1")
    assert done.code == 0, done.err
    assert "Codex, Table 1" in done.out and "13+13  11+11" in done.out
    assert done.out.splitlines()[-1].startswith("5 of 6 published values reached, 1 explained")


def test_json_is_all_of_stdout_and_plots_are_drawn(lonely: Agent) -> None:
    done = lonely(
        "repro", "codex", "--figure", "3", "--quick", "--workers", "1", "--seed", "9", "--json", "--plot", "pictures"
    )
    assert done.code == 0, done.err
    told = json.loads(done.out)
    assert (told["seed"], told["quick"]) == (9, True)
    assert [value["ours"] for value in told["figures"][0]["values"]] == [20, 35, 49, 132, 1375]
    assert "pictures/codex-3.png" in done.err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("repro", "vault", "--figure", "9"), "4a, 4b, 5, 6a, 6b, selection-rule"),
        (("repro", "myel"), "codex and vault"),
        (("repro", "--seed", "x"), "--seed"),
        (("repro", "--seed", "-1"), "--seed"),
        (("repro", "--workers", "0"), "Type 1 or more"),
    ],
)
def test_mistakes_are_explained(lonely: Agent, words: tuple[str, ...], says: str) -> None:
    done = lonely(*words)
    assert done.code == 2
    assert says in done.err


def test_plots_without_matplotlib_name_what_to_install(lonely: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = lonely("repro", "codex", "--figure", "9", "--plot", "pictures")
    assert done.code == 3
    assert "holdfast[figures]" in done.err and done.out == ""
