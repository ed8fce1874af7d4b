"""The README's tables of policies are made by its script, of the traces that the simulation makes today."""

import re

import pytest

from agents.core.admission.experts import EXPERTS
from agents.core.admission.model import Model
from agents.learning.recipe import TRAINING_SEEDS
from agents.runtime.shipped import shipped_model
from agents.simulation.caching.catalogue import NAMES
from agents.simulation.caching.comparison import BEST, HINDSIGHT
from agents.simulation.caching.levels import HOT, Cache
from agents.simulation.caching.mixes import synthetic
from scripts import policies_document as written
from scripts.repro_document import README, filled

ROWS = [*NAMES, BEST, HINDSIGHT]


def rows_of(text: str) -> list[list[str]]:
    """Cells of every line of a table."""
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("| ")]


@pytest.fixture(scope="module")
def readme() -> list[list[str]]:
    return rows_of(README.read_text().split(written.START)[1].split(written.END)[0])


def test_the_readme_has_every_policy_trace_and_objective(readme: list[list[str]]) -> None:
    names = [row[0] for row in readme]
    seeds = [str(seed) for seed in written.SEEDS]
    one = [written.COLUMNS[0], *ROWS, written.TRACE_COLUMNS[0], *seeds]
    assert names == [*one * len(written.EVICTIONS), written.OBJECTIVE_COLUMNS[0], "objects", *written.OTHERS]
    assert [row for row in readme if row[0] == "policy"] == [list(written.COLUMNS)] * len(written.EVICTIONS)


def test_the_readmes_traces_are_those_of_today(readme: list[list[str]]) -> None:
    seed = written.SEEDS[0]
    trace = synthetic(seed, written.REQUESTS, written.PHASES)
    hits = [(Cache(trace, written.SETTING, order).replay(len(trace)) == HOT).mean() for order in ("lru", "s3fifo")]
    row = next(row for row in readme if row[0] == str(seed))
    assert row[1:3] == [written.percent(float(share)) for share in hits], "run scripts/policies_page"


def test_what_is_measured_on_was_not_trained_on() -> None:
    assert not set(written.SEEDS) & set(TRAINING_SEEDS)


def test_a_section_is_made_of_every_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written, "EPOCHS", 8)  # whose looks cost the same on a short trace
    asked: list[Model] = []

    def model() -> Model:
        asked.append(shipped_model())
        return asked[-1]

    found = written.replayed(model, seeds=(1,), requests=8_000)
    text = written.section(found, 3.2, "two cores")
    assert "in 3 minutes on two cores: 1 synthetic traces of 8,000 requests" in " ".join(text.split())
    rows = rows_of(text)
    assert len(rows) == 2 * (1 + len(ROWS) + 1 + 1) + 1 + 3
    assert all(re.fullmatch(r"\d+\.\d\d %", row[1]) for row in rows if row[0] in ROWS)
    hindsight = [row for row in rows if row[0] == HINDSIGHT]
    assert [row[2:4] for row in hindsight] == [["100.00 %", "100.00 %"]] * 2
    assert len(found["lru"][0].statics) == len(EXPERTS) and len(asked) == 1
    page = f"before\n{written.START}old\n{written.END}\nafter"
    once = filled(page, text, written.START, written.END)
    assert filled(once, text, written.START, written.END) == once and once.startswith("before\n")
