"""The lanes a cache is paid in, kept so that a restart loses no voucher."""

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


@dataclass(eq=False)
class Account:
    """A lane in use. ``till`` is the truth; the rest is what else a running cache knows of it."""

    till: Till
    proof: bytes = b""
    """The reader's signature under a voucher for nothing, once it was seen: anybody can name a lane."""
    opening: SignedOpening | None = None
    grant: SignedGrant | None = None
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
        self._dirty: dict[bytes, Till] = {}
        self._waiting: list[asyncio.Future[None]] = []
        self._saving: asyncio.Task[None] | None = None
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

    async def save(self, account: Account) -> None:
        """Returns once the lane's voucher is on disk, or cannot be; lanes that ask at the same time share one write."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        self.save_soon(account)
        await done

    def save_soon(self, account: Account) -> None:
        """The same without waiting: for what a restart may lose."""
        self._dirty[account.lane.id] = account.till
        if self._saving is None:
            self._saving = asyncio.create_task(self._flush())

    async def close_lane(self, account: Account) -> None:
        """The lane is over: only its sums are kept. Raises StorageTrouble."""
        past = self.past.after(account.till)
        self.forget(account)
        self._dirty.pop(account.lane.id, None)
        while self._saving is not None:
            await asyncio.shield(self._saving)
        await asyncio.to_thread(self._close, account.lane.id, past)
        self.past = past

    async def close(self) -> None:
        """Save everything."""
        for account in self:
            if account.till.voucher is not None or account.till.unpaid:
                self.save_soon(account)
        while self._saving is not None:
            await asyncio.shield(self._saving)
        self._state.close()

    # ---- records

    async def _flush(self) -> None:
        try:
            while self._dirty:
                batch, waiting = self._dirty, self._waiting
                self._dirty, self._waiting = {}, []
                try:
                    await asyncio.to_thread(self._write, list(batch.values()))
                except StorageTrouble as error:
                    # The vouchers are in memory, and saved with the next one: a full disk stops no business.
                    log.error("vouchers cannot be saved: %s", error)
                    self._dirty = batch | self._dirty
                    return
                finally:
                    for each in waiting:
                        if not each.done():
                            each.set_result(None)
        finally:
            self._saving = None

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
        return Account(Till(payment.lane, self._terms, voucher=payment.voucher, served=served, owed=owed))
