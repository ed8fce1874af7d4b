"""The lanes a cache is paid in, kept so that a stop loses no voucher, and a crash little.

A write to disk costs more than all else about a voucher, so lanes are written together, SAVED_WITHIN seconds after the first
of them changed, and before anything is redeemed. A crash costs what was served beyond the vouchers on disk. In no lane is
that more than the longest interval: before bytes are served with which it would be, the lane is written at once.
"""

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from agents.core.channels.lanes import Lane, SignedGrant, SignedOpening
from agents.core.channels.terms import Terms
from agents.core.channels.till import Till
from agents.core.channels.wire import Payment, parse_payment, payment_text
from agents.core.errors import StorageTrouble
from agents.store.state import StateStore

log = logging.getLogger(__name__)

KIND, PAST = "lane", "past"

SAVED_WITHIN = 0.25
"""Seconds until a change is written, with all others since."""


@dataclass(eq=False)
class Account:
    """A lane in use. ``till`` is the truth; the rest is what else a running cache knows of it."""

    till: Till
    proof: bytes = b""
    """The reader's signature under a voucher for nothing, once it was seen: anybody can name a lane."""
    opening: SignedOpening | None = None
    grant: SignedGrant | None = None
    saved: int = 0
    """Base units of the voucher on disk, or of one that could not be written: a full disk stops no business."""
    seen_at: float = float("-inf")
    """When the chain was asked last."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set at every change, and cleared by whoever waits for one."""
    active: int = 0
    """Responses being sent."""
    work: "asyncio.Task[None] | None" = None
    """A transaction under way that opens it."""

    @property
    def lane(self) -> Lane:
        """The lane."""
        return self.till.lane

    @property
    def idle(self) -> bool:
        """Whether nothing is lost with it: nothing was served, and nothing is kept for what was signed. Signing is free."""
        return not (self.till.owed or self.till.sure or self.active or self.work)


@dataclass(frozen=True)
class Past:
    """Lanes that are over and forgotten, all together: base units and bytes."""

    redeemed: int = 0
    lost: int = 0
    """Served and signed for, and not to be had any more."""
    unpaid: int = 0
    """Served, and never signed for."""
    served: int = 0

    def after(self, till: Till) -> "Past":
        """With one more lane."""
        redeemed = till.cover.redeemed
        return Past(
            self.redeemed + redeemed,
            self.lost + max(0, min(till.paid, till.owed) - redeemed),
            self.unpaid + till.unpaid,
            self.served + till.served,
        )


class LaneBook:
    """Every lane with something in it, in the agent's state. Only this object uses ``state``."""

    def __init__(self, state: StateStore, terms: Terms) -> None:
        self._state = state
        self._terms = terms
        self._accounts: dict[bytes, Account] = {}
        self._of: defaultdict[str, set[bytes]] = defaultdict(set)
        """Lanes by reader, and by payer."""
        self._dirty: dict[bytes, Account] = {}
        self._due: asyncio.TimerHandle | None = None
        self._saving: asyncio.Task[None] | None = None
        self._writing = asyncio.Lock()
        self.past = Past(**{name: int(value) for name, value in json.loads(self._past()).items()})
        for record in state.load(KIND).values():
            self.add(self._restored(json.loads(record)))

    def __iter__(self) -> Iterator[Account]:
        return iter(list(self._accounts.values()))

    def __len__(self) -> int:
        return len(self._accounts)

    def get(self, lane: Lane) -> Account | None:
        """The lane's account, if it is known."""
        return self._accounts.get(lane.id)

    def add(self, account: Account) -> None:
        """Take in a lane."""
        self._accounts[account.lane.id] = account
        for party in (account.lane.reader, account.lane.payer):
            self._of[party].add(account.lane.id)

    def others(self, lane: Lane) -> Iterator[Account]:
        """Other lanes that its reader or its payer reads in or pays for."""
        return (self._accounts[id] for id in self._of[lane.reader] | self._of[lane.payer] if id != lane.id)

    def forget(self, account: Account) -> None:
        """Drop a lane that has nothing in it and was never saved."""
        id = account.lane.id
        self._accounts.pop(id, None)
        for party in (account.lane.reader, account.lane.payer):
            self._of[party].discard(id)
            if not self._of[party]:
                del self._of[party]

    def save_soon(self, account: Account) -> None:
        """Have the lane on disk in a while, with others; sooner if what may be served now would have to wait for it.

        Not a lane that is over: it would be closed, and counted, again after a restart.
        """
        if self.get(account.lane) is not account:
            return
        self._dirty[account.lane.id] = account
        if self.risks(account, account.till.ahead):
            self._begin()
        elif self._due is None:
            self._due = asyncio.get_running_loop().call_later(SAVED_WITHIN, self._begin)

    def risks(self, account: Account, size: int) -> bool:
        """Whether a crash would cost more than the longest interval once ``size`` bytes more are served in the lane.

        Not once it is saved, if as many may be served.
        """
        till = account.till
        return till.owed + till.terms.cost(size) - account.saved > till.terms.cost(till.terms.max_interval)

    async def save(self, account: Account) -> None:
        """Returns once the lane is on disk, with all others that have changed, or cannot be."""
        self._dirty[account.lane.id] = account
        await self.flush()

    async def flush(self) -> None:
        """The same of whatever has changed."""
        await asyncio.shield(self._save())  # a write goes on whoever waits for it

    async def close_lane(self, account: Account) -> None:
        """The lane is over: only its sums are kept. Raises StorageTrouble."""
        await asyncio.shield(self._end(account))

    async def close(self) -> None:
        """Save everything."""
        for account in self:
            if account.till.voucher is not None or account.till.unpaid:
                self._dirty[account.lane.id] = account
        self._cancel()
        await self.flush()
        self._state.close()

    # ---- records

    def _cancel(self) -> None:
        if self._due is not None:
            self._due.cancel()
        self._due = None

    def _begin(self) -> None:
        self._cancel()
        self._saving = asyncio.create_task(self._save())

    async def _save(self) -> None:
        async with self._writing:
            accounts, self._dirty = list(self._dirty.values()), {}
            tills = [account.till for account in accounts]
            try:
                if tills:
                    await asyncio.to_thread(self._write, tills)
            except StorageTrouble as error:
                # The vouchers are in memory, and saved with the next one.
                log.error("vouchers cannot be saved: %s", error)
                self._dirty = {account.lane.id: account for account in accounts} | self._dirty
            for account, till in zip(accounts, tills, strict=True):
                account.saved = till.paid

    async def _end(self, account: Account) -> None:
        async with self._writing:
            past = self.past.after(account.till)
            await asyncio.to_thread(self._close, account.lane.id, past)
            self.past = past  # and only now is it forgotten: a full disk leaves it to be closed the next time
            self.forget(account)
            self._dirty.pop(account.lane.id, None)

    def _write(self, tills: list[Till]) -> None:
        with self._state.transaction():
            for till in tills:
                record = {
                    "payment": payment_text(Payment(till.lane, till.voucher)),
                    "served": str(till.served),
                    # What was paid ahead may have been served since.
                    "owed": str(max(till.owed, till.sure)),
                }
                self._state.save(KIND, till.lane.id.hex(), json.dumps(record).encode())

    def _close(self, id: bytes, past: Past) -> None:
        sums = {name: str(getattr(past, name)) for name in ("redeemed", "lost", "unpaid", "served")}
        with self._state.transaction():
            self._state.remove(KIND, id.hex())
            self._state.save(PAST, PAST, json.dumps(sums).encode())

    def _past(self) -> bytes:
        return self._state.load(PAST).get(PAST, b"{}")

    def _restored(self, record: dict[str, str]) -> Account:
        payment = parse_payment(record["payment"])
        served, owed = int(record["served"]), int(record["owed"])
        till = Till(payment.lane, self._terms, voucher=payment.voucher, served=served, owed=owed)
        return Account(till, saved=till.paid)
