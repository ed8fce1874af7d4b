"""A provider's duties: reserve, receive or rebuild, fill, prove, claim, settle (Codex, algorithm 1)."""

from collections.abc import Iterator, Set
from fractions import Fraction

from agents.core.agents.provider_duties import (
    NOTHING,
    Accept,
    Claim,
    Clock,
    Duty,
    Fill,
    Forget,
    Policy,
    Prove,
    Release,
    Reserve,
    Settle,
    UnderWay,
)  # fmt: skip
from agents.core.agents.provider_repair import distance, is_offered, lost_one, may_repair, rebuilds
from agents.core.market.economics import bond, minimal_term
from agents.core.market.periods import challenge, first_block, period_of, required
from agents.core.market.types import RequestState, SlotState, slot_id
from agents.core.market.view import MarketView, ProviderView, RequestView, SlotKey

CLAIMS = 10
"""Running pay is claimed at most so often during a request."""
BOND_SHARE = 4
"""A bond that doubled is risked up to the collateral divided by this."""


def blocks_needed(view: MarketView, me: str, block: int) -> set[int]:
    """Blocks whose hashes `duties` needs: seeds of sales, and the current period's first block."""
    needed = {first_block(period_of(block, view.config), view.config)}
    for request in view.requests.values():
        for index, slot in enumerate(request.slots):
            sale = None if slot.state in (SlotState.FILLED, SlotState.SETTLED) else request.sale(index, view.config)
            if sale is not None and not request.closed:
                needed.add(sale.seed_block)
    return {number for number in needed if 0 <= number < block}


def duties(
    view: MarketView, me: str, policy: Policy, held: Set[SlotKey], clock: Clock, begun: UnderWay = NOTHING
) -> list[Duty]:
    """What provider ``me``, which holds the data of ``held`` whole, has to do now; proofs first."""
    found: list[Duty] = []
    proofs = _proofs(view, me, clock.now, begun)
    for request in view.requests.values():
        found.extend(_own(view, request, me, policy, held, clock, begun, proofs))
    found.sort(key=lambda duty: not isinstance(duty, Prove))
    found.extend(_wanted(view, me, policy, held, clock, begun, proofs))
    return found


def _own(
    view: MarketView,
    request: RequestView,
    me: str,
    policy: Policy,
    held: Set[SlotKey],
    clock: Clock,
    begun: UnderWay,
    proofs: Fraction,
) -> Iterator[Duty]:
    """Duties of slots reserved or hosted, and of data kept for nothing."""
    config, state = view.config, request.state(clock.now)
    period = period_of(clock.block, config)
    settled = clock.block - first_block(period, config) >= policy.depth(config)
    kept = (held | begun.arriving) - begun.rebuilding - begun.spares
    for index, slot in enumerate(request.slots):
        key = (request.id, index)
        if slot.host == me and slot.state is SlotState.RESERVED:
            if clock.now >= slot.held_until or state.terminal:
                yield Release(*key, slot.held_until)
            elif key in held and settled:
                yield Fill(*key, slot.held_until)
        elif slot.host == me and slot.state is SlotState.FILLED:
            if clock.now >= request.settles_at(index, clock.now, config):
                yield Settle(*key, slot.filled_at)
            elif clock.now < request.slot_end(index, clock.now):
                if key in held and settled:
                    yield from _proof(view, request, index, clock)
                if key in held and _pays_to_stay(view, request, index, policy, clock, proofs):
                    yield Accept(*key, request.ends_at)
                if _is_worth_claiming(view, request, index, clock.now):
                    yield Claim(*key, slot.filled_at, slot.claimed)
        elif key in kept and _is_useless(view, request, index, me, clock.now, whole=key in held):
            yield Forget(*key)


def _is_worth_claiming(view: MarketView, request: RequestView, index: int, now: int) -> bool:
    """Whether a claim is worth its gas: a part of what the slot earns in all, and its end, which pays the rest, is far."""
    end = request.slot_end(index, now)
    part = request.ask.rate * (end - request.created_at) // CLAIMS
    far = end - now > (end - request.created_at) // CLAIMS
    return far and request.claimable(index, now, view.config) >= max(1, part)


def _pays_to_stay(
    view: MarketView, request: RequestView, index: int, policy: Policy, clock: Clock, proofs: Fraction
) -> bool:
    """Whether to serve a hosted slot until its request's end, later than agreed to: a new slot like it would be taken.

    Neither its collateral nor its room is asked for again, and its proofs are among ``proofs`` already.
    """
    slot, next_block = request.slots[index], clock.now + view.config.block_seconds
    if request.state(clock.now) is not RequestState.STARTED or not next_block < slot.held_until < request.ends_at:
        return False
    return _is_wanted(request, policy, clock.now) and _can_prove(policy, proofs)


def _is_wanted(request: RequestView, policy: Policy, now: int) -> bool:
    """Whether the policy has it: it pays enough, and does not bind for too long."""
    dear_enough = request.ask.price_per_byte_per_second >= policy.min_price
    return dear_enough and (policy.max_duration is None or request.ends_at - now <= policy.max_duration)


def _can_prove(policy: Policy, proofs: Fraction) -> bool:
    return policy.proofs_per_period is None or proofs <= policy.proofs_per_period


def _is_useless(view: MarketView, request: RequestView, index: int, me: str, now: int, whole: bool) -> bool:
    """Whether nobody pays for the data of slot ``index`` nor may again, be it under another request for the same content.

    A slot that ``me`` may not host besides its own is of use to others, if it is here ``whole``.
    """
    if _hosted_elsewhere(view, request, index, me):
        return False
    return not any(
        may_repair(other, index, me) or (whole and is_offered(view, other, index, me, now))
        for other in _same_content(view, request, index)
        if not other.state(now).terminal
    )


def _same_content(view: MarketView, request: RequestView, index: int) -> Iterator[RequestView]:
    """Requests whose slot ``index`` is the same bytes, this one included."""
    for other in view.requests.values():
        if other.content.cid == request.content.cid and index < len(other.slots):
            yield other


def _hosted_elsewhere(view: MarketView, request: RequestView, index: int, me: str) -> bool:
    """Whether some request for the same content has ``me`` keep the same slot."""
    return any(other.slots[index].host == me for other in _same_content(view, request, index))


def _proof(view: MarketView, request: RequestView, index: int, clock: Clock) -> Iterator[Prove]:
    period = period_of(clock.block, view.config)
    slot, seed = request.slots[index], clock.hashes.get(first_block(period, view.config))
    if seed is None or period <= slot.fill_period or period in slot.proven:
        return
    if required(challenge(seed, slot_id(request.id, index)), request.ask.proof_probability):
        yield Prove(request.id, index, period)


def _wanted(
    view: MarketView,
    me: str,
    policy: Policy,
    held: Set[SlotKey],
    clock: Clock,
    begun: UnderWay,
    proofs: Fraction,
) -> Iterator[Duty]:
    """Slots to sell storage for, as far as stake, quota and the time to prove them go."""
    provider = view.providers.get(me)
    if provider is None or not provider.staked_since:
        return
    promised = _promised(view, me, held, begun)
    room = policy.quota - sum(promised.values())
    free = provider.free - _bound(view, me, begun)
    lost: list[SlotKey] = []
    for request in view.requests.values():
        if not _acceptable(request, me, policy, clock, begun) or request.ask.collateral > free:
            continue
        yield from _left(view, request, clock.now)
        eligible = _eligible(view, request, provider, clock)
        choices = [index for index in eligible if not _is_risky(view, request, index, begun)]
        ready = [index for index in choices if request.slots[index].vacated_at and (request.id, index) in held]
        chosen = ready[0] if ready else _choice(view, request, choices, me, provider.id, begun)
        if chosen is None:
            continue
        needed = 0 if (request.content.cid, chosen) in promised else request.ask.slot_size
        more = Fraction(1, request.ask.proof_probability)
        if needed > room or not _can_prove(policy, proofs + more):
            continue
        if ready or not request.slots[chosen].vacated_at:
            yield _reserve(request, chosen)
        else:
            lost.append((request.id, chosen))
        promised[request.content.cid, chosen] = needed
        free -= request.ask.collateral
        proofs += more
        room -= needed
    # What others may host comes last: it has the room that nothing else needs.
    yield from rebuilds(view, me, lost, held, promised, room, clock, begun)


def _left(view: MarketView, request: RequestView, now: int) -> Iterator[Settle]:
    """Slots of a request that lives on whose hosts left and did not settle: they are not for sale before.

    One more than it can lose would be its end, and nobody's gain.
    """
    late = view.config.period_seconds  # the host's own turn comes first
    over = [
        Settle(request.id, index, slot.filled_at)
        for index, slot in enumerate(request.slots)
        if _is_over(request, index, now) and now >= request.settles_at(index, now, view.config) + late
    ]
    yield from over[: max(0, request.ask.max_slot_loss - request.vacant)]


def _promised(view: MarketView, me: str, held: Set[SlotKey], begun: UnderWay) -> dict[tuple[bytes, int], int]:
    """Bytes of quota by content and slot: two requests for the same content share their slots' data."""
    begun_or_held = held | begun.reserving | begun.rebuilding | begun.spares | begun.arriving
    return {
        (request.content.cid, index): request.ask.slot_size
        for request in view.requests.values()
        for index, slot in enumerate(request.slots)
        if slot.host == me or (request.id, index) in begun_or_held
    }


def _bound(view: MarketView, me: str, begun: UnderWay) -> int:
    """Stake that reservations on their way are going to lock."""
    return sum(
        request.ask.collateral
        for request in view.requests.values()
        for index, slot in enumerate(request.slots)
        if (request.id, index) in begun.reserving and slot.host != me
    )


def _proofs(view: MarketView, me: str, now: int, begun: UnderWay) -> Fraction:
    """Proofs that the slots of ``me``, reserved ones and those on their way included, ask for in an average period."""
    slots = [
        Fraction(1, request.ask.proof_probability)
        for request in view.requests.values()
        if not request.state(now).terminal
        for index, slot in enumerate(request.slots)
        if (slot.host == me and not _is_over(request, index, now)) or (request.id, index) in begun.reserving
    ]
    return sum(slots, Fraction())


def _is_over(request: RequestView, index: int, now: int) -> bool:
    """Whether the host of slot ``index`` has served the time it agreed to."""
    return request.slots[index].state is SlotState.FILLED and now >= request.slot_end(index, now)


def _choice(
    view: MarketView, request: RequestView, choices: list[int], me: str, id: bytes, begun: UnderWay
) -> int | None:
    """The slot to go for; one that is being rebuilt first."""
    begun_before = [index for index in choices if (request.id, index) in begun.rebuilding]
    if begun_before:
        return begun_before[0]
    if any((request.id, index) in begun.spares for index in choices):
        return None  # it comes with the one that is being rebuilt
    open_ = [
        index
        for index in choices
        if (request.id, index) not in begun.resting
        # Data another request brings here is waited for, not rebuilt as well.
        and not (request.slots[index].vacated_at and _hosted_elsewhere(view, request, index, me))
    ]
    # The place in the list depends on who asks, so that providers do not all run for the same slot.
    return open_[int.from_bytes(id[-4:], "big") % len(open_)] if open_ else None


def _reserve(request: RequestView, index: int) -> Reserve:
    slot = request.slots[index]
    return Reserve(request.id, index, (slot.vacated_block << 16) + slot.reservations)


def _acceptable(request: RequestView, me: str, policy: Policy, clock: Clock, begun: UnderWay) -> bool:
    if request.id in begun.refused or any((request.id, index) in begun.reserving for index in range(request.ask.slots)):
        return False
    if request.state(clock.now) not in (RequestState.NEW, RequestState.STARTED) or request.holds(me):
        return False
    if lost_one(request, me):
        return False
    return _is_wanted(request, policy, clock.now)


def _leaves_time(view: MarketView, request: RequestView, index: int, now: int) -> bool:
    """Whether slot ``index``, reserved now, can still be filled at the end of its reservation, instead of costing the bond.

    A first sale may be shorter than reservations last: then its last quarter is too late.
    """
    config = view.config
    if not request.slots[index].vacated_at:
        needed = min(config.reserve_seconds, (request.expires_at - request.created_at) // 4)
        return request.expires_at - now >= needed
    return request.ends_at - now >= minimal_term(request.ask.proof_probability, config) + config.reserve_seconds


def _is_risky(view: MarketView, request: RequestView, index: int, begun: UnderWay) -> bool:
    """Whether a reservation of slot ``index`` is likely to lapse, going by those that did, and would cost much."""
    slot, collateral = request.slots[index], request.ask.collateral
    if (request.id, index) in begun.lapsed:
        return True
    # What a repair needs is here before it is reserved; a first sale waits for what a client may never upload.
    at_risk = bond(collateral, slot.expired, view.config) if slot.expired and not slot.vacated_at else 0
    return at_risk > collateral // BOND_SHARE


def _eligible(view: MarketView, request: RequestView, me: ProviderView, clock: Clock) -> list[int]:
    """Slots of ``request`` that ``me`` may reserve in the next block."""
    return [
        index
        for index in range(len(request.slots))
        if request.for_sale(index, clock.now, view.config)
        and _leaves_time(view, request, index, clock.now)
        and distance(view, request, index, me, clock) is not None
    ]
