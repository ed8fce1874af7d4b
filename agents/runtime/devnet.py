"""A devnet that stays up until it is told to stop, and its faucet."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

from agents.chain.devnet import Descriptor, Devnet, give
from agents.core.errors import ChainUnavailable
from agents.runtime.network import devnet_folder, network, running_devnet
from agents.runtime.settings import Place


async def run_devnet(directory: Path | None, port: int, profile: str, ready: Callable[[Descriptor], None]) -> None:
    """Run a devnet; ``ready`` is called once with what others need. Ends at SIGTERM, SIGINT or anvil's death."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with await Devnet.start(directory or devnet_folder(), port=port, profile=profile) as devnet:
        ready(devnet.describe())
        watching = asyncio.create_task(devnet.wait())
        stopping = asyncio.create_task(stopped.wait())
        done, _ = await asyncio.wait({watching, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for task in (watching, stopping):
            task.cancel()
        if watching in done:
            watching.result()


async def fund(place: Place, address: str, tokens: int, wei: int) -> None:
    """Give ``tokens`` and ``wei`` to ``address``. Raises ChainUnavailable where no devnet runs."""
    if running_devnet() is None:
        raise ChainUnavailable("No devnet runs here", "only a devnet has a faucet", "Start one with `agent devnet`.")
    async with network(place) as found:
        await give(found.rpc, found.deployment, address, tokens=tokens, wei=wei)
