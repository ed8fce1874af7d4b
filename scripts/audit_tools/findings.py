"""What slither finds in the contracts, against audit/slither.toml, where every finding has its answer."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from .sources import ROOT

PATH = ROOT / "audit" / "slither.toml"


@dataclass(frozen=True)
class Finding:
    """A detector's finding, by name: lines move."""

    detector: str
    place: str
    """Contract.function, Contract.variable or Contract.function.variable."""


@dataclass(frozen=True)
class Answer:
    """Why findings of a detector are harmless at some places; a place may have a `*` in it."""

    detector: str
    where: tuple[str, ...]
    reason: str


def findings(report: Mapping[str, Any]) -> set[Finding]:
    """Everything in slither's JSON."""
    if not report["success"]:
        raise SystemExit(f"slither failed: {report['error']}")
    return {Finding(found["check"], _place(found["elements"][0])) for found in report["results"].get("detectors", [])}


def _place(element: Mapping[str, Any] | None) -> str:
    parts = []
    while element and element["type"] != "file":
        parts.append(element["name"])
        element = element.get("type_specific_fields", {}).get("parent")
    return ".".join(reversed(parts))


def answers() -> list[Answer]:
    """What the file says."""
    said = tomllib.loads(PATH.read_text())["answer"]
    return [Answer(one["detector"], tuple(one["where"]), one["reason"].strip()) for one in said]


def unanswered(found: Iterable[Finding], given: Iterable[Answer]) -> list[Finding]:
    """Findings without an answer, in order."""
    known = [(one.detector, place) for one in given if one.reason for place in one.where]
    return sorted(
        (
            finding
            for finding in found
            if not any(finding.detector == name and fnmatchcase(finding.place, place) for name, place in known)
        ),
        key=lambda finding: (finding.detector, finding.place),
    )


def pointless(found: Iterable[Finding], given: Iterable[Answer]) -> list[str]:
    """Answers to what is not found any more: they would hide what is found later."""
    found = list(found)
    return [
        f"{one.detector} {place}"
        for one in given
        for place in one.where
        if not any(finding.detector == one.detector and fnmatchcase(finding.place, place) for finding in found)
    ]
