"""`agent market durability`: the model of a request that is on the market, as typed."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agents.core.market.types import SlotState
from agents.core.market.view import RequestView
from agents.runtime import durability
from agents.runtime.follower import Follower, Moment
from tests.cli.conftest import Agent
from tests.cli.test_quote import NINES, PLACED
from tests.cli.town import Town

DAY = 86_400

Later = Callable[[Callable[[RequestView], RequestView], int], None]


@pytest.fixture
def quoted(agent: Agent, client: str, tmp_path: Path) -> dict[str, object]:
    """What was quoted of a file that is stored, and its request."""
    (tmp_path / "letters.tar").write_bytes(os.urandom(9 * 65_000))
    words = ("letters.tar", *NINES, "--price", "1000")
    found = json.loads(agent("client", "quote", *words, "--duration", "2h", "--json").out)
    stored = agent("client", "store", *words, *PLACED, "--json")
    assert stored.code == 0, stored.err
    return dict(found) | {"request": json.loads(stored.out)["request"]}


@pytest.fixture
def later(quoted: dict[str, object], town: Town, monkeypatch: pytest.MonkeyPatch) -> Later:
    """Show the request changed, so many seconds later."""
    moment = town.do(Follower(town.network).now())
    id = bytes.fromhex(str(quoted["request"]))

    def show(change: Callable[[RequestView], RequestView], seconds: int) -> None:
        changed = {**moment.view.requests, id: change(moment.view.requests[id])}

        async def now(_: Follower) -> Moment:
            return replace(moment, view=replace(moment.view, requests=changed), timestamp=moment.timestamp + seconds)

        monkeypatch.setattr(durability.Follower, "now", now)

    return show


def vacated(*indices: int) -> Callable[[RequestView], RequestView]:
    """The request with these slots lost."""

    def change(request: RequestView) -> RequestView:
        slots = list(request.slots)
        for index in indices:
            slots[index] = replace(slots[index], state=SlotState.LOST, host=None, vacated_at=1, vacated_block=1)
        return replace(request, slots=tuple(slots))

    return change


def test_everybody_sees_the_model_that_was_quoted(agent: Agent, quoted: dict[str, object], later: Later) -> None:
    request = str(quoted["request"])
    done = agent("market", "durability", request[:12], "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)
    same = set(found) & set(quoted) - {"warnings"}
    assert len(same) > 20
    assert {name: found[name] for name in same} == {name: quoted[name] for name in same}
    assert (found["state"], found["vacant"], found["warnings"]) == ("started", 0, [])
    assert 0 < found["remaining"] < 7_200
    assert 0 < found["lossInRemaining"] < float(str(quoted["lossInDuration"]))
    assert found["lossInRemaining"] == pytest.approx(found["remaining"] / found["meanTimeToLoss"], rel=1e-3)
    assert 10 ** -found["ninesInRemaining"] == pytest.approx(found["lossInRemaining"])
    assert found["caughtByOneProof"] <= found["caughtInADay"] <= 1

    told = agent("market", "durability", request)
    assert told.code == 0 and told.err == ""
    for part in (
        "any 2 rebuild the file",
        "vacant   none",
        "nines",
        "of 5 cells",
        "by a day of them",
        "hosts fail alone",
    ):
        assert part in told.out
    lines = told.out.splitlines()
    assert lines[0] == f"request  {request}" and max(map(len, lines[1:])) <= 80

    worse = ("--mttf", "90d", "--mttr", "3d", "--group-size", "2", "--group-mttf", "5y")
    pessimist = json.loads(agent("market", "durability", request, *worse, "--json").out)
    assert pessimist["lossAYear"] > 10 * found["lossAYear"] and pessimist["lossInRemaining"] > found["lossInRemaining"]
    assert (pessimist["mttf"], pessimist["mttr"], pessimist["groupSize"]) == (90 * DAY, 3 * DAY, 2)
    assert "each 2 fail together once in 5y" in agent("market", "durability", request, *worse).out


def test_slots_that_are_lost_are_where_it_starts(agent: Agent, quoted: dict[str, object], later: Later) -> None:
    request = str(quoted["request"])
    losses = []
    for lost in ((), (1,), (0, 3)):
        later(vacated(*lost), 0)
        found = json.loads(agent("market", "durability", request, "--json").out)
        assert found["vacant"] == len(lost) and found["lossAYear"] == quoted["lossAYear"]
        losses.append(found["lossInRemaining"])
    # With one parity slot gone two more of three must be lost within two hours; with both, one of two.
    assert losses[0] < losses[1] <= 3 * (7_200 / (365 * DAY)) ** 2
    assert losses[1] * 50 < losses[2] <= 2 * 7_200 / (365 * DAY)
    told = agent("market", "durability", request)
    assert "vacant   2 of the 2 that may be, being repaired" in told.out


def test_what_is_not_so_yet_or_no_more_is_said(agent: Agent, quoted: dict[str, object], later: Later) -> None:
    request = str(quoted["request"])
    later(lambda found: replace(found, started=False, expires_at=found.ends_at), 0)
    told = agent("market", "durability", request)
    assert told.code == 0 and "Not every slot has found its host yet" in told.err
    later(lambda found: found, 7_190 - 200)
    assert "opens no repair in the last" in agent("market", "durability", request).err
    for change, seconds, state in (
        (lambda found: found, 7_200, "finished"),
        (lambda found: replace(found, failed_at=1), 0, "failed"),
        (lambda found: replace(found, started=False, expires_at=1), 0, "cancelled"),
    ):
        later(change, seconds)
        over = agent("market", "durability", request)
        assert over.code == 10 and over.out == ""
        assert f"is {state}: nobody keeps its slots any more" in over.err and "agent client status" in over.err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("ffff0000",), 8, "No request ffff0000: none begins so. List them with `agent market requests`"),
        (("nonsense",), 8, "No request nonsense"),
        (("ffff", "--group-size", "2"), 2, "--group-size goes with --group-mttf"),
        (("ffff", "--mttf", "soon"), 2, "--mttf"),
        ((), 2, "Missing argument"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_mistakes_are_explained(agent: Agent, words: tuple[str, ...], code: int, says: str) -> None:
    done = agent("market", "durability", *words)
    assert done.code == code, done.err
    assert says in " ".join(done.err.split()) and done.out == ""


def test_hazards_that_cannot_be_are_refused(agent: Agent, quoted: dict[str, object]) -> None:
    for options, says in ((("--mttf", "0"), "failure cannot be 0"), (("--mttr", "0s"), "reconstruct cannot be 0")):
        done = agent("market", "durability", str(quoted["request"]), *options)
        assert done.code == 2 and says in done.err
