"""The StakeRegistry once more, from its rules: where all tokens are. Half of `tests.core.market.reference`."""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from agents.core.market import events as e
from agents.core.market.types import HASHED_BLOCKS, Ask, StakeConfig

UINT128 = 2**128 - 1

VAULT, TOKEN_ITSELF, NOBODY = "the registry", "the token", "0x" + "0" * 40
"""Where nothing can be withdrawn to, by default."""


class Refused(Exception):
    """A call reverts with the error called ``name``."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


@dataclass(frozen=True)
class Tx:
    """Who calls, and the block the call is in."""

    caller: str
    block: int
    now: int
    """Timestamp of ``block``."""
    hashes: Mapping[int, bytes]
    """Hashes of the blocks before ``block``."""
    block_hash: bytes = b""
    """Of ``block``: for the events' places, as no call can know it."""
    tx_hash: bytes = b""

    def hash_of(self, number: int) -> bytes | None:
        """What the contracts can know of a block's hash."""
        return self.hashes[number] if 0 < self.block - number <= HASHED_BLOCKS else None


@dataclass
class Stake:
    """One provider."""

    id: bytes
    registered: int
    endpoint: str
    since: int = 0
    free: int = 0
    locked: int = 0
    unbonding: int = 0
    release_at: int = 0


@dataclass
class Deal:
    """One request."""

    client: str
    ask: Ask
    created_at: int
    created_block: int
    expires_at: int
    ends_at: int
    unspent: int
    started: bool = False
    failed_at: int | None = None
    closed: bool = False
    repair: tuple[int, int] | None = None
    """Time and block of its opening, while open."""


@dataclass
class Slot:
    """One slot; whoever has ``tenure`` hosts it, whoever has ``deadline`` reserved it."""

    host: str | None = None
    deadline: int | None = None
    tenure: tuple[int, int] | None = None
    """Time and period of the fill."""
    settled: bool = False
    proven: frozenset[int] = frozenset()
    missed: frozenset[int] = frozenset()
    missed_before_proof: int = 0
    proven_at: int = 0
    claimed: int = 0
    vacated: tuple[int, int] | None = None
    """Time and block of the loss since which it is vacant."""
    reservations: int = 0
    expired: int = 0
    pot: int = 0


Value = TypeVar("Value")


@dataclass
class State:
    """Everything that a call can change."""

    wallets: dict[str, int] = field(default_factory=dict)
    allowed: dict[str, int] = field(default_factory=dict)
    balance: int = 0
    """Tokens in the vault."""
    stakes: dict[str, Stake] = field(default_factory=dict)
    credits: dict[str, int] = field(default_factory=dict)
    pool: int = 0
    liabilities: int = 0
    deals: dict[bytes, Deal] = field(default_factory=dict)
    slots: dict[tuple[bytes, int], Slot] = field(default_factory=dict)

    def copied(self) -> "State":
        """A state of its own."""
        return replace(
            self, wallets=dict(self.wallets), allowed=dict(self.allowed), stakes=_copies(self.stakes),
            credits=dict(self.credits), deals=_copies(self.deals), slots=_copies(self.slots),
        )  # fmt: skip


def _copies(values: dict[Any, Value]) -> dict[Any, Value]:
    return {key: copy(value) for key, value in values.items()}


class Vault:
    """The registry's external functions, named as in Python, and what the marketplace may do with it."""

    def __init__(self, stake: StakeConfig, wallets: Mapping[str, int], unpayable: tuple[str, ...]) -> None:
        self.stake_config = stake
        self.state = State(wallets=dict(wallets))
        self.unpayable = (NOBODY, *unpayable)
        self.events: list[e.Event] = []
        self._head = (0, 0)

    def call(self, tx: Tx, function: str, *arguments: Any) -> list[e.Event]:
        """The events of a call, which happens whole or, raising Refused, not at all."""
        before, head = self.state, self._head
        self.state, self.events = before.copied(), []
        try:
            getattr(self, function)(tx, *arguments)
        except Refused:
            self.state, self._head = before, head
            raise
        return self.events

    def back_to(self, state: State) -> None:
        """Go on from ``state``, which was this vault's after some block."""
        self.state, self._head = state, (0, 0)

    def _emit(self, tx: Tx, kind: type[e.Event], **values: Any) -> None:
        place = e.EventPlace(tx.block, self._next_log(tx), tx.block_hash, tx.tx_hash, tx.now)
        self.events.append(kind(at=place, **values))

    def _next_log(self, tx: Tx) -> int:
        """Logs are counted through a block, the token's among them."""
        block, count = self._head
        index = count if block == tx.block else 0
        self._head = (tx.block, index + 1)
        return index

    # --- the token ---

    def approve(self, tx: Tx, amount: int) -> None:
        """Let the vault take ``amount``."""
        self.state.allowed[tx.caller] = amount
        self._next_log(tx)

    def _receive(self, tx: Tx, amount: int) -> None:
        if self.state.allowed.get(tx.caller, 0) < amount:
            raise Refused("ERC20InsufficientAllowance")
        if self.state.wallets.get(tx.caller, 0) < amount:
            raise Refused("ERC20InsufficientBalance")
        self.state.allowed[tx.caller] -= amount
        self.state.wallets[tx.caller] = self.state.wallets.get(tx.caller, 0) - amount
        self.state.balance += amount
        self._next_log(tx)

    # --- providers ---

    def register(self, tx: Tx, endpoint: str) -> None:
        if tx.caller in self.state.stakes:
            raise Refused("StakeRegistry_AlreadyRegistered")
        _check_endpoint(endpoint)
        id = keccak(encode(["address", "bytes32"], [tx.caller, tx.hashes[tx.block - 1]]))
        since = tx.block if self.stake_config.min_stake == 0 else 0
        self.state.stakes[tx.caller] = Stake(id, tx.block, endpoint, since)
        self._emit(tx, e.Registered, provider=tx.caller, id=id, endpoint=endpoint)

    def set_endpoint(self, tx: Tx, endpoint: str) -> None:
        stake = self._stake(tx.caller)
        _check_endpoint(endpoint)
        stake.endpoint = endpoint
        self._emit(tx, e.EndpointChanged, provider=tx.caller, endpoint=endpoint)

    def deposit(self, tx: Tx, amount: int) -> None:
        stake = self._stake(tx.caller)
        if amount == 0:
            raise Refused("StakeRegistry_ZeroAmount")
        if stake.free + stake.locked + stake.unbonding + amount > UINT128:
            raise Refused("StakeRegistry_AmountTooLarge")
        stake.free += amount
        self._weigh(tx, stake)
        self.state.liabilities += amount
        self._emit(tx, e.Deposited, provider=tx.caller, amount=amount)
        self._receive(tx, amount)

    def unstake(self, tx: Tx, amount: int) -> None:
        stake = self._stake(tx.caller)
        if amount == 0:
            raise Refused("StakeRegistry_ZeroAmount")
        if amount > stake.free:
            raise Refused("StakeRegistry_InsufficientFreeStake")
        if stake.locked and stake.free + stake.locked - amount < self.stake_config.min_stake:
            raise Refused("StakeRegistry_BelowMinimumWhileLocked")
        stake.free -= amount
        stake.unbonding += amount
        stake.release_at = tx.now + self.stake_config.unbonding_seconds
        self._weigh(tx, stake)
        self._emit(tx, e.UnstakeStarted, provider=tx.caller, amount=amount, release_at=stake.release_at)

    def collect_unbonded(self, tx: Tx) -> None:
        stake = self._stake(tx.caller)
        amount = stake.unbonding
        if amount == 0:
            raise Refused("StakeRegistry_NothingUnbonding")
        if tx.now < stake.release_at:
            raise Refused("StakeRegistry_StillUnbonding")
        stake.unbonding = 0
        self.state.credits[tx.caller] = self.state.credits.get(tx.caller, 0) + amount
        self._emit(tx, e.Unbonded, provider=tx.caller, amount=amount)

    def withdraw(self, tx: Tx, to: str) -> None:
        if to in self.unpayable:
            raise Refused("StakeRegistry_BadRecipient")
        amount = self.state.credits.get(tx.caller, 0)
        if amount == 0:
            raise Refused("StakeRegistry_NothingToWithdraw")
        self.state.credits[tx.caller] = 0
        self.state.liabilities -= amount
        self._emit(tx, e.Withdrawn, account=tx.caller, to=to, amount=amount)
        self.state.balance -= amount
        self.state.wallets[to] = self.state.wallets.get(to, 0) + amount
        self._next_log(tx)

    # --- for the marketplace ---

    def _lock(self, tx: Tx, amount: int) -> None:
        stake = self._stake(tx.caller)
        if amount > stake.free:
            raise Refused("StakeRegistry_InsufficientFreeStake")
        if stake.free + stake.locked < self.stake_config.min_stake:
            raise Refused("StakeRegistry_BelowMinimumStake")
        stake.free -= amount
        stake.locked += amount
        self._emit(tx, e.Locked, provider=tx.caller, amount=amount)

    def _unlock(self, tx: Tx, provider: str, amount: int) -> None:
        stake = self.state.stakes[provider]
        assert stake.locked >= amount
        stake.locked -= amount
        stake.free += amount
        self._emit(tx, e.Unlocked, provider=provider, amount=amount)

    def _slash(self, tx: Tx, provider: str, amount: int) -> None:
        stake = self.state.stakes[provider]
        assert stake.locked >= amount
        stake.locked -= amount
        self._weigh(tx, stake)
        self.state.pool += amount
        self._emit(tx, e.Slashed, provider=provider, amount=amount)

    def _credit(self, tx: Tx, account: str, amount: int) -> None:
        if amount == 0:
            return
        assert self.state.pool >= amount
        self.state.pool -= amount
        self.state.credits[account] = self.state.credits.get(account, 0) + amount
        self._emit(tx, e.Credited, account=account, amount=amount)

    def _pull(self, tx: Tx, amount: int) -> None:
        self.state.pool += amount
        self.state.liabilities += amount
        self._emit(tx, e.Pulled, from_=tx.caller, amount=amount)
        self._receive(tx, amount)

    def _stake(self, account: str) -> Stake:
        if account not in self.state.stakes:
            raise Refused("StakeRegistry_NotRegistered")
        return self.state.stakes[account]

    def _weigh(self, tx: Tx, stake: Stake) -> None:
        """Since when its stake has been enough."""
        enough = stake.free + stake.locked >= self.stake_config.min_stake
        stake.since = (stake.since or tx.block) if enough else 0


def _check_endpoint(endpoint: str) -> None:
    if not 1 <= len(endpoint.encode()) <= 256:
        raise Refused("StakeRegistry_BadEndpoint")
