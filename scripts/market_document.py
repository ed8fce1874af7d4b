"""What docs/market.md says in a form that tests can hold against the contracts, and what it takes from elsewhere.

docs/payments.md takes the gas of its calls from the same place.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from scripts.gas.limits import CODEX, READS, SNAPSHOT, TARGETS

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = ROOT / "docs" / "market.md"
PAYMENTS = ROOT / "docs" / "payments.md"
README = ROOT / "README.md"
FACTS = ROOT / "tests" / "vectors" / "market_machine.json"
ABI = ROOT / "agents" / "artefacts" / "contracts" / "Marketplace.json"

ROLES = {
    "anybody": ["client", "provider", "stranger"],
    "the client": ["client"],
    "a staked provider": ["provider", "holder"],
    "the reserver": ["holder"],
    "the host": ["holder"],
}
"""Who succeeds with a call, by what the document calls them; anybody may hold the slot too."""

README_CALLS = (
    "requestStorage",
    "reserveSlot",
    "fillSlot",
    "submitProof",
    "submitProofs, each of 8",
    "submitProofs, each of 32",
    "markProofMissing",
    "markProofsMissing, each of 8",
    "extendRequest",
    "acceptExtension",
    "claim",
    "settle",
    "closeRequest (three parts)",
)

Row = list[str]
Edge = tuple[str, str, str]


# --- reading ---


def section(text: str, heading: str) -> str:
    """What stands under ``## heading``."""
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    if not found:
        raise ValueError(f"docs/market.md has no section {heading!r}")
    return found[1]


def rows(text: str, heading: str) -> list[Row]:
    """The cells of the table under ``heading``, without its head."""
    lines = [line for line in section(text, heading).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def words(cell: str) -> list[str]:
    """A cell's comma-separated words, without backticks."""
    return [word.strip(" `") for word in cell.split(",") if word.strip(" `")]


def drawing(text: str, heading: str) -> str:
    """The diagram under ``heading``."""
    found = re.search(r"^```mermaid\nstateDiagram-v2\n(.*?)^```", section(text, heading), re.MULTILINE | re.DOTALL)
    if not found:
        raise ValueError(f"nothing is drawn under {heading!r}")
    return found[1]


def edges(text: str, heading: str) -> list[Edge]:
    """The arrows under ``heading``: state, what moves it, state. Those from and to the outside move nothing."""
    arrows = re.findall(r"^ *(\w+) --> (\w+): (.*)$", drawing(text, heading), re.MULTILINE)
    return [(start, call, end) for start, end, calls in arrows for call in words(calls)]


def states(text: str, heading: str) -> set[str]:
    """Everything under ``heading`` that an arrow begins or ends at."""
    pairs = re.findall(r"(\S+) --> ([^\s:]+)", drawing(text, heading))
    return {state for pair in pairs for state in pair if state != "[*]"}


def abi() -> list[dict[str, Any]]:
    """The market's."""
    entries: list[dict[str, Any]] = json.loads(ABI.read_text())["abi"]
    return entries


def moves_slots(call: str) -> bool:
    """Whether ``call`` names its slots by their ids: then their holders may be among its callers."""
    (entry,) = [entry for entry in abi() if entry["type"] == "function" and entry["name"] == call]
    return any("SlotId" in given.get("internalType", "") for given in entry["inputs"])


def roles(who: str, call: str) -> list[str]:
    """Those who succeed with ``call``."""
    return [*ROLES[who], *(["holder"] if who == "anybody" and moves_slots(call) else [])]


def facts(text: str) -> dict[str, list[str]]:
    """All that the drawings and tables claim, a sentence each, as the tests in forge observe it."""
    may = [(words(row[0])[0], row[1], words(row[2])) for row in rows(text, "Who may move what when")]
    together = [(row[0], words(row[1])) for row in rows(text, "The slot")]
    writes = [(row[0], words(row[2])) for row in rows(text, "What is written, and why")]
    return {
        "requests": [f"request {start} {call} {end}" for start, call, end in edges(text, "The request")],
        "slots": [f"slot {start} {call} {end}" for start, call, end in edges(text, "The slot")],
        "calls": [f"{call} when {state}" for call, _, during in may for state in during],
        "callers": [f"{call} by {role}" for call, who, _ in may for role in roles(who, call)],
        "together": [f"{slot} while {request}" for request, slots in together for slot in slots],
        "writes": [f"{call}: {word}" for word, calls in writes for call in calls],
    }


# --- writing ---


def gas_table(gas: dict[str, int]) -> str:
    """Every call's gas, for the document."""
    lines = ["| call | gas | at most | Codex |", "|---|---:|---:|---:|"]
    market = {call: used for call, used in gas.items() if call not in READS}
    lines += [
        row(call, f"{used:,}", number(TARGETS.get(call)), number(CODEX.get(call))) for call, used in market.items()
    ]
    return "\n".join(lines)


def reads_table(gas: dict[str, int]) -> str:
    """The gas of paying for reads."""
    lines = ["| call | gas | at most |", "|---|---:|---:|"]
    lines += [row(call, f"{gas[call]:,}", number(TARGETS.get(call))) for call in READS]
    return "\n".join(lines)


def readme_table(gas: dict[str, int]) -> str:
    """The main calls' gas beside Codex's, for the README; of a batch, beside the call for one slot."""
    lines = ["| call | gas | Codex | ratio |", "|---|---:|---:|---:|"]
    for call in README_CALLS:
        codex = CODEX.get(call.split(",")[0].replace("Proofs", "Proof"))
        lines.append(row(call, f"{gas[call]:,}", number(codex), f"{gas[call] / codex:.2f}" if codex else ""))
    return "\n".join(lines)


def row(*cells: str) -> str:
    """A row of a table."""
    return "|" + "|".join(f" {cell} " if cell else " " for cell in cells) + "|"


def number(value: int | None) -> str:
    """With thousands marked; nothing for none."""
    return "" if value is None else f"{value:,}"


def filled(text: str, table: str) -> str:
    """``text`` with ``table`` between its marks."""
    start, end = "<!-- gas: written by scripts/market_page -->\n", "<!-- end of gas -->"
    if text.count(start) != 1 or text.count(end) != 1:
        raise ValueError("the marks around the gas are missing")
    before, after = text.split(start)[0], text.split(end)[1]
    return f"{before}{start}\n{table}\n\n{end}{after}"


def pages() -> Iterable[tuple[Path, str]]:
    """The files that are written, and what they should say."""
    gas: dict[str, int] = json.loads(SNAPSHOT.read_text())
    text = DOCUMENT.read_text()
    yield DOCUMENT, filled(text, gas_table(gas))
    yield PAYMENTS, filled(PAYMENTS.read_text(), reads_table(gas))
    yield README, filled(README.read_text(), readme_table(gas))
    yield FACTS, json.dumps(facts(text), indent=1) + "\n"
