"""Caches with real gateways and counters over one shelf in memory, and a reader among them."""

import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from eth_account import Account as EthAccount

from agents.chain.channels import Deposit
from agents.core.channels.lanes import Domain, SignedGrant
from agents.core.channels.offers import Offer
from agents.core.channels.terms import Terms
from agents.core.dataset.manifest import Manifest
from agents.core.dataset.segments import segments_of_file
from agents.core.discovery.holdings import Holdings, segment_key
from agents.core.discovery.summary import LIFETIME, Summary, sealed
from agents.core.errors import NotFound
from agents.net.caches import CacheClient
from agents.net.client import Patience, PeerClient
from agents.net.endpoint import Peer
from agents.net.fetch import PeerSlot, ReplicatedSlot, fetch_any_k
from agents.net.gateway.server import Gateway
from agents.net.signing import AccountSigner
from agents.roles.buying.caches import Caches
from agents.roles.buying.lanes import Lanes
from agents.roles.buying.shop import Shop
from agents.roles.buying.wallet import Budget, Wallet
from agents.roles.caching.cashier import Cashier
from agents.roles.caching.debts import Debts
from agents.roles.caching.lanes import LaneBook
from agents.roles.caching.selling import Selling
from agents.store.state import StateStore
from tests.net.peers import MARKET
from tests.net.shelves import MemoryShelf
from tests.roles.caching.ledger import Ledger

MIB = 1 << 20
DOMAIN = Domain(31337, "0x" + "11" * 20)
TOKEN = "0x" + "22" * 20
DIRECTORY = b"\x0d" * 20
READER, SPONSOR = (AccountSigner(EthAccount.from_key(bytes([number]) * 32)) for number in (1, 2))
BLOCK = 65_536


@dataclass
class Funds:
    """A reader's own deposit, or a sponsor's."""

    domain: Domain = DOMAIN
    token: str = TOKEN
    payer: str = READER.address
    grant: SignedGrant | None = None
    pool: int = 1 << 60
    closes_at: int = 0

    async def deposit(self) -> Deposit:
        return Deposit(self.pool, 0, 0, self.closes_at)


@dataclass
class Cache:
    """One cache of the town."""

    peer: Peer
    shelf: MemoryShelf
    selling: Selling | None
    cashier: Cashier | None
    book: LaneBook | None
    posted: int
    """Base units a byte, as its summary says."""

    @property
    def served(self) -> int:
        """Segments it was asked for."""
        return len(self.shelf.served)

    @property
    def earned(self) -> int:
        """Base units readers signed for."""
        return self.cashier.books().earned if self.cashier else 0

    @property
    def unpaid(self) -> int:
        """Base units served and not signed for."""
        return self.cashier.books().unpaid if self.cashier else 0


@dataclass
class Town:
    """What there is. ``clock`` moves only when told to."""

    folder: Path
    stack: AsyncExitStack
    manifest: Manifest
    made: MemoryShelf
    ledger: Ledger = field(default_factory=Ledger)
    caches: list[Cache] = field(default_factory=list)
    patience: Patience = field(default_factory=lambda: Patience(1.0, 1.0, 2.0, 1.0))

    @property
    def file(self) -> bytes:
        """The sealed file."""
        return self.made.files[self.manifest.digest]

    async def open_cache(
        self,
        price: int,
        *,
        held: float = 1.0,
        interval: int = MIB,
        told: Callable[[Offer], Offer] = lambda offer: offer,
        shelf: Callable[[MemoryShelf], MemoryShelf] = lambda shelf: shelf,
        sign_with: AccountSigner | None = None,
    ) -> Cache:
        """A cache asking ``price`` a byte, whose summary says that it has the share ``held`` of the file."""
        number = len(self.caches)
        signer = AccountSigner(EthAccount.from_key(bytes([100 + number]) * 32))
        mine = MemoryShelf()
        mine.items, mine.blocks, mine.files = self.made.items, self.made.blocks, self.made.files
        mine.listed, mine.trees = self.made.listed, self.made.trees
        mine = shelf(mine)
        selling, cashier, book = None, None, None
        if price:
            terms = Terms(price=price, interval=interval, growth=interval, max_interval=16 * interval)
            offer = told(Offer(DOMAIN, TOKEN, signer.address, terms, 60))
            book = LaneBook(StateStore(self.folder / f"lanes-{number}.db"), terms)
            debts = Debts(StateStore(self.folder / f"debts-{number}.db"))
            cashier = Cashier(offer, self.ledger, book, debts, time.time)
            selling = Selling(cashier, patience=1.5)
            self.stack.push_async_callback(cashier.close)
        cache = Cache(Peer("", signer.address), mine, selling, cashier, book, price)
        gateway = Gateway(mine, selling, summaries=self._summaries(cache, sign_with or signer, held))
        port = await gateway.start()
        self.stack.push_async_callback(gateway.stop)
        cache.peer = Peer(f"http://127.0.0.1:{port}", signer.address)
        self.caches.append(cache)
        return cache

    def hosted(self) -> list[ReplicatedSlot]:
        """The data slots, each at a host that is gone."""
        digest, count = self.manifest.digest, self.manifest.data_blocks
        gone, listed = Peer("http://127.0.0.1:1", READER.address), self.made.listed[digest]
        client = PeerClient("")
        return [
            ReplicatedSlot([PeerSlot(client, gone, digest, index, listed[index * count : (index + 1) * count], BLOCK)])
            for index in range(self.manifest.data_slots)
        ]

    def _summaries(self, cache: Cache, signer: AccountSigner, held: float) -> Callable[[], Awaitable[bytes]]:
        segments = segments_of_file(self.manifest)
        keys = [segment_key(self.manifest.digest, number) for number in range(round(segments * held))]

        async def newest() -> bytes:
            now = int(time.time())
            account, ends = bytes.fromhex(cache.peer.address[2:]), now + LIFETIME
            summary = Summary(31337, DIRECTORY, account, cache.posted, now, ends, Holdings.of(keys))
            return sealed(summary, signer.sign_digest(summary.signed))

        return newest

    @asynccontextmanager
    async def reader(
        self,
        name: str = "reader",
        most: int = 100,
        budget: int = 1 << 60,
        funds: Funds | None = None,
        worth: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> AsyncIterator["Reader"]:
        """A reader that pays, or without ``funds`` one that does not; the same name is the same reader again."""
        state = StateStore(self.folder / f"{name}.db")
        async with CacheClient(self.patience, MARKET) as client:
            caches = Caches(client, state, clock)
            await caches.refresh([cache.peer for cache in self.caches])
            spent = Budget(budget)
            lanes = Lanes(client, state, Wallet(READER, funds, spent), most, clock) if funds else None
            yield Reader(self, caches, Shop(client, caches, lanes, most, worth), spent)
        state.close()


@dataclass
class Reader:
    """A reader."""

    town: Town
    caches: Caches
    shop: Shop
    budget: Budget

    async def read(self, hosted: list[ReplicatedSlot] | None = None) -> bytes:
        """The sealed file, of what caches give; ``hosted``: what hosts would."""
        manifest = await self.shop.manifest(self.town.manifest.digest)
        if manifest is None:
            raise NotFound("nobody has it")
        sources = await self.shop.in_front(manifest, hosted or [])
        slots: dict[int, list[bytes]] = {index: [] for index in range(manifest.data_slots)}
        async with aclosing(fetch_any_k(sources, manifest.data_slots, manifest.data_blocks, BLOCK)) as running:
            async for stripe in running:
                for index, block in stripe:
                    slots[index].append(block)
        return b"".join(b"".join(slots[index]) for index in sorted(slots))[: manifest.size]


@asynccontextmanager
async def town(folder: Path, size: int = 5 * MIB + 1234) -> AsyncIterator[Town]:
    """A town with one file of ``size`` bytes."""
    made = MemoryShelf()
    manifest = made.store(folder, "file.bin", bytes(range(251)) * (size // 251 + 1), k=3)
    async with AsyncExitStack() as stack:
        yield Town(folder, stack, manifest, made)
