"""A directory that anybody fills for gas: what is asked, fetched and kept of it stays small; who was good is kept."""

import asyncio
from functools import partial
from pathlib import Path

import pytest

from agents.core.discovery.holdings import MAX_KEYS, Holdings, size_of
from agents.core.discovery.summary import LIFETIME, Summary, sealed
from agents.core.errors import DiskFull, PeerError
from agents.net.caches import CacheClient, Met
from agents.net.endpoint import Peer
from agents.roles.buying import caches as buying
from agents.roles.buying.caches import Caches
from agents.store.state import StateStore

NOW = 1_700_000_000
LARGEST = Holdings(MAX_KEYS, bytes(size_of(MAX_KEYS)))
MOST_BYTES = 1 << 20


class Listed(CacheClient):
    """Caches that hand out the largest summaries there are, all but the last one."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.peers = [Peer(f"http://127.0.0.1:{1 + number}", f"0x{number:040x}") for number in range(count)]
        self.asked: list[Peer] = []

    async def summary(self, cache: Peer, now: float) -> Met:
        self.asked.append(cache)
        held = Holdings.of([bytes(32)]) if cache == self.peers[-1] else LARGEST
        account, issued = bytes.fromhex(cache.address[2:]), int(now)
        summary = Summary(31_337, bytes(20), account, 1, issued, issued + LIFETIME, held)
        return Met(summary, sealed(summary, bytes(65)), 0.01)


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buying, "MOST_ASKED", 5)
    monkeypatch.setattr(buying, "MOST_BYTES", MOST_BYTES)


def test_what_is_asked_and_kept_of_hostile_caches_is_bounded(tmp_path: Path) -> None:
    async def story() -> None:
        state, client = StateStore(tmp_path / "reader.db"), Listed(30)
        caches = Caches(client, state, lambda: NOW)
        for _ in range(4):
            client.asked.clear()
            await caches.refresh(client.peers)
            assert len(client.asked) == 5
            kept = state.load("summary").values()
            assert sum(map(len, kept)) <= MOST_BYTES + 200 * len(kept), "more is kept than there is room for"
        await caches.refresh([])
        assert not state.load("summary") and not state.load("cache")
        state.close()

    asyncio.run(story())


def test_who_was_good_is_asked_first_and_not_crowded_out(tmp_path: Path) -> None:
    async def story() -> None:
        state, client = StateStore(tmp_path / "reader.db"), Listed(30)
        good = client.peers[-1]
        caches = Caches(client, state, lambda: NOW)
        await caches.refresh([good])
        caches.served(good, 0.1, 1 << 20, 0.1)
        for later in range(1, 5):
            client.asked.clear()
            caches = Caches(client, state, partial(float, NOW + 2 * LIFETIME * later))  # another process
            await caches.refresh(client.peers)
            assert good in client.asked
            assert good.address in [each.cache for each in caches.candidates([])]
        state.close()

    asyncio.run(story())


def test_summaries_that_are_kept_are_of_no_use_where_no_directory_is_asked(tmp_path: Path) -> None:
    async def story() -> None:
        state, client = StateStore(tmp_path / "reader.db"), Listed(1)
        await Caches(client, state, lambda: NOW).refresh(client.peers)
        assert state.load("summary")
        assert Caches(client, state, lambda: NOW).candidates([]) == []
        state.close()

    asyncio.run(story())


def test_what_cannot_be_read_of_what_was_remembered_is_forgotten(tmp_path: Path) -> None:
    async def story() -> None:
        state, client = StateStore(tmp_path / "reader.db"), Listed(1)
        state.save("cache", client.peers[0].address, b'{"endpoint": "http://127.0.0.1:1", "reputation": {"older": 1}}')
        state.save("summary", client.peers[0].address, b"?")
        caches = Caches(client, state, lambda: NOW)
        await caches.refresh(client.peers)
        assert client.asked == client.peers and len(caches.candidates([])) == 1
        state.close()

    asyncio.run(story())


def test_a_disk_that_is_full_ends_no_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise DiskFull("The disk is full")

    async def story() -> None:
        state, client = StateStore(tmp_path / "reader.db"), Listed(2)
        monkeypatch.setattr(state, "save", full)
        monkeypatch.setattr(state, "remove", full)
        caches = Caches(client, state, lambda: NOW)
        await caches.refresh(client.peers)
        caches.failed(client.peers[0], PeerError("is down"))
        assert [peer.address for peer in caches.ranked([], 1, 0.0, 1)] == [client.peers[1].address]
        state.close()

    asyncio.run(story())
