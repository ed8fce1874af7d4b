"""What a cache may say of itself and of a lane without costing its reader more than one interval."""

import asyncio
import contextlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from agents.core.channels.lanes import Lane
from agents.core.channels.offers import Offer, Standing, offer_json
from agents.core.channels.terms import MAX_INTERVAL, Terms
from agents.core.channels.till import Halt
from agents.core.channels.wire import Payment, parse_payment
from agents.core.errors import PeerError
from agents.net.caches import CacheClient
from agents.net.endpoint import Peer
from agents.net.errors import PeerRefused
from agents.roles.buying.lanes import DAY, LIFE, Lanes
from agents.roles.buying.payer import FIRST
from agents.roles.buying.wallet import Budget, Wallet
from agents.store.state import StateStore
from tests.roles.buying.town import DOMAIN, MIB, READER, TOKEN, Funds

PRICE = 10
CACHE = Peer("http://127.0.0.1:1", "0x" + "33" * 20)
NOW = 1_700_000_000


class Liar(CacheClient):
    """A cache that says what it likes."""

    def __init__(self, terms: Terms) -> None:
        super().__init__()
        self.terms = terms
        self.said = Standing(b"", 0, 0, 0, None, 0, 0, None)
        self.heard: list[Payment] = []

    async def vouch(self, cache: Peer, payment: str, within: float | None = None) -> bytes:
        self.heard.append(parse_payment(payment))
        return json.dumps(offer_json(self.offered(self.heard[-1].lane))).encode()

    def offered(self, lane: Lane) -> Offer:
        return Offer(DOMAIN, TOKEN, CACHE.address, self.terms, 60, replace(self.said, lane=lane.id))


@pytest.mark.parametrize("terms", [Terms(PRICE), Terms(PRICE, interval=MAX_INTERVAL, max_interval=MAX_INTERVAL)])
def test_a_cache_is_granted_one_interval_however_long_it_says_that_is(tmp_path: Path, terms: Terms) -> None:
    async def story() -> None:
        state, budget, client = StateStore(tmp_path / "reader.db"), Budget(1 << 60), Liar(terms)
        for owed in (MIB * PRICE, 2 * MIB * PRICE, 100 * MIB * PRICE):
            lanes = Lanes(client, state, Wallet(READER, Funds(), budget), PRICE, lambda: NOW)  # each time a new process
            payer = await lanes.payer(CACHE)
            assert payer is not None
            lane = parse_payment(payer.payment()).lane
            client.said = replace(client.said, owed=owed, halt=Halt.VOUCHER)
            with contextlib.suppress(PeerError):
                await payer.settle(client.offered(lane))
            signed = parse_payment(payer.payment()).voucher
            assert signed is not None
            client.said = replace(client.said, paid=signed.voucher.amount, signature=signed.signature)
            assert budget.spent <= MIB * PRICE, "more than one interval was paid for nothing"
        state.close()

    asyncio.run(story())


def test_a_cache_cannot_have_the_whole_deposit_kept_for_it(tmp_path: Path) -> None:
    async def story() -> None:
        state, client = StateStore(tmp_path / "reader.db"), Liar(Terms(PRICE, max_interval=MAX_INTERVAL))
        payer = await Lanes(client, state, Wallet(READER, Funds(), Budget(1 << 60)), PRICE, lambda: NOW).payer(CACHE)
        assert payer is not None
        lane = parse_payment(payer.payment()).lane
        for secured in (1 << 40, 1 << 50):
            client.said = replace(client.said, secured=secured, halt=Halt.OPENING)
            await payer.settle(client.offered(lane))
        opening = parse_payment(payer.payment()).opening
        assert opening is not None and opening.opening.amount <= 2 * MIB * PRICE
        state.close()

    asyncio.run(story())


def test_of_a_deposit_that_another_lane_took_of_what_is_left_is_kept(tmp_path: Path) -> None:
    """The chain refuses to keep more than there is: the cache would ask for ever."""

    async def story() -> None:
        state, client, funds = StateStore(tmp_path / "reader.db"), Liar(Terms(PRICE)), Funds(pool=20 * MIB * PRICE)
        lanes = Lanes(client, state, Wallet(READER, funds, Budget(1 << 60)), PRICE, lambda: NOW)
        lanes.expect(200 * MIB)
        payer = await lanes.payer(CACHE)
        assert payer is not None
        lane = parse_payment(payer.payment()).lane
        client.said = replace(client.said, halt=Halt.OPENING)
        kept = []
        for pool in (20, 4, 4, 0):
            funds.pool = pool * MIB * PRICE
            await payer.settle(client.offered(lane))
            opening = parse_payment(payer.payment()).opening
            assert opening is not None
            kept.append(opening.opening.amount)
        assert kept == [16 * MIB * PRICE, *[MIB * PRICE] * 3]
        state.close()

    asyncio.run(story())


def test_a_lane_keeps_little_before_its_cache_served_much(tmp_path: Path) -> None:
    async def story() -> None:
        state, client = StateStore(tmp_path / "reader.db"), Liar(Terms(PRICE))
        lanes = Lanes(client, state, Wallet(READER, Funds(), Budget(1 << 60)), PRICE, lambda: NOW)
        payer = await lanes.payer(CACHE)
        assert payer is not None
        lanes.expect(200 * MIB)
        openings = set()
        for _ in range(200):
            await payer.verified(MIB)
            sent = parse_payment(payer.payment())
            signed = sent.voucher.voucher.amount if sent.voucher else 0
            assert sent.opening is not None
            kept = sent.opening.opening.amount
            assert min(2 * signed, 201 * MIB * PRICE) <= kept <= max(FIRST * PRICE, 4 * signed)
            openings.add(kept)
        assert len(openings) <= 5, "each takes a transaction"
        assert kept == 201 * MIB * PRICE
        state.close()

    asyncio.run(story())


@pytest.mark.parametrize("price", [PRICE - 1, PRICE + 1])
def test_a_price_that_changes_in_a_read_ends_it_and_nothing_more_is_signed(tmp_path: Path, price: int) -> None:
    async def story() -> None:
        state, budget, client = StateStore(tmp_path / "reader.db"), Budget(1 << 60), Liar(Terms(PRICE))
        payer = await Lanes(client, state, Wallet(READER, Funds(), budget), PRICE, lambda: NOW).payer(CACHE)
        assert payer is not None
        await payer.verified(MIB // 4)
        client.said = replace(client.said, owed=MIB // 4 * PRICE, halt=Halt.VOUCHER)
        other = replace(client.offered(parse_payment(payer.payment()).lane), terms=Terms(price))
        with pytest.raises(PeerRefused, match="changes its offer"):
            await payer.settle(other)
        assert (budget.spent, parse_payment(payer.payment()).voucher) == (0, None)
        # At the price agreed on it is paid, to the byte.
        await payer.settle(client.offered(parse_payment(payer.payment()).lane))
        assert budget.spent == MIB // 4 * PRICE
        state.close()

    asyncio.run(story())


@pytest.mark.parametrize(("owed", "settled"), [(0, 0), (MIB // 2 * PRICE, MIB // 2 * PRICE), (2 * MIB * PRICE, None)])
def test_what_is_owed_in_a_lane_that_ends_is_settled_before_another_begins(
    tmp_path: Path, owed: int, settled: int | None
) -> None:
    """But no more than an interval of what was lost on the way."""

    async def story() -> None:
        state, client, wallet = (
            StateStore(tmp_path / "reader.db"),
            Liar(Terms(PRICE)),
            Wallet(READER, Funds(), Budget(1 << 60)),
        )
        await Lanes(client, state, wallet, PRICE, lambda: NOW).payer(CACHE)
        client.said = replace(client.said, owed=owed)
        client.heard.clear()
        later = Lanes(client, state, wallet, PRICE, lambda: NOW + LIFE - DAY // 2)
        if settled is None:
            with pytest.raises(PeerError, match="claims more than it sent"):
                await later.payer(CACHE)
            return
        await later.payer(CACHE)
        first, *last, begun = client.heard
        assert first.lane.expiry == NOW + LIFE < begun.lane.expiry
        assert [each.lane for each in last] == [first.lane] * bool(settled)
        for each in last:
            assert each.voucher is not None and each.voucher.voucher.amount == settled
            assert each.opening is not None and each.opening.opening.amount == settled
        assert wallet.budget.spent == settled and begun.voucher is None
        state.close()

    asyncio.run(story())
