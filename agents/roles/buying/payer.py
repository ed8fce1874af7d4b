"""One lane in use: what was verified is signed for, what the cache needs more of is opened."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from agents.core.channels.lanes import Lane, SignedOpening, SignedVoucher, Voucher
from agents.core.channels.offers import Offer, Standing
from agents.core.channels.purse import resumed
from agents.core.channels.till import Halt
from agents.core.channels.wire import Payment, payment_text
from agents.core.errors import NotEnough
from agents.net.endpoint import Peer
from agents.net.errors import PeerLied, PeerRefused
from agents.roles.buying.wallet import Wallet

DEPOSIT_MORE = "Deposit more: `agent client channel deposit`; where a sponsor pays, ask for another grant."
FIRST = 16 << 20
"""Bytes that a lane keeps the price of before any are paid for."""
LAG = 1.0
"""Seconds, at most, before a cache is asked again whose transaction is not mined yet."""


class LanePayer:
    """One lane in use: what `agents.net.paying.Payer` asks."""

    def __init__(
        self, cache: Peer, lane: Lane, proof: bytes, offer: Offer, wallet: Wallet, pool: int, conceded: int,
        keep: Callable[[int], None],
    ) -> None:  # fmt: skip
        """``offer``: with the lane's standing. ``keep`` remembers what was conceded, beyond this process."""
        assert offer.standing is not None
        self._cache = cache
        self._lane = lane
        self._proof = proof
        self._wallet = wallet
        self._standing = offer.standing
        self._voucher = self._remembered(offer.standing)
        signed = self._voucher.voucher.amount if self._voucher else 0
        self._purse = resumed(lane, offer.terms.usual(), signed + wallet.budget.left, signed, conceded)
        self._keep = keep
        self._most = offer.standing.secured + pool
        self._wanted = 0
        self._opening: SignedOpening | None = None
        self.reading = 0
        self._arriving = 0
        self._pauses = 0

    @property
    def price(self) -> int:
        """Base units a byte."""
        return self._purse.terms.price

    def expect(self, size: int) -> None:
        """Have the lane keep what ``size`` bytes cost, as far as deposit and budget have it; nobody waits for it.

        And an interval more: for block lists, and for what is lost on the way.
        """
        terms = self._purse.terms
        self._wanted = self._purse.signed + min(terms.cost(size + terms.interval), self._wallet.budget.left)
        self._keep_ahead()

    def _keep_ahead(self) -> None:
        """Have the lane keep twice as much whenever half is signed for, as long as it is wanted.

        What is kept is of no use elsewhere while the lane lives: that is not for a cache to have that served little for it.
        """
        signed, first = self._purse.signed, self._purse.terms.cost(FIRST)
        kept = self._opening.opening.amount if self._opening else self._standing.secured
        wanted = min(self._wanted, max(first, 4 * signed), self._most)
        if wanted > kept and kept < max(first, 2 * signed + 1):
            self._open(wanted)

    def payment(self) -> str:
        """The lane, the highest voucher, and what opens the lane or has it keep more."""
        grant = self._wallet.funds.grant if self._opening else None
        return payment_text(Payment(self._lane, self._voucher, self._opening, grant, self._proof))

    def leave(self) -> str | None:
        """What settles a lane that is used no more; None where there is nothing to settle. Raises PeerError, NotEnough.

        All that was sent is signed for, and the lane keeps as much.
        """
        if self._standing.owed > self._purse.owed:
            self._concede(self._standing.owed)
        if self._purse.signed > self._standing.secured:
            self._open(self._purse.signed)
        elif self._purse.signed <= self._standing.paid:
            return None
        return self.payment()

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
        self._standing = standing
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
            self._concede(standing.owed)
        else:
            raise PeerRefused(self._cache.endpoint, 402, f"it is paid for all it sent ({standing.halt})")

    def _concede(self, owed: int) -> None:
        """Sign for what was lost on the way. Raises PeerError when that is said to be too much, NotEnough."""
        self._purse = self._purse.concede(owed)
        self._keep(self._purse.conceded)
        self._sign(last=True)

    async def _pause(self) -> None:
        """A moment, each longer than the one before."""
        await asyncio.sleep(LAG * min(1.0, 0.05 * 2.0**self._pauses))
        self._pauses += 1

    async def _keep_more(self, standing: Standing) -> None:
        """Have the lane keep another interval, or wait for what is on its way to the chain.

        Other lanes may have taken of the pool since the last opening was signed: the chain refuses what is more than it has.
        """
        pool = (await self._wallet.funds.deposit()).pool
        pending = self._opening.opening.amount - standing.secured if self._opening else 0
        if pool == 0 and pending <= 0:
            raise NotEnough("The deposit is used up", "no lane can keep more", DEPOSIT_MORE)
        if pool and not 0 < pending <= pool:
            interval = self._purse.terms.cost(self._purse.terms.window(self._purse.signed))
            # Not more than can be needed: what is kept already is the cache's own word.
            self._open(min(standing.secured + min(interval, pool), self._purse.owed + 2 * interval))
        await self._pause()

    def _open(self, amount: int) -> None:
        self._opening = self._wallet.opening(self._lane, amount)

    def _sign(self, *, last: bool) -> str | None:
        if not (last or self._purse.due):
            return None  # at nearly every block, so without more ado
        before = self._purse.signed
        # The budget is of all lanes together, and another may have spent of it meanwhile.
        self._purse, voucher = replace(self._purse, limit=before + self._wallet.budget.left).next(last=last)
        if voucher is None:
            return None
        self._wallet.budget.spend(voucher.amount - before)
        self._voucher = self._wallet.voucher(self._lane, voucher.amount)
        self._keep_ahead()
        return self.payment()

    def _remembered(self, standing: Standing) -> SignedVoucher | None:
        """The highest voucher as the cache shows it: it has the reader's own signature, so the reader need keep none."""
        if standing.paid == 0:
            return None
        voucher = SignedVoucher(Voucher(self._lane, standing.paid), standing.signature or b"")
        if not self._wallet.signed(voucher):
            raise PeerLied(self._cache.endpoint, "shows a voucher that was never signed", "")
        return voucher
