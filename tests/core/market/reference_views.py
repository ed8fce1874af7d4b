"""What the contracts' views tell, as the reference knows it: values in the order of the interfaces' structs."""

from typing import Any

from tests.core.market.reference import Reference


def request_record(reference: Reference, id: bytes, now: int) -> tuple[Any, ...]:
    """RequestRecord as of a block at ``now``."""
    deal = reference.state.deals[id]
    slots = [reference.state.slots[id, index] for index in range(deal.ask.slots)]
    return (
        reference.request_state(deal, now),
        deal.client,
        deal.ask.slots,
        deal.ask.max_slot_loss,
        deal.ask.repair_threshold,
        deal.ask.proof_probability,
        sum(slot.tenure is not None for slot in slots),
        sum(slot.vacated is not None for slot in slots),
        sum(slot.host is not None for slot in slots),
        deal.closed,
        deal.created_at,
        deal.created_block,
        deal.expires_at,
        deal.ends_at,
        deal.failed_at or 0,
        *(deal.repair or (0, 0)),
        deal.ask.rate,
        deal.ask.collateral,
        deal.root,
        deal.unspent,
        0 if deal.closed else sum(slot.pot for slot in slots),
    )


def slot_record(reference: Reference, id: bytes, index: int) -> tuple[Any, ...]:
    """SlotRecord: what it tells of proofs and pay is of the last tenure."""
    slot = reference.state.slots[id, index]
    last = slot.tenure or (slot.past[-1] if slot.past else None)
    held_until = slot.tenure.agreed if slot.tenure else slot.reservation.deadline if slot.reservation else 0
    return (
        slot.state,
        slot.host or "0x" + "0" * 40,
        len(last.missed) if last else 0,
        last.filled_at if last else 0,
        last.period if last else 0,
        last.proven_at if last else 0,
        *(slot.vacated or (0, 0)),
        slot.departed_at or 0,
        held_until,
        slot.reservations,
        slot.expired,
        slot.pot,
        last.claimed if last else 0,
    )


def claimable(reference: Reference, id: bytes, index: int, now: int) -> int:
    """What a slot's host could claim in a block at ``now``."""
    slot = reference.state.slots[id, index]
    return reference.running_pay(reference.state.deals[id], slot, now) if slot.tenure else 0


def extensions(reference: Reference, id: bytes) -> list[tuple[Any, ...]]:
    """Extensions in order."""
    return [(one.funder, one.start, one.until, idle) for one, idle in reference.extensions_of(id)]


def provider(reference: Reference, account: str) -> tuple[Any, ...]:
    """Provider."""
    stake = reference.state.stakes.get(account)
    if stake is None:
        return (bytes(32), 0, 0, 0, 0, 0, 0, "")
    return (
        stake.id,
        stake.registered,
        stake.since,
        stake.release_at,
        stake.free,
        stake.locked,
        stake.unbonding,
        stake.endpoint,
    )
