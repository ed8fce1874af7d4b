"""audit/mutants.toml: the surviving mutants with the reason why nothing is wrong, and once-survivors that now die."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass

from .mutants import Mutant
from .sources import ROOT

PATH = ROOT / "audit" / "mutants.toml"

Key = tuple[str, str, str, str]


@dataclass(frozen=True)
class Answers:
    """Keys of mutants (see `Mutant.key`)."""

    reasons: dict[Key, str]
    """Survivors, with why each may live."""
    killed: list[Key]
    """Survived once; a test was written, and they must not survive again."""


def read() -> Answers:
    """What the file says."""
    said = tomllib.loads(PATH.read_text())
    return Answers(
        {_key(entry): str(entry["reason"]).strip() for entry in said.get("survivor", [])},
        [_key(entry) for entry in said.get("killed", [])],
    )


def _key(entry: dict[str, str]) -> Key:
    return entry["file"], entry["function"], entry["was"].strip("\n"), entry["now"].strip("\n")


def entry(mutant: Mutant, table: str = "survivor") -> str:
    """The mutant as the file has it, the reason left open."""
    names = ("file", "function", "was", "now")
    lines = [f"{name} = {_quoted(value)}" for name, value in zip(names, mutant.key(), strict=True)]
    return "\n".join([f"[[{table}]]", *lines, 'reason = ""'])


def _quoted(text: str) -> str:
    return f"'''\n{text}'''" if "\n" in text else f"'{text}'" if "'" not in text else json.dumps(text)
