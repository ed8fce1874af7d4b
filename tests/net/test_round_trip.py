"""Upload, resume and read back over real sockets."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from agents.core.errors import Corrupt
from agents.net.client import PeerClient
from agents.net.errors import PeerDown, PeerRefused
from agents.net.upload import push_slot

from .peers import (
    CLIENT,
    MARKET,
    REQUEST_ID,
    STRANGER,
    MemoryHost,
    Slot,
    all_of,
    reader_of,
    serving,
)


async def gathered(blocks: AsyncIterator[bytes], into: list[bytes]) -> None:
    async for block in blocks:
        into.append(block)


def test_a_pushed_slot_is_read_back() -> None:
    async def story() -> None:
        slot = Slot(3)
        host = MemoryHost(slot)
        seen: list[tuple[int, int]] = []
        async with serving(host) as peer, PeerClient(MARKET, CLIENT) as client, PeerClient(MARKET) as reader:
            status = await push_slot(
                client,
                peer,
                REQUEST_ID,
                3,
                host.manifest_bytes,
                slot.block_list,
                slot.plan,
                slot.from_block,
                on_progress=lambda held, total: seen.append((held, total)),
            )
            assert (status.done, status.held, host.held) == (True, 20, slot.blocks)
            assert seen[-1] == (20, 20)
            assert await reader.fetch_manifest(peer, host.digest) == host.manifest_bytes
            listed = await reader.fetch_block_list(peer, host.digest, 3, slot.plan.block_list_digest)
            assert listed == slot.block_list
            assert await all_of(reader_of(peer, reader, slot, host.digest)) == slot.blocks
            assert await all_of(reader_of(peer, client, slot, host.digest, 7, 5)) == slot.blocks[7:12]
            assert host.readers[-1] == CLIENT.address
            assert host.readers[-2] is None

    asyncio.run(story())


def test_an_upload_resumes_where_the_connection_was_cut() -> None:
    async def story() -> None:
        slot = Slot(0)
        host = MemoryHost(slot)
        starts: list[int] = []

        async def blocks_from(start: int) -> AsyncIterator[bytes]:
            starts.append(start)
            for index in range(start, len(slot.blocks)):
                if len(starts) == 1 and index == 8:
                    await host.holds(8)
                    raise ConnectionResetError("the cable was pulled")
                yield slot.blocks[index]

        async with serving(host) as peer, PeerClient(MARKET, CLIENT) as client:
            status = await push_slot(
                client, peer, REQUEST_ID, 0, host.manifest_bytes, slot.block_list, slot.plan, blocks_from, pause=0.05
            )
        assert status.done
        assert starts == [0, 8]
        assert host.held == slot.blocks

    asyncio.run(story())


def test_a_damaged_own_block_is_not_sent() -> None:
    async def story() -> None:
        slot = Slot(0)
        host = MemoryHost(slot)

        async def blocks_from(start: int) -> AsyncIterator[bytes]:
            for index in range(start, len(slot.blocks)):
                yield slot.blocks[0 if index == 4 else index]

        async with serving(host) as peer, PeerClient(MARKET, CLIENT) as client:
            with pytest.raises(Corrupt, match="block 4 of slot 0 cannot be sent: our own copy"):
                await push_slot(
                    client, peer, REQUEST_ID, 0, host.manifest_bytes, slot.block_list, slot.plan, blocks_from
                )

    asyncio.run(story())


def test_a_peer_that_keeps_failing_is_given_up() -> None:
    async def story() -> None:
        slot = Slot(0)
        host = MemoryHost(slot)
        async with serving(host) as peer:
            pass  # and gone
        async with PeerClient(MARKET, CLIENT) as client:
            with pytest.raises(PeerDown, match=r"cannot be reached.*tried 2 times"):
                await push_slot(
                    client, peer, REQUEST_ID, 0, b"", b"", slot.plan, slot.from_block, attempts=2, pause=0.01
                )

    asyncio.run(story())


def test_the_server_takes_no_corrupt_block() -> None:
    async def story() -> None:
        slot = Slot(0)
        host = MemoryHost(slot)
        host.taken_manifest, host.taken_list = host.manifest_bytes, slot.block_list

        async def spoilt() -> AsyncIterator[bytes]:
            for index, block in enumerate(slot.blocks):
                yield block[::-1] if index == 5 else block

        async with serving(host) as peer, PeerClient(MARKET, CLIENT) as client:
            size = 20 * slot.plan.block_bytes
            with pytest.raises(PeerRefused, match="block 5 does not match its digest"):
                await client.put_blocks(peer, REQUEST_ID, 0, slot.plan.block_list_digest, 0, size, spoilt())
        assert host.held == slot.blocks[:5]
        assert not host.finished

    asyncio.run(story())


def test_only_the_client_of_the_reserved_slot_uploads() -> None:
    async def story() -> None:
        host = MemoryHost(Slot(0))
        async with (
            serving(host) as peer,
            PeerClient(MARKET, STRANGER) as stranger,
            PeerClient(MARKET, CLIENT) as client,
        ):
            with pytest.raises(PeerRefused, match=r"refused \(403\).*not reserved here for this client"):
                await stranger.upload_status(peer, REQUEST_ID, 0)
            with pytest.raises(PeerRefused, match=r"refused \(403\)"):
                await client.put_document(peer, REQUEST_ID, 1, "manifest", host.manifest_bytes)
            with pytest.raises(PeerRefused, match=r"refused \(422\): the manifest is another one"):
                await client.put_document(peer, REQUEST_ID, 0, "manifest", b"something else")
            with pytest.raises(PeerRefused, match="the manifest comes before the block list"):
                await client.put_document(peer, REQUEST_ID, 0, "blocklist", b"")

    asyncio.run(story())


def test_damage_on_the_hosts_disk_is_never_served() -> None:
    async def story() -> None:
        slot = Slot(0, count=40)
        host = MemoryHost(slot, holds=True)
        async with serving(host) as peer, PeerClient(MARKET) as client:
            host.held[0] = bytes(slot.plan.block_bytes)
            with pytest.raises(PeerRefused, match="block 0 was damaged here"):
                await all_of(reader_of(peer, client, slot, host.digest))
            host.held[0] = slot.blocks[0]
            host.held[33] = bytes(slot.plan.block_bytes)
            got: list[bytes] = []
            with pytest.raises(PeerDown):
                await gathered(reader_of(peer, client, slot, host.digest), got)
            assert got == slot.blocks[: len(got)]
            assert len(got) <= 33
            assert host.damage == 2

    asyncio.run(story())


def test_what_a_host_lacks_or_denies_is_said() -> None:
    async def story() -> None:
        slot = Slot(0)
        host = MemoryHost(slot, holds=True)
        async with serving(host) as peer, PeerClient(MARKET) as client:
            with pytest.raises(PeerRefused, match=r"refused \(404\): this manifest is not held here"):
                await client.fetch_manifest(peer, bytes(32))
            with pytest.raises(PeerRefused, match=r"refused \(416\): the slot has 20 blocks"):
                await all_of(reader_of(peer, client, slot, host.digest, 0, 21))
            host.signed_reads_only = True
            with pytest.raises(PeerRefused, match="only signed reads are served"):
                await client.fetch_manifest(peer, host.digest)

    asyncio.run(story())
