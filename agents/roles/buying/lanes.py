"""A reader's lanes, one a cache, paid on as bytes are verified.

The reader sends no transaction: it signs, and the cache, which is to be paid, has the lane opened.
"""

import asyncio
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import partial
from typing import Protocol

from agents.chain.channels import Deposit
from agents.core.channels.lanes import Domain, Lane, Opening, SignedGrant, SignedOpening, SignedVoucher, Voucher
from agents.core.channels.offers import Offer, Standing
from agents.core.channels.purse import Purse, resumed
from agents.core.channels.till import Halt
from agents.core.channels.wire import Payment, payment_text
from agents.core.errors import NotEnough
from agents.net.caches import CacheClient
from agents.net.endpoint import Peer
from agents.net.errors import PeerLied, PeerRefused
from agents.net.signing import DigestSigner, digest_signer
from agents.store.state import StateStore

KIND = "lane"
LIFE = 7 * 86_400
"""Seconds a new lane lives: what it keeps comes back then at the latest."""
DEPOSIT_MORE = "Deposit more: `agent client channel deposit`."
LAG = 1.0
"""Seconds, at most, before a cache is asked again whose transaction is not mined yet."""


class Funds(Protocol):
    """Where the money is: a reader's own deposit, or a sponsor's."""

    @property
    def domain(self) -> Domain:
        """The contract."""

    @property
    def token(self) -> str:
        """Its token."""

    @property
    def payer(self) -> str:
        """Whose deposit it is."""

    @property
    def grant(self) -> SignedGrant | None:
        """What lets the reader use it, where the payer is another."""

    async def deposit(self) -> Deposit:
        """The payer's account as the chain shows it. Raises ChainError."""


class Budget:
    """What the user said to pay at most, in all lanes together."""

    def __init__(self, most: int) -> None:
        self.left = most
        self.spent = 0

    def spend(self, amount: int) -> None:
        """A voucher for ``amount`` more was signed."""
        self.left -= amount
        self.spent += amount


class Lanes:
    """A reader's lanes. ``clock`` gives unix seconds, ``most`` the highest price of a byte."""

    def __init__(
        self, client: CacheClient, state: StateStore, signer: DigestSigner, funds: Funds, budget: Budget,
        most: int, clock: Callable[[], float],
    ) -> None:  # fmt: skip
        self._client = client
        self._state = state
        self._signer = signer
        self._funds = funds
        self._budget = budget
        self._most = most
        self._clock = clock
        self._expected = 0
        self._payers: dict[str, LanePayer | None] = {}
        self._meeting: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def expect(self, size: int) -> None:
        """About ``size`` bytes are to be read in all: so much is each lane to keep."""
        self._expected = size
        for payer in self._payers.values():
            if payer is not None:
                payer.expect(size)

    async def payer(self, cache: Peer) -> "LanePayer | None":
        """Who pays ``cache``; None where reading is free. Raises PeerError, NotEnough, ChainError.

        A reader that cannot pay asks for nothing: what it read on trust would be stolen.
        """
        if self._budget.left <= 0:
            raise NotEnough("The budget is spent", "no cache is paid beyond it", "Allow more with --max-cost.")
        async with self._meeting[cache.address]:
            if cache.address not in self._payers:
                self._payers[cache.address] = await self._meet(cache)
        return self._payers[cache.address]

    async def _meet(self, cache: Peer) -> "LanePayer | None":
        deposit = await self._funds.deposit()
        lane = self._lane(cache.address, deposit.epoch)
        proof = self._signer.sign_digest(Voucher(lane, 0).digest(self._funds.domain))
        offer = await self._client.vouch(cache, payment_text(Payment(lane, proof=proof)))
        if offer is None:
            return None
        self._check(cache, offer, lane)
        if deposit.closes_at:
            raise NotEnough("The deposit is being taken out", "no cache is paid from it", "Read with another account.")
        keep = partial(self._keep, lane)
        payer = LanePayer(
            cache, lane, proof, offer, self._signer, self._funds, self._budget, deposit.pool, self._conceded(lane), keep
        )
        payer.expect(self._expected)
        keep(self._conceded(lane))
        return payer

    def _lane(self, cache: str, epoch: int) -> Lane:
        """The lane used before, unless it ends soon: a cache serves none it could not redeem any more."""
        record = self._state.load(KIND).get(self._key(cache))
        now = int(self._clock())
        if record is not None:
            kept = _read(record)[0]
            same = (kept.payer, kept.reader, kept.epoch) == (self._funds.payer, self._signer.address, epoch)
            if same and kept.expiry > now + LIFE // 7:
                return kept
        grant = self._funds.grant
        expiry = min(now + LIFE, grant.grant.expiry) if grant else now + LIFE
        return Lane(self._funds.payer, self._signer.address, cache, epoch, expiry)

    def _conceded(self, lane: Lane) -> int:
        """What was granted in it so far for bytes that were lost: an interval at most, however often the reader starts."""
        record = self._state.load(KIND).get(self._key(lane.cache))
        kept, conceded = _read(record) if record is not None else (None, 0)
        return conceded if kept == lane else 0

    def _keep(self, lane: Lane, conceded: int) -> None:
        record = asdict(lane) | {"conceded": str(conceded)}
        self._state.save(KIND, self._key(lane.cache), json.dumps(record).encode())

    def _key(self, cache: str) -> str:
        return f"{self._signer.address}:{self._funds.payer}:{cache}"

    def _check(self, cache: Peer, offer: Offer, lane: Lane) -> None:
        """Raises PeerLied for an offer to pay on another contract, to another account or for another lane."""
        if (offer.domain, offer.token) != (self._funds.domain, self._funds.token) or offer.cache != cache.address:
            raise PeerLied(cache.endpoint, "wants to be paid elsewhere", "on another contract, or to another account")
        if offer.standing is None or offer.standing.lane != lane.id:
            raise PeerLied(cache.endpoint, "does not say how the lane stands", "")
        if offer.terms.price > self._most:
            raise PeerRefused(cache.endpoint, 402, f"it asks {offer.terms.price} a byte, more than {self._most}")


def _read(record: bytes) -> tuple[Lane, int]:
    """A lane, and what was conceded in it."""
    fields = json.loads(record)
    conceded = int(fields.pop("conceded", 0))
    return Lane(**fields), conceded


class LanePayer:
    """One lane in use: what `agents.net.caches.Payer` asks."""

    def __init__(
        self,
        cache: Peer,
        lane: Lane,
        proof: bytes,
        offer: Offer,
        signer: DigestSigner,
        funds: Funds,
        budget: Budget,
        pool: int,
        conceded: int,
        keep: Callable[[int], None],
    ) -> None:
        """``keep`` remembers what was conceded, beyond this process."""
        assert offer.standing is not None
        self._cache = cache
        self._lane = lane
        self._proof = proof
        self._signer = signer
        self._funds = funds
        self._budget = budget
        self._voucher = self._remembered(offer.standing)
        signed = self._voucher.voucher.amount if self._voucher else 0
        self._purse: Purse = resumed(lane, offer.terms.usual(), signed + budget.left, signed, conceded)
        self._keep = keep
        self._secured = offer.standing.secured
        self._pool = pool
        self._opening: SignedOpening | None = None
        self._arriving = 0
        self._pauses = 0

    def expect(self, size: int) -> None:
        """Have the lane keep what ``size`` bytes cost, as far as deposit and budget have it; nobody waits for it.

        And an interval more: for block lists, and for what is lost on the way.
        """
        terms = self._purse.terms
        wanted = self._purse.signed + min(terms.cost(size + terms.interval), self._budget.left)
        kept = self._opening.opening.amount if self._opening else self._secured
        if wanted > kept:
            self._open(min(wanted, self._secured + self._pool))

    def payment(self) -> str:
        """The lane, the highest voucher, and what opens the lane or has it keep more."""
        grant = self._funds.grant if self._opening else None
        return payment_text(Payment(self._lane, self._voucher, self._opening, grant, self._proof))

    def began(self) -> None:
        """An answer is arriving."""
        self._arriving += 1

    def ended(self) -> None:
        """It is here, or was cut."""
        self._arriving -= 1

    async def verified(self, size: int) -> str | None:
        """``size`` more bytes matched; the voucher to send now, if one is due. Raises NotEnough."""
        self._purse = self._purse.verify(size)
        self._pauses = 0
        return self._sign(last=False)

    async def paid(self) -> str | None:
        """The voucher for everything that matched, if that is not signed yet. Raises NotEnough."""
        return self._sign(last=True)

    async def settle(self, offer: Offer) -> None:
        """Do what the cache asks for. Raises NotEnough, PeerError."""
        standing = offer.standing
        if standing is None or standing.lane != self._lane.id or offer.terms.price != self._purse.terms.price:
            # Its operator may have started it anew, at another price: that is no lie.
            raise PeerRefused(self._cache.endpoint, 402, "it changes its offer while it is read from")
        self._secured = standing.secured
        match standing.halt:
            case Halt.VOUCHER | Halt.DEBT:
                await self._pay_up(standing)
            case Halt.OPENING:
                await self._keep_more(standing)
            case Halt.DEPOSIT:
                raise NotEnough(
                    "The deposit is too small for this cache",
                    f"it asks for {offer.terms.minimal_deposit} base units at least",
                    DEPOSIT_MORE,
                )
            case Halt.CLOSING | Halt.EXPIRED:
                raise PeerRefused(self._cache.endpoint, 402, f"the lane is over ({standing.halt})")

    async def _pay_up(self, standing: Standing) -> None:
        """Pay for what matched; concede what is missing beyond that only once nothing is on its way any more."""
        if self._sign(last=True) is not None or standing.paid < self._purse.signed:
            return
        if self._arriving:
            await self._pause()
        elif standing.owed > self._purse.owed:
            self._purse = self._purse.concede(standing.owed)
            self._keep(self._purse.conceded)
            self._sign(last=True)
        else:
            raise PeerRefused(self._cache.endpoint, 402, "it is paid for all it sent and sends no more")

    async def _pause(self) -> None:
        """A moment, each longer than the one before."""
        await asyncio.sleep(LAG * min(1.0, 0.05 * 2.0**self._pauses))
        self._pauses += 1

    async def _keep_more(self, standing: Standing) -> None:
        """Have the lane keep another interval, or wait for what is on its way to the chain."""
        if self._opening is None or self._opening.opening.amount <= standing.secured:
            pool = (await self._funds.deposit()).pool
            if pool == 0:
                raise NotEnough("The deposit is used up", "no lane can keep more", DEPOSIT_MORE)
            interval = self._purse.terms.cost(self._purse.terms.window(self._purse.signed))
            # Not more than can be needed: what is kept already is the cache's own word.
            self._open(min(standing.secured + min(interval, pool), self._purse.owed + 2 * interval))
        await self._pause()

    def _open(self, amount: int) -> None:
        opening = Opening(self._lane, amount)
        self._opening = SignedOpening(opening, self._signer.sign_digest(opening.digest(self._funds.domain)))

    def _sign(self, *, last: bool) -> str | None:
        before = self._purse.signed
        # The budget is of all lanes together, and another may have spent of it meanwhile.
        self._purse, voucher = replace(self._purse, limit=before + self._budget.left).next(last=last)
        if voucher is None:
            return None
        self._budget.spend(voucher.amount - before)
        self._voucher = SignedVoucher(voucher, self._signer.sign_digest(voucher.digest(self._funds.domain)))
        return self.payment()

    def _remembered(self, standing: Standing) -> SignedVoucher | None:
        """The highest voucher as the cache shows it: it has the reader's own signature, so the reader need keep none."""
        if standing.paid == 0:
            return None
        voucher = Voucher(self._lane, standing.paid)
        try:
            signer = digest_signer(voucher.digest(self._funds.domain), standing.signature or b"")
        except ValueError:
            signer = ""
        if signer != self._signer.address:
            raise PeerLied(self._cache.endpoint, "shows a voucher that was never signed", "")
        return SignedVoucher(voucher, standing.signature or b"")
