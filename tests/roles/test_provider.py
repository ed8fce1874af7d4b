"""A provider between two blocks: what is on its way, what failed, what rests."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agents.chain.contracts import Market
from agents.chain.journal import Journal, MemoryJournal
from agents.core.agents.provider_duties import Accept, Claim, Policy, Rebuild, Reserve, UnderWay, reserved_by
from agents.core.errors import NotFound
from agents.core.market import events as e
from agents.core.market.types import slot_id
from agents.core.market.view import MarketView, SlotKey
from agents.roles.begun import Begun
from agents.roles.fitting import Fitting
from agents.roles.lapses import CLIENT_REST, LONGEST_REST, Lapses, Rests
from agents.roles.provider import SCRUB_EVERY, Provider
from agents.store.slots import SlotStore
from tests.roles.scenes import ME, OTHER, PROFILE, START, Scene, at, posted, scene


class Sender:
    """Says it sent everything, once ``mined`` is set."""

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.mined = asyncio.Event()

    async def send(self, call: Any, key: str) -> Any:
        self.sent.append(f"{call.label} {key}")
        await self.mined.wait()
        return SimpleNamespace(block_number=500)

    def pending(self) -> list[str]:
        return []

    async def follow(self, key: str) -> None:
        """Nothing was sent before."""


async def hashes(blocks: set[int], reorged: bool) -> dict[int, bytes]:
    return {number: bytes([number % 251]) * 32 for number in blocks}


def provider_of(
    store: SlotStore, quota: int = 1 << 30, seconds: float = 1.0, scrub_every: float = SCRUB_EVERY
) -> tuple[Provider, Sender]:
    """A provider whose chain is a sender that waits."""
    sender, nothing = Sender(), object()
    market = Market(SimpleNamespace(), "0x" + "11" * 20)  # type: ignore[arg-type]
    actor: Any = SimpleNamespace(
        address=ME, deployment=SimpleNamespace(profile=PROFILE.name), sender=sender, market=market, hashes=hashes
    )
    peers: Any = nothing
    proving: Any = SimpleNamespace(close=nothing, pace=seconds)
    provider = Provider(
        actor, store, proving, peers, Policy(quota), Fitting(PROFILE.name), MemoryJournal(), scrub_every
    )
    return provider, sender


def play(act: Callable[[], Awaitable[None]]) -> None:
    async def run() -> None:
        await act()

    asyncio.run(run())


async def settle_down() -> None:
    for _ in range(20):
        await asyncio.sleep(0.005)


def test_a_second_slot_is_not_reserved_with_the_quota_of_one_on_its_way(tmp_path: Path) -> None:
    place = scene(tmp_path)
    other = replace(place.request, content=replace(place.request.content, cid=b"\1" * 32))
    view, block = posted(place.view, other, 11), 180
    store = SlotStore(tmp_path / "agent", 1 << 30)

    async def act() -> None:
        provider, sender = provider_of(store, quota=place.dataset.manifest.slot_bytes)
        await provider.step(view, block, START + block)
        await settle_down()
        (sent,) = sender.sent
        slot = reserved_by(sent.removeprefix("reserveSlot "))
        assert slot is not None
        # Another provider was first, which ours may still undo: until it is known, nothing else is reserved.
        first = replace(place, view=view, request=other if slot[0] == other.id else place.request)
        overtaken = first.reserved(slot[1], OTHER, block).view
        await provider.step(overtaken, block + 1, START + block + 1)
        await settle_down()
        assert sender.sent == [sent]
        # Mined in block 500: it counts until the view has come there.
        sender.mined.set()
        await settle_down()
        await provider.step(overtaken, block + 3, START + block + 3)
        await settle_down()
        assert sender.sent == [sent]
        await provider.close()

    play(act)


def test_no_more_slots_are_taken_than_the_last_proofs_say_can_be_proven(tmp_path: Path) -> None:
    place, store = scene(tmp_path), SlotStore(tmp_path / "agent", 1 << 30)
    view, block = place.view, 180
    for nonce in range(5):
        view = posted(view, replace(place.request, nonce=bytes([nonce + 1]) * 32), 11 + nonce)

    async def act() -> None:
        # Half a period of 30 seconds goes into proofs.
        for seconds, slots in ((1.0, 6), (5.0, 3), (60.0, 1)):
            provider, sender = provider_of(store, seconds=seconds)
            await provider.step(view, block, START + block)
            await settle_down()
            assert len(sender.sent) == slots
            await provider.close()

    play(act)


def test_pay_is_claimed(tmp_path: Path) -> None:
    place = scene(tmp_path).filled(0, ME, 50)
    id = place.request.id
    started, proof = (
        e.RequestStarted(at=at(60), request_id=id),
        e.ProofSubmitted(at=at(1_100), slot_id=slot_id(id, 0), period=36),
    )
    place = place.after(started, proof)

    async def act() -> None:
        provider, sender = provider_of(SlotStore(tmp_path / "agent", 1 << 30))
        sender.mined.set()
        await provider.step(place.view, 1_101, START + 1_101)
        await settle_down()
        assert sender.sent == [f"claim {Claim(id, 0, START + 50, 0).key}"]

    play(act)


def test_an_extension_is_accepted_until_the_end_that_was_seen(tmp_path: Path) -> None:
    place = scene(tmp_path).filled(0, ME, 50)
    id, ends = place.request.id, START + 10 + place.request.ask.duration
    price = place.request.ask.slots * 500 * place.request.ask.rate
    longer = e.RequestExtended(at=at(61), request_id=id, funder=OTHER, from_=ends, until=ends + 500, price=price)
    place = place.after(e.RequestStarted(at=at(60), request_id=id), longer)

    async def act() -> None:
        store = SlotStore(tmp_path / "agent", 1 << 30)
        provider, sender = provider_of(store)
        sender.mined.set()
        await provider.step(place.view, 59, START + 62)  # the end of a period: nothing to prove
        await settle_down()
        assert sender.sent == []  # without its data
        place.keep(store, 0)
        await provider.step(place.view, 59, START + 62)
        await settle_down()
        assert sender.sent == [f"acceptExtension {Accept(id, 0, ends + 500).key}"]
        await provider.close()

    play(act)


def test_data_is_not_held_for_a_request_that_lies_about_it(tmp_path: Path) -> None:
    place = scene(tmp_path)
    liar = replace(place.request, content=replace(place.request.content, root=12_345))
    view = posted(place.view, liar, 11)
    store = SlotStore(tmp_path / "agent", 1 << 30)
    place.keep(store, 0)
    provider, _ = provider_of(store)
    assert provider._held(view) == {(place.request.id, 0)}


def test_rests_double_until_they_succeed() -> None:
    rests: Rests[str] = Rests(first=10)
    assert [rests.failed("a", 100) for _ in range(3)] == [10, 20, 40]
    assert rests.resting(139) == {"a"} and not rests.resting(140)
    assert [rests.failed("b", 0) for _ in range(40)][-1] == LONGEST_REST
    rests.succeeded("a")
    assert rests.failed("a", 200) == 10


def seen(
    begun: Begun, view: MarketView, block: int, pending: tuple[str, ...] = (), held: frozenset[SlotKey] = frozenset()
) -> UnderWay:
    begun.look(view, START + block, False, held)
    return begun.under_way(view, block, pending, (), frozenset())


def test_a_rebuilding_that_fails_rests(tmp_path: Path) -> None:
    place, begun = scene(tmp_path), Begun(ME, MemoryJournal())
    key = (place.request.id, 1)
    spare = (place.request.id, 2)
    with begun.rebuilding(key, {spare}):
        assert seen(begun, place.view, 20) == UnderWay(rebuilding={key}, spares={spare})
    assert seen(begun, place.view, 21) == UnderWay()
    with pytest.raises(NotFound), begun.rebuilding(key):
        raise NotFound("Nobody has it")
    assert seen(begun, place.view, 22).resting == {key}
    assert seen(begun, place.view, 60) == UnderWay()


def test_reservations_left_by_an_earlier_process_are_on_their_way(tmp_path: Path) -> None:
    place = scene(tmp_path)
    duty = Reserve(place.request.id, 2, (77 << 16) + 3)
    assert reserved_by(duty.key) == (place.request.id, 2)
    assert reserved_by(Rebuild(place.request.id, 2).key) is None
    pending = (duty.key, f"post:{place.request.id.hex()}")
    assert seen(Begun(ME, MemoryJournal()), place.view, 20, pending).reserving == {(place.request.id, 2)}


def lapsed(place: Scene, memory: Journal, held: frozenset[SlotKey] = frozenset()) -> UnderWay:
    """What is under way after slot 0, reserved by ME in block 20, was forfeited in block 85."""
    begun = Begun(ME, memory)
    before = place.reserved(0, ME, 20)
    assert seen(begun, before.view, 22, held=held) == UnderWay()
    return seen(begun, forfeited(before, 0, ME).view, 90, held=held)


def test_who_uploads_nothing_is_not_sold_to_for_a_while_whatever_is_restarted_or_posted(tmp_path: Path) -> None:
    place, memory = scene(tmp_path), MemoryJournal()
    id, key = place.request.id, (place.request.id, 0)
    found = lapsed(place, memory)
    assert (found.refused, found.lapsed) == ({id}, {key})
    # Another request of the client; another process; the first request's rest is over before the second is posted.
    other = replace(place.request, nonce=bytes([9]) * 32)
    view = posted(forfeited(place.reserved(0, ME, 20), 0, ME).view, other, 100)
    again = Begun(ME, memory)
    assert seen(again, view, 90 + CLIENT_REST - 1).refused == {id, other.id}
    later = seen(again, view, 90 + CLIENT_REST)
    assert (later.refused, later.lapsed) == (frozenset(), {key})
    # The rest doubles, up to a day; a client that had none for a day begins anew.
    lapses, now = Lapses(memory), 90 + CLIENT_REST
    for sale, rest in enumerate((2, 4, 8, 16, 24, 24)):
        client_of = replace(other, nonce=bytes([20 + sale]) * 32)
        view = posted(view, client_of, 200 + sale)
        lapses.add(view, (client_of.id, 0), False, START + now)
        assert client_of.id in Lapses(memory).refused(view, START + now + rest * 3_600 - 1)
        now += rest * 3_600
        assert Lapses(memory).refused(view, START + now) == frozenset()
    lapses.add(view, (other.id, 1), False, START + now + 86_400)
    assert lapses.refused(view, START + now + 86_400 + CLIENT_REST) == frozenset()


def test_only_lapses_count_and_only_those_without_an_upload_are_the_clients(tmp_path: Path) -> None:
    place = scene(tmp_path)
    id, key = place.request.id, (place.request.id, 0)
    own = lapsed(place, MemoryJournal(), held=frozenset({key}))
    assert (own.refused, own.lapsed) == (frozenset(), {key})
    both = place.reserved(0, ME, 20).reserved(1, OTHER, 21)
    filled = both.after(e.SlotFilled(at=at(23), request_id=id, slot_index=0, host=ME, bounty=0, to_client=0))
    for after in (filled, forfeited(both, 1, OTHER)):
        begun = Begun(ME, MemoryJournal())
        seen(begun, both.view, 22)
        assert seen(begun, after.view, 90) == UnderWay()
    begun = Begun(ME, MemoryJournal())
    seen(begun, both.view, 22)
    begun.look(scene_before(both), START + 23, True, frozenset())
    assert begun.under_way(both.view, 23, (), (), frozenset()) == UnderWay()
    # A request that is cancelled while its slot is reserved took the bond too.
    cancelled, begun = forfeited(both, 0, ME), Begun(ME, MemoryJournal())
    seen(begun, both.view, 22)
    assert seen(begun, cancelled.view, 10 + place.request.expiry).refused == {id}
    closed = cancelled.after(e.RequestClosed(at=at(300), request_id=id, client=place.request.client, refund=1, pots=0))
    assert seen(begun, closed.view, 301).lapsed == frozenset()


def forfeited(place: Scene, index: int, who: str) -> Scene:
    return place.after(
        e.ReservationForfeited(at=at(85), request_id=place.request.id, slot_index=index, provider=who, bond=1)
    )


def scene_before(place: Scene) -> MarketView:
    """The same market before anybody reserved."""
    return posted(MarketView(place.view.config, place.view.stake), place.request, 10)
