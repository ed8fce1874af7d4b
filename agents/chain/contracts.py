"""The market's contracts as typed calls to send and typed views to read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.chain.codec import Struct, artefact, checksummed
from agents.chain.reverts import revert_of
from agents.chain.rpc import Rpc, RpcError, to_hex, unhex
from agents.chain.transactions import Call
from agents.core.errors import WrongChain
from agents.core.market.types import Extension, MarketConfig, Request, RequestState, SlotState, StakeConfig

PROOF_GAS = 500_000
"""Least gas for a call that verifies a proof."""

BATCH_GAS = (300_000, 110_000)
"""The same for a batch: this much, and this much a proof."""


@dataclass(frozen=True)
class RequestRecord:
    """A request as the marketplace stores it; times in seconds, ``rate`` per slot and second, amounts in base units."""

    state: RequestState
    client: str
    slots: int
    max_slot_loss: int
    repair_threshold: int
    proof_probability: int
    filled: int
    vacant: int
    active: int
    closed: bool
    created_at: int
    created_block: int
    expires_at: int
    ends_at: int
    failed_at: int
    repair_opened_at: int
    repair_opened_block: int
    rate: int
    collateral: int
    root: int
    unspent: int
    pots: int


@dataclass(frozen=True)
class SlotRecord:
    """A slot as the marketplace stores it; ``host`` is its reserver while it is reserved.

    ``held_until`` is a reservation's deadline, or until when the host agreed to serve; ``departed_at`` is when the host
    that left had agreed to end, 0 unless one left.
    """

    state: SlotState
    host: str
    misses: int
    filled_at: int
    fill_period: int
    proven_at: int
    vacated_at: int
    vacated_block: int
    departed_at: int
    held_until: int
    reservations: int
    expired: int
    pot: int
    claimed: int


@dataclass(frozen=True)
class ProviderRecord:
    """A provider as the registry stores it; stake in base units."""

    id: bytes
    registered_block: int
    staked_since: int
    release_at: int
    free: int
    locked: int
    unbonding: int
    endpoint: str


def _request_record(**fields: Any) -> RequestRecord:
    return RequestRecord(**fields | {"state": RequestState(fields["state"])})


def _slot_record(**fields: Any) -> SlotRecord:
    return SlotRecord(**fields | {"state": SlotState(fields["state"])})


class Contract:
    """One deployed contract with a shipped ABI."""

    def __init__(self, rpc: Rpc, name: str, address: str) -> None:
        self.rpc = rpc
        self.name = name
        self.address = checksummed(address)
        self._functions = artefact(name).functions

    def call(self, function: str, *arguments: Any, gas_floor: int = 0) -> Call:
        """The call of ``function``, to be sent."""
        return Call(self.address, self._functions[function].encode(*arguments), function, gas_floor=gas_floor)

    async def view(self, function: str, *arguments: Any, struct: Struct | None = None, block: str = "latest") -> Any:
        """What ``function`` returns. Raises Reverted, WrongChain if no such contract answers."""
        kind = self._functions[function]
        request = {"to": self.address, "data": to_hex(kind.encode(*arguments))}
        try:
            data = unhex(await self.rpc.call("eth_call", request, block))
        except RpcError as error:
            raise revert_of(function, error) from None
        if not data:
            raise WrongChain(
                f"There is no {self.name} at {self.address}",
                "nothing answers there",
                "Check the address in HOLDFAST_MARKET and the RPC.",
            )
        return kind.decode(data, struct)


class Token(Contract):
    """The ERC-20 the market is paid in."""

    def __init__(self, rpc: Rpc, address: str) -> None:
        super().__init__(rpc, "TestToken", address)

    async def balance_of(self, account: str) -> int:
        """Base units ``account`` holds."""
        return int(await self.view("balanceOf", account))

    async def allowance(self, owner: str, spender: str) -> int:
        """Base units ``spender`` may take from ``owner``."""
        return int(await self.view("allowance", owner, spender))

    def approve(self, spender: str, amount: int) -> Call:
        """Let ``spender`` take ``amount``."""
        return self.call("approve", spender, amount)

    def transfer(self, to: str, amount: int) -> Call:
        """Give ``amount`` to ``to``."""
        return self.call("transfer", to, amount)


class Registry(Contract):
    """The StakeRegistry: vault of every token of the market."""

    def __init__(self, rpc: Rpc, address: str) -> None:
        super().__init__(rpc, "StakeRegistry", address)

    async def token(self) -> str:
        """The token's address."""
        return str(await self.view("token"))

    async def config(self) -> StakeConfig:
        """The fixed configuration."""
        found: StakeConfig = await self.view("config", struct=StakeConfig)
        return found

    async def provider_of(self, account: str) -> ProviderRecord:
        """The provider registered by ``account``; its id is zero if there is none."""
        found: ProviderRecord = await self.view("providerOf", account, struct=ProviderRecord)
        return found

    async def credit_of(self, account: str) -> int:
        """Base units ``account`` may withdraw."""
        return int(await self.view("creditOf", account))

    async def pool_of(self, module: str) -> int:
        """Base units ``module`` may credit."""
        return int(await self.view("poolOf", module))

    async def liabilities(self) -> int:
        """Base units the vault owes altogether."""
        return int(await self.view("liabilities"))

    def register(self, endpoint: str) -> Call:
        """Register the sender under ``endpoint``."""
        return self.call("register", endpoint)

    def set_endpoint(self, endpoint: str) -> Call:
        """Change the sender's endpoint."""
        return self.call("setEndpoint", endpoint)

    def deposit(self, amount: int) -> Call:
        """Add ``amount`` to the sender's free stake."""
        return self.call("deposit", amount)

    def unstake(self, amount: int) -> Call:
        """Begin to take ``amount`` out of the sender's free stake."""
        return self.call("unstake", amount)

    def collect_unbonded(self) -> Call:
        """Turn the sender's unbonded stake into credit."""
        return self.call("collectUnbonded")

    def withdraw(self, to: str) -> Call:
        """Pay all the sender's credit to ``to``."""
        return self.call("withdraw", to)


class Market(Contract):
    """The Marketplace."""

    def __init__(self, rpc: Rpc, address: str) -> None:
        super().__init__(rpc, "Marketplace", address)

    async def config(self) -> MarketConfig:
        """The fixed configuration."""
        found: MarketConfig = await self.view("config", struct=MarketConfig)
        return found

    async def registry(self) -> str:
        """The StakeRegistry's address."""
        return str(await self.view("registry"))

    async def verifier(self) -> str:
        """The proof verifier's address."""
        return str(await self.view("verifier"))

    async def extensions_of(self, request_id: bytes) -> tuple[Extension, ...]:
        """Who paid for which time that was added to the request, oldest first."""
        books = Contract(self.rpc, "Extensions", str(await self.view("extensions")))
        found: tuple[Extension, ...] = await books.view("extensionsOf", request_id, struct=Extension)
        return found

    async def request_of(self, request_id: bytes) -> RequestRecord:
        """The request; its state is None_ if unknown."""
        found: RequestRecord = await self.view("requestOf", request_id, struct=_request_record)
        return found

    async def slot_of(self, slot_id: bytes) -> SlotRecord:
        """The slot."""
        found: SlotRecord = await self.view("slotOf", slot_id, struct=_slot_record)
        return found

    async def challenge_of(self, slot_id: bytes, period: int) -> bytes:
        """The slot's challenge in ``period``. Raises Reverted while, or once, its block hash is out of reach."""
        return bytes(await self.view("challengeOf", slot_id, period))

    async def placement_of(self, provider: str, request_id: bytes, slot_index: int) -> tuple[int, int]:
        """The provider's distance from the slot's random position, and the threshold it must lie below now."""
        distance, threshold = await self.view("placementOf", provider, request_id, slot_index)
        return int(distance), int(threshold)

    def request_storage(self, request: Request) -> Call:
        """Buy storage."""
        return self.call("requestStorage", request)

    def reserve_slot(self, request_id: bytes, slot_index: int) -> Call:
        """Reserve a slot."""
        return self.call("reserveSlot", request_id, slot_index)

    def close_reservation(self, slot_id: bytes) -> Call:
        """Close an expired reservation, or one of a request that ended."""
        return self.call("closeReservation", slot_id)

    def fill_slot(self, slot_id: bytes, proof: Any) -> Call:
        """Fill a reserved slot with a proof (fields a, b, c as in Groth16Proof)."""
        return self.call("fillSlot", slot_id, proof, gas_floor=PROOF_GAS)

    def submit_proof(self, slot_id: bytes, period: int, proof: Any) -> Call:
        """Prove a slot in ``period``."""
        return self.call("submitProof", slot_id, period, proof, gas_floor=PROOF_GAS)

    def submit_proofs(self, slot_ids: Sequence[bytes], proofs: Sequence[Any]) -> Call:
        """Prove slots in the current period; entries that do not apply are skipped, one invalid proof refuses all."""
        base, each = BATCH_GAS
        return self.call("submitProofs", slot_ids, proofs, gas_floor=base + each * len(proofs))

    def mark_proof_missing(self, slot_id: bytes, period: int) -> Call:
        """Mark the proof of ``period`` as missed."""
        return self.call("markProofMissing", slot_id, period)

    def mark_proofs_missing(self, slot_ids: Sequence[bytes], period: int) -> Call:
        """Mark the proofs of ``period`` as missed, of all these slots to which that applies."""
        return self.call("markProofsMissing", slot_ids, period)

    def extend_request(self, request_id: bytes, extra: int) -> Call:
        """Add ``extra`` seconds to a started request, and pay for them."""
        return self.call("extendRequest", request_id, extra)

    def accept_extension(self, slot_id: bytes, latest: int) -> Call:
        """Agree to serve a hosted slot until its request's present end, which is at ``latest`` at the latest."""
        return self.call("acceptExtension", slot_id, latest)

    def claim(self, slot_id: bytes) -> Call:
        """Credit the host its pay so far."""
        return self.call("claim", slot_id)

    def settle(self, slot_id: bytes) -> Call:
        """Settle a slot whose term is over."""
        return self.call("settle", slot_id)

    def close_request(self, request_id: bytes) -> Call:
        """Credit the client what is left of a request that is over."""
        return self.call("closeRequest", request_id)
