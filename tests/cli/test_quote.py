"""`agent client quote`, and `store --nines`, as typed."""

import json
import os
import shlex
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agents.core.errors import TooDear
from agents.core.market.types import RequestState
from agents.core.market.view import MarketView
from agents.core.proofs.profiles import PROFILES
from agents.core.units import TOKEN
from agents.runtime import storing
from agents.runtime.follower import Follower
from agents.runtime.pricing import market_price
from agents.runtime.quoting import parameters_of
from agents.runtime.settings import DEFAULT_PRICE, StoreOrder, Target
from tests.cli.conftest import Agent
from tests.cli.test_files import Killed
from tests.cli.town import HOSTS, MARKET, STAKES, Town
from tests.examples import ASK

PLACED = ("--expiry", "200", "--dispersal", "0.99", "--duration", "2h")
NINES = ("--nines", "3", "--max-slots", "6")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Something to store, in nine blocks."""
    path = tmp_path / "letters.tar"
    path.write_bytes(os.urandom(9 * 65_000))
    return path


def test_a_quote_says_what_it_costs_and_what_else_would_do(agent: Agent, file: Path) -> None:
    done = agent("client", "quote", str(file), *NINES, "--duration", "2h", "--price", "1000", "--json")
    assert done.code == 0, done.err
    quoted = json.loads(done.out)
    slots = quoted["dataSlots"] + quoted["paritySlots"]
    assert slots <= len(HOSTS) == quoted["hosts"] and quoted["warnings"] == []
    assert quoted["lossAYear"] <= quoted["target"] == 1e-3
    assert quoted["lossInDuration"] < quoted["lossAYear"] / 4_000
    assert quoted["price"] == str(slots * quoted["slotSize"] * 7_200 * 1_000)
    assert quoted["samples"] == 5 and quoted["priceFrom"] == "typed"
    assert 0 < quoted["fatalShare"] < quoted["caughtByOneProof"] < 1
    assert quoted["secondsToLose"] == pytest.approx(MARKET.max_misses * quoted["secondsToCatch"])
    others = quoted["alternatives"]
    assert len(others) > 1 and all(other["lossAYear"] <= 1e-3 for other in others)
    assert int(quoted["price"]) == min(int(other["price"]) for other in others)
    told = agent("client", "quote", str(file), *NINES, "--duration", "2h", "--price", "1000")
    assert told.code == 0, told.err
    assert "any 2 rebuild the file" in told.out and "4 are needed, 4 could take a slot" in told.out
    assert f"agent client store {file} --slots 2 --parity 2" in told.err
    assert len(told.out.split("\n\n")[1].splitlines()) == 1 + len(others)
    assert max(map(len, told.out.split("\n\n")[0].splitlines())) <= 80


def test_a_quote_beyond_the_hosts_and_the_longest_duration_warns(agent: Agent, file: Path) -> None:
    done = agent("client", "quote", str(file), "--nines", "9", "--json")
    assert done.code == 0, done.err
    few, long = json.loads(done.out)["warnings"]
    assert "and the market has 4" in few
    assert "keeps a request for 30d at most" in long and "1y takes 13 of them" in long


def test_the_line_that_is_printed_can_be_typed_as_it_is(agent: Agent, client: str, file: Path, town: Town) -> None:
    file = file.rename(file.with_name("old letters.tar"))
    reference = town.network.deployment.reference
    words = (*NINES, "--price", "1000", "--collateral", "2", "--no-encrypt", "--market", reference)
    told = agent("client", "quote", str(file), *words, "--duration", "1y")
    assert told.code == 0, told.err
    line = told.err.splitlines()[-1]
    assert line == json.loads(agent("client", "quote", str(file), *words, "--duration", "1y", "--json").out)["command"]
    typed = shlex.split(line)
    assert typed[0] == "agent" and typed[typed.index("--duration") + 1] == "30d"
    done = agent(*typed[1:], "--json")
    assert done.code == 0, done.err
    (ask,) = [request.ask for request in town.do(_view(town)).requests.values() if request.client == client]
    assert (ask.duration, ask.collateral_per_byte, ask.slots) == (MARKET.max_duration, 2, 4)
    # So is what the warning tells: another duration is another request, while this one lives.
    assert json.loads(agent(*typed[1:], "--json").out)["again"] is True
    after = agent(*[{"30d": "29d"}.get(word, word) for word in typed[1:]], "--dry-run", "--json")
    assert after.code == 0 and int(json.loads(after.out)["price"]) == ask.price * 29 // 30
    # A time as short as the default expiry leaves room for one.
    short = json.loads(agent("client", "quote", str(file), *NINES, "--duration", "90s", "--json").out)["command"]
    assert short.endswith("--duration 90s --expiry 45s")
    assert agent(*shlex.split(short)[1:], "--dry-run").code == 0


def test_hosts_that_fail_together_take_more(agent: Agent, file: Path) -> None:
    words = ("--nines", "2", "--max-slots", "4", "--price", "1000", "--duration", "2h")
    together = ("--group-size", "2", "--group-mttf", "40y")
    alone, grouped = (
        json.loads(agent("client", "quote", str(file), *words, *more, "--json").out) for more in ((), together)
    )
    assert (alone["groupSize"], alone["groupMttf"]) == (1, None)
    assert (grouped["groupSize"], grouped["groupMttf"]) == (2, 40 * 365 * 86_400)
    assert grouped["lossAYear"] <= 1e-2 and int(grouped["price"]) > int(alone["price"])
    billed = json.loads(agent("client", "store", str(file), *words, *together, "--dry-run", "--json").out)
    assert billed["price"] == grouped["price"]


def test_what_is_stored_is_what_was_quoted(
    agent: Agent, client: str, file: Path, town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    quoted = json.loads(
        agent("client", "quote", str(file), *NINES, "--duration", "2h", "--price", "1000", "--json").out
    )
    words = ("client", "store", str(file), *NINES, *PLACED, "--price", "1000")
    billed = json.loads(agent(*words, "--dry-run", "--json").out)
    assert billed["price"] == quoted["price"] and billed["slotSize"] == quoted["slotSize"]

    def killed(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as once:
        once.setattr(storing._Storing, "_until_started", killed)
        with pytest.raises(Killed):
            agent(*words)
    # What was chosen stays chosen, though other parameters would be chosen now.
    monkeypatch.setattr(storing, "parameters_of", lambda *_: pytest.fail("it was chosen already"))
    stored = agent(*words, "--json")
    assert stored.code == 0, stored.err
    assert "chosen: 2+2 slots" in stored.err
    again = json.loads(agent(*words, "--json").out)
    assert again == json.loads(stored.out) | {"again": True}
    names = ("dataSlots", "paritySlots", "repairThreshold", "proofProbability")
    assert {name: again["parameters"][name] for name in names} == {name: quoted[name] for name in names}
    view = town.do(_view(town))
    (ask,) = [request.ask for request in view.requests.values() if request.client == client]
    assert (ask.slots, ask.max_slot_loss) == (quoted["dataSlots"] + quoted["paritySlots"], quoted["paritySlots"])
    assert (ask.repair_threshold, ask.proof_probability) == (quoted["repairThreshold"], quoted["proofProbability"])
    assert (ask.slot_size, str(ask.price)) == (quoted["slotSize"], quoted["price"])


async def _view(town: Town) -> MarketView:
    return (await Follower(town.network).now()).view


def _moment(*prices: int) -> Any:
    """A market on which requests with these prices are hosted, and one that pays a fortune is not."""
    started, new = (lambda now: RequestState.STARTED), (lambda now: RequestState.NEW)
    asks = [replace(ASK, price_per_byte_per_second=price) for price in prices]
    requests = [SimpleNamespace(ask=ask, state=started) for ask in asks]
    requests.append(SimpleNamespace(ask=replace(ASK, price_per_byte_per_second=TOKEN), state=new))
    providers = {index: SimpleNamespace(staked_since=1, free=100 * TOKEN) for index in range(5)}
    view = SimpleNamespace(requests=dict(enumerate(requests)), providers=providers, config=MARKET, stake=STAKES)
    return SimpleNamespace(view=view, timestamp=0)


def test_the_price_is_what_others_pay() -> None:
    assert (market_price(_moment()).price, market_price(_moment()).requests) == (DEFAULT_PRICE, 0)
    found = market_price(_moment(900, 300, 10**9, 700))
    assert (found.price, found.requests) == (700, 4)


def test_nothing_above_the_default_is_paid_without_asking(file: Path) -> None:
    """Whoever takes its own requests may say that they pay anything."""
    order, profile = StoreOrder(file, Target(nines=3), duration=7_200), PROFILES["devnet"]
    assert parameters_of(order, profile, _moment(500)).price == 500
    with pytest.raises(TooDear, match="The market pays 5000 a byte and second: more than the 1000"):
        parameters_of(order, profile, _moment(5_000))
    assert parameters_of(replace(order, max_cost=TOKEN), profile, _moment(5_000)).price == 5_000
    named = replace(order, parameters=Target(nines=3, price=2_000))
    assert parameters_of(named, profile, _moment(5_000)).price == 2_000


@pytest.mark.parametrize(
    ("command", "options", "code", "says"),
    [
        ("store", ("--nines", "3", "--slots", "2"), 2, "--nines and --slots do not go together"),
        ("store", ("--nines", "3", "--parity", "2"), 2, "--nines and --parity do not go together"),
        ("store", ("--nines", "3", "--proof-probability", "2"), 2, "--nines and --proof-probability do not go"),
        ("store", ("--mttf", "2y"), 2, "--mttf goes with --nines"),
        ("store", ("--max-slots", "6"), 2, "--max-slots goes with --nines"),
        ("store", ("--nines", "12", "--max-slots", "3"), 2, "the nearest, 1+2 slots"),
        ("store", ("--group-size", "2", "--group-mttf", "9y"), 2, "--group-size goes with --nines"),
        ("store", ("--nines", "3", "--group-size", "2"), 2, "--group-size goes with --group-mttf"),
        ("quote", (), 2, "Missing option"),
        ("quote", ("--nines", "3", "--group-mttf", "9y"), 2, "--group-mttf goes with --group-size"),
        ("quote", ("--nines", "3", "--group-size", "0", "--group-mttf", "9y"), 2, "A group cannot have 0 slots"),
        ("quote", ("--nines", "3", "--group-size", "two", "--group-mttf", "9y"), 2, "--group-size"),
        ("quote", ("--nines", "3", "--group-size", "2", "--group-mttf", "0d"), 2, "failure of a group cannot be 0"),
        ("quote", ("--nines", "3", "--group-size", "2", "--group-mttf", "soon"), 2, "--group-mttf"),
        ("quote", ("--nines", "9", "--group-size", "4", "--group-mttf", "1y"), 2, "(--mttf, --mttr, --group-mttf)"),
        ("quote", ("--nines", "0"), 2, "0 nines cannot be"),
        ("quote", ("--nines", "9", "--mttf", "0"), 2, "mean time to failure cannot be 0"),
        ("quote", ("--nines", "9", "--mttr", "-1d"), 2, "--mttr"),
        ("quote", ("--nines", "9", "--max-slots", "300"), 2, "a request has 2 to 256"),
        ("quote", ("--nines", "9", "--max-slots", "17"), 2, "the devnet circuit proves 16 at most"),
        ("quote", ("--nines", "3", "--repair-threshold", "9", "--max-slots", "4"), 4, "Repair cannot wait for 9 lost"),
        ("quote", ("--nines", "3", "--proof-interval", "1s"), 2, "one proof a period, of 20 s"),
        ("quote", ("--nines", "3", "--price", "0"), 2, "A price of 0 cannot be"),
        ("quote", ("--nines", "3", "--duration", "0"), 2, "above zero"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)  # fmt: skip
def test_mistakes_are_explained(
    agent: Agent, file: Path, command: str, options: tuple[str, ...], code: int, says: str
) -> None:
    done = agent("client", command, str(file), *options)
    assert done.code == code, done.err
    assert says in " ".join(done.err.split()) and done.out == ""


def test_a_quote_needs_a_file_and_a_chain(lonely: Agent, file: Path) -> None:
    nobody = lonely("client", "quote", str(file), "--nines", "9")
    assert nobody.code == 5 and "agent devnet" in nobody.err
    absent = lonely("client", "quote", "absent", "--nines", "9")
    assert absent.code == 4 and "Cannot read absent" in absent.err
