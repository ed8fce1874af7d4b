"""What every agent acts with on the chain: its key, its sender, and the contracts."""

import asyncio
import logging
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

from eth_account.signers.local import LocalAccount

from agents.chain.blocks import headers_of
from agents.chain.contracts import Market, Registry, Token
from agents.chain.deploy import Deployment
from agents.chain.journal import Journal
from agents.chain.rpc import Rpc
from agents.chain.sender import Sender
from agents.core.errors import HoldfastError, NotEnoughTokens, NotFound, Refused
from agents.core.units import format_amount

log = logging.getLogger(__name__)

PAUSE = 1.0
"""Seconds before a duty may be tried again that failed by no fault of the market's or a peer's."""


class Actor:
    """One account on one market."""

    def __init__(self, rpc: Rpc, deployment: Deployment, account: LocalAccount, journal: Journal) -> None:
        self.rpc = rpc
        self.deployment = deployment
        self.account = account
        self.address: str = account.address
        self.sender = Sender(rpc, account, deployment.chain_id, journal)
        self.market = Market(rpc, deployment.marketplace)
        self.registry = Registry(rpc, deployment.registry)
        self.token = Token(rpc, deployment.token)
        self._hashes: dict[int, bytes] = {}

    async def allow(self, price: int, mark: str) -> None:
        """Let the registry take ``price`` from the account, for the effect named ``mark``."""
        registry = self.deployment.registry
        if await self.token.allowance(self.address, registry) < price:
            # What an earlier try approved may have gone to another effect of this account.
            self.sender.forget(f"approve:{mark}")
            await self.sender.send(self.token.approve(registry, price), f"approve:{mark}")

    async def hashes(self, blocks: Iterable[int], reorged: bool) -> Mapping[int, bytes]:
        """Hashes of ``blocks``; remembered until the chain goes back."""
        wanted = sorted(blocks)
        if reorged:
            self._hashes.clear()
        missing = [number for number in wanted if number not in self._hashes]
        for header in await headers_of(self.rpc, missing) if missing else []:
            if header is not None:
                self._hashes[header.number] = header.hash
        return {number: self._hashes[number] for number in wanted if number in self._hashes}


async def check_funds(token: Token, address: str, price: int, what: str, instead: str) -> None:
    """Raises NotEnoughTokens where ``address`` cannot pay ``price`` for ``what``; it may do something ``instead``."""
    balance = await token.balance_of(address)
    if balance < price:
        raise NotEnoughTokens(
            "There are not enough tokens",
            f"{what} costs {format_amount(price)} and {address} has {format_amount(balance)}",
            f"Fund the account (on a devnet: `agent devnet faucet ADDRESS`), or {instead}.",
        )


def batch_key(kind: str, keys: Sequence[str]) -> str:
    """The key of the one effect that is all of ``keys``."""
    return f"{kind}:{sha256(' '.join(sorted(keys)).encode()).hexdigest()[:32]}"


class Tasks:
    """Duties under way, one task a key; a duty that failed is tried again when it comes up again."""

    def __init__(self) -> None:
        self._running: dict[str, asyncio.Task[None]] = {}

    def start(self, key: str, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work`` unless ``key`` is under way."""
        if key in self._running:
            work.close()
            return
        self.start_all([key], work)

    def start_all(self, keys: Sequence[str], work: Coroutine[Any, Any, None]) -> None:
        """Run ``work``, which does several duties at once, none of them under way."""
        task = asyncio.create_task(self._run(keys, work), name=keys[0])
        self._running.update(dict.fromkeys(keys, task))

    def runs(self, key: str) -> bool:
        """Whether a duty is under way."""
        return key in self._running

    async def _run(self, keys: Sequence[str], work: Coroutine[Any, Any, None]) -> None:
        key = keys[0] if len(keys) == 1 else f"{keys[0]} and {len(keys) - 1} more"
        try:
            await work
        except (Refused, NotFound) as error:
            # What the market refuses now it may take later, or another was first: the next view tells.
            log.info("%s: %s", key, error)
        except HoldfastError as error:
            log.warning("%s: %s", key, error)
            await asyncio.sleep(PAUSE)
        except Exception:
            log.exception("%s failed", key)
            await asyncio.sleep(PAUSE)
        finally:
            for one in keys:
                self._running.pop(one, None)

    async def close(self) -> None:
        """Stop everything under way."""
        running = set(self._running.values())
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
