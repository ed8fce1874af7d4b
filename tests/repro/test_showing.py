"""Tables fit a terminal, plots are drawn, JSON has every number, and the README's section is made of them."""

import io
import json
import re
import sys
from pathlib import Path

import pytest
from rich.console import Console

from agents.core.errors import StorageTrouble, ToolMissing
from agents.repro import plots, tables
from agents.repro.catalogue import ENTRIES
from agents.repro.figures import Figure
from scripts.repro_document import END, README, START, filled, section

Every = dict[str, Figure]


def shown(figure: Figure) -> str:
    console = Console(file=io.StringIO(), width=tables.WIDTH, highlight=False)
    tables.show(figure, console)
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert isinstance(text, str)
    return text


def test_every_table_fits_80_columns(every: Every) -> None:
    for name, figure in every.items():
        wide = [line for line in shown(figure).splitlines() if len(line) > tables.WIDTH]
        assert wide == [], name


def test_a_table_lays_paper_ours_and_difference_side_by_side(every: Every) -> None:
    lines = shown(every["4a"]).splitlines()
    head, row = (
        next(line for line in lines if "paper" in line),
        next(line for line in lines if line.startswith("  24 h")),
    )
    assert re.split(r"  +", head) == [
        "cache kept",
        "paper",
        "model",
        "simulated",
        "95 % interval",
        "difference",
        "target",
    ]
    assert row.split()[2] == "185.0" and row.endswith("ok") and " to " in row
    assert "WRONG: " in shown(every["4b"])
    table = shown(every["table1"])
    assert "13+13  11+11" in table and "explained" in table


def test_the_summary_counts(every: Every) -> None:
    line = tables.summary([every["table1"], every["selection-rule"]])
    assert line.startswith("6 of 8 published values reached, 2 explained")


def test_json_holds_every_value_and_nothing_that_is_no_json(every: Every) -> None:
    for figure in every.values():
        facts = json.loads(json.dumps(tables.facts(figure), allow_nan=False))
        assert len(facts["values"]) == len(figure.values)
        for told, value in zip(facts["values"], figure.values, strict=True):
            assert (told["paper"], told["ours"], told["verdict"]) == (value.paper, value.ours, value.verdict)


def test_every_figure_is_drawn(every: Every, tmp_path: Path) -> None:
    for figure in (every["table1"], every["10"], every["6a"]):
        path = plots.draw(figure, tmp_path)
        assert path.name == f"{figure.paper}-{figure.name}.png"
        assert path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 20_000


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ToolMissing, match=r"holdfast\[figures\]"):
        plots.require()


def test_a_folder_that_cannot_be_is_told_before_anything_is_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageTrouble, match="Name another folder"):
        plots.make_folder(tmp_path / "file" / "plots")


def test_the_section_has_a_row_a_figure_and_what_is_wrong(every: Every) -> None:
    text = section(list(every.values()), 2.5, "two cores")
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    assert len(rows) == 1 + len(ENTRIES)
    assert "in 2.5 minutes on two cores" in text
    assert "11+11" in text and "13.5 nodes" in text
    page = f"before\n{START}old\n{END}\nafter"
    assert filled(page, text) == filled(filled(page, text), text)
    with pytest.raises(ValueError, match="marks"):
        filled("no marks", text)


def test_the_readme_has_every_figure() -> None:
    written = README.read_text().split(START)[1].split(END)[0]
    assert [line.split("|")[1].strip() for line in written.splitlines() if line.startswith("| ")][1:] == [
        entry.heading for entry in ENTRIES
    ]
