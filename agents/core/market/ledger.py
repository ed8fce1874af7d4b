"""The market's books: every amount an event names, reckoned again by the rules, posted twice, and held against the vault.

A posting says why an account's wealth (its wallet, its stake and its credit together) changed. Each event's postings sum to
zero, because what clients paid and hosts lost stays with `MARKET` until it is credited to somebody. The registry's events tell
the same story from the other side, as movements between wallets, stakes, credits and the pool; `Ledger.check` compares both.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from agents.core.errors import LedgerMismatch
from agents.core.market import economics
from agents.core.market import events as e
from agents.core.market.types import MarketConfig, SlotState, StakeConfig, request_id_of, slot_index_of
from agents.core.market.view import MarketView, RequestView

MARKET = "market"
"""The account of what is in the vault but not yet anybody's: unspent deposits and pots."""


class Line(StrEnum):
    """Why wealth changed."""

    PRICE = "price"
    """A client paid for a request, or anybody for its extension."""
    REFUND = "refund"
    """What of the price no host earned, back to whoever paid it."""
    PAY = "pay"
    """A host's pay."""
    SLASH = "slash"
    """Collateral a host lost by missing proofs."""
    SHARE = "share"
    """A validator's part of a slash."""
    BOUNTY = "bounty"
    """A repairer's part of what the slot's former host lost, or of the pay since it left."""
    POT = "pot"
    """The client's part of it."""
    BOND = "bond"
    """What an expired reservation cost."""
    SINK = "sink"
    """The same, where it goes."""
    TRANSFER = "transfer"
    """Credit that its owner had paid out to another's wallet."""


@dataclass(frozen=True)
class Posting:
    """One change of one account's wealth, in base units."""

    at: e.EventPlace
    account: str
    line: Line
    amount: int
    request_id: bytes = b""
    """Empty for transfers."""
    slot_index: int | None = None


@dataclass(frozen=True)
class Holdings:
    """How the vault's events changed what an account has, and where, in base units."""

    wallet: int = 0
    stake: int = 0
    """Free, locked and unbonding."""
    credit: int = 0

    @property
    def wealth(self) -> int:
        """All together."""
        return self.wallet + self.stake + self.credit


@dataclass(frozen=True)
class Ledger:
    """The books after some events, from the market's first one on."""

    postings: tuple[Posting, ...]
    holdings: Mapping[str, Holdings]
    """By account; only of accounts that some event of the vault names."""
    pool: int
    """What the vault holds for the marketplace."""
    view: MarketView = field(repr=False)

    @property
    def accounts(self) -> list[str]:
        """Everybody with a posting, but for MARKET, in order of appearance."""
        return list(dict.fromkeys(posting.account for posting in self.postings if posting.account != MARKET))

    def lines(self, account: str) -> dict[Line, int]:
        """Why ``account`` is richer or poorer, summed by line, in the order of `Line`; lines without postings left out."""
        sums: dict[Line, int] = {}
        for line in Line:
            amounts = [post.amount for post in self.postings if post.account == account and post.line is line]
            if amounts:
                sums[line] = sum(amounts)
        return sums

    def change(self, account: str) -> int:
        """How much richer (poorer: negative) ``account`` is for the market."""
        return sum(posting.amount for posting in self.postings if posting.account == account)

    def sheet(self) -> dict[str, dict[Line, int]]:
        """`lines` of every account, MARKET last; everything together sums to zero."""
        return {account: self.lines(account) for account in (*self.accounts, MARKET)}

    def check(self, wallets: Mapping[str, int] | None = None) -> None:
        """Both sides agree; with ``wallets`` (how each account's token balance changed) so do the wallets.

        Give only what the market changed: tokens an account was sent or paid elsewhere are not in these books. Raises
        LedgerMismatch.
        """
        total = sum(posting.amount for posting in self.postings)
        if total != 0:
            raise _mismatch("The postings do not sum to zero", total, 0)
        if self.change(MARKET) != self.pool:
            raise _mismatch("The market's pool is not what deposits and slashes left", self.pool, self.change(MARKET))
        for account in {*self.accounts, *self.holdings}:
            held = self.holdings.get(account, Holdings()).wealth
            if held != self.change(account):
                raise _mismatch(f"The wealth of {account} is not the sum of its lines", held, self.change(account))
        for account, changed in (wallets or {}).items():
            told = self.holdings.get(account, Holdings()).wallet
            if told != changed:
                raise _mismatch(f"The wallet of {account} is not what the vault's events say", changed, told)


def ledger_of(events: Iterable[e.Event], config: MarketConfig, stake: StakeConfig) -> Ledger:
    """The books of ``events``: all of the marketplace and the registry, in order.

    Raises LedgerMismatch where an amount is not the one the rules give, ChainLies where an event cannot follow.
    """
    view, vault = MarketView(config, stake), _Vault()
    postings: list[Posting] = []
    for event in events:
        after = view.after(event)
        if isinstance(event, _WITH_AMOUNTS):
            _audit(view, event)
        postings.extend(_postings(view, event))
        vault.move(event)
        view = after
    return Ledger(tuple(postings), vault.holdings(), vault.pool, view)


# --- what an event says of wealth ---


def _postings(view: MarketView, event: Any) -> list[Posting]:
    match event:
        case e.Withdrawn() if event.to != event.account:
            out, in_ = (event.account, -event.amount), (event.to, event.amount)
            return [Posting(event.at, account, Line.TRANSFER, amount) for account, amount in (out, in_) if amount]
        case e.StorageRequested():
            return _between(event, event.client, (Line.PRICE, -event.deposit))
        case e.RequestExtended():
            return _between(event, event.funder, (Line.PRICE, -event.price))
        case e.FunderRefunded():
            return _between(event, event.funder, (Line.REFUND, event.amount))
        case e.RequestClosed():
            return _between(event, event.client, (Line.REFUND, event.refund), (Line.POT, event.pots))
        case e.ReservationForfeited():
            posts = [(event.provider, Line.BOND, -event.bond), (view.stake.sink, Line.SINK, event.bond)]
            return [Posting(event.at, *post, event.request_id, event.slot_index) for post in posts if post[2]]
        case e.SlotFilled():
            client = view.requests[event.request_id].client
            bounty = _between(event, event.host, (Line.BOUNTY, event.bounty))
            return bounty + _between(event, client, (Line.POT, event.to_client))
        case e.ProofMissed():
            host = view.slot((request_id_of(event.slot_id), slot_index_of(event.slot_id))).host or MARKET
            slash = _between(event, host, (Line.SLASH, -event.slashed))
            return slash + _between(event, event.validator, (Line.SHARE, event.reward))
        case e.SlotLost():
            return _between(event, event.host, (Line.PAY, event.paid), (Line.SLASH, -event.slashed))
        case e.PayClaimed():
            return _between(event, event.host, (Line.PAY, event.amount))
        case e.SlotSettled() | e.SlotDeparted():
            return _between(event, event.host, (Line.PAY, event.paid))
    return []


def _between(event: Any, account: str, *changes: tuple[Line, int]) -> list[Posting]:
    """What ``account`` got from, or gave to, the market."""
    by_slot = hasattr(event, "slot_id")
    request_id = request_id_of(event.slot_id) if by_slot else event.request_id
    index = slot_index_of(event.slot_id) if by_slot else getattr(event, "slot_index", None)
    return [
        Posting(event.at, who, line, sign * amount, request_id, index)
        for line, amount in changes
        if amount
        for who, sign in ((account, 1), (MARKET, -1))
    ]


# --- what the rules say of the same event ---


_WITH_AMOUNTS = (
    e.StorageRequested, e.SlotReserved, e.ReservationForfeited, e.SlotFilled, e.ProofMissed, e.SlotLost, e.PayClaimed,
    e.SlotSettled, e.SlotDeparted, e.RequestExtended, e.FunderRefunded, e.RequestClosed,
)  # fmt: skip


def _audit(view: MarketView, event: Any) -> None:
    due = _due(view, event)
    for name, amount in due.items():
        if getattr(event, name) != amount:
            place = f"block {event.at.block_number}, log {event.at.log_index}"
            raise _mismatch(
                f"{type(event).__name__}.{name} at {place} is not what the rules give", getattr(event, name), amount
            )


def _due(view: MarketView, event: Any) -> dict[str, int]:
    """The amounts of ``event``, by field, as the view before it and the economics make them."""
    config = view.config
    if isinstance(event, e.StorageRequested):
        return {"deposit": event.ask.price}
    by_slot = hasattr(event, "slot_id")
    request = view.requests[request_id_of(event.slot_id) if by_slot else event.request_id]
    if isinstance(event, e.RequestExtended):
        return {"price": request.ask.slots * (event.until - event.from_) * request.ask.rate}
    if isinstance(event, e.FunderRefunded):
        return {"amount": request.extensions[request.refunded].idle}
    if isinstance(event, e.RequestClosed):
        return {"refund": request.refund, "pots": sum(slot.pot for slot in request.slots)}
    index = slot_index_of(event.slot_id) if by_slot else event.slot_index
    slot, collateral, now = request.slots[index], request.ask.collateral, event.at.timestamp
    match event:
        case e.SlotReserved() | e.ReservationForfeited():
            return {"bond": economics.bond(collateral, slot.expired, config)}
        case e.SlotFilled():
            bounty = _bounty(request, index, config)
            return {"bounty": bounty, "to_client": slot.pot if slot.departed_at else slot.pot - bounty}
        case e.ProofMissed():
            slashed = economics.slashed(collateral, 1, config)
            return {"slashed": slashed, "reward": economics.reward(slashed, config)}
        case e.SlotLost():
            rest = collateral - economics.slashed(collateral, len(slot.missed), config)
            return {"paid": request.claimable(index, now, config), "slashed": rest}
        case e.PayClaimed():
            return {"amount": request.claimable(index, now, config)}
        case e.SlotSettled() | e.SlotDeparted():
            return {"paid": request.settlement(index, now, config)}
    return {}


def _bounty(request: RequestView, index: int, config: MarketConfig) -> int:
    slot, sale = request.slots[index], request.sale(index, config)
    if slot.state is not SlotState.RESERVED or not slot.vacated_at or sale is None:
        return 0
    waited, collateral = slot.reserved_at - sale.start, request.ask.collateral
    if slot.departed_at:
        away = slot.reserved_at - slot.departed_at
        return economics.departed_bounty(request.ask.rate, collateral, waited, away, config)
    return economics.bounty(slot.pot, collateral, waited, config)


# --- what the vault says ---


class _Vault:
    """Movements between wallets, stakes, credits and the pool."""

    def __init__(self) -> None:
        self.wallets: dict[str, int] = defaultdict(int)
        self.stakes: dict[str, int] = defaultdict(int)
        self.credits: dict[str, int] = defaultdict(int)
        self.pool = 0

    def move(self, event: Any) -> None:
        match event:
            case e.Deposited():
                self.wallets[event.provider] -= event.amount
                self.stakes[event.provider] += event.amount
            case e.Unbonded():
                self.stakes[event.provider] -= event.amount
                self.credits[event.provider] += event.amount
            case e.Slashed():
                self.stakes[event.provider] -= event.amount
                self.pool += event.amount
            case e.Credited():
                self.pool -= event.amount
                self.credits[event.account] += event.amount
            case e.Withdrawn():
                self.credits[event.account] -= event.amount
                self.wallets[event.to] += event.amount
            case e.Pulled():
                self.wallets[event.from_] -= event.amount
                self.pool += event.amount

    def holdings(self) -> dict[str, Holdings]:
        accounts = {**self.wallets, **self.stakes, **self.credits}
        return {
            account: Holdings(self.wallets[account], self.stakes[account], self.credits[account])
            for account in accounts
        }


def _mismatch(what: str, found: int, expected: int) -> LedgerMismatch:
    return LedgerMismatch(
        what, f"{found}, not {expected} base units", "Use another RPC, or start from the market's first block."
    )
