"""Two slots lost, two repairers, one reconstruction: over real sockets, among liars, idlers and the dead."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.signers.local import LocalAccount

from agents.core.agents.provider_duties import Rebuild
from agents.core.agents.provider_repair import Repaired
from agents.core.dataset.cid import digest_of
from agents.core.errors import HoldfastError
from agents.core.market import events as e
from agents.net.client import PeerClient
from agents.net.host import Later, SlotPlan
from agents.net.server import PeerServer
from agents.net.signing import AccountSigner
from agents.roles import sharing
from agents.roles.fitting import Fitting
from agents.roles.hosting import Hosting
from agents.roles.rebuilding import Repairs
from agents.store.slots import SlotStore, put_all
from tests.roles.scenes import PROFILE, Scene, at, posted, scene

MARKET = "eip155:31337:0x0000000000000000000000000000000000000001"
HOSTS, FIRST, SECOND, THIRD = (
    [Account.from_key(bytes([seed]) * 32) for seed in range(1, 6)],
    *(Account.from_key(bytes([seed]) * 32) for seed in (10, 11, 12)),
)
LOST = (1, 3)
"""A data slot and a parity slot."""
SIZE = 1_500_000
"""Of the file: eight blocks a slot."""


class Counting(Hosting):
    """Serves, and counts what it gave."""

    def __init__(self, town: "Town", account: LocalAccount, store: SlotStore) -> None:
        super().__init__(account.address, store, lambda: town.place.view, Fitting(PROFILE.name))
        self.given = 0

    async def read_blocks(self, manifest_digest: bytes, slot_index: int, start: int, count: int) -> Sequence[bytes]:
        blocks = await super().read_blocks(manifest_digest, slot_index, start, count)
        self.given += sum(map(len, blocks))
        return blocks


class Lying(Counting):
    """Sends other bytes under the right list."""

    async def slot_plan(self, manifest_digest: bytes, slot_index: int) -> SlotPlan | None:
        plan = await super().slot_plan(manifest_digest, slot_index)
        if plan is None:
            return None
        wrong = await self.read_blocks(manifest_digest, slot_index, 0, len(plan.digests))
        return SlotPlan(plan.block_list_digest, [digest_of(block) for block in wrong], plan.block_bytes)

    async def read_blocks(self, manifest_digest: bytes, slot_index: int, start: int, count: int) -> Sequence[bytes]:
        blocks = await super().read_blocks(manifest_digest, slot_index, start, count)
        return [bytes(len(block)) for block in blocks]


class Idle(Counting):
    """Has the list, and takes its time for the blocks."""

    async def read_blocks(self, manifest_digest: bytes, slot_index: int, start: int, count: int) -> Sequence[bytes]:
        await asyncio.sleep(2)
        return await super().read_blocks(manifest_digest, slot_index, start, count)


class Busy(Counting):
    """Says that it will have everything soon."""

    async def block_list(self, manifest_digest: bytes, slot_index: int) -> bytes | None:
        raise Later("This slot is being rebuilt here")


class Killed(BaseException):
    """No Exception: nothing is tidied up after it, as after a kill."""


@dataclass
class Town:
    """Five slots, two of them lost, repair open; repairers with a server and a store each."""

    place: Scene
    folder: Path
    stack: AsyncExitStack
    block: int = 100
    servers: dict[str, Counting] = field(default_factory=dict)
    stores: dict[str, SlotStore] = field(default_factory=dict)

    @property
    def id(self) -> bytes:
        return self.place.request.id

    @property
    def slot_bytes(self) -> int:
        return self.place.dataset.manifest.slot_bytes

    @property
    def data_bytes(self) -> int:
        return self.place.dataset.manifest.data_bytes

    def after(self, make: Callable[[e.EventPlace], e.Event]) -> None:
        self.block += 1
        self.place = self.place.after(make(at(self.block)))

    async def join(
        self, account: LocalAccount, kind: type[Counting] = Counting, quota: int = 1 << 30, alive: bool = True
    ) -> SlotStore:
        """A provider with stake, listening if it is ``alive``."""
        who = account.address
        store = SlotStore(self.folder / who, quota)
        self.stores[who] = store
        self.servers[who] = kind(self, account, store)
        server = PeerServer(self.servers[who], MARKET)
        port = await server.start("127.0.0.1", 0)
        if alive:
            self.stack.push_async_callback(server.stop)
        else:
            await server.stop()
        url, id = f"http://127.0.0.1:{port}", bytes.fromhex(who[2:]).ljust(32, b"\0")
        self.after(lambda place: e.Registered(at=place, provider=who, id=id, endpoint=url))
        self.after(lambda place: e.Deposited(at=place, provider=who, amount=10**9))
        return store

    async def lose(self) -> None:
        """Everything is hosted, then LOST is lost."""
        for index, account in enumerate(HOSTS):
            store = await self.join(account)
            self.place.keep(store, index)
            self.block += 2
            self.place = self.place.filled(index, account.address, self.block)
        self.after(lambda place: e.RequestStarted(at=place, request_id=self.id))
        for index in LOST:
            host = HOSTS[index].address
            self.after(
                lambda place, index=index, host=host: e.SlotLost(  # type: ignore[misc]
                    at=place, request_id=self.id, slot_index=index, host=host, paid=0, slashed=1
                )
            )
        self.after(lambda place: e.RepairOpened(at=place, request_id=self.id))

    async def repair(
        self, account: LocalAccount, index: int, spares: tuple[int, ...] = (), ahead: tuple[str, ...] = ()
    ) -> Repaired | None:
        """Carry the duty out as ``account``."""
        async with PeerClient(MARKET, AccountSigner(account)) as peers:
            repairs = Repairs(peers, self.stores[account.address], account.address, PROFILE.name)
            duty = Rebuild(self.id, index, spares, ahead)
            return await asyncio.wait_for(repairs.carry_out(duty, lambda: self.place.view), 60)

    def reserve(self, account: LocalAccount, index: int) -> None:
        self.block += 1
        self.place = self.place.reserved(index, account.address, self.block)

    def given(self) -> int:
        """Slots' worth of bytes that all servers gave so far."""
        return sum(server.given for server in self.servers.values())

    def check(self, account: LocalAccount, *indices: int) -> None:
        """Exactly these slots are whole in the store of ``account``, and nothing else is there."""
        store = self.stores[account.address]
        assert store.held == sorted(self.place.name(index) for index in indices)
        assert (store.arriving, store.used) == ([], len(indices) * self.slot_bytes)
        for index in indices:
            slot = store.slot(self.place.name(index))
            assert slot.read(0, slot.manifest.data_blocks) == list(self.place.dataset.blocks(index))


@asynccontextmanager
async def town(folder: Path, place: Scene | None = None) -> AsyncIterator[Town]:
    async with AsyncExitStack() as stack:
        found = Town(place or scene(folder, k=3, m=2, size=SIZE), folder, stack)
        await found.lose()
        yield found


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits are short, so that each test shows which of them it waits for."""
    monkeypatch.setattr(sharing, "LOOK", 0.1)
    monkeypatch.setattr(sharing, "HEAD_START", 0.5)


def test_two_slots_come_back_from_one_reconstruction(tmp_path: Path) -> None:
    async def act() -> None:
        async with town(tmp_path) as here:
            await here.join(FIRST)
            await here.join(SECOND)
            assert await here.repair(FIRST, 1, (3,)) == Repaired(1, 3 * here.data_bytes, None, (3,))
            here.check(FIRST, 1, 3)
            here.reserve(FIRST, 1)
            assert await here.repair(SECOND, 3) == Repaired(3, here.data_bytes, FIRST.address, ())
            here.check(SECOND, 3)
            assert here.given() == 4 * here.data_bytes  # k + l - 1, not l k

    asyncio.run(act())


def test_two_who_begin_at_once_do_not_both_rebuild(tmp_path: Path) -> None:
    async def act() -> None:
        async with town(tmp_path) as here:
            await here.join(FIRST)
            await here.join(SECOND)

            async def first() -> None:
                assert await here.repair(FIRST, 1, (3,)) is not None
                await asyncio.sleep(0.5)  # until its reservation is seen
                here.reserve(FIRST, 1)

            async def second() -> Repaired | None:
                # It was after the same slot, waits while the other is at it, and is told that the slot is gone.
                assert await here.repair(SECOND, 1, (3,), ahead=(FIRST.address,)) is None
                return await here.repair(SECOND, 3)

            _, repaired = await asyncio.gather(first(), second())
            assert repaired == Repaired(3, here.data_bytes, FIRST.address, ())
            assert here.given() == 4 * here.data_bytes
            here.check(SECOND, 3)

    asyncio.run(act())


def test_whoever_is_ahead_and_does_nothing_costs_seconds_and_the_dead_none(tmp_path: Path) -> None:
    async def act() -> None:
        async with town(tmp_path) as here:
            await here.join(FIRST)
            await here.join(SECOND, alive=False)
            await here.join(THIRD)
            clock = asyncio.get_running_loop().time
            begun = clock()
            assert await here.repair(THIRD, 3, (), ahead=(SECOND.address, "0x" + "9" * 40)) is not None
            assert clock() - begun < 10
            here.stores[THIRD.address].drop(here.place.name(3))
            begun = clock()
            repaired = await here.repair(THIRD, 3, (), ahead=(FIRST.address, SECOND.address))
            assert repaired == Repaired(3, 3 * here.data_bytes, None, ())
            assert clock() - begun >= 0.5

    asyncio.run(act())


@pytest.mark.parametrize("kind", [Lying, Idle])
def test_wrong_bytes_and_none_at_all_are_refused_and_the_next_one_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Counting]
) -> None:
    monkeypatch.setattr(sharing, "START", 0.3)

    async def act() -> None:
        async with town(tmp_path) as here:
            for account in (FIRST, THIRD):
                store = await here.join(account, kind if account is FIRST else Counting)
                here.place.keep(store, 3)
            await here.join(SECOND)
            here.reserve(FIRST, 1)
            # Nobody else has it: it is rebuilt.
            assert await here.repair(SECOND, 3) == Repaired(3, 3 * here.data_bytes, None, ())
            here.check(SECOND, 3)
            # Somebody else, who reserved nothing yet, has it too.
            here.stores[SECOND.address].drop(here.place.name(3))
            assert await here.repair(SECOND, 3, (), ahead=(THIRD.address,)) == Repaired(
                3, here.data_bytes, THIRD.address, ()
            )
            here.check(SECOND, 3)

    asyncio.run(act())


def test_nobody_is_waited_for_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sharing, "WAITING", 0.5)

    async def act() -> None:
        async with town(tmp_path) as here:
            await here.join(FIRST, Busy)
            await here.join(SECOND)
            for _ in range(2):  # ahead, and as one who reserved
                repaired = await here.repair(SECOND, 3, (), ahead=(FIRST.address,))
                assert repaired == Repaired(3, 3 * here.data_bytes, None, ())
                here.stores[SECOND.address].drop(here.place.name(3))
                if here.place.view.requests[here.id].slots[1].host is None:
                    here.reserve(FIRST, 1)
            # Nor is one who has the slot and never reserves any: then it is had from there.
            await here.join(THIRD)
            here.place.keep(here.stores[THIRD.address], 3)
            assert await here.repair(SECOND, 3, (), ahead=(THIRD.address,)) == Repaired(
                3, here.data_bytes, THIRD.address, ()
            )

    asyncio.run(act())


def test_a_quota_for_one_slot_makes_one(tmp_path: Path) -> None:
    async def act() -> None:
        async with town(tmp_path) as here:
            await here.join(FIRST, quota=2 * here.slot_bytes - 1)
            await here.join(SECOND)
            assert await here.repair(FIRST, 3, (1,)) == Repaired(3, 3 * here.data_bytes, None, ())
            here.check(FIRST, 3)
            here.reserve(FIRST, 3)
            assert await here.repair(SECOND, 1) == Repaired(1, 3 * here.data_bytes, None, ())

    asyncio.run(act())


def test_a_spare_whose_root_is_wrong_is_not_kept(tmp_path: Path) -> None:
    honest = scene(tmp_path, k=3, m=2, size=SIZE)
    manifest = honest.dataset.manifest
    # Its author lied about slot 3, which nobody notices while the slot is hosted.
    slots = (*manifest.slots[:3], replace(manifest.slots[3], blocks=bytes(32)), manifest.slots[4])
    lying = replace(manifest, slots=slots)
    request = replace(honest.request, content=replace(honest.request.content, cid=lying.digest))
    place = replace(honest, request=request, view=posted(honest.view, request, 11))

    async def act() -> None:
        async with AsyncExitStack() as stack:
            here = Town(place, tmp_path, stack)
            for index in (0, 2, 4):
                store = await here.join(HOSTS[index])
                blocks = list(honest.dataset.blocks(index))
                put_all(store, place.name(index), lying.to_bytes(), honest.dataset.block_list(index), blocks)
                here.block += 2
                here.place = here.place.filled(index, HOSTS[index].address, here.block)
            await here.join(FIRST)
            assert await here.repair(FIRST, 1, (3,)) == Repaired(1, 3 * here.data_bytes, None, ())
            here.check(FIRST, 1)

    asyncio.run(act())


def test_a_kill_in_the_middle_leaves_what_is_gone_on_with_and_a_failure_nothing(tmp_path: Path) -> None:
    async def act() -> None:
        async with town(tmp_path) as here:
            store = await here.join(FIRST)
            whole = SlotStore.commit

            def killed(self: SlotStore, name: object, manifest: bytes = b"") -> object:
                if self is store:
                    raise Killed
                return whole(self, name, manifest)  # type: ignore[arg-type]

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(SlotStore, "commit", killed)
                with pytest.raises(Killed):
                    await here.repair(FIRST, 1, (3,))
            assert store.arriving == [here.place.name(1), here.place.name(3)]
            store.close()
            here.stores[FIRST.address] = again = SlotStore(tmp_path / FIRST.address, 1 << 30)
            assert again.used == 2 * here.slot_bytes
            repaired = await here.repair(FIRST, 1, (3,))
            # All of the first is there: it is not fetched again for the sake of the other, which is deleted in time.
            assert repaired == Repaired(1, 0, None, ())
            assert (again.held, again.arriving) == ([here.place.name(1)], [here.place.name(3)])
            # Hosts that are gone leave nothing behind.
            for index in LOST:
                again.drop(here.place.name(index))
            for index in (0, 2):
                here.stores[HOSTS[index].address].drop(here.place.name(index))
            with pytest.raises(HoldfastError):
                await here.repair(FIRST, 1, (3,))
            here.check(FIRST)

    asyncio.run(act())


def test_the_log_tells_how_a_slot_came_back() -> None:
    for repaired in (Repaired(1, 300, None, (3,)), Repaired(3, 100, FIRST.address, ())):
        assert Repaired.parse(f"2026-01-01 provider INFO agents.roles.provider: {repaired.line()}\n") == repaired
    assert Repaired.parse("2026-01-01 provider INFO agents.roles.provider: rebuild:ab:1 done") is None
