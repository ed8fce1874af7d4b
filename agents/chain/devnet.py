"""A local market that stays: anvil with one-second blocks, the contracts, funded keys and a faucet.

Its state is saved every few seconds and at the end, so it survives a restart, and a kill at the cost of those seconds.
"""

import asyncio
import contextlib
import fcntl
import json
import logging
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Self

from agents.chain.anvil import Anvil, AnvilOptions, dev_account, dump_state
from agents.chain.channels import ensure_channels
from agents.chain.codec import Artefact
from agents.chain.contracts import Token
from agents.chain.deploy import DEV_MARKET, DEV_STAKE, Deployment, deploy, deployment_from_json
from agents.chain.directory import ensure_directory
from agents.chain.journal import MemoryJournal
from agents.chain.rpc import Rpc
from agents.chain.sender import Sender
from agents.chain.transactions import Call
from agents.core.errors import ChainError, ChainUnavailable, DataDirInUse, StorageTrouble
from agents.core.market.types import MarketConfig, StakeConfig
from agents.core.units import TOKEN

log = logging.getLogger(__name__)

DESCRIPTOR = "devnet.json"
STATE = "chain.json"
DEPLOYMENT = "deployment.json"

SAVE_EVERY = 10.0
"""Seconds between two savings of the chain."""

DEPLOYER = 0
"""Index of the account that deploys, and whose tokens and ether the faucet gives."""

FUNDED = 10
"""Accounts given tokens when a devnet is made; anvil gave them ether."""

GRANT = 1_000_000 * TOKEN
"""Base units each of them gets."""


@dataclass(frozen=True)
class Descriptor:
    """What others need to use a running devnet, as its descriptor file tells."""

    rpc: str
    pid: int
    deployment: Deployment
    accounts: tuple[tuple[str, str], ...]
    """Address and private key of each funded account. They are everyone's: worth nothing anywhere else."""

    def to_json(self) -> str:
        """As JSON."""
        accounts = [{"address": address, "key": key} for address, key in self.accounts]
        reference = self.deployment.reference
        found = {"rpc": self.rpc, "pid": self.pid, "market": reference, "deployment": asdict(self.deployment)}
        return json.dumps(found | {"accounts": accounts}, indent=2)


def read_descriptor(directory: Path) -> Descriptor | None:
    """The devnet described in ``directory``; None if there is none or its process is gone."""
    try:
        found = json.loads((directory / DESCRIPTOR).read_text())
        accounts = tuple((account["address"], account["key"]) for account in found["accounts"])
        described = Descriptor(found["rpc"], found["pid"], Deployment(**found["deployment"]), accounts)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    try:
        os.kill(described.pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return described


class Devnet:
    """A devnet in a directory of its own. Use :meth:`start`, then as an async context manager, or :meth:`stop`."""

    def __init__(self, directory: Path, anvil: Anvil, rpc: Rpc, deployment: Deployment, lock: IO[str]) -> None:
        self.directory = directory
        self.anvil = anvil
        self.rpc = rpc
        self.deployment = deployment
        self._lock = lock
        account = dev_account(DEPLOYER)
        self._sender = Sender(rpc, account, deployment.chain_id, MemoryJournal())
        self._saving = asyncio.create_task(self._save_for_ever(), name="saving the chain")

    @classmethod
    async def start(
        cls,
        directory: Path,
        *,
        port: int = 0,
        profile: str = "devnet",
        verifier: Artefact | None = None,
        stake: StakeConfig = DEV_STAKE,
        market: MarketConfig = DEV_MARKET,
    ) -> Self:
        """The devnet kept in ``directory``, made anew if there is none.

        Raises ToolMissing, ChainUnavailable, DataDirInUse, StorageTrouble.
        """
        lock = _lock(directory)
        try:
            known = _known(directory)
            state = directory / STATE
            options = AnvilOptions(port=port, load_state=state if known else None)
            anvil = Anvil(options)
        except BaseException:
            lock.close()
            raise
        rpc = Rpc(anvil.url)
        try:
            if known is None:
                known = await _found(rpc, profile, verifier, stake, market)
                await dump_state(rpc, state)
                _write(directory / DEPLOYMENT, known.to_json())
            elif not await rpc.code(known.marketplace):
                raise ChainError(
                    f"The chain saved in {directory} has lost its market", "", f"Remove {directory} and start anew."
                )
            devnet = cls(directory, anvil, rpc, known, lock)
            _write(directory / DESCRIPTOR, devnet.describe().to_json())
            return devnet
        except BaseException:
            await rpc.close()
            anvil.stop()
            lock.close()
            raise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def describe(self) -> Descriptor:
        """What the descriptor file says."""
        accounts = [dev_account(index) for index in range(1, FUNDED + 1)]
        keys = tuple((account.address, "0x" + bytes(account.key).hex()) for account in accounts)
        return Descriptor(self.anvil.url, os.getpid(), self.deployment, keys)

    async def give(self, address: str, *, tokens: int = 0, wei: int = 0) -> None:
        """The faucet: ``tokens`` base units and ``wei`` to ``address``."""
        await _give(self._sender, self.deployment.token, address, tokens, wei)

    async def save(self) -> None:
        """Save the chain now."""
        await dump_state(self.rpc, self.directory / STATE)

    async def wait(self) -> None:
        """Wait until anvil exits by itself. Raises ChainUnavailable then."""
        while self.anvil.running:  # noqa: ASYNC110 - nobody tells of another program's end
            await asyncio.sleep(0.5)
        raise ChainUnavailable("Anvil has died", "", "Type `agent devnet` to start it again from its last saved state.")

    async def stop(self) -> None:
        """Save the chain and end it."""
        self._saving.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._saving
        try:
            if self.anvil.running:
                await self.save()
        finally:
            await self._sender.close()
            await self.rpc.close()
            self.anvil.stop()
            (self.directory / DESCRIPTOR).unlink(missing_ok=True)
            self._lock.close()

    async def _save_for_ever(self) -> None:
        while True:
            await asyncio.sleep(SAVE_EVERY)
            try:
                await self.save()
            except (ChainError, StorageTrouble) as error:
                log.warning("the chain is not saved: %s", error)


async def give(rpc: Rpc, deployment: Deployment, address: str, *, tokens: int = 0, wei: int = 0) -> None:
    """The faucet of a devnet run by another process: its deployer's key is known to everyone."""
    sender = Sender(rpc, dev_account(DEPLOYER), deployment.chain_id, MemoryJournal())
    try:
        await _give(sender, deployment.token, address, tokens, wei)
    finally:
        await sender.close()


async def _give(sender: Sender, token: str, address: str, tokens: int, wei: int) -> None:
    calls = []
    if tokens:
        calls.append(Token(sender.rpc, token).transfer(address, tokens))
    if wei:
        calls.append(Call(address, b"", "transfer of ether", value=wei))
    for call in calls:
        # A gift is no effect to be sent once: each has a key of its own.
        await sender.send(call, f"gift:{os.urandom(8).hex()}")


async def _found(
    rpc: Rpc, profile: str, verifier: Artefact | None, stake: StakeConfig, market: MarketConfig
) -> Deployment:
    sender = Sender(rpc, dev_account(DEPLOYER), await rpc.chain_id(), MemoryJournal(), poll=0.05)
    try:
        made = await deploy(sender, profile=profile, verifier=verifier, stake=stake, market=market)
        token = Token(rpc, made.token)
        calls = [token.transfer(dev_account(index).address, GRANT) for index in range(1, FUNDED + 1)]
        gifts = (sender.send(call, f"grant:{index}") for index, call in enumerate(calls))
        await asyncio.gather(*gifts, ensure_channels(sender, made.token), ensure_directory(sender))
    finally:
        await sender.close()
    return made


def _known(directory: Path) -> Deployment | None:
    if not (directory / STATE).exists() or not (directory / DEPLOYMENT).exists():
        return None
    try:
        return deployment_from_json((directory / DEPLOYMENT).read_text())
    except (ValueError, TypeError):
        raise StorageTrouble(
            f"{directory / DEPLOYMENT} is damaged", "", f"Remove {directory} and start anew."
        ) from None


def _lock(directory: Path) -> IO[str]:
    try:
        directory.mkdir(parents=True, exist_ok=True)
        lock = (directory / "lock").open("w")
    except OSError as error:
        raise StorageTrouble(f"Cannot use {directory}", error.strerror or str(error), "Name another.") from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.close()
        raise DataDirInUse(f"A devnet runs on {directory}", "", "Stop it, or name another directory.") from None
    return lock


def _write(path: Path, text: str) -> None:
    aside = path.with_suffix(".new")
    aside.write_text(text)
    aside.chmod(0o600)
    aside.replace(path)
