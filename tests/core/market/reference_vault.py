"""The StakeRegistry once more, from its rules: where all tokens are. The ground of `tests.core.market.reference`."""

from collections.abc import Mapping
from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from agents.core.market import events as e
from agents.core.market.types import StakeConfig
from tests.core.market.reference_state import NOBODY, UINT128, Refused, Stake, State, Tx


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
