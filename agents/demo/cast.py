"""The agents of a local market, each a process of its own with a key, a directory and an output file of its own."""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agents.chain.anvil import dev_account, die_with_parent
from agents.core.errors import HoldfastError

STOP_SECONDS = 15.0
"""An agent that was told to stop and has not by then is killed."""


class AgentGone(HoldfastError):
    """A process of the cast ended, or failed, that should not have."""


@dataclass
class Agent:
    """One agent's process; started, ended and started again on the same directory."""

    name: str
    arguments: Sequence[str]
    folder: Path
    account: int
    """Index of its key among the devnet's."""
    environment: Mapping[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Of its key."""
        return str(dev_account(self.account).address)

    @property
    def data(self) -> Path:
        """Its data directory."""
        return self.folder / "data"

    @property
    def running(self) -> bool:
        """Whether its process lives."""
        return self.process is not None and self.process.poll() is None

    def start(self, **extra: str) -> None:
        """Start it, with ``extra`` environment variables."""
        self.data.mkdir(parents=True, exist_ok=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HOLDFAST_KEY")}
        environment |= {
            "HOLDFAST_HOME": str(self.folder),
            "HOLDFAST_DATA_DIR": str(self.data),
            "HOLDFAST_KEY": "0x" + bytes(dev_account(self.account).key).hex(),
            **self.environment,
            **extra,
        }
        with (self.folder / "output.txt").open("ab") as output, (self.folder / "result.json").open("wb") as result:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "agents", *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=result,
                stderr=output,
                env=environment,
                start_new_session=True,  # Ctrl-C is for the one who watches, who then stops them in order
                preexec_fn=die_with_parent if sys.platform == "linux" else None,
            )

    def kill(self) -> None:
        """SIGKILL: nothing is tidied up, nobody is told."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    async def stop(self) -> None:
        """SIGTERM, and wait for its end."""
        if self.process is None or not self.running:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            await asyncio.to_thread(self.process.wait, STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def wipe(self) -> None:
        """Take its disk away."""
        shutil.rmtree(self.folder)

    def said(self, lines: int = 8) -> str:
        """The end of what it wrote to stderr."""
        try:
            return "\n".join((self.folder / "output.txt").read_text(errors="replace").splitlines()[-lines:])
        except OSError:
            return ""

    def printed(self) -> str:
        """What it wrote to stdout so far."""
        try:
            return (self.folder / "result.json").read_text()
        except OSError:
            return ""

    async def result(self, seconds: float) -> str:
        """Wait for its end; what it printed on stdout. Raises AgentGone unless it exits with 0 in time."""
        assert self.process is not None
        try:
            code = await asyncio.to_thread(self.process.wait, seconds)
        except subprocess.TimeoutExpired:
            raise AgentGone(f"{self.name} is not done after {seconds:.0f} s", self.said()) from None
        if code:
            raise AgentGone(f"{self.name} failed with exit code {code}", self.said())
        return self.printed()

    def must_run(self) -> None:
        """Raises AgentGone if its process has ended."""
        if not self.running:
            code = self.process.returncode if self.process is not None else "none"
            raise AgentGone(f"{self.name} ended by itself, exit code {code}", self.said())


def agent(name: str, words: Sequence[str], folder: Path, account: int, place: Mapping[str, str]) -> Agent:
    """An agent that runs ``agent WORDS``; ``place`` is HOLDFAST_RPC and HOLDFAST_MARKET."""
    return Agent(name, tuple(words), folder / name.replace(" ", "-"), account, dict(place))


async def end(agents: Sequence[Agent]) -> None:
    """Stop them all."""
    await asyncio.gather(*(each.stop() for each in agents))
