"""A provider in memory, hostile peers as raw sockets, and slots of random blocks."""

import asyncio
import contextlib
import hashlib
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from eth_account import Account

from agents.core.errors import BadData
from agents.net.client import PeerClient
from agents.net.endpoint import Peer
from agents.net.host import Denied, SlotPlan
from agents.net.limits import Limits
from agents.net.server import PeerServer
from agents.net.signing import AccountSigner

MARKET = "eip155:31337:0x5FbDB2315678afecb367f032d93F642f64180aa3"
BLOCK = 4096
REQUEST_ID = bytes(range(31)) + b"\0"
CLIENT = AccountSigner(Account.from_key(b"\x01" * 32))
STRANGER = AccountSigner(Account.from_key(b"\x02" * 32))
PROVIDER = AccountSigner(Account.from_key(b"\x03" * 32)).address


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


class Slot:
    """Random blocks, their list and their plan."""

    def __init__(self, slot_index: int = 0, count: int = 20, block_bytes: int = BLOCK) -> None:
        self.index = slot_index
        source = random.Random(slot_index)
        self.blocks = [source.randbytes(block_bytes) for _ in range(count)]
        self.digests = [sha256(block) for block in self.blocks]
        self.block_list = b"".join(self.digests)
        self.plan = SlotPlan(sha256(self.block_list), self.digests, block_bytes)

    async def from_block(self, start: int) -> AsyncIterator[bytes]:
        for block in self.blocks[start:]:
            yield block


class MemoryHost:
    """A provider that reserved one slot of REQUEST_ID for CLIENT, and serves whatever it holds."""

    address = PROVIDER

    def __init__(self, slot: Slot, *, holds: bool = False) -> None:
        self.slot = slot
        self.manifest_bytes = b"manifest of the dataset"
        self.digest = sha256(self.manifest_bytes)
        self.taken_manifest = self.manifest_bytes if holds else None
        self.taken_list = slot.block_list if holds else None
        self.held = list(slot.blocks) if holds else []
        self.finished = holds
        self.signed_reads_only = False
        self.grew = asyncio.Condition()
        self.readers: list[str | None] = []
        self.damage = 0

    async def admit_upload(self, signer: str, request_id: bytes, slot_index: int) -> None:
        if (signer, request_id, slot_index) != (CLIENT.address, REQUEST_ID, self.slot.index):
            raise Denied("this upload is not expected", "the slot is not reserved here for this client")

    async def put_manifest(self, request_id: bytes, slot_index: int, manifest: bytes) -> None:
        if sha256(manifest) != self.digest:
            raise BadData("the manifest is another one")
        self.taken_manifest = manifest

    async def put_block_list(self, request_id: bytes, slot_index: int, block_list: bytes) -> None:
        if sha256(block_list) != self.slot.plan.block_list_digest:
            raise BadData("the block list is another one")
        self.taken_list = block_list

    async def has_manifest(self, request_id: bytes, slot_index: int) -> bool:
        return self.taken_manifest is not None

    async def upload_plan(self, request_id: bytes, slot_index: int) -> SlotPlan | None:
        return self.slot.plan if self.taken_list is not None else None

    async def blocks_held(self, request_id: bytes, slot_index: int) -> int:
        return len(self.held)

    async def put_block(self, request_id: bytes, slot_index: int, index: int, block: bytes) -> None:
        assert index == len(self.held)
        self.held.append(block)
        async with self.grew:
            self.grew.notify_all()

    async def holds(self, count: int) -> None:
        """Waits until ``count`` blocks have come."""
        async with self.grew:
            await self.grew.wait_for(lambda: len(self.held) >= count)

    async def finish_upload(self, request_id: bytes, slot_index: int) -> None:
        self.finished = True

    async def is_finished(self, request_id: bytes, slot_index: int) -> bool:
        return self.finished

    async def admit_read(self, signer: str | None, manifest_digest: bytes, slot_index: int | None) -> None:
        self.readers.append(signer)
        if self.signed_reads_only and signer is None:
            raise Denied("only signed reads are served")

    async def manifest(self, manifest_digest: bytes) -> bytes | None:
        return self.taken_manifest if manifest_digest == self.digest else None

    def _serves(self, manifest_digest: bytes, slot_index: int) -> bool:
        return self.finished and (manifest_digest, slot_index) == (self.digest, self.slot.index)

    async def block_list(self, manifest_digest: bytes, slot_index: int) -> bytes | None:
        return self.taken_list if self._serves(manifest_digest, slot_index) else None

    async def slot_plan(self, manifest_digest: bytes, slot_index: int) -> SlotPlan | None:
        return self.slot.plan if self._serves(manifest_digest, slot_index) else None

    async def read_blocks(self, manifest_digest: bytes, slot_index: int, start: int, count: int) -> Sequence[bytes]:
        return self.held[start : start + count]

    async def found_damaged(self, manifest_digest: bytes, slot_index: int) -> None:
        self.damage += 1


@contextlib.asynccontextmanager
async def serving(host: MemoryHost, limits: Limits | None = None) -> AsyncIterator[Peer]:
    server = PeerServer(host, MARKET, limits)
    port = await server.start()
    try:
        yield Peer(f"http://127.0.0.1:{port}", host.address)
    finally:
        await server.stop()


Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def raw_peer(behave: Behaviour) -> AsyncIterator[Peer]:
    """A peer that reads the request's headers and then does as it likes."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            await behave(reader, writer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield Peer(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", PROVIDER)
    finally:
        server.close()


def answering(head: str, body: bytes = b"") -> Behaviour:
    """Sends one fixed answer."""

    async def behave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)

    return behave


def reader_of(
    peer: Peer, client: PeerClient, slot: Slot, digest: bytes, start: int = 0, count: int | None = None
) -> AsyncIterator[bytes]:
    wanted = len(slot.blocks) - start if count is None else count
    return client.fetch_blocks(peer, digest, slot.index, slot.digests, slot.plan.block_bytes, start, wanted)


async def all_of(blocks: AsyncIterator[bytes]) -> list[bytes]:
    return [block async for block in blocks]
