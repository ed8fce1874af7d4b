"""The two contracts once more, from the market's rules alone: what the agents' view, the books and the chain are held against.

Every external function is a method of `Reference` under its Python name, called through `Reference.call`. What a proof proves
is not told here: whether it is valid is an argument. Ids, positions and the lottery are the product's, which has vectors for
them; everything else is written anew, from sets and sums where the contracts have bits and counters.
"""

from agents.core.market import events as e
from agents.core.market.periods import challenge, required
from agents.core.market.placement import DISTANCE_PER_WAD, position, share, steepness
from agents.core.market.types import MarketConfig, Request, RequestState, SlotState, StakeConfig, slot_id
from tests.core.market.reference_vault import UINT128, Deal, Refused, Slot, Tx, Vault

__all__ = ["Deal", "Reference", "Refused", "Slot", "Tx"]

SCALAR_ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617
UINT16 = 2**16 - 1


class Reference(Vault):
    """A market."""

    def __init__(
        self, config: MarketConfig, stake: StakeConfig, wallets: dict[str, int], unpayable: tuple[str, ...] = ()
    ) -> None:
        """``unpayable``: the addresses of registry and token, which nothing can be withdrawn to."""
        super().__init__(stake, wallets, unpayable)
        self.config = config

    # --- clients ---

    def request_storage(self, tx: Tx, request: Request) -> None:
        if request.client != tx.caller:
            raise Refused("Marketplace_NotClient")
        ask = request.ask
        sound = (
            1 <= ask.slots <= 256
            and ask.max_slot_loss < ask.slots
            and 1 <= ask.repair_threshold <= max(1, ask.max_slot_loss)
            and ask.slot_size > 0
            and ask.duration <= self.config.max_duration
            and ask.proof_probability > 0
            and 100 <= ask.dispersal <= 9900
            and ask.collateral_per_byte >= self.stake_config.stake_per_byte
            and 0 < request.content.root < SCALAR_ORDER
            and 0 < request.expiry < ask.duration
        )
        if not sound:
            raise Refused("Marketplace_InvalidAsk")
        if request.id in self.state.deals:
            raise Refused("Marketplace_RequestExists")
        price = ask.slots * ask.duration * ask.price_per_byte_per_second * ask.slot_size
        if price > UINT128 or ask.collateral_per_byte * ask.slot_size * ask.slots > UINT128:
            raise Refused("Marketplace_AmountTooLarge")
        expires_at, ends_at = tx.now + request.expiry, tx.now + ask.duration
        self.state.deals[request.id] = Deal(tx.caller, ask, tx.now, tx.block, expires_at, ends_at, price)
        for index in range(ask.slots):
            self.state.slots[request.id, index] = Slot()
        self._emit(
            tx, e.StorageRequested, request_id=request.id, client=tx.caller, ask=ask, content=request.content,
            expires_at=expires_at, ends_at=ends_at, deposit=price,
        )  # fmt: skip
        self._pull(tx, price)

    def close_request(self, tx: Tx, id: bytes) -> None:
        deal = self._deal(id)
        if not self.request_state(deal, tx.now).terminal:
            raise Refused("Marketplace_NotTerminal")
        if any(slot.host for slot in self._slots(id)):
            raise Refused("Marketplace_StillActive")
        if deal.closed:
            raise Refused("Marketplace_AlreadyClosed")
        refund, pots = deal.unspent, sum(slot.pot for slot in self._slots(id))
        deal.closed, deal.unspent = True, 0
        for slot in self._slots(id):
            slot.pot = 0
        self._emit(tx, e.RequestClosed, request_id=id, client=deal.client, refund=refund, pots=pots)
        self._credit(tx, deal.client, refund + pots)

    # --- providers ---

    def reserve_slot(self, tx: Tx, id: bytes, index: int) -> None:
        deal = self._deal(id)
        if index >= deal.ask.slots:
            raise Refused("Marketplace_NoSuchSlot")
        slot = self.state.slots[id, index]
        if slot.deadline is not None:
            if tx.now < slot.deadline:
                raise Refused("Marketplace_ReservationHeld")
            self._forfeit(tx, id, index)
        self._check_placement(tx, id, index, deal, slot)
        if any(other.host == tx.caller for other in self._slots(id)):
            raise Refused("Marketplace_AlreadyHoldsSlot")
        deadline = tx.now + self.config.reserve_seconds
        slot.deadline = deadline if deal.started else min(deadline, deal.expires_at)
        slot.host = tx.caller
        turn, slot.reservations = slot.reservations, min(UINT16, slot.reservations + 1)
        self._emit(
            tx, e.SlotReserved, request_id=id, slot_index=index, provider=tx.caller, deadline=slot.deadline,
            bond=self._bond(deal, slot), reservation_index=turn,
        )  # fmt: skip
        self._lock(tx, deal.ask.collateral)

    def close_reservation(self, tx: Tx, id: bytes, index: int) -> None:
        deal, slot = self._deal(id), self._slot(id, index)
        if slot.deadline is None:
            raise Refused("Marketplace_NotReserved")
        over = self.request_state(deal, tx.now) in (RequestState.FAILED, RequestState.FINISHED)
        if over and self._end(deal, tx.now) < slot.deadline:
            provider = self._vacate(slot)
            self._emit(tx, e.ReservationReleased, request_id=id, slot_index=index, provider=provider)
            self._unlock(tx, provider, deal.ask.collateral)
            return
        if tx.now < slot.deadline:
            raise Refused("Marketplace_ReservationHeld")
        self._forfeit(tx, id, index)

    def fill_slot(self, tx: Tx, id: bytes, index: int, valid: bool = True) -> None:
        deal, slot = self._deal(id), self._slot(id, index)
        if slot.deadline is None:
            raise Refused("Marketplace_NotReserved")
        if slot.host != tx.caller:
            raise Refused("Marketplace_NotReserver")
        if tx.now >= slot.deadline:
            raise Refused("Marketplace_ReservationOver")
        if self.request_state(deal, tx.now).terminal:
            raise Refused("Marketplace_RequestEnded")
        repair = slot.vacated is not None
        if repair and not self._has_term(deal, tx.now):
            raise Refused("Marketplace_TermTooShort")
        self._challenge(tx, id, index, self._period(tx))
        if not valid:
            raise Refused("Marketplace_InvalidProof")

        bounty = self._bounty(deal, slot)
        to_client, slot.pot = slot.pot - bounty, 0
        slot.deadline, slot.tenure, slot.vacated = None, (tx.now, self._period(tx)), None
        slot.proven = slot.missed = frozenset()
        slot.missed_before_proof, slot.proven_at, slot.claimed = 0, tx.now, 0
        if not any(other.vacated for other in self._slots(id)):
            deal.repair = None
        self._emit(
            tx, e.SlotFilled, request_id=id, slot_index=index, host=tx.caller, bounty=bounty, to_client=to_client
        )
        if not deal.started and all(other.tenure for other in self._slots(id)):
            deal.started = True
            self._emit(tx, e.RequestStarted, request_id=id)
        self._credit(tx, tx.caller, bounty)
        self._credit(tx, deal.client, to_client)

    def submit_proof(self, tx: Tx, id: bytes, index: int, period: int, valid: bool = True) -> None:
        deal, slot = self._deal(id), self._slot(id, index)
        if slot.tenure is None:
            raise Refused("Marketplace_NotFilled")
        if slot.host != tx.caller:
            raise Refused("Marketplace_NotHost")
        if tx.now >= self._end(deal, tx.now):
            raise Refused("Marketplace_RequestEnded")
        if period != self._period(tx):
            raise Refused("Marketplace_WrongPeriod")
        if not self._required(tx, id, index, period):
            raise Refused("Marketplace_ProofNotRequired")
        if period in slot.proven:
            raise Refused("Marketplace_AlreadyProven")
        if not valid:
            raise Refused("Marketplace_InvalidProof")
        slot.proven |= {period}
        slot.proven_at, slot.missed_before_proof = tx.now, len(slot.missed)
        self._emit(tx, e.ProofSubmitted, slot_id=slot_id(id, index), period=period)

    def claim(self, tx: Tx, id: bytes, index: int) -> None:
        deal, slot = self._deal(id), self._slot(id, index)
        if slot.tenure is None or slot.host is None:
            raise Refused("Marketplace_NotFilled")
        amount = self.running_pay(deal, slot, tx.now)
        if amount == 0:
            raise Refused("Marketplace_NothingToClaim")
        slot.claimed += amount
        deal.unspent -= amount
        self._emit(tx, e.PayClaimed, slot_id=slot_id(id, index), host=slot.host, amount=amount)
        self._credit(tx, slot.host, amount)

    def settle(self, tx: Tx, id: bytes, index: int) -> None:
        deal, slot = self._deal(id), self._slot(id, index)
        if slot.tenure is None:
            raise Refused("Marketplace_NotFilled")
        end = self._end(deal, tx.now)
        if tx.now < end + self.config.settle_seconds:
            raise Refused("Marketplace_TooEarly")
        paid = self._pay(deal, slot, end, len(slot.missed))
        locked = deal.ask.collateral - self._slashes(deal, len(slot.missed))
        host = self._vacate(slot)
        slot.settled = True
        deal.unspent -= paid
        self._emit(tx, e.SlotSettled, request_id=id, slot_index=index, host=host, paid=paid)
        self._unlock(tx, host, locked)
        self._credit(tx, host, paid)

    # --- validators ---

    def mark_proof_missing(self, tx: Tx, id: bytes, index: int, period: int) -> None:
        deal, slot = self._deal(id), self._slot(id, index)
        if slot.tenure is None:
            raise Refused("Marketplace_NotFilled")
        first = (period + 1) * self.config.period_blocks
        if not first <= tx.block < first + self.config.mark_blocks:
            raise Refused("Marketplace_NotMarkableNow")
        if tx.now - (tx.block - (first - 1)) * self.config.block_seconds > self._end(deal, tx.now):
            raise Refused("Marketplace_PeriodAfterEnd")
        if not self._required(tx, id, index, period):
            raise Refused("Marketplace_ProofNotRequired")
        if period in slot.proven:
            raise Refused("Marketplace_AlreadyProven")
        if period in slot.missed:
            raise Refused("Marketplace_AlreadyMarked")

        slashed = self._slashes(deal, 1)
        reward = slashed * self.config.validator_bps // 10_000
        slot.missed |= {period}
        slot.missed_before_proof += any(proven > period for proven in slot.proven)
        slot.pot += slashed - reward
        self._emit(
            tx, e.ProofMissed, slot_id=slot_id(id, index), period=period, validator=tx.caller, slashed=slashed,
            reward=reward,
        )  # fmt: skip
        host, paid = str(slot.host), 0
        if len(slot.missed) == self.config.max_misses:
            rest = deal.ask.collateral - self._slashes(deal, len(slot.missed))
            paid = self._lose(tx, id, index, rest)
            slashed += rest
        if slashed:
            self._slash(tx, host, slashed)
        self._credit(tx, tx.caller, reward)
        self._credit(tx, host, paid)

    def _lose(self, tx: Tx, id: bytes, index: int, rest: int) -> int:
        deal, slot = self._deal(id), self._slot(id, index)
        paid = self.running_pay(deal, slot, tx.now)
        state = self.request_state(deal, tx.now)
        host = self._vacate(slot)
        slot.settled = state.terminal
        slot.pot += rest
        deal.unspent -= paid
        self._emit(tx, e.SlotLost, request_id=id, slot_index=index, host=host, paid=paid, slashed=rest)
        if state is RequestState.STARTED:
            slot.vacated, slot.reservations, slot.expired = (tx.now, tx.block), 0, 0
            vacant = sum(other.vacated is not None for other in self._slots(id))
            if vacant > deal.ask.max_slot_loss:
                deal.failed_at = tx.now
                self._emit(tx, e.RequestFailed, request_id=id)
            elif deal.repair is None and vacant >= deal.ask.repair_threshold and self._has_term(deal, tx.now):
                deal.repair = (tx.now, tx.block)
                self._emit(tx, e.RepairOpened, request_id=id)
        return paid

    # --- what the rules say ---

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
        if slot.tenure is not None:
            return SlotState.FILLED
        if slot.deadline is not None:
            return SlotState.RESERVED
        if slot.settled:
            return SlotState.SETTLED
        return SlotState.LOST if slot.vacated is not None else SlotState.FREE

    def running_pay(self, deal: Deal, slot: Slot, now: int) -> int:
        """What a host can claim: pay stops at the last accepted proof."""
        return self._pay(deal, slot, min(slot.proven_at, self._end(deal, now)), slot.missed_before_proof)

    def _end(self, deal: Deal, now: int) -> int:
        if deal.failed_at is not None:
            return deal.failed_at
        return deal.expires_at if self.request_state(deal, now) is RequestState.CANCELLED else deal.ends_at

    def _pay(self, deal: Deal, slot: Slot, until: int, misses: int) -> int:
        assert slot.tenure is not None
        seconds = until - slot.tenure[0] - misses * self.config.period_blocks * self.config.block_seconds
        return max(0, deal.ask.rate * seconds - slot.claimed)

    def _slashes(self, deal: Deal, misses: int) -> int:
        return misses * (deal.ask.collateral * self.config.slash_bps // 10_000)

    def _bond(self, deal: Deal, slot: Slot) -> int:
        factor = 1 << min(slot.expired, 6)
        return min(deal.ask.collateral, deal.ask.collateral * self.config.bond_bps * factor // 10_000)

    def _bounty(self, deal: Deal, slot: Slot) -> int:
        """For who fills ``slot`` anew; it grew until the reservation."""
        if slot.vacated is None or slot.pot == 0 or slot.deadline is None:
            return 0
        window = self.config.repair_window
        waited = min(slot.deadline - self.config.reserve_seconds - self._repair_sale(deal, slot)[0], window)
        return min(slot.pot, deal.ask.collateral * self.config.bounty_bps * waited // (10_000 * window))

    def _repair_sale(self, deal: Deal, slot: Slot) -> tuple[int, int]:
        """Start and seed block of a vacant slot's sale."""
        assert slot.vacated is not None
        if deal.repair is None:
            raise Refused("Marketplace_NotForSale")
        return max(slot.vacated, deal.repair, key=lambda event: event[1])

    def _has_term(self, deal: Deal, now: int) -> bool:
        periods = self.config.min_term_periods * deal.ask.proof_probability
        needed = periods * self.config.period_blocks * self.config.block_seconds
        return max(0, deal.ends_at - now) >= max(self.config.repair_window, needed)

    def _check_placement(self, tx: Tx, id: bytes, index: int, deal: Deal, slot: Slot) -> None:
        if self.request_state(deal, tx.now).terminal:
            raise Refused("Marketplace_RequestEnded")
        if slot.tenure is not None or slot.settled:
            raise Refused("Marketplace_SlotNotFree")
        start, seed_block = deal.created_at, deal.created_block
        window = (deal.expires_at - deal.created_at) // 2
        if slot.vacated is not None:
            if not self._has_term(deal, tx.now):
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
        bond = self._bond(deal, slot)
        slot.expired = min(UINT16, slot.expired + 1)
        provider = self._vacate(slot)
        self._emit(tx, e.ReservationForfeited, request_id=id, slot_index=index, provider=provider, bond=bond)
        self._unlock(tx, provider, deal.ask.collateral - bond)
        self._slash(tx, provider, bond)
        self._credit(tx, self.stake_config.sink, bond)

    @staticmethod
    def _vacate(slot: Slot) -> str:
        host = slot.host
        assert host is not None
        slot.host = slot.deadline = slot.tenure = None
        return host

    def _period(self, tx: Tx) -> int:
        return tx.block // self.config.period_blocks

    def _challenge(self, tx: Tx, id: bytes, index: int, period: int) -> bytes:
        seed = tx.hash_of(period * self.config.period_blocks)
        if seed is None:
            raise Refused("Marketplace_ChallengeUnknown")
        return challenge(seed, slot_id(id, index))

    def _required(self, tx: Tx, id: bytes, index: int, period: int) -> bool:
        deal, slot = self._deal(id), self._slot(id, index)
        drawn = self._challenge(tx, id, index, period)
        assert slot.tenure is not None
        return period > slot.tenure[1] and required(drawn, deal.ask.proof_probability)

    def _deal(self, id: bytes) -> Deal:
        if id not in self.state.deals:
            raise Refused("Marketplace_UnknownRequest")
        return self.state.deals[id]

    def _slot(self, id: bytes, index: int) -> Slot:
        """Slot ``index``; one that is not there is free for ever."""
        return self.state.slots.get((id, index), Slot())

    def _slots(self, id: bytes) -> list[Slot]:
        return [self.state.slots[id, index] for index in range(self.state.deals[id].ask.slots)]
