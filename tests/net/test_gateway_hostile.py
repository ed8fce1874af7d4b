"""Readers that a gateway must bear: silent ones by the thousand, slow ones, ones that never end, and ones that do not pay."""

import asyncio
import contextlib
import os
import socket
import sys
import time
import weakref
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import aiohttp
import pytest

from agents.core.dataset.cid import digest_of
from agents.core.dataset.segments import SEGMENT_BYTES
from agents.core.dataset.unixfs import FileTree
from agents.core.errors import VoucherInvalid
from agents.net.gateway import bodies
from agents.net.gateway.server import LIMITS
from agents.net.shelf import Item, PaymentRequired, Reading
from tests.net.shelves import MemoryShelf, gateway

BLOCK = 65_536
DATASET = bytes(32)


def one_file(blocks: int) -> tuple[MemoryShelf, str]:
    """A shelf with a file of equal blocks, and its path."""
    shelf, data = MemoryShelf(), bytes(blocks * BLOCK)
    tree = FileTree([digest_of(bytes(BLOCK))] * blocks, len(data))
    shelf.files[DATASET], shelf.trees[DATASET] = data, tree
    shelf.items[tree.root] = Item("file", len(data), DATASET, "zeros")
    return shelf, f"/ipfs/{tree.root}"


async def raw(url: str, *pieces: bytes, pause: float = 0.0) -> bytes:
    """Everything that is answered to ``pieces``, until the gateway ends the connection."""
    host, port = url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    answer = bytearray()

    async def hear() -> None:
        with contextlib.suppress(ConnectionError):
            while piece := await asyncio.wait_for(reader.read(1 << 20), 30):
                answer.extend(piece)

    heard = asyncio.create_task(hear())
    with contextlib.suppress(ConnectionError):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause)
    await heard
    writer.close()
    return bytes(answer)


SIEGE = """
import resource, socket, sys
limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
held = []
for _ in range(10_000):
    held.append(socket.create_connection(("127.0.0.1", int(sys.argv[1]))))
    held[-1].send(b"GET /ipfs/bafk")
print("stands", flush=True)
sys.stdin.read()
"""


def test_ten_thousand_half_open_connections_keep_nobody_from_reading() -> None:
    async def story() -> None:
        shelf, path = one_file(2)
        # As if they came from as many hosts: of one, no more than its share is let in. None is given up for its slowness.
        limits = replace(LIMITS, connections=128, connections_per_host=20_000, header_seconds=600.0)
        async with gateway(shelf, limits=limits) as url:
            siege = await asyncio.create_subprocess_exec(
                sys.executable, "-c", SIEGE, url.rpartition(":")[2], stdin=PIPE, stdout=PIPE
            )
            assert siege.stdin is not None and siege.stdout is not None
            files = len(os.listdir("/proc/self/fd"))
            stands = asyncio.create_task(siege.stdout.readline())
            waits = []
            while not stands.done() or len(waits) < 3:
                begun = time.monotonic()
                async with aiohttp.ClientSession() as session, session.get(url + path) as answer:
                    assert (answer.status, len(await answer.read())) == (200, 2 * BLOCK)
                waits.append(time.monotonic() - begun)
                await asyncio.sleep(0.1)
            assert await stands == b"stands\n"
            assert max(waits) < 30
            # Whoever comes now is heard after all of them.
            async with aiohttp.ClientSession() as session, session.get(url + path) as answer:
                assert answer.status == 200
            assert len(os.listdir("/proc/self/fd")) - files <= limits.connections
            siege.stdin.close()
            await siege.wait()

    asyncio.run(story())


def test_one_host_has_no_more_than_its_share_of_connections() -> None:
    async def story() -> None:
        shelf, path = one_file(1)
        async with gateway(shelf, limits=replace(LIMITS, connections_per_host=3)) as url:
            host, port = url.removeprefix("http://").split(":")
            held = [await asyncio.open_connection(host, int(port)) for _ in range(3)]
            answer = await raw(url, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert answer.startswith(b"HTTP/1.1 503 ")
            for _, writer in held:
                writer.close()

    asyncio.run(story())


def test_a_request_that_never_ends_is_cut_also_when_it_is_not_the_first() -> None:
    async def story() -> None:
        shelf, path = one_file(1)
        ask = f"GET {path} HTTP/1.1\r\nHost: x\r\nRange: bytes=0-9\r\n\r\n".encode()
        async with gateway(shelf, limits=replace(LIMITS, header_seconds=0.5, idle_seconds=0.5)) as url:
            for begin, answers in ((b"", 0), (ask, 1), (ask * 3, 3)):
                begun = time.monotonic()
                drops = [b"GET /ipfs/", *[b"b"] * 20]
                answer = await raw(url, begin, *drops, pause=0.1)
                assert answer.count(b"HTTP/1.1 206 ") == answers
                assert len(answer) < 1000 * (answers + 1)
                assert time.monotonic() - begun < 20

    asyncio.run(story())


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"\x16\x03\x01\x02\x00\x01", b"400"),
        (b"GET /ipfs/x HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(200)) + b"\r\n", b"400"),
        (b"GET /ipfs/x HTTP/1.1\r\nX: " + b"y" * 20_000 + b"\r\n\r\n", b"400"),
        (b"GET /" + b"y" * 20_000 + b" HTTP/1.1\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\nxxx", b"405"),
        (b"GET /ipfs/%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"400"),
        (b"GET /ipfs/..%2f..%2fetc%2fpasswd HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"400"),
    ],
)
def test_what_is_no_request_is_refused_and_the_connection_ends(
    request_: bytes, status: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        shelf, _ = one_file(1)
        async with gateway(shelf, limits=replace(LIMITS, linger_seconds=0.1)) as url:
            assert (await raw(url, request_)).startswith(b"HTTP/1.1 " + status) or status == b"400"

    asyncio.run(story())
    assert not caplog.records, "it fills no log"


@pytest.mark.parametrize("ends", [b"", b"\r\n"])
def test_headers_that_are_too_many_together_end_the_connection(ends: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        shelf, path = one_file(1)
        async with gateway(shelf) as url:
            begun = time.monotonic()
            head = f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n".encode()
            few, many = (b"".join(b"X-%d: %s\r\n" % (n, b"y" * 4000) for n in range(count)) for count in (7, 40))
            assert (await raw(url, head + few + b"\r\n")).startswith(b"HTTP/1.1 200 ")
            for pause, pieces in ((0.0, (head + many + ends,)), (0.05, (head + many[:30_000], many[30_000:] + ends))):
                assert await raw(url, *pieces, pause=pause) == b""
            assert time.monotonic() - begun < 5

    asyncio.run(story())
    assert not caplog.records


def test_requests_that_wait_behind_an_answer_are_few_and_all_are_answered() -> None:
    async def story() -> None:
        shelf, path = one_file(64)
        ask = f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        async with gateway(shelf, limits=replace(LIMITS, idle_seconds=0.5)) as url:
            host, port = url.removeprefix("http://").split(":")
            with socket.socket() as reader:
                reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                reader.setblocking(False)
                loop = asyncio.get_running_loop()
                await loop.sock_connect(reader, (host, int(port)))
                sent = 0
                with contextlib.suppress(TimeoutError):
                    while sent < 100_000:
                        await asyncio.wait_for(loop.sock_sendall(reader, ask * 1000), 0.3)
                        sent += 1000
                assert sent < 100_000, "nobody listens to more"
            answers = await raw(url, ask * 20)
            assert answers.count(b"HTTP/1.1 200 ") == 20

    asyncio.run(story())


def test_a_reader_that_does_not_read_is_cut_and_holds_little_memory() -> None:
    async def story() -> None:
        shelf, path = one_file(64 * 16)
        async with gateway(shelf, limits=replace(LIMITS, block_seconds=0.4)) as url:
            host, port = url.removeprefix("http://").split(":")
            with socket.socket() as reader:
                reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                reader.setblocking(False)
                loop = asyncio.get_running_loop()
                await loop.sock_connect(reader, (host, int(port)))
                await loop.sock_sendall(reader, f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
                await asyncio.sleep(1.2)
                got = 0
                with contextlib.suppress(ConnectionError):
                    while piece := await asyncio.wait_for(loop.sock_recv(reader, 1 << 20), 30):
                        got += len(piece)
            assert got < 16 * SEGMENT_BYTES
            assert len(shelf.served) < 18

    asyncio.run(story())


class Tracked(bytearray):
    """Bytes of which it is known when they are gone."""


def test_no_segment_is_kept_for_a_reader_that_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "HOLD", 0.1)

    async def story() -> None:
        shelf, path = one_file(64 * 16)
        made: list[weakref.ref[Tracked]] = []
        segment = shelf.segment

        async def tracked(dataset: bytes, number: int) -> memoryview:
            data = Tracked(await segment(dataset, number))
            made.append(weakref.ref(data))
            return memoryview(data)

        monkeypatch.setattr(shelf, "segment", tracked)
        for query in ("", "?format=car&car-dups=y"):
            made.clear()
            async with (
                gateway(shelf) as url,
                aiohttp.ClientSession(read_bufsize=1 << 16) as session,
                session.get(f"{url}{path}{query}") as answer,
            ):
                await answer.content.readany()
                await asyncio.sleep(0.5)
                assert 0 < len(made) < 40
                assert [ref() for ref in made if ref() is not None] == []
                left = 0
                async for piece in answer.content.iter_any():
                    left += len(piece)
                assert left > 48 * SEGMENT_BYTES
            assert 64 < len(made) < 80

    asyncio.run(story())


def test_a_segment_may_take_longer_to_come_than_one_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "HOLD", 0.05)

    async def story() -> None:
        shelf, path = one_file(64)
        segment = shelf.segment

        async def slow(dataset: bytes, number: int) -> memoryview:
            await asyncio.sleep(0.15)
            return await segment(dataset, number)

        monkeypatch.setattr(shelf, "segment", slow)
        async with gateway(shelf) as url, aiohttp.ClientSession() as session:
            for query in ("", "?format=car&car-dups=y"):
                async with session.get(f"{url}{path}{query}") as answer:
                    assert len(await answer.read()) == answer.content_length

    asyncio.run(story())


def test_requests_of_one_host_are_capped() -> None:
    async def story() -> None:
        shelf, path = one_file(1)
        limits = replace(LIMITS, requests_per_second=0.001, requests_burst=2)
        async with gateway(shelf, limits=limits) as url, aiohttp.ClientSession() as session:
            found = []
            for _ in range(3):
                async with session.get(url + path) as answer:
                    found.append((answer.status, answer.headers.get("Retry-After")))
            assert found[:2] == [(200, None)] * 2
            assert found[2][0] == 429 and int(found[2][1] or 0) > 0

    asyncio.run(story())


# ---- payment


class Meter:
    """A counter that lets ``credit`` bytes through, a block at a time; ``Voucher: <n>`` in a header adds n."""

    step = BLOCK

    def __init__(self, credit: int = 0, patience: float = 0.3) -> None:
        self.credit = credit
        self.taken = self.open = 0
        self._patience = patience
        self._paid = asyncio.Event()

    async def admit(self, reading: Reading) -> "Meter":
        await self.vouch(reading.host, reading.headers)
        if not self.credit:
            raise PaymentRequired({"version": 1, "size": str(reading.size)})
        self.open += 1
        return self

    async def vouch(self, host: str, headers: Mapping[str, str]) -> Mapping[str, Any]:
        voucher = headers.get("voucher", "0")
        if not voucher.isdigit():
            raise VoucherInvalid("The voucher is not valid", "it is no number")
        self.credit += int(voucher)
        self._paid.set()
        return {"credit": self.credit}

    async def take(self, size: int) -> None:
        assert 0 < size <= self.step
        while self.credit < size:
            self._paid.clear()
            try:
                await asyncio.wait_for(self._paid.wait(), self._patience)
            except TimeoutError:
                raise PaymentRequired({"version": 1}) from None
        self.credit -= size
        self.taken += size

    def close(self) -> None:
        self.open -= 1


def test_nothing_is_sent_before_it_is_paid_for() -> None:
    async def story() -> None:
        shelf, path = one_file(40)
        meter = Meter()
        async with gateway(shelf, meter) as url, aiohttp.ClientSession() as session:
            async with session.get(url + path) as answer:
                assert (answer.status, await answer.json()) == (402, {"version": 1, "size": str(40 * BLOCK)})
            async with session.get(url + path, headers={"Voucher": "ten"}) as answer:
                assert (answer.status, (await answer.json())["error"]) == (400, "voucher")
            for free in (session.head(url + path), session.get(url + path, headers={"If-None-Match": "*"})):
                async with free as answer:
                    assert answer.status in (200, 304)
            async with session.get(url + path, headers={"Voucher": str(3 * BLOCK)}) as answer:
                assert answer.status == 200
                got = 0
                with contextlib.suppress(aiohttp.ClientPayloadError):
                    async for piece in answer.content.iter_any():
                        got += len(piece)
            # What is owed for is sent all the same.
            assert got == meter.taken == 3 * BLOCK
            assert meter.open == 0

    asyncio.run(story())


def test_a_stream_goes_on_as_it_is_paid_and_framing_is_free() -> None:
    async def story() -> None:
        shelf, path = one_file(40)
        meter = Meter(patience=10.0)
        async with gateway(shelf, meter) as url, aiohttp.ClientSession() as session:
            async with session.get(f"{url}{path}?format=car&car-dups=y", headers={"Voucher": str(BLOCK)}) as answer:
                assert answer.content_length is not None
                got, told = 0, {}
                while got < answer.content_length:
                    async with session.post(f"{url}/v1/vouchers", headers={"Voucher": str(BLOCK)}) as voucher:
                        assert voucher.status == 200
                        told = await voucher.json()
                    with contextlib.suppress(TimeoutError):
                        got += len(await asyncio.wait_for(answer.content.readany(), 0.05))
            node = shelf.trees[DATASET].block(shelf.trees[DATASET].root.digest)
            assert node is not None
            assert meter.taken == 40 * BLOCK + len(node)
            assert told["credit"] >= 0
            assert got > meter.taken and meter.open == 0

    asyncio.run(story())
