"""The two contracts once more, from the market's rules alone: what the agents' view, the books and the chain are held against.

Every external function is a method of `Reference` under its Python name, called through `Reference.call`. What a proof proves
is not told here: whether it is valid is an argument. Ids, positions and the lottery are the product's, which has vectors for
them; everything else is written anew, from histories, sets and sums where the contracts have bits and counters.
"""

from collections.abc import Sequence
from dataclasses import replace

from agents.core.market import events as e
from agents.core.market.types import Request, RequestState, request_id_of, slot_id, slot_index_of
from tests.core.market.reference_sales import Sales
from tests.core.market.reference_state import UINT128, Deal, Extension, Refused, Slot, Tx

__all__ = ["Deal", "Reference", "Refused", "Slot", "Tx"]

SCALAR_ORDER = 21888242871839275222246405745257275088548364400416034343698204186575808495617
MAX_EXTENSIONS = 16


class Reference(Sales):
    """A market."""

    # --- clients and funders ---

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
        price = ask.slots * ask.duration * ask.rate
        if max(ask.rate, price, ask.collateral * ask.slots) > UINT128:
            raise Refused("Marketplace_AmountTooLarge")
        expires_at, ends_at = tx.now + request.expiry, tx.now + ask.duration
        root = request.content.root
        self.state.deals[request.id] = Deal(tx.caller, ask, root, tx.now, tx.block, expires_at, ends_at, price)
        for index in range(ask.slots):
            self.state.slots[request.id, index] = Slot()
        self._emit(
            tx, e.StorageRequested, request_id=request.id, client=tx.caller, ask=ask, content=request.content,
            expires_at=expires_at, ends_at=ends_at, deposit=price,
        )  # fmt: skip
        self._pull(tx, price)

    def extend_request(self, tx: Tx, id: bytes, extra: int) -> None:
        deal = self._deal(id)
        if self.request_state(deal, tx.now) is not RequestState.STARTED:
            raise Refused("Marketplace_NotStarted")
        if extra < self.config.min_extension:
            raise Refused("Marketplace_ExtensionTooShort")
        duration = deal.ends_at + extra - deal.created_at
        if duration > self.config.max_duration:
            raise Refused("Marketplace_InvalidAsk")
        if deal.ask.slots * duration * deal.ask.rate > UINT128:
            raise Refused("Marketplace_AmountTooLarge")
        price, start = deal.ask.slots * extra * deal.ask.rate, deal.ends_at
        deal.extensions = (*deal.extensions, Extension(tx.caller, start, start + extra))
        deal.ends_at += extra
        deal.paid_in += price
        # The last place is the client's.
        if len(self.extensions_of(id)) > MAX_EXTENSIONS - (tx.caller != deal.client):
            raise Refused("Marketplace_TooManyExtensions")
        self._emit(
            tx, e.RequestExtended, request_id=id, funder=tx.caller, from_=start, until=start + extra, price=price
        )
        self._open_repair(tx, id)
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
        deal.closed, deal.paid_out = True, deal.paid_in
        for extension, idle in self.extensions_of(id):
            self._emit(tx, e.FunderRefunded, request_id=id, funder=extension.funder, amount=idle)
            self._credit(tx, extension.funder, idle)
            refund -= idle
        assert refund >= 0
        self._emit(tx, e.RequestClosed, request_id=id, client=deal.client, refund=refund, pots=pots)
        self._credit(tx, deal.client, refund + pots)

    # --- providers ---

    def submit_proof(self, tx: Tx, id: bytes, index: int, period: int, valid: bool = True) -> None:
        if period != self._period(tx):
            raise Refused("Marketplace_WrongPeriod")
        self._seed(tx, period)
        if (why_not := self._unprovable(tx, id, index)) is not None:
            raise Refused(why_not)
        if not valid:
            raise Refused("Marketplace_InvalidProof")
        self._prove(tx, id, index)

    def submit_proofs(self, tx: Tx, slots: Sequence[bytes], valid: Sequence[bool]) -> None:
        if len(slots) != len(valid):
            raise Refused("Marketplace_LengthMismatch")
        self._seed(tx, self._period(tx))
        checked = []
        for slot, sound in zip(slots, valid, strict=True):
            id, index = request_id_of(slot), slot_index_of(slot)
            if self._unprovable(tx, id, index) is None:
                self._prove(tx, id, index)
                checked.append(sound)
        if not checked:
            raise Refused("Marketplace_NothingApplies")
        if not all(checked):
            raise Refused("Marketplace_InvalidProof")

    def accept_extension(self, tx: Tx, id: bytes, index: int, latest: int) -> None:
        deal, slot = self._deal(id), self._slot(id, index)
        if slot.tenure is None:
            raise Refused("Marketplace_NotFilled")
        if slot.host != tx.caller:
            raise Refused("Marketplace_NotHost")
        if self.request_state(deal, tx.now).terminal:
            raise Refused("Marketplace_RequestEnded")
        if slot.tenure.agreed == deal.ends_at:
            raise Refused("Marketplace_NothingToAccept")
        if deal.ends_at > latest:
            raise Refused("Marketplace_EndsLater")
        if tx.now >= slot.tenure.agreed:
            raise Refused("Marketplace_SlotEnded")
        slot.tenure = replace(slot.tenure, agreed=deal.ends_at)
        self._emit(tx, e.ExtensionAccepted, request_id=id, slot_index=index, host=tx.caller, held_until=deal.ends_at)

    def claim(self, tx: Tx, id: bytes, index: int) -> None:
        deal, slot = self._deal(id), self._slot(id, index)
        if slot.tenure is None:
            raise Refused("Marketplace_NotFilled")
        amount = self.running_pay(deal, slot, tx.now)
        if amount == 0:
            raise Refused("Marketplace_NothingToClaim")
        slot.tenure = replace(slot.tenure, claimed=slot.tenure.claimed + amount)
        deal.paid_out += amount
        self._emit(tx, e.PayClaimed, slot_id=slot_id(id, index), host=slot.tenure.host, amount=amount)
        self._credit(tx, slot.tenure.host, amount)

    def settle(self, tx: Tx, id: bytes, index: int) -> None:
        deal, slot = self._deal(id), self._slot(id, index)
        if slot.tenure is None:
            raise Refused("Marketplace_NotFilled")
        end = self._end_of(deal, slot.tenure, tx.now)
        if tx.now < end + self.config.settle_seconds:
            raise Refused("Marketplace_TooEarly")
        misses = len(slot.tenure.missed)
        paid = self._pay(deal, slot.tenure, end, misses)
        host = self._leave(slot, end)
        deal.paid_out += paid
        if self.request_state(deal, tx.now).terminal:
            slot.settled = True
            self._emit(tx, e.SlotSettled, request_id=id, slot_index=index, host=host, paid=paid)
        else:
            slot.departed_at = end
            self._emit(tx, e.SlotDeparted, request_id=id, slot_index=index, host=host, paid=paid)
            self._vacated(tx, id, slot)
        self._unlock(tx, host, deal.ask.collateral - self._slashes(deal, misses))
        self._credit(tx, host, paid)

    # --- validators ---

    def mark_proof_missing(self, tx: Tx, id: bytes, index: int, period: int) -> None:
        self._check_markable(tx, period)
        if (why_not := self._unmarkable(tx, id, index, period)) is not None:
            raise Refused(why_not)
        self._credit(tx, tx.caller, self._mark(tx, id, index, period))

    def mark_proofs_missing(self, tx: Tx, slots: Sequence[bytes], period: int) -> None:
        self._check_markable(tx, period)
        rewards = []
        for slot in slots:
            id, index = request_id_of(slot), slot_index_of(slot)
            if self._unmarkable(tx, id, index, period) is None:
                rewards.append(self._mark(tx, id, index, period))
        if not rewards:
            raise Refused("Marketplace_NothingApplies")
        self._credit(tx, tx.caller, sum(rewards))

    # --- proofs ---

    def _unprovable(self, tx: Tx, id: bytes, index: int) -> str | None:
        """Why the caller cannot prove a slot for the current period, if it cannot."""
        if id not in self.state.deals:
            return "Marketplace_UnknownRequest"
        deal, slot, period = self._deal(id), self._slot(id, index), self._period(tx)
        if slot.tenure is None:
            return "Marketplace_NotFilled"
        if slot.host != tx.caller:
            return "Marketplace_NotHost"
        if tx.now >= self._end_of(deal, slot.tenure, tx.now):
            return "Marketplace_SlotEnded"
        if not self._required(tx, id, index, period):
            return "Marketplace_ProofNotRequired"
        return "Marketplace_AlreadyProven" if period in slot.tenure.proven else None

    def _prove(self, tx: Tx, id: bytes, index: int) -> None:
        slot, period = self._slot(id, index), self._period(tx)
        assert slot.tenure is not None
        slot.tenure = replace(slot.tenure, proofs=(*slot.tenure.proofs, (period, tx.now)))
        self._emit(tx, e.ProofSubmitted, slot_id=slot_id(id, index), period=period)

    def _check_markable(self, tx: Tx, period: int) -> None:
        first = (period + 1) * self.config.period_blocks
        if not first <= tx.block < first + self.config.mark_blocks:
            raise Refused("Marketplace_NotMarkableNow")
        self._seed(tx, period)

    def _unmarkable(self, tx: Tx, id: bytes, index: int, period: int) -> str | None:
        """Why a slot's miss of ``period``, which is markable, cannot be marked, if it cannot."""
        if id not in self.state.deals:
            return "Marketplace_UnknownRequest"
        deal, slot = self._deal(id), self._slot(id, index)
        if slot.tenure is None:
            return "Marketplace_NotFilled"
        last_block = (period + 1) * self.config.period_blocks - 1
        ended_by = max(0, tx.now - (tx.block - last_block) * self.config.block_seconds)
        if ended_by > self._end_of(deal, slot.tenure, tx.now):
            return "Marketplace_SlotEnded"
        if not self._required(tx, id, index, period):
            return "Marketplace_ProofNotRequired"
        if period in slot.tenure.proven:
            return "Marketplace_AlreadyProven"
        return "Marketplace_AlreadyMarked" if period in slot.tenure.missed else None

    def _mark(self, tx: Tx, id: bytes, index: int, period: int) -> int:
        """Slash the host; the caller's reward, which is not credited yet."""
        deal, slot = self._deal(id), self._slot(id, index)
        assert slot.tenure is not None
        slashed = self._slashes(deal, 1)
        reward = slashed * self.config.validator_bps // 10_000
        slot.tenure = replace(slot.tenure, missed=slot.tenure.missed | {period})
        slot.pot += slashed - reward
        self._emit(
            tx, e.ProofMissed, slot_id=slot_id(id, index), period=period, validator=tx.caller, slashed=slashed,
            reward=reward,
        )  # fmt: skip
        host, paid = slot.tenure.host, 0
        if len(slot.tenure.missed) == self.config.max_misses:
            rest = deal.ask.collateral - self._slashes(deal, self.config.max_misses)
            paid = self._lose(tx, id, index, rest)
            slashed += rest
        if slashed:
            self._slash(tx, host, slashed)
        self._credit(tx, host, paid)
        return reward

    def _lose(self, tx: Tx, id: bytes, index: int, rest: int) -> int:
        """The host missed too much: what it is owed is paid, ``rest`` of its collateral joins the pot."""
        deal, slot = self._deal(id), self._slot(id, index)
        assert slot.tenure is not None
        paid, state = self.running_pay(deal, slot, tx.now), self.request_state(deal, tx.now)
        host = self._leave(slot, min(slot.tenure.proven_at, self._end_of(deal, slot.tenure, tx.now)))
        slot.settled = state.terminal
        slot.pot += rest
        deal.paid_out += paid
        self._emit(tx, e.SlotLost, request_id=id, slot_index=index, host=host, paid=paid, slashed=rest)
        if state is RequestState.STARTED:
            self._vacated(tx, id, slot)
        return paid
