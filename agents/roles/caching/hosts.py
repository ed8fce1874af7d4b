"""The hosts of slots as a cache knows them: who has what, and who can be relied on."""

from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from math import inf

from agents.core.dataset.cipher import BLOCK_BYTES
from agents.core.dataset.manifest import Manifest
from agents.core.discovery.reputation import Reputation
from agents.core.errors import NotFound, PeerError
from agents.core.market.view import MarketView
from agents.net.client import PeerClient
from agents.net.endpoint import Peer
from agents.net.errors import PeerLied
from agents.net.fetch import PeerSlot, ReplicatedSlot, SlotSource
from agents.roles.reading import HostedSlot, fetch_block_list, fetch_manifest, hosts_of


class Reputations:
    """What became of requests to endpoints. ``clock`` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[str, Reputation] = {}

    def welcome(self, endpoint: str) -> bool:
        """Whether it is to be asked before others are."""
        known = self._known.get(endpoint)
        return known is None or known.welcome(self._clock())

    def failed(self, endpoint: str, fault: PeerError, longest: float = inf) -> None:
        """It answered wrongly, or not at all; it is not welcome for ``longest`` seconds at most."""
        known, now = self._known.get(endpoint, Reputation()), self._clock()
        judged = (known.lied if isinstance(fault, PeerLied) else known.stalled)(now, str(fault))
        self._known[endpoint] = replace(
            judged,
            resting_until=min(judged.resting_until, now + longest),
            banned_until=min(judged.banned_until, now + longest),
        )

    def served(self, endpoint: str) -> None:
        """It answered well: what it failed in is forgotten, lies too, for it may have mended what was damaged."""
        self._known.pop(endpoint, None)


@dataclass(frozen=True)
class WatchedSlot:
    """A slot at one peer, whose answers are remembered."""

    source: PeerSlot
    reputations: Reputations

    @property
    def slot_index(self) -> int:
        """Which slot."""
        return self.source.slot_index

    async def blocks(self, start: int, count: int) -> AsyncGenerator[bytes, None]:
        """Verified blocks; raises PeerError."""
        endpoint = self.source.peer.endpoint
        try:
            async for block in self.source.blocks(start, count):
                yield block
        except PeerError as fault:
            self.reputations.failed(endpoint, fault)
            raise
        self.reputations.served(endpoint)


class SlotHosts:
    """Slots of datasets at the hosts that a market's view names; without a view there are none."""

    def __init__(self, peers: PeerClient, view: Callable[[], MarketView | None], clock: Callable[[], float]) -> None:
        self._peers = peers
        self._view = view
        self.reputations = Reputations(clock)
        self._seen: MarketView | None = None
        self._hosts: dict[bytes, list[HostedSlot]] = {}

    def of(self, digest: bytes) -> list[HostedSlot]:
        """Every host of every slot of the dataset; some may lie."""
        view = self._view()
        if view is not self._seen:
            self._seen, self._hosts = view, {}
        if digest not in self._hosts:
            self._hosts[digest] = hosts_of(view, digest) if view is not None else []
        return self._hosts[digest]

    async def manifest(self, digest: bytes) -> Manifest:
        """The manifest. Raises NotFound."""
        hosts = self.of(digest)
        return await fetch_manifest(self._peers, hosts, digest)

    async def block_list(self, manifest: Manifest, index: int) -> bytes:
        """The block list of a slot, verified. Raises NotFound."""
        faults: list[str] = []
        listed = await fetch_block_list(self._peers, self._peers_of(manifest, index), manifest, index, faults)
        if listed is None:
            why = "; ".join(faults) or "nobody hosts it"
            raise NotFound(f"Nobody has the block list of slot {index}", why, "Try again when it is repaired.")
        return listed.data

    def source(self, manifest: Manifest, index: int, digests: Sequence[bytes]) -> SlotSource | None:
        """The slot at all its hosts, those that can be relied on first; None without any."""
        peers = self._peers_of(manifest, index)
        if not peers:
            return None
        slots = [PeerSlot(self._peers, peer, manifest.digest, index, digests, BLOCK_BYTES) for peer in peers]
        return ReplicatedSlot([WatchedSlot(slot, self.reputations) for slot in slots])

    def reliable(self, manifest: Manifest, index: int) -> bool:
        """Whether any host of the slot has not failed lately."""
        return any(self.reputations.welcome(peer.endpoint) for peer in self._peers_of(manifest, index))

    def hosted(self, manifest: Manifest) -> list[int]:
        """Slots that have hosts: those of reliable ones first, each kind in order."""
        indices = sorted({host.index for host in self.of(manifest.digest) if host.fits(manifest)})
        return sorted(indices, key=lambda index: not self.reliable(manifest, index))

    def stalled(self, manifest: Manifest, index: int) -> None:
        """The slot's hosts kept a reader waiting for longer than others took."""
        for peer in self._peers_of(manifest, index):
            self.reputations.failed(peer.endpoint, PeerError(f"{peer.endpoint} was slower than others"))

    def _peers_of(self, manifest: Manifest, index: int) -> list[Peer]:
        hosts = self.of(manifest.digest)
        peers = dict.fromkeys(host.peer for host in hosts if host.index == index and host.fits(manifest))
        return sorted(peers, key=lambda peer: not self.reputations.welcome(peer.endpoint))
