"""The chapter of paid reads: two caches sell at different prices, a reader pays as it reads, and the books are balanced."""

import asyncio
import filecmp
import json
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from agents.chain.channels import Channels, find_channels
from agents.chain.directory import find_directory
from agents.core.errors import LedgerMismatch, WrongChain
from agents.core.units import TOKEN, format_size
from agents.demo.cast import Agent, agent, end
from agents.demo.screen import Screen, amount
from agents.demo.watch import StoryBroken
from agents.runtime.cache_report import told_cache
from agents.runtime.network import Network

READER, FIRST_CACHE = 10, 11
"""Which of the devnet's accounts they are."""
PRICES = ("10", "20")
"""Tokens per GiB, of the first cache and the second."""
MOST = "50"
DEPOSIT = "5"
WORTH = "0.000001"
"""Tokens for which a cache redeems here; it would wait for more where gas costs money."""
WRITTEN = 1.0
"""Seconds after which a cache has its latest vouchers on disk: it writes what came within a quarter of one together."""
PATIENCE = 60.0
POLL = 0.3


@dataclass
class Sold:
    """What was sold, for --json; amounts in base units."""

    cold_seconds: float = 0.0
    hot_seconds: float = 0.0
    paid: dict[str, int] = field(default_factory=dict)
    """By cache, what the reader signed for."""

    def facts(self) -> dict[str, object]:
        """As JSON."""
        paid = {name: str(value) for name, value in self.paid.items()}
        return {"cold_seconds": self.cold_seconds, "hot_seconds": self.hot_seconds, "paid": paid}


class Reads:
    """One chapter. ``place`` is HOLDFAST_RPC and HOLDFAST_MARKET."""

    def __init__(self, folder: Path, file: Path, screen: Screen, network: Network, place: Mapping[str, str]) -> None:
        self._folder = folder
        self._file = file
        self._screen = screen
        self._network = network
        self._place = place
        self._channels: Channels
        self._sold = Sold()
        self.caches = [
            agent(f"cache {letter}", ["cache", "--price", price, "--redeem-at", WORTH, "--json"],
                  folder, FIRST_CACHE + at, place)
            for at, (letter, price) in enumerate(zip("XY", PRICES, strict=True))
        ]  # fmt: skip
        self.reader = self._reader([])

    @property
    def parties(self) -> dict[str, str]:
        """Addresses by name."""
        return {each.name: each.address for each in (self.reader, *self.caches)}

    async def tell(self, capability: str) -> Sold:
        """Caches open, a reader reads cold, hot, and once more when the cheaper cache is gone. Raises StoryBroken."""
        screen, (cheap, dear) = self._screen, self.caches
        screen.act(f"Two caches sell reads, at {PRICES[0]} and at {PRICES[1]} a GiB")
        for cache in self.caches:
            cache.start()
        await self._announced(len(self.caches))
        for cache in self.caches:
            screen.say(f"{cache.name} is in the directory, at {json.loads(cache.printed())['endpoint']}")
        await self._typed(["client", "channel", "deposit", DEPOSIT, "--json"])
        self._channels = await find_channels(self._network.rpc, self._network.deployment)
        screen.say(f"the reader deposits {DEPOSIT}, once, for all caches")
        self._sold.cold_seconds, paid = await self._read("cold", capability)
        self._tell_read(cheap, "cold read", self._sold.cold_seconds, paid)
        self._sold.hot_seconds, more = await self._read("hot", capability)
        self._tell_read(cheap, "hot read", self._sold.hot_seconds, more)
        self._sold.paid[cheap.name] = paid + more
        await asyncio.sleep(WRITTEN)
        cheap.kill()
        screen.say(f"SIGKILL to {cheap.name}: its vouchers are on its disk")
        seconds, paid = await self._read("again", capability)
        self._sold.paid[dear.name] = paid
        self._tell_read(dear, "cold read", seconds, paid)
        cheap.start()
        return self._sold

    async def redeemed(self) -> None:
        """The reader closes; the caches redeem what was signed to the last base unit. Raises StoryBroken."""
        await self._typed(["client", "channel", "close", "--json"])
        self._screen.say("the reader closes its deposit: now caches redeem, or never")
        due = sum(self._sold.paid.values())
        before = int(DEPOSIT) * TOKEN

        async def all_redeemed() -> bool:
            account = await self._channels.account_of(self.reader.address)
            return before - account.pool - account.reserved == due

        await self._until("The redemption", all_redeemed)
        for name, paid in self._sold.paid.items():
            self._screen.say(f"{name} redeemed {amount(paid)}")

    async def withdrawn(self) -> None:
        """Once the challenge is over the reader has the rest. Raises AgentGone."""
        paid = json.loads(await self._typed(["client", "channel", "withdraw", "--json"]))["paid"]
        self._screen.say(f"the reader takes the rest of its deposit: {amount(int(paid))}")
        await end(self.caches)

    def lines(self) -> dict[str, dict[str, int]]:
        """Why each party's wealth changed, by what the reader signed. Raises LedgerMismatch if a cache's books differ."""
        for cache in self.caches:
            books = told_cache(cache.data)["books"]
            if int(books["earned"]) != self._sold.paid[cache.name]:
                raise LedgerMismatch(
                    f"The books of {cache.name} and of its reader differ",
                    f"{books['earned']} earned, {self._sold.paid[cache.name]} paid",
                    "This is a bug: please report it.",
                )
        sold = {name: {"reads": paid} for name, paid in self._sold.paid.items()}
        return {self.reader.name: {"reads": -sum(self._sold.paid.values())}, **sold}

    # ---- steps

    def _reader(self, words: Sequence[str]) -> Agent:
        return agent("reader", words, self._folder, READER, self._place)

    async def _typed(self, words: Sequence[str]) -> str:
        """One command of the reader's, to its end; what it printed."""
        one = self._reader(words)
        one.start()
        return await one.result(PATIENCE)

    async def _read(self, name: str, capability: str) -> tuple[float, int]:
        """Read the file; seconds, and base units paid."""
        back, begun = self._folder / f"{name}.back", time.monotonic()
        told = await self._typed(["client", "get", capability, "-o", str(back), "--max-price", MOST, "--json"])
        seconds = time.monotonic() - begun
        if not filecmp.cmp(self._file, back, shallow=False):
            raise StoryBroken("What was read is not the file", f"compare {self._file} and {back}")
        back.unlink()
        return seconds, int(json.loads(told)["paid"])

    def _tell_read(self, cache: Agent, what: str, seconds: float, paid: int) -> None:
        size = format_size(self._file.stat().st_size)
        self._screen.say(f"{cache.name}: {what} of {size} in {seconds:.1f} s, {amount(-paid)}")

    async def _announced(self, count: int) -> None:
        async def there() -> bool:
            for cache in self.caches:
                cache.must_run()
            try:
                directory = await find_directory(self._network.rpc)
            except WrongChain:
                return False
            return await directory.count() == count and all(cache.printed() for cache in self.caches)

        await self._until("The caches' announcements", there)

    async def _until(self, what: str, condition: Callable[[], Awaitable[bool]]) -> None:
        for _ in range(round(PATIENCE / POLL)):
            if await condition():
                return
            await asyncio.sleep(POLL)
        raise StoryBroken(f"{what} has not happened after {PATIENCE:.0f} s")
