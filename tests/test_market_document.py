"""docs/market.md is so: its names are the contracts', and what tests in forge hold the contracts to is what it says.

tests/forge/StateMachine.t.sol and tests/forge/StorageWrites.t.sol read tests/vectors/market_machine.json, which is kept equal
to the page's drawings and tables here."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path

import pytest

from agents.chain.deploy import DEV_MARKET
from scripts import market_document as page
from tests.test_documents import FENCE, LINK, ROOT, anchors, exists, paths_in

TEXT = page.DOCUMENT.read_text()
CONTRACTS = ROOT / "contracts"
WHO = "Who may move what when"
WRITES = "What is written, and why"


def members(file: str, kind: str, name: str) -> list[str]:
    """The names in an enum, or of the fields of a struct, of the contracts."""
    found = re.search(rf"^{kind} {name} \{{(.*?)^\}}", (CONTRACTS / file).read_text(), re.MULTILINE | re.DOTALL)
    assert found, f"{kind} {name} is not in {file}"
    body = re.sub(r"//.*", "", found[1])
    return re.findall(r"(\w+)\s*(?:[,;]|\Z)", body)


def signatures(kind: str) -> set[str]:
    """Events or errors of the ABI, with the names of what they tell."""
    entries = [entry for entry in page.abi() if entry["type"] == kind]
    return {f"{entry['name']}({', '.join(given['name'] for given in entry['inputs'])})" for entry in entries}


def calls() -> set[str]:
    """Functions that change the market's state."""
    functions = [entry for entry in page.abi() if entry["type"] == "function"]
    return {entry["name"] for entry in functions if entry["stateMutability"] not in ("view", "pure")}


def first_cells(heading: str) -> list[str]:
    return [row[0].strip("`") for row in page.rows(TEXT, heading)]


# --- the machines ---


@pytest.mark.parametrize(("heading", "enum"), [("The request", "RequestState"), ("The slot", "SlotState")])
def test_every_state_is_drawn_and_told_of(heading: str, enum: str) -> None:
    states = members("libraries/Types.sol", "enum", enum)
    assert page.states(TEXT, heading) == set(states)
    told = re.findall(r"^- \*\*(\w+)\*\*:", page.section(TEXT, heading), re.MULTILINE)
    assert told == [state for state in states if state != "None"]


def test_every_arrow_is_a_call_or_time() -> None:
    drawn = page.edges(TEXT, "The request") + page.edges(TEXT, "The slot")
    moves = {call for _, call, _ in drawn}
    assert moves <= calls() | {"time"}
    # What is in no drawing moves money or time alone, and neither a request nor a slot.
    assert calls() - moves == {"extendRequest", "extendRequestWithPermit", "closeRequest"}


def test_every_arrow_is_drawn_once() -> None:
    drawn = page.edges(TEXT, "The request") + page.edges(TEXT, "The slot")
    assert len(set(drawn)) == len(drawn) > 20


def test_every_call_is_in_the_table() -> None:
    named = first_cells(WHO)
    assert set(named) == calls()
    assert len(named) == len(calls())
    requests = set(members("libraries/Types.sol", "enum", "RequestState"))
    for call, who, during, *_ in page.rows(TEXT, WHO):
        assert who in page.ROLES, call
        assert set(page.words(during)) <= requests, call


def test_the_states_of_requests_and_slots_are_put_together() -> None:
    table = page.rows(TEXT, "The slot")
    assert [row[0] for row in table] == members("libraries/Types.sol", "enum", "RequestState")[1:]
    slots = set(members("libraries/Types.sol", "enum", "SlotState"))
    assert set().union(*(page.words(row[1]) for row in table)) == slots


def test_what_forge_observes_and_the_gas_are_those_of_the_page() -> None:
    behind = [str(path.relative_to(ROOT)) for path, text in page.pages() if path.read_text() != text]
    assert behind == [], "run scripts/market_page"


def test_forge_observes_every_kind_of_fact() -> None:
    observers = "".join(
        (ROOT / "tests" / "forge" / f"{name}.t.sol").read_text() for name in ("StateMachine", "StorageWrites")
    )
    for kind, facts in page.facts(TEXT).items():
        assert f'".{kind}"' in observers, kind
        assert len(set(facts)) == len(facts) > 5, kind


def test_a_changed_drawing_changes_what_is_observed() -> None:
    before = page.facts(TEXT)
    more = TEXT.replace("    Lost --> Reserved: reserveSlot\n", "    Lost --> Reserved: reserveSlot, fillSlot\n")
    assert page.facts(more)["slots"] == [
        fact
        for each in before["slots"]
        for fact in ([each, "slot Lost fillSlot Reserved"] if each == "slot Lost reserveSlot Reserved" else [each])
    ]
    other = TEXT.replace("| `settle` | anybody |", "| `settle` | the host |")
    assert set(before["callers"]) - set(page.facts(other)["callers"]) == {
        "settle by client", "settle by provider", "settle by stranger",
    }  # fmt: skip


# --- names ---


def test_every_event_and_error_is_told() -> None:
    assert set(first_cells("Events")) == signatures("event")
    # The ABI has the errors that the code can raise; the interface may keep more.
    declared = set(
        re.findall(r"^    error (\w+)", (CONTRACTS / "interfaces/IMarketplace.sol").read_text(), re.MULTILINE)
    )
    told = first_cells("Errors")
    assert signatures("error") <= set(told)
    assert {error.split("(")[0] for error in told} == declared
    assert len(told) == len(declared)


def test_every_name_in_the_text_is_the_contracts() -> None:
    known = "".join(path.read_text() for path in CONTRACTS.rglob("*.sol"))
    known += (ROOT / "tests" / "attacks" / "mutations.toml").read_text()
    named = {
        word for code in re.findall(r"`([^`]+)`", FENCE.sub("", TEXT)) for word in re.findall(r"\b[a-z]+[A-Z]\w+", code)
    }
    assert {word for word in named if not re.search(rf"\b{word}\b", known)} == set()


def test_the_configuration_is_whole_and_the_devnets() -> None:
    named = members("interfaces/IMarketplace.sol", "struct", "MarketConfig")
    table = page.rows(TEXT, "Configuration")
    assert first_cells("Configuration") == named
    assert [int(row[2]) for row in table] == [getattr(DEV_MARKET, field.name) for field in fields(DEV_MARKET)]


# --- storage ---


def test_every_field_is_in_one_word() -> None:
    held = {row[0]: page.words(row[1]) for row in page.rows(TEXT, WRITES)}
    of_request = [field for word, inside in held.items() if word.startswith("request's") for field in inside]
    of_slot = [field for word, inside in held.items() if word.startswith("slot's") for field in inside]
    tenure = members("libraries/Slots.sol", "struct", "Slot")
    proofs = members("libraries/ProofRecord.sol", "struct", "ProofRecord")
    assert of_request == members("libraries/Deals.sol", "struct", "Deal")
    at = tenure.index("proofs")
    assert of_slot == [*tenure[:at], *proofs, *tenure[at + 1 :]]


def test_every_write_has_a_reason() -> None:
    for word, _, written, reason in page.rows(TEXT, WRITES):
        assert page.words(written), word
        assert len(reason.split()) >= 4, word
    named = {call for row in page.rows(TEXT, WRITES) for call in page.words(row[2])}
    hot = {
        "requestStorage",
        "reserveSlot",
        "fillSlot",
        "submitProof",
        "submitProofs",
        "markProofMissing",
        "markProofsMissing",
    }
    assert named == hot | {"the last miss", "a repair's fill"}


# --- attacks ---


def attack_tests() -> set[str]:
    room = ROOT / "tests" / "attacks"
    return {name for path in room.glob("*.t.sol") for name in re.findall(r"function (test_\w+)", path.read_text())}


def test_every_attack_is_tried() -> None:
    table = page.rows(TEXT, "Attacks")
    named = [name for row in table for name in page.words(row[3])]
    assert all(row[3] for row in table)
    assert set(named) - attack_tests() == set()
    assert len(set(named)) == len(named)
    mutated = tomllib.loads((ROOT / "tests" / "attacks" / "mutations.toml").read_text())["mutation"]
    assert set(named) - {mutation["attack"] for mutation in mutated} == set()


# --- links ---


def test_every_link_and_path_leads_somewhere() -> None:
    lost = []
    for target in LINK.findall(TEXT):
        name, _, anchor = target.partition("#")
        found = (page.DOCUMENT.parent / name).resolve()
        if not found.exists() or (anchor and anchor not in anchors(found.read_text())):
            lost.append(target)
    assert lost == []
    assert [path for path in sorted(paths_in(TEXT)) if not exists(path)] == []


def test_the_readme_and_security_lead_here() -> None:
    for document in ("README.md", "SECURITY.md"):
        assert "(docs/market.md" in Path(ROOT / document).read_text(), document
