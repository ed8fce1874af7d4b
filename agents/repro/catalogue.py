"""What can be run again, by the names people type. Imports nothing heavy: the command's help needs it."""

import re
from dataclasses import dataclass

from agents.core.errors import Misuse

CODEX, VAULT = "codex", "vault"


@dataclass(frozen=True)
class Entry:
    """A table or figure of a paper."""

    paper: str
    name: str
    title: str

    @property
    def heading(self) -> str:
        """``Codex, Table 1``, ``Vault, Figure 4a``, ``Vault, selection rule``."""
        kind = re.sub(r"^table(\d+)$", r"Table \1", self.name)
        return f"{self.paper.capitalize()}, {f'Figure {kind}' if kind[0].isdecimal() else kind.replace('-', ' ')}"


ENTRIES = (
    Entry(CODEX, "table1", "smallest codes for a yearly loss below 1e-9"),
    Entry(CODEX, "3", "samples that find a loss"),
    Entry(CODEX, "9", "yearly loss by the number of slots"),
    Entry(CODEX, "10", "yearly loss by the time between proofs"),
    Entry(VAULT, "4a", "repair traffic of the first year by cache lifetime"),
    Entry(VAULT, "4b", "repair traffic of ten years by churn"),
    Entry(VAULT, "5", "fragments of one chunk on honest nodes"),
    Entry(VAULT, "6a", "objects lost by share of Byzantine nodes"),
    Entry(VAULT, "6b", "objects lost to an attack by share of nodes"),
    Entry(VAULT, "selection-rule", "nodes selected for a chunk"),
)


def chosen(paper: str | None = None, figure: str | None = None) -> tuple[Entry, ...]:
    """Those of ``paper`` (all papers by default) called ``figure``: 4 is 4a and 4b, 1 is table1. Raises Misuse."""
    papers = tuple(dict.fromkeys(entry.paper for entry in ENTRIES))
    if paper is not None and paper.lower() not in papers:
        raise Misuse(
            f"no figures of {paper!r} are known", f"there are {' and '.join(papers)}", "Name one, or none for all."
        )
    there = [entry for entry in ENTRIES if paper is None or entry.paper == paper.lower()]
    if figure is None:
        return tuple(there)
    asked = re.sub(r"^(figure|fig\.?)\s*|\s+", "", figure.strip().lower())
    found = [entry for entry in there if _called(entry.name, asked)]
    if not found:
        whose = f" of {paper.lower()}" if paper else ""
        rows = {each: ", ".join(entry.name for entry in there if entry.paper == each) for each in papers}
        names = rows[paper.lower()] if paper else "; ".join(f"{each}: {row}" for each, row in rows.items())
        raise Misuse(
            f"there is no figure {figure!r}{whose}", f"there are {names}", "Name one of these, or none for all."
        )
    return tuple(found)


def _called(name: str, asked: str) -> bool:
    return asked in (name, name.removeprefix("table"), name.split("-")[0]) or (
        name[:-1] == asked and name[-1].isalpha()
    )
