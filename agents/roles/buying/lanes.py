"""A reader's lanes, one a cache, paid on as bytes are verified.

The reader sends no transaction: it signs, and the cache, which is to be paid, has the lane opened.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from functools import partial

from agents.chain.channels import Deposit
from agents.core.channels.lanes import Lane
from agents.core.channels.offers import Offer
from agents.core.channels.wire import Payment, payment_text
from agents.core.errors import NotEnough
from agents.net.caches import CacheClient
from agents.net.endpoint import Peer
from agents.net.errors import PeerLied, PeerRefused
from agents.roles.buying.payer import LanePayer
from agents.roles.buying.wallet import Wallet
from agents.store.state import StateStore

KIND = "lane"
DAY = 86_400
LIFE = 7 * DAY
"""Seconds a new lane lives: what it keeps comes back then at the latest. In its last day no read begins in it."""


class Lanes:
    """A reader's lanes. ``clock`` gives unix seconds, ``most`` the highest price of a byte."""

    def __init__(
        self, client: CacheClient, state: StateStore, wallet: Wallet, most: int, clock: Callable[[], float]
    ) -> None:
        self._client = client
        self._state = state
        self._wallet = wallet
        self._most = most
        self._clock = clock
        self._expected = 0
        self._payers: dict[str, LanePayer | None] = {}

    def expect(self, size: int) -> None:
        """About ``size`` bytes are to be read in all: so much is each lane to keep."""
        self._expected = size
        for payer in self._payers.values():
            if payer is not None:
                payer.expect(size)

    async def payer(self, cache: Peer) -> LanePayer | None:
        """Who pays ``cache``; None where reading is free. One call at a time for each cache.

        A reader that cannot pay asks for nothing: what it read on trust would be stolen. Raises PeerError, NotEnough,
        ChainError.
        """
        if self._wallet.budget.left <= 0:
            raise NotEnough("The budget is spent", "no cache is paid beyond it", "Allow more with --max-cost.")
        if cache.address not in self._payers:
            self._payers[cache.address] = await self._meet(cache)
        return self._payers[cache.address]

    async def _meet(self, cache: Peer) -> LanePayer | None:
        deposit = await self._wallet.funds.deposit()
        kept = self._kept(cache.address)
        lane = self._lane(cache, deposit, kept)
        if kept is not None and kept != lane and kept.epoch == deposit.epoch and kept.expiry > self._clock():
            await self._leave(cache, kept, deposit)
        payer = await self._payer(cache, lane, deposit)
        if payer is not None:
            payer.expect(self._expected)
            self._keep(lane, self._conceded(lane))
        return payer

    def _lane(self, cache: Peer, deposit: Deposit, kept: Lane | None) -> Lane:
        """The lane used before, unless it ends soon: a cache serves none it could not redeem any more."""
        now = int(self._clock())
        if kept is not None and kept.epoch == deposit.epoch and kept.expiry > now + DAY:
            return kept
        grant = self._wallet.funds.grant
        expiry = min(now + LIFE, grant.grant.expiry) if grant else now + LIFE
        return Lane(self._wallet.funds.payer, self._wallet.reader, cache.address, deposit.epoch, expiry)

    async def _leave(self, cache: Peer, lane: Lane, deposit: Deposit) -> None:
        """Settle a lane that ends soon: who owes in one is served ahead in no other."""
        payer = await self._payer(cache, lane, deposit)
        last = payer.leave() if payer is not None else None
        if last is not None:
            await self._client.vouch(cache, last)

    async def _payer(self, cache: Peer, lane: Lane, deposit: Deposit) -> LanePayer | None:
        proof = self._wallet.voucher(lane, 0).signature
        offer = await self._client.standing(cache, payment_text(Payment(lane, proof=proof)))
        if offer is None:
            return None
        self._check(cache, offer, lane)
        if deposit.closes_at:
            raise NotEnough("The deposit is being taken out", "no cache is paid from it", "Read with another account.")
        keep = partial(self._keep, lane)
        return LanePayer(cache, lane, proof, offer, self._wallet, deposit.pool, self._conceded(lane), keep)

    def _check(self, cache: Peer, offer: Offer, lane: Lane) -> None:
        """Raises PeerLied for an offer to pay on another contract, to another account or for another lane."""
        funds = self._wallet.funds
        if (offer.domain, offer.token) != (funds.domain, funds.token) or offer.cache != cache.address:
            raise PeerLied(cache.endpoint, "wants to be paid elsewhere", "on another contract, or to another account")
        if offer.standing is None or offer.standing.lane != lane.id:
            raise PeerLied(cache.endpoint, "does not say how the lane stands", "")
        if offer.terms.price > self._most:
            raise PeerRefused(cache.endpoint, 402, f"it asks {offer.terms.price} a byte, more than {self._most}")

    # ---- what is remembered

    def _kept(self, cache: str) -> Lane | None:
        """The lane used last."""
        record = self._record(cache)
        return record[0] if record is not None else None

    def _conceded(self, lane: Lane) -> int:
        """What was granted in it so far for bytes that were lost: within its bounds, however often the reader starts."""
        record = self._record(lane.cache)
        return record[1] if record is not None and record[0] == lane else 0

    def _record(self, cache: str) -> tuple[Lane, int] | None:
        record = self._state.load(KIND).get(self._key(cache))
        if record is None:
            return None
        fields = json.loads(record)
        conceded = int(fields.pop("conceded", 0))
        return Lane(**fields), conceded

    def _keep(self, lane: Lane, conceded: int) -> None:
        record = asdict(lane) | {"conceded": str(conceded)}
        self._state.save(KIND, self._key(lane.cache), json.dumps(record).encode())

    def _key(self, cache: str) -> str:
        return f"{self._wallet.reader}:{self._wallet.funds.payer}:{cache}"
