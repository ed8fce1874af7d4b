"""Manifests read in the background."""

import asyncio
from dataclasses import dataclass, field, replace

import pytest

from agents.core.dataset.manifest import Manifest
from agents.core.errors import ManifestInvalid, NotFound
from agents.roles.caching.learning import AT_ONCE, PAUSE, Learner
from tests.core.dataset.test_segments import BLANK

PUBLIC = replace(BLANK, unixfs=bytes(31) + b"\1", name="film")


@dataclass
class Hosts:
    """Who gives manifests, or fails to."""

    fault: Exception | None = None
    asked: int = 0
    at_once: int = 0
    most: int = 0
    open: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self, digest: bytes) -> Manifest:
        self.asked += 1
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await self.open.wait()
        finally:
            self.at_once -= 1
        if self.fault is not None:
            raise self.fault
        return PUBLIC


def test_a_manifest_that_nobody_gives_is_asked_for_again_after_longer_and_longer_pauses() -> None:
    async def story() -> None:
        now, hosts = 0.0, Hosts(NotFound("nobody has it"))
        hosts.open.set()
        learner = Learner(hosts.read, lambda: now)
        asked = []
        for _ in range(40):
            learner.take([b"a manifest"])
            await learner.caught_up(1)
            asked.append(hosts.asked)
            now += PAUSE
        assert asked[:8] == [1, 2, 2, 3, 3, 3, 3, 4] and asked[-1] <= 7
        assert PUBLIC.ipfs is not None and list(learner.roots(PUBLIC.ipfs)) == []
        hosts.fault = None
        now += 3600
        learner.take([])
        await learner.caught_up(1)
        assert list(learner.roots(PUBLIC.ipfs)) == [b"a manifest"]
        before = hosts.asked
        learner.take([b"a manifest"])
        assert not await learner.caught_up(1) and hosts.asked == before, "it is known"

    asyncio.run(story())


def test_a_manifest_that_is_none_is_asked_for_once() -> None:
    async def story() -> None:
        now, hosts = 0.0, Hosts(ManifestInvalid("it is none"))
        hosts.open.set()
        learner = Learner(hosts.read, lambda: now)
        for _ in range(5):
            learner.take([b"x"])
            await learner.caught_up(1)
            now += 3600
        assert hosts.asked == 1

    asyncio.run(story())


@pytest.mark.parametrize("count", [3, 40])
def test_few_are_asked_for_at_a_time_and_nobody_waits_for_ever(count: int) -> None:
    async def story() -> None:
        hosts = Hosts()
        learner = Learner(hosts.read, lambda: 0.0)
        learner.take(number.to_bytes(2, "big") for number in range(count))
        assert await learner.caught_up(0.05)
        assert hosts.most == hosts.asked == min(count, AT_ONCE)
        hosts.open.set()
        await learner.caught_up(5)
        assert hosts.asked == count and hosts.most <= AT_ONCE
        await learner.close()

    asyncio.run(story())
