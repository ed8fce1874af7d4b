"""``agent cache simulate`` as it is typed."""

import json
import re
import sys
from pathlib import Path

import pytest

from agents.cli import simulate
from tests.cli.conftest import Agent

COMMAND = ("cache", "simulate")
MADE = (*COMMAND, "--synthetic", "3", "--requests", "20000", "--memory", "5MiB")
QUICK = ("--policies", "lru s3fifo static:3,100KiB", "--no-hindsight")


def test_a_row_a_policy_and_hits_by_phase(lonely: Agent) -> None:
    done = lonely(*MADE, "--policies", "lru percentile", "--phases", "3")
    assert done.code == 0, done.err
    first, second, third, *rows = done.out.splitlines()
    assert first.startswith("synthetic, seed 3: 20,000 requests for ")
    assert first.endswith(" % once") and second == "memory 5 MiB, evicting by lru; disk 9.313 GiB"
    assert "shares of what was asked for" in third
    assert rows[0].split("\t") == list(simulate.COLUMNS)
    assert [row.split("\t")[0] for row in rows[1:5]] == ["lru", "percentile", "best static", "hindsight"]
    assert rows[6].startswith("objects of each phase") and len(rows[7].split("\t")) == 4
    assert "replaying 100%" in done.err


def test_tables_fit_a_terminal(lonely: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    done = lonely(*MADE, "--requests", "2000000", *QUICK)
    assert done.code == 0, done.err
    rows = re.sub(r"\x1b\[[0-9;]*m", "", done.out).splitlines()
    assert [row for row in rows if len(row) > 80] == []
    assert sum(row.split()[:1] == ["s3fifo"] for row in rows) == 2


def test_json_is_all_of_stdout_and_a_trace_that_was_written_is_read(lonely: Agent) -> None:
    done = lonely(*MADE, *QUICK, "--write", "a.csv", "--plot", "a.png", "--json")
    assert done.code == 0, done.err
    made = json.loads(done.out)
    assert made["trace"]["synthetic"] and made["trace"]["requests"] == 20_000
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")
    names = [policy["name"] for policy in made["policies"]]
    assert names == ["lru", "s3fifo", "f3s102"]
    assert len(made["policies"][0]["phases"]) == 5 and len(made["policies"][0]["over_time"]) == 100
    read = json.loads(lonely(*COMMAND, "a.csv", "--memory", "5MiB", *QUICK, "--json").out)
    assert read["trace"]["bytes"] == made["trace"]["bytes"] and not read["trace"]["synthetic"]
    for one, other in zip(made["policies"], read["policies"], strict=True):
        assert abs(one["objects"] - other["objects"]) < 0.001
    part = json.loads(lonely(*COMMAND, "a.csv", "--requests", "5000", "--epoch", "2000", *QUICK, "--json").out)
    assert part["trace"]["requests"] == 5000 and part["phases"] == [0, 1000, 2000, 3000, 4000]


def test_earnings_are_at_the_prices_given(lonely: Agent) -> None:
    found = [
        json.loads(lonely(*MADE, *QUICK, "--objective", "earnings", "--prices", prices, "--json").out)
        for prices in ("1,0,0,0", "1,1,0,0")
    ]
    rewards = [[policy["reward"] for policy in each["policies"]] for each in found]
    assert rewards[0] == pytest.approx([1.0] * 3)
    assert all(0 < reward < 0.9 for reward in rewards[1])


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (COMMAND, 2, "Name a file, or else --synthetic SEED"),
        ((*COMMAND, "a.csv", "--synthetic", "1"), 2, "Name a file, or else --synthetic SEED"),
        ((*COMMAND, "a.csv"), 4, "a.csv cannot be read"),
        ((*COMMAND, "a.lcs"), 4, "a.lcs is empty or no file"),
        ((*COMMAND, "--synthetic", "x"), 2, "--synthetic"),
        ((*MADE, "--requests", "10"), 2, "a phase has 1000 requests or more"),
        ((*MADE, "--policies", "mru"), 2, "no policy named 'mru'"),
        ((*MADE, "--memory", "0"), 2, "without memory or disk"),
        ((*MADE, "--disk", "much"), 2, "--disk"),
        ((*MADE, "--objective", "fun"), 2, "none of ohr, bhr, writes, earnings"),
        ((*MADE, "--prices", "1,2,3,4"), 2, "matter to --objective earnings only"),
        ((*MADE, "--objective", "earnings", "--prices", "1,2"), 2, "not four numbers"),
        ((*MADE, "--objective", "earnings", "--prices", "1,-2,0,0"), 2, "cannot be below zero"),
        ((*MADE, "--epoch", "1"), 2, "--epoch"),
        ((*MADE, "--eviction", "mru"), 2, "'mru' is no order of eviction"),
        ((*MADE, *QUICK, "--write", "no/where.csv"), 9, "cannot be written"),
        ((*MADE, *QUICK, "--plot", "no/where.png"), 9, "cannot be written"),
        ((*MADE, *QUICK, "--plot", "where.txt"), 9, "cannot be written"),
    ],
)
def test_mistakes_are_explained(lonely: Agent, words: tuple[str, ...], code: int, says: str) -> None:
    done = lonely(*words)
    said = " ".join(done.err.replace("│", " ").split())
    assert (done.code, done.out) == (code, "")
    assert says in said


def test_plots_without_matplotlib_name_what_to_install(lonely: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = lonely(*MADE, "--plot", "a.png")
    assert done.code == 3
    assert "holdfast[figures]" in done.err and done.out == ""
