"""A local chain: the anvil binary as a child that dies with its parent."""

import contextlib
import ctypes
import gzip
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from eth_account import Account
from eth_account.signers.local import LocalAccount

from agents.chain.rpc import Rpc, unhex
from agents.core.errors import ChainUnavailable, DiskFull, StorageTrouble, ToolMissing

MNEMONIC = "test test test test test test test test test test test junk"
"""Anvil's own: its keys are known to everyone, and worth nothing anywhere else."""

HARDFORK = "prague"
"""The one with the block-hash history contract (EIP-2935) that the contracts are compiled for."""

DEV_CHAIN_ID = 31_337

BINARY_VARIABLE = "HOLDFAST_ANVIL"

START_DEADLINE = 60.0
"""Seconds anvil may take to listen; loading a long chain takes the most."""

PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class AnvilOptions:
    """``block_time`` in seconds, None: a block per transaction; ``base_fee`` in wei, None: anvil's own.

    ``genesis`` is the first block's timestamp, None: now. Where it and every other timestamp are given, all block hashes
    are the same again.
    """

    block_time: int | None = 1
    port: int = 0
    chain_id: int = DEV_CHAIN_ID
    accounts: int = 20
    base_fee: int | None = None
    mining: bool = True
    load_state: Path | None = None
    genesis: int | None = None


class Anvil:
    """A running anvil. Stop it with :meth:`stop`, or use it as a context manager."""

    def __init__(self, options: AnvilOptions | None = None, *, binary: Path | None = None) -> None:
        """Start anvil and wait until it listens. Raises ToolMissing, ChainUnavailable."""
        self.options = options or AnvilOptions()
        found = binary or find_anvil()
        for attempt in range(3):
            self.port = self.options.port or _free_port()
            self._process = _spawn(found, self.options, self.port)
            try:
                self._await_listening()
                return
            except ChainUnavailable:
                self.stop()
                # Between the look for a free port and its use another process may have taken it.
                if self.options.port or attempt == 2:
                    raise

    def __enter__(self) -> "Anvil":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """Of its JSON-RPC."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Of the binary itself."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not exited."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End it, keeping nothing: state is saved by :func:`dump_state` beforehand."""
        if self.running:
            self._process.kill()
        self._process.wait()

    def _await_listening(self) -> None:
        deadline = time.monotonic() + START_DEADLINE
        while time.monotonic() < deadline:
            if not self.running:
                why = f"it exited with {self._process.returncode}"
                raise ChainUnavailable("Anvil did not start", why, "Is its port taken, or its saved state damaged?")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), timeout=1):
                if self.running:
                    return
            time.sleep(0.02)
        raise ChainUnavailable("Anvil did not start", f"it did not listen within {START_DEADLINE:g} s", "Try again.")


def find_anvil() -> Path:
    """The anvil binary: HOLDFAST_ANVIL, the npm package near this one or the working directory, or PATH.

    Raises ToolMissing.
    """
    named = os.environ.get(BINARY_VARIABLE)
    roots = (*Path(__file__).resolve().parents, Path.cwd())
    candidates = [Path(named)] if named else []
    for root in roots if not named else ():
        candidates += sorted((root / "node_modules" / "@foundry-rs").glob("anvil-*/bin/anvil"))
    on_path = shutil.which("anvil") if not named else None
    candidates += [Path(on_path)] if on_path else []
    for candidate in candidates:
        if candidate.is_file() and os.access(candidate, os.X_OK) and not _is_script(candidate):
            return candidate
    raise ToolMissing(
        "Anvil, the local chain, is not found",
        f"looked {'at ' + named if named else 'in node_modules and on PATH'}",
        f"Type `npm install @foundry-rs/anvil` here, or name the binary in {BINARY_VARIABLE}.",
    )


def dev_account(index: int) -> LocalAccount:
    """The account ``index`` that anvil funds."""
    Account.enable_unaudited_hdwallet_features()
    account: LocalAccount = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")
    return account


async def dump_state(rpc: Rpc, path: Path) -> None:
    """Save the whole chain to ``path``, whole or not at all. Raises DiskFull, StorageTrouble, ChainUnavailable."""
    state = gzip.decompress(unhex(await rpc.call("anvil_dumpState")))
    aside = path.with_suffix(".new")
    try:
        with aside.open("wb") as file:
            file.write(state)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        kind = DiskFull if error.errno in (28, 122) else StorageTrouble
        raise kind(f"Cannot save the chain to {path}", error.strerror or str(error), "Free some room.") from None


def _spawn(binary: Path, options: AnvilOptions, port: int) -> subprocess.Popen[bytes]:
    command = [str(binary), "--quiet", "--host", "127.0.0.1", "--port", str(port), "--hardfork", HARDFORK]
    command += ["--chain-id", str(options.chain_id), "--accounts", str(options.accounts), "--mnemonic", MNEMONIC]
    if not options.mining:
        command += ["--no-mining"]
    elif options.block_time is not None:
        command += ["--block-time", str(options.block_time)]
    if options.base_fee is not None:
        command += ["--block-base-fee-per-gas", str(options.base_fee)]
    if options.genesis is not None:
        command += ["--timestamp", str(options.genesis)]
    if options.load_state is not None:
        command += ["--load-state", str(options.load_state)]
    # The loop of a busy parent may be slow: a child's output is not a pipe somebody must drain.
    return subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        preexec_fn=die_with_parent if sys.platform == "linux" else None,
        start_new_session=True,
    )


def die_with_parent() -> None:
    """For a child process: be killed when the process that started it ends, however that ends (prctl(2), Linux)."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_script(path: Path) -> bool:
    # npm's .bin/anvil is a node script whose child outlives it: only the binary itself will do.
    with path.open("rb") as file:
        return file.read(2) == b"#!"
