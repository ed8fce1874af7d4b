"""Reading from caches that are paid, are free, lie, stall or take a payment and stop: the file comes, and nobody is robbed."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.core.channels.lanes import Domain, Grant, SignedGrant
from agents.core.channels.terms import Terms
from agents.core.dataset.cid import Cid
from agents.core.discovery.reputation import LIE_PAUSE
from agents.core.errors import NotFound, PeerError
from agents.net import caches
from agents.net.errors import PeerDown
from agents.net.fetch import SlotSource
from agents.net.shelf import Item, PaymentRequired
from agents.net.signing import AccountSigner
from agents.roles.caching.lanes import Account
from tests.net.shelves import MemoryShelf
from tests.roles.buying.town import BLOCK, DOMAIN, MIB, READER, SPONSOR, Funds, town

PRICE = 10


def test_a_file_is_read_and_paid_to_the_byte(tmp_path: Path) -> None:
    async def story() -> None:
        async with town(tmp_path) as here, here.reader() as nobody:
            with pytest.raises(NotFound):
                await nobody.read()
            cache = await here.open_cache(PRICE)
            async with here.reader(funds=Funds()) as reader:
                assert await reader.read() == here.file
                paid = (1 << 60) - reader.budget.left
            listed = sum(len(here.made.blocks[cid]) for cid in here.made.blocks if cid.codec == "dag-cbor")
            assert cache.earned == paid and cache.unpaid == 0
            data = here.manifest.size * PRICE
            assert data < paid <= data + listed * PRICE  # manifest and block lists come from caches too here

    asyncio.run(story())


def test_free_caches_need_no_wallet(tmp_path: Path) -> None:
    async def story() -> None:
        async with town(tmp_path) as here:
            dear, free = await here.open_cache(PRICE), await here.open_cache(0)
            async with here.reader() as reader:
                assert await reader.read() == here.file
            assert dear.served == 0 and free.served > 0

    asyncio.run(story())


def test_the_cheaper_cache_is_read_from_and_a_dear_one_never(tmp_path: Path) -> None:
    async def story() -> None:
        async with town(tmp_path) as here:
            dear, cheap, beyond = [await here.open_cache(price) for price in (90, PRICE, 101)]
            async with here.reader(funds=Funds()) as reader:
                assert await reader.read() == here.file
            assert (dear.served, beyond.served) == (0, 0) and cheap.served > 0
            async with here.reader("second", most=PRICE - 1, funds=Funds()) as reader:
                with pytest.raises(NotFound):
                    await reader.read()

    asyncio.run(story())


def test_the_cache_that_has_it_is_asked_before_the_one_that_must_fetch_it(tmp_path: Path) -> None:
    async def story() -> None:
        async with town(tmp_path) as here:
            cold, hot = await here.open_cache(PRICE, held=0.0), await here.open_cache(PRICE, held=1.0)
            async with here.reader(funds=Funds(), worth=1.0) as reader:
                assert await reader.read() == here.file
            assert cold.served == 0 and hot.served > 0

    asyncio.run(story())


class Corrupting(MemoryShelf):
    """Sends good bytes at first, and bad ones later."""

    def __init__(self, honest: MemoryShelf) -> None:
        super().__init__()
        self.__dict__.update(honest.__dict__)

    async def segment(self, dataset: bytes, number: int) -> memoryview:
        data = await super().segment(dataset, number)
        return data if len(self.served) < 3 else memoryview(b"\xff" + bytes(data)[1:])


def test_a_cache_that_sends_bad_bytes_is_dropped_and_remembered(tmp_path: Path) -> None:
    async def story() -> None:
        async with town(tmp_path) as here:
            liar = await here.open_cache(PRICE, shelf=Corrupting)
            honest = await here.open_cache(PRICE + 1)
            async with here.reader(funds=Funds()) as reader:
                assert await reader.read() == here.file
                assert [peer.address for peer in reader.caches.ranked([], MIB, 0.0, 100)] == [honest.peer.address]
            async with here.reader(funds=Funds()) as again:  # another process, the same memory
                assert [peer.address for peer in again.caches.ranked([], MIB, 0.0, 100)] == [honest.peer.address]
            assert liar.earned <= here.manifest.size * PRICE
            assert liar.unpaid > 0  # what was bad is not paid

    asyncio.run(story())


class Silent(MemoryShelf):
    """Never finds anything in time."""

    def __init__(self, honest: MemoryShelf) -> None:
        super().__init__()
        self.__dict__.update(honest.__dict__)

    async def segment(self, dataset: bytes, number: int) -> memoryview:
        await asyncio.sleep(60)
        return await super().segment(dataset, number)


def test_a_cache_that_stalls_is_left_for_another(tmp_path: Path) -> None:
    async def story() -> None:
        async with town(tmp_path) as here:
            await here.open_cache(PRICE, shelf=Silent)
            honest = await here.open_cache(PRICE + 1)
            async with here.reader(funds=Funds()) as reader:
                assert await reader.read() == here.file
                assert [peer.address for peer in reader.caches.ranked([], MIB, 0.0, 100)] == [honest.peer.address]
            assert honest.earned >= here.manifest.size * (PRICE + 1)

    asyncio.run(story())


def test_a_cache_that_takes_the_money_and_stops_gets_no_more_than_it_gave(tmp_path: Path) -> None:
    """It is paid for what was verified; a payment that brings nothing is the last."""

    async def story() -> None:
        async with town(tmp_path) as here:
            thief = await here.open_cache(PRICE)
            assert thief.selling is not None
            serve, served = thief.selling.take, 0

            async def take(account: Account, size: int, most: int) -> int:
                nonlocal served
                served += size
                if served > 2 * MIB:
                    raise PaymentRequired({}, "that was all")
                return await serve(account, size, size)

            thief.selling.take = take  # type: ignore[method-assign]
            honest = await here.open_cache(PRICE + 1)
            async with here.reader(funds=Funds()) as reader:
                assert await reader.read() == here.file
            assert 0 < thief.earned <= 2 * MIB * PRICE
            assert honest.earned > 0

    asyncio.run(story())


def test_the_budget_is_not_exceeded_whatever_the_caches_are(tmp_path: Path) -> None:
    async def story() -> None:
        async with town(tmp_path) as here:
            caches = [await here.open_cache(PRICE) for _ in range(3)]
            budget = 2 * MIB * PRICE
            async with here.reader(funds=Funds(), budget=budget) as reader:
                with pytest.raises(PeerError):
                    await reader.read()
                assert reader.budget.left >= 0
            assert sum(cache.earned for cache in caches) <= budget
            # A cache that was paid an interval trusts its reader with two.
            assert sorted(cache.unpaid for cache in caches)[:2] == [0, 0]
            assert max(cache.unpaid for cache in caches) <= 2 * MIB * PRICE

    asyncio.run(story())


def test_a_lane_goes_on_where_it_was(tmp_path: Path) -> None:
    async def story() -> None:
        async with town(tmp_path) as here:
            cache = await here.open_cache(PRICE)
            paid = []
            for _ in range(2):
                async with here.reader(funds=Funds()) as reader:
                    assert await reader.read() == here.file
                paid.append(cache.earned)
            assert paid[1] == 2 * paid[0]
            assert cache.cashier is not None and cache.cashier.books().lanes == 1

    asyncio.run(story())


def test_a_sponsor_pays(tmp_path: Path) -> None:
    async def story() -> None:
        async with town(tmp_path) as here:
            cache = await here.open_cache(PRICE)
            grant = Grant(SPONSOR.address, READER.address, 1 << 40, 0, 4_000_000_000)
            signed = SignedGrant(grant, SPONSOR.sign_digest(grant.digest(DOMAIN)))
            async with here.reader(funds=Funds(payer=SPONSOR.address, grant=signed)) as reader:
                assert await reader.read() == here.file
            (opened, *_) = here.ledger.opened
            assert opened.opening.lane.payer == SPONSOR.address and opened.opening.lane.reader == READER.address
            assert cache.earned >= here.manifest.size * PRICE

    asyncio.run(story())


class Mute(MemoryShelf):
    """Never answers."""

    def __init__(self, honest: MemoryShelf) -> None:
        super().__init__()
        self.__dict__.update(honest.__dict__)
        self.asked = 0

    async def find(self, cid: Cid) -> Item | None:
        self.asked += 1
        await asyncio.sleep(2)
        return None


@pytest.mark.parametrize("price", [0, PRICE])
def test_a_silent_cache_is_waited_for_once(tmp_path: Path, price: int) -> None:
    async def story() -> None:
        async with town(tmp_path) as here:
            mute = await here.open_cache(price, shelf=Mute)
            honest = await here.open_cache(PRICE + 1)
            async with here.reader(funds=Funds()) as reader:
                assert await reader.read() == here.file
            assert isinstance(mute.shelf, Mute) and mute.shelf.asked == 1, "what one slot met, the next met too"
            assert honest.earned > 0

    asyncio.run(story())


def test_a_cache_that_opens_no_lane_is_waited_for_once(tmp_path: Path) -> None:
    async def story() -> None:
        async with town(tmp_path) as here:
            mute, honest = await here.open_cache(PRICE), await here.open_cache(PRICE + 1)
            met = 0

            async def vouch(host: str, headers: Mapping[str, str]) -> Mapping[str, Any]:
                nonlocal met
                met += 1
                await asyncio.sleep(2)
                return {}

            assert mute.selling is not None
            mute.selling.vouch = vouch  # type: ignore[method-assign]
            async with here.reader(funds=Funds()) as reader:
                slots = await reader.shop.in_front(here.manifest, here.hosted())
                read = await asyncio.gather(*(collected(slot, here.manifest.data_blocks) for slot in slots))
                assert b"".join(read)[: here.manifest.size] == here.file
            assert met == 1, "every slot waited for it"
            assert honest.earned > 0

    asyncio.run(story())


def test_a_cache_that_takes_vouchers_slowly_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        monkeypatch.setattr(caches, "HANDING", 0.2)
        async with town(tmp_path) as here:
            slow = await here.open_cache(PRICE)
            assert slow.selling is not None
            take = slow.selling.vouch

            async def vouch(host: str, headers: Mapping[str, str]) -> Mapping[str, Any]:
                told = await take(host, headers)
                await asyncio.sleep(2.0 if told["lane"]["served"] else 0.0)
                return told

            slow.selling.vouch = vouch  # type: ignore[method-assign]
            async with here.reader(funds=Funds()) as reader:
                slots = await reader.shop.in_front(here.manifest, here.hosted())
                count = here.manifest.data_blocks
                assert await collected(slots[0], count) == here.file[: count * BLOCK], "it came all the same"
                with pytest.raises(PeerDown, match="left alone"):
                    reader.caches.check(slow.peer, last=False)

    asyncio.run(story())


async def collected(slot: SlotSource, count: int) -> bytes:
    return b"".join([block async for block in slot.blocks(0, count)])


def test_a_price_that_is_above_its_summary_is_a_lie_and_remembered(tmp_path: Path) -> None:
    async def story() -> None:
        async with town(tmp_path) as here:
            bait = await here.open_cache(PRICE, told=lambda offer: replace(offer, terms=Terms(5 * PRICE)))
            honest = await here.open_cache(2 * PRICE)
            async with here.reader(funds=Funds()) as reader:
                assert await reader.read() == here.file
            assert bait.earned == 0 and honest.earned > 0
            async with here.reader(funds=Funds()) as again:
                assert [peer.address for peer in again.caches.ranked([], MIB, 0.0, 100)] == [honest.peer.address]
                seen = again.caches._known[bait.peer.address].reputation
                assert seen.banned_until > time.time() + LIE_PAUSE - 60

    asyncio.run(story())


@pytest.mark.parametrize("others", [0, 1])
def test_a_price_that_rose_is_paid_where_it_is_still_the_best(tmp_path: Path, others: int) -> None:
    async def story() -> None:
        async with town(tmp_path) as here:
            dearer = await here.open_cache(5 * PRICE)
            dearer.posted = PRICE
            rivals = [await here.open_cache(2 * PRICE) for _ in range(others)]
            async with here.reader(funds=Funds()) as reader:
                dearer.posted = 5 * PRICE  # its operator started it anew
                assert await reader.read() == here.file
            assert [cache.earned > 0 for cache in (dearer, *rivals)] == [not others] + [True] * others

    asyncio.run(story())


@pytest.mark.parametrize("wrong", ["contract", "chain", "token", "cache", "price"])
def test_an_offer_to_pay_elsewhere_is_refused(tmp_path: Path, wrong: str) -> None:
    async def story() -> None:
        async with town(tmp_path) as here:
            changes = {
                "contract": {"domain": Domain(DOMAIN.chain_id, "0x" + "33" * 20)},
                "chain": {"domain": Domain(1, DOMAIN.contract)},
                "token": {"token": "0x" + "44" * 20},
                "cache": {"cache": SPONSOR.address},
                "price": {"terms": Terms(price=10_000)},
            }
            liar = await here.open_cache(PRICE, told=lambda offer: replace(offer, **changes[wrong]))
            honest = await here.open_cache(PRICE + 1)
            async with here.reader(funds=Funds()) as reader:
                assert await reader.read() == here.file
            assert liar.earned == 0 and honest.earned > 0

    asyncio.run(story())


def test_a_summary_somebody_else_signed_is_none(tmp_path: Path) -> None:
    async def story() -> None:
        async with town(tmp_path) as here:
            await here.open_cache(PRICE, sign_with=AccountSigner(SPONSOR._account))
            async with here.reader(funds=Funds()) as reader:
                assert reader.caches.candidates([]) == []
                with pytest.raises(NotFound):
                    await reader.read()

    asyncio.run(story())


def test_a_reader_whose_clock_is_wrong_calls_nobody_a_liar(tmp_path: Path) -> None:
    async def story() -> None:
        async with town(tmp_path) as here:
            await here.open_cache(PRICE)
            async with here.reader(funds=Funds(), clock=lambda: time.time() - 3600) as reader:
                assert reader.caches.candidates([]) == []
            async with here.reader(funds=Funds()) as reader:  # it was set right
                assert await reader.read() == here.file

    asyncio.run(story())


@pytest.mark.parametrize(("pool", "closes_at"), [(0, 0), (1 << 60, 1)])
def test_nothing_is_paid_from_a_deposit_that_is_empty_or_taken_out(tmp_path: Path, pool: int, closes_at: int) -> None:
    async def story() -> None:
        async with town(tmp_path) as here:
            here.ledger.pool = pool
            cache = await here.open_cache(PRICE)
            async with here.reader(funds=Funds(pool=pool, closes_at=closes_at)) as reader:
                with pytest.raises(NotFound):
                    await reader.read()
            assert cache.earned == 0

    asyncio.run(story())
