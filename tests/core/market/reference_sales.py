"""How slots are sold and served, from the market's rules: half of `tests.core.market.reference`."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby

from agents.core.market import events as e
from agents.core.market.periods import challenge, required
from agents.core.market.placement import DISTANCE_PER_WAD, position, share, steepness
from agents.core.market.types import MarketConfig, RequestState, SlotState, StakeConfig, slot_id
from tests.core.market.reference_state import Deal, Extension, Refused, Reservation, Slot, Tenure, Tx
from tests.core.market.reference_vault import Vault

UINT16 = 2**16 - 1


class Sales(Vault):
    """Requests' states, pay and sales; reservations and fills."""

    def __init__(
        self, config: MarketConfig, stake: StakeConfig, wallets: Mapping[str, int], unpayable: tuple[str, ...] = ()
    ) -> None:
        """``unpayable``: the addresses of registry and token, which nothing can be withdrawn to."""
        super().__init__(stake, wallets, unpayable)
        self.config = config

    # --- calls ---

    def reserve_slot(self, tx: Tx, id: bytes, index: int) -> None:
        deal = self._deal(id)
        if index >= deal.ask.slots:
            raise Refused("Marketplace_NoSuchSlot")
        slot = self.state.slots[id, index]
        if slot.reservation is not None:
            if tx.now < slot.reservation.deadline:
                raise Refused("Marketplace_ReservationHeld")
            self._forfeit(tx, id, index)
        self._check_placement(tx, id, index, deal, slot)
        if any(other.host == tx.caller for other in self._slots(id)):
            raise Refused("Marketplace_AlreadyHoldsSlot")
        deadline = tx.now + self.config.reserve_seconds
        deadline = deadline if deal.started else min(deadline, deal.expires_at)
        slot.reservation = Reservation(tx.caller, tx.now, deadline, deal.ends_at)
        turn, slot.reservations = slot.reservations, min(UINT16, slot.reservations + 1)
        self._emit(
            tx, e.SlotReserved, request_id=id, slot_index=index, provider=tx.caller, deadline=deadline,
            bond=self._bond(deal, slot), reservation_index=turn,
        )  # fmt: skip
        self._lock(tx, deal.ask.collateral)

    def close_reservation(self, tx: Tx, id: bytes, index: int) -> None:
        deal, slot = self._deal(id), self._slot(id, index)
        if slot.reservation is None:
            raise Refused("Marketplace_NotReserved")
        over = self.request_state(deal, tx.now) in (RequestState.FAILED, RequestState.FINISHED)
        if over and self._end(deal, tx.now) < slot.reservation.deadline:
            provider, slot.reservation = slot.reservation.provider, None
            self._emit(tx, e.ReservationReleased, request_id=id, slot_index=index, provider=provider)
            self._unlock(tx, provider, deal.ask.collateral)
            return
        if tx.now < slot.reservation.deadline:
            raise Refused("Marketplace_ReservationHeld")
        self._forfeit(tx, id, index)

    def fill_slot(self, tx: Tx, id: bytes, index: int, valid: bool = True) -> None:
        deal, slot = self._deal(id), self._slot(id, index)
        if slot.reservation is None:
            raise Refused("Marketplace_NotReserved")
        if slot.reservation.provider != tx.caller:
            raise Refused("Marketplace_NotReserver")
        if tx.now >= slot.reservation.deadline:
            raise Refused("Marketplace_ReservationOver")
        if self.request_state(deal, tx.now).terminal:
            raise Refused("Marketplace_RequestEnded")
        agreed = slot.reservation.agreed
        if slot.vacated is not None and not self._has_term(deal, agreed, tx.now):
            raise Refused("Marketplace_TermTooShort")
        self._drawn(tx, id, index, self._period(tx))
        if not valid:
            raise Refused("Marketplace_InvalidProof")

        from_pot, idle_seconds = self._repair_reward(deal, slot)
        from_pay, to_client, slot.pot = idle_seconds * deal.ask.rate, slot.pot - from_pot, 0
        slot.tenure = Tenure(tx.caller, tx.now, self._period(tx), tx.now - idle_seconds, agreed)
        slot.reservation = slot.vacated = slot.departed_at = None
        if not any(other.vacated for other in self._slots(id)):
            deal.repair = None
        bounty = from_pot + from_pay
        self._emit(
            tx, e.SlotFilled, request_id=id, slot_index=index, host=tx.caller, bounty=bounty, to_client=to_client
        )
        if not deal.started and all(other.tenure for other in self._slots(id)):
            deal.started = True
            self._emit(tx, e.RequestStarted, request_id=id)
        deal.paid_out += from_pay
        self._credit(tx, tx.caller, bounty)
        self._credit(tx, deal.client, to_client)

    # --- states ---

    def request_state(self, deal: Deal, now: int) -> RequestState:
        """As in Types.sol."""
        if deal.failed_at is not None:
            return RequestState.FAILED
        if deal.started:
            return RequestState.STARTED if now < deal.ends_at else RequestState.FINISHED
        return RequestState.NEW if now < deal.expires_at else RequestState.CANCELLED

    @staticmethod
    def slot_state(slot: Slot) -> SlotState:
        """As in Types.sol."""
        return slot.state

    def _end(self, deal: Deal, now: int) -> int:
        """When the request ended or will end."""
        if deal.failed_at is not None:
            return deal.failed_at
        return deal.expires_at if self.request_state(deal, now) is RequestState.CANCELLED else deal.ends_at

    def _end_of(self, deal: Deal, tenure: Tenure, now: int) -> int:
        """When a host's duty and pay end."""
        return min(tenure.agreed, self._end(deal, now))

    # --- pay ---

    def running_pay(self, deal: Deal, slot: Slot, now: int) -> int:
        """What a host can claim: pay stops at the last accepted proof."""
        assert slot.tenure is not None
        until = min(slot.tenure.proven_at, self._end_of(deal, slot.tenure, now))
        return self._pay(deal, slot.tenure, until, slot.tenure.missed_before_proof)

    def extensions_of(self, id: bytes) -> list[tuple[Extension, int]]:
        """Each extension, one funder's that follow each other as one, with the pay of its time that no host is to earn."""
        deal, found = self._deal(id), []
        spans = [span for slot in self._slots(id) for span in slot.paid_spans]
        for funder, group in groupby(deal.extensions, key=lambda one: one.funder):
            parts = list(group)
            whole = Extension(funder, parts[0].start, parts[-1].until)
            covered = sum(max(0, min(until, whole.until) - max(start, whole.start)) for start, until in spans)
            found.append((whole, deal.ask.rate * (deal.ask.slots * (whole.until - whole.start) - covered)))
        return found

    def _pay(self, deal: Deal, tenure: Tenure, until: int, misses: int) -> int:
        seconds = until - tenure.filled_at - misses * self.config.period_seconds
        return max(0, deal.ask.rate * seconds - tenure.claimed)

    def _slashes(self, deal: Deal, misses: int) -> int:
        return misses * (deal.ask.collateral * self.config.slash_bps // 10_000)

    def _bond(self, deal: Deal, slot: Slot) -> int:
        factor = 1 << min(slot.expired, 6)
        return min(deal.ask.collateral, deal.ask.collateral * self.config.bond_bps * factor // 10_000)

    def _repair_reward(self, deal: Deal, slot: Slot) -> tuple[int, int]:
        """For who fills ``slot`` anew: an amount out of its pot, and seconds of the pay since its host left.

        Both grew until the reservation.
        """
        if slot.vacated is None or slot.reservation is None:
            return 0, 0
        window, reserved_at = self.config.repair_window, slot.reservation.at
        waited = min(reserved_at - self._repair_sale(deal, slot)[0], window)
        most = deal.ask.collateral * self.config.bounty_bps * waited // (10_000 * window)
        if slot.departed_at is None:
            return min(slot.pot, most), 0
        return 0, min(reserved_at - slot.departed_at, most // deal.ask.rate) if deal.ask.rate else 0

    # --- sales ---

    def _repair_sale(self, deal: Deal, slot: Slot) -> tuple[int, int]:
        """Start and seed block of a vacant slot's sale."""
        assert slot.vacated is not None
        if deal.repair is None:
            raise Refused("Marketplace_NotForSale")
        return max(slot.vacated, deal.repair, key=lambda event: event[1])

    def _has_term(self, deal: Deal, end: int, now: int) -> bool:
        needed = self.config.min_term_periods * deal.ask.proof_probability * self.config.period_seconds
        return max(0, end - now) >= max(self.config.repair_window, needed)

    def _vacated(self, tx: Tx, id: bytes, slot: Slot) -> None:
        """A slot of a started request lost its host: the request fails, or the slot may be for sale."""
        deal = self._deal(id)
        slot.vacated, slot.reservations, slot.expired = (tx.now, tx.block), 0, 0
        if self._vacant(id) > deal.ask.max_slot_loss:
            deal.failed_at = tx.now
            self._emit(tx, e.RequestFailed, request_id=id)
            return
        self._open_repair(tx, id)

    def _open_repair(self, tx: Tx, id: bytes) -> None:
        deal = self._deal(id)
        due = self._vacant(id) >= max(1, min(deal.ask.repair_threshold, deal.ask.max_slot_loss))
        if due and deal.repair is None and self._has_term(deal, deal.ends_at, tx.now):
            deal.repair = (tx.now, tx.block)
            self._emit(tx, e.RepairOpened, request_id=id)

    def _vacant(self, id: bytes) -> int:
        return sum(slot.vacated is not None for slot in self._slots(id))

    def _check_placement(self, tx: Tx, id: bytes, index: int, deal: Deal, slot: Slot) -> None:
        if self.request_state(deal, tx.now).terminal:
            raise Refused("Marketplace_RequestEnded")
        if slot.tenure is not None or slot.settled:
            raise Refused("Marketplace_SlotNotFree")
        start, seed_block = deal.created_at, deal.created_block
        window = (deal.expires_at - deal.created_at) // 2
        if slot.vacated is not None:
            if not self._has_term(deal, deal.ends_at, tx.now):
                raise Refused("Marketplace_TermTooShort")
            (start, seed_block), window = self._repair_sale(deal, slot), self.config.repair_window
        if tx.block <= seed_block:
            raise Refused("Marketplace_SeedBlockNotReached")
        stake = self.state.stakes.get(tx.caller)
        if stake is None or not 0 < stake.since < seed_block:
            raise Refused("Marketplace_StakedTooLate")
        seed, elapsed = tx.hash_of(seed_block), tx.now - start
        if seed is None or elapsed >= window:
            return
        distance = int.from_bytes(stake.id, "big") ^ position(seed, id, index, slot.reservations)
        if distance >= share(steepness(deal.ask.dispersal), elapsed, window) * DISTANCE_PER_WAD:
            raise Refused("Marketplace_NotEligible")

    def _forfeit(self, tx: Tx, id: bytes, index: int) -> None:
        deal, slot = self._deal(id), self._slot(id, index)
        assert slot.reservation is not None
        bond, provider = self._bond(deal, slot), slot.reservation.provider
        slot.expired, slot.reservation = min(255, slot.expired + 1), None
        self._emit(tx, e.ReservationForfeited, request_id=id, slot_index=index, provider=provider, bond=bond)
        self._unlock(tx, provider, deal.ask.collateral - bond)
        self._slash(tx, provider, bond)
        self._credit(tx, self.stake_config.sink, bond)

    def _leave(self, slot: Slot, paid_until: int) -> str:
        """The host's tenure is over; its name."""
        assert slot.tenure is not None
        host = slot.tenure.host
        slot.past, slot.tenure = (*slot.past, replace(slot.tenure, paid_until=paid_until)), None
        return host

    # --- periods ---

    def _period(self, tx: Tx) -> int:
        return tx.block // self.config.period_blocks

    def _seed(self, tx: Tx, period: int) -> bytes:
        seed = tx.hash_of(period * self.config.period_blocks)
        if seed is None:
            raise Refused("Marketplace_ChallengeUnknown")
        return seed

    def _drawn(self, tx: Tx, id: bytes, index: int, period: int) -> bytes:
        return challenge(self._seed(tx, period), slot_id(id, index))

    def _required(self, tx: Tx, id: bytes, index: int, period: int) -> bool:
        deal, slot = self._deal(id), self._slot(id, index)
        drawn = self._drawn(tx, id, index, period)
        assert slot.tenure is not None
        return period > slot.tenure.period and required(drawn, deal.ask.proof_probability)

    # --- what there is ---

    def _deal(self, id: bytes) -> Deal:
        if id not in self.state.deals:
            raise Refused("Marketplace_UnknownRequest")
        return self.state.deals[id]

    def _slot(self, id: bytes, index: int) -> Slot:
        """Slot ``index``; one that is not there is free for ever."""
        return self.state.slots.get((id, index), Slot())

    def _slots(self, id: bytes) -> list[Slot]:
        return [self.state.slots[id, index] for index in range(self.state.deals[id].ask.slots)]
