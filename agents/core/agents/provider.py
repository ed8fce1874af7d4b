"""A provider's duties: reserve, receive or rebuild, fill, prove, settle (Codex, algorithm 1)."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

from agents.core.market.economics import minimal_term
from agents.core.market.periods import challenge, first_block, period_of, required
from agents.core.market.placement import position
from agents.core.market.types import RequestState, SlotState, slot_id
from agents.core.market.view import MarketView, RequestView, SlotKey


@dataclass(frozen=True)
class Policy:
    """Which requests a provider takes."""

    quota: int
    """Bytes of slots at most."""
    min_price: int = 0
    """Base units per byte per second at least."""
    max_duration: int | None = None
    """Seconds left at most; None: any."""


@dataclass(frozen=True)
class Clock:
    """Where the chain is."""

    block: int
    now: int
    """Timestamp of ``block``."""
    hashes: Mapping[int, bytes]
    """Hashes of the blocks whose hashes matter, as far as they are known: see `blocks_needed`."""


@dataclass(frozen=True)
class Reserve:
    """Reserve a slot."""

    request: bytes
    index: int
    turn: int
    """Which reservation of the slot it would be, over all its sales."""

    @property
    def key(self) -> str:
        """Once a turn."""
        return f"reserve:{self.request.hex()}:{self.index}:{self.turn}"


@dataclass(frozen=True)
class Rebuild:
    """Rebuild a lost slot from any k others, and check its root, before it is reserved."""

    request: bytes
    index: int

    @property
    def key(self) -> str:
        """One rebuilding of a slot at a time."""
        return f"rebuild:{self.request.hex()}:{self.index}"


@dataclass(frozen=True)
class Fill:
    """Prove a reserved slot for the current period and fill it."""

    request: bytes
    index: int
    deadline: int

    @property
    def key(self) -> str:
        """Once a reservation."""
        return f"fill:{self.request.hex()}:{self.index}:{self.deadline}"


@dataclass(frozen=True)
class Prove:
    """Prove a filled slot for ``period``."""

    request: bytes
    index: int
    period: int

    @property
    def key(self) -> str:
        """Once a period."""
        return f"prove:{self.request.hex()}:{self.index}:{self.period}"


@dataclass(frozen=True)
class Settle:
    """Be paid and released."""

    request: bytes
    index: int
    filled_at: int

    @property
    def key(self) -> str:
        """Once a tenure."""
        return f"settle:{self.request.hex()}:{self.index}:{self.filled_at}"


@dataclass(frozen=True)
class Release:
    """Close one's own reservation that expired or became pointless."""

    request: bytes
    index: int
    deadline: int

    @property
    def key(self) -> str:
        """Once a reservation."""
        return f"release:{self.request.hex()}:{self.index}:{self.deadline}"


@dataclass(frozen=True)
class Forget:
    """Delete a slot that nobody pays for any more."""

    request: bytes
    index: int

    @property
    def key(self) -> str:
        """Once a slot."""
        return f"forget:{self.request.hex()}:{self.index}"


Duty = Reserve | Rebuild | Fill | Prove | Settle | Release | Forget


def blocks_needed(view: MarketView, me: str, block: int) -> set[int]:
    """Blocks whose hashes `duties` needs: seeds of sales, and the current period's first block."""
    needed = {first_block(period_of(block, view.config), view.config)}
    for request in view.requests.values():
        for index, slot in enumerate(request.slots):
            sale = None if slot.state in (SlotState.FILLED, SlotState.SETTLED) else request.sale(index, view.config)
            if sale is not None and not request.closed:
                needed.add(sale.seed_block)
    return {number for number in needed if 0 <= number < block}


def duties(view: MarketView, me: str, policy: Policy, held: Set[SlotKey], clock: Clock) -> list[Duty]:
    """What provider ``me``, which holds the data of ``held`` whole, has to do now; proofs first."""
    found: list[Duty] = []
    for request in view.requests.values():
        found.extend(_own(view, request, me, held, clock))
    found.sort(key=lambda duty: not isinstance(duty, Prove))
    found.extend(_wanted(view, me, policy, held, clock))
    return found


def _own(view: MarketView, request: RequestView, me: str, held: Set[SlotKey], clock: Clock) -> Iterator[Duty]:
    """Duties of slots reserved or hosted, and of data kept for nothing."""
    config, state = view.config, request.state(clock.now)
    for index, slot in enumerate(request.slots):
        key = (request.id, index)
        if slot.host == me and slot.state is SlotState.RESERVED:
            if clock.now >= slot.deadline or state.terminal:
                yield Release(*key, slot.deadline)
            elif key in held:
                yield Fill(*key, slot.deadline)
        elif slot.host == me and slot.state is SlotState.FILLED:
            if clock.now >= request.end(clock.now) + config.settle_seconds:
                yield Settle(*key, slot.filled_at)
            elif key in held and clock.now < request.end(clock.now):
                yield from _proof(view, request, index, clock)
        elif key in held and _is_useless(view, request, index, me, clock.now):
            yield Forget(*key)


def _is_useless(view: MarketView, request: RequestView, index: int, me: str, now: int) -> bool:
    sellable = not request.state(now).terminal and _may_still_fill(request, index, me)
    return not sellable and not _needed_elsewhere(view, request, index, me)


def _needed_elsewhere(view: MarketView, request: RequestView, index: int, me: str) -> bool:
    """Whether another request for the same content has ``me`` keep the same slot."""
    return any(
        other.content.cid == request.content.cid and index < len(other.slots) and other.slots[index].host == me
        for other in view.requests.values()
    )


def _may_still_fill(request: RequestView, index: int, me: str) -> bool:
    """Whether data rebuilt for slot ``index`` may still be sold by ``me``."""
    slot = request.slots[index]
    return bool(slot.vacated_at) and slot.state in (SlotState.LOST, SlotState.RESERVED) and me not in slot.former_hosts


def _proof(view: MarketView, request: RequestView, index: int, clock: Clock) -> Iterator[Prove]:
    period = period_of(clock.block, view.config)
    slot, seed = request.slots[index], clock.hashes.get(first_block(period, view.config))
    if seed is None or period <= slot.fill_period or period in slot.proven:
        return
    if required(challenge(seed, slot_id(request.id, index)), request.ask.proof_probability):
        yield Prove(request.id, index, period)


def _wanted(view: MarketView, me: str, policy: Policy, held: Set[SlotKey], clock: Clock) -> Iterator[Duty]:
    """Slots to sell storage for, as far as stake and quota go."""
    provider = view.providers.get(me)
    if provider is None or not provider.staked_since:
        return
    free = provider.free
    room = policy.quota - sum(
        request.ask.slot_size
        for request in view.requests.values()
        for index, slot in enumerate(request.slots)
        if slot.host == me or (request.id, index) in held
    )
    for request in view.requests.values():
        if not _acceptable(request, me, policy, clock) or request.ask.collateral > free:
            continue
        choices = _eligible(view, request, me, provider.id, provider.staked_since, clock)
        repairs = [index for index in choices if request.slots[index].vacated_at]
        ready = [index for index in repairs if (request.id, index) in held]
        if ready:
            yield _reserve(request, ready[0])
            free -= request.ask.collateral
        elif room >= request.ask.slot_size and choices:
            # The place in the list depends on who asks, so that providers do not all run for the same slot.
            chosen = choices[int.from_bytes(provider.id[-4:], "big") % len(choices)]
            yield Rebuild(request.id, chosen) if chosen in repairs else _reserve(request, chosen)
            free -= request.ask.collateral
            room -= request.ask.slot_size


def _reserve(request: RequestView, index: int) -> Reserve:
    slot = request.slots[index]
    return Reserve(request.id, index, (slot.vacated_block << 16) + slot.reservations)


def _acceptable(request: RequestView, me: str, policy: Policy, clock: Clock) -> bool:
    if request.state(clock.now) not in (RequestState.NEW, RequestState.STARTED) or request.holds(me):
        return False
    if any(me in slot.former_hosts for slot in request.slots):
        return False  # repair is for others than those who lost it
    left = request.ends_at - clock.now
    dear_enough = request.ask.price_per_byte_per_second >= policy.min_price
    return dear_enough and (policy.max_duration is None or left <= policy.max_duration)


def _leaves_time(view: MarketView, request: RequestView, now: int) -> bool:
    """Whether a repair reserved now can still be filled at the end of its reservation, instead of costing the bond."""
    needed = minimal_term(request.ask.proof_probability, view.config) + view.config.reserve_seconds
    return request.ends_at - now >= needed


def _eligible(view: MarketView, request: RequestView, me: str, id: bytes, staked_since: int, clock: Clock) -> list[int]:
    """Slots of ``request`` that ``me`` may reserve in the next block."""
    found = []
    for index, slot in enumerate(request.slots):
        if not request.for_sale(index, clock.now, view.config):
            continue
        if slot.vacated_at and not _leaves_time(view, request, clock.now):
            continue
        sale = request.sale(index, view.config)
        seed = clock.hashes.get(sale.seed_block) if sale else None
        if sale is None or seed is None or staked_since >= sale.seed_block:
            continue
        distance = int.from_bytes(id, "big") ^ position(seed, request.id, index, slot.reservations)
        if sale.eligible(distance, clock.now, clock.block):
            found.append(index)
    return found
