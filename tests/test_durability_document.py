"""docs/durability.md says what the command says: its figures are written by the same code, and its words name what is there."""

import re

from agents.core.durability.hazards import YEAR_SECONDS
from agents.runtime.settings import DEFAULT_PRICE, Target
from scripts import durability_document as written
from tests.test_documents import FENCE, LINK, ROOT, anchors, exists, misread, paths_in, spoken

TEXT = written.DOCUMENT.read_text()
NAME = "docs/durability.md"


def test_the_figures_are_those_of_the_command() -> None:
    changed = TEXT.replace("| as assumed | ", "| as assumed | 1", 1)
    assert changed != TEXT
    assert written.page(changed) == TEXT, "run scripts/durability_page"


def test_every_link_and_path_leads_somewhere() -> None:
    lost = []
    for target in LINK.findall(TEXT):
        name, _, anchor = target.partition("#")
        found = (written.DOCUMENT.parent / name).resolve()
        if not found.exists() or (anchor and anchor not in anchors(found.read_text())):
            lost.append(target)
    assert lost == []
    assert [path for path in sorted(paths_in(TEXT)) if not exists(path)] == []
    assert f"({NAME}" in (ROOT / "README.md").read_text()


def test_every_command_can_be_typed() -> None:
    said = [
        *spoken(NAME),
        *re.findall(r"^\$? ?(agent .*)$", "\n".join(block for _, block in FENCE.findall(TEXT)), re.MULTILINE),
    ]
    assert len(said) > 5
    assert {line: misread(line) for line in said if misread(line)} == {}


def test_what_is_assumed_by_default_is_what_is_told() -> None:
    target = Target(nines=9)
    assert (target.mttf, target.mttr, DEFAULT_PRICE) == (YEAR_SECONDS, 86_400, 1_000)
    for told in ("one year unless `--mttf`", "a day unless `--mttr`", "1000 base units a byte and second"):
        assert told in " ".join(TEXT.split())
