"""A provider that is down, lies, or sends corrupt, short, endless, slow, redirected or compressed answers."""

import asyncio
import gzip
import socket
import tracemalloc

import pytest

from agents.core.dataset.cid import Cid, digest_of
from agents.core.errors import PeerError
from agents.net.caches import CacheClient
from agents.net.client import Patience, PeerClient
from agents.net.endpoint import PRIVATE_PEERS, Peer, checked_endpoint, is_public
from agents.net.errors import EndpointInvalid, PeerBusy, PeerCorrupt, PeerDown, PeerLied, PeerRefused, PeerSlow

from .peers import BLOCK, CLIENT, MARKET, PROVIDER, Behaviour, Slot, all_of, answering, raw_peer, reader_of

SLOT = Slot(0, count=4)
DIGEST = bytes(32)
IMPATIENT = Patience(answer=1.5, block=1.5)


def _head(length: int) -> str:
    return f"HTTP/1.1 200 OK\nContent-Length: {length}"


async def _silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def _endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while True:
        writer.write(b"10000\r\n" + bytes(65536) + b"\r\n")
        await writer.drain()


async def _stalling(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(_head(4 * BLOCK).encode().replace(b"\n", b"\r\n") + b"\r\n\r\n" + SLOT.blocks[0] + b"x")
    await reader.read()


READS: list[tuple[str, Behaviour, type[PeerError], str]] = [
    ("silent", _silent, PeerSlow, "is too slow: an answer did not come in 1.5 s"),
    ("stalling", _stalling, PeerSlow, "is too slow: block 1 did not come in 1.5 s"),
    (
        "corrupt",
        answering(_head(4 * BLOCK), SLOT.blocks[0] + bytes(3 * BLOCK)),
        PeerCorrupt,
        "sends corrupt data: block 1 of slot 0 has another digest",
    ),
    ("short", answering(_head(4 * BLOCK), SLOT.blocks[0] + b"x"), PeerDown, "stopped in the middle: block 1"),
    ("wrong length", answering(_head(4 * BLOCK + 1), bytes(4 * BLOCK + 1)), PeerLied, "sends a wrong length"),
    ("endless", _endless, PeerLied, "sends a wrong length"),
    (
        "redirect",
        answering("HTTP/1.1 302 Found\nLocation: http://169.254.169.254/\nContent-Length: 0"),
        PeerLied,
        "redirects elsewhere",
    ),
    (
        "gzip bomb",
        answering(_head(4 * BLOCK) + "\nContent-Encoding: gzip", gzip.compress(bytes(1 << 24))),
        PeerLied,
        "sends a compressed answer",
    ),
    ("no HTTP", answering("SSH-2.0-OpenSSH_9.6"), PeerLied, "does not speak HTTP"),
    ("huge header", answering("HTTP/1.1 200 OK\nX: " + "x" * 100_000), PeerLied, "does not speak HTTP"),
    ("hangs up", answering(""), PeerError, "http://127.0.0.1"),
    (
        "busy",
        answering("HTTP/1.1 503 Busy\nContent-Length: 22", b'{"reason":"later on"} '),
        PeerBusy,
        r"refused \(503\): later on",
    ),
    (
        "shouting",
        answering("HTTP/1.1 500 No\nContent-Length: 30", b'{"reason":"\\u001b[2J gone  "}  '[:30]),
        PeerRefused,
        r"refused \(500\): \[2J gone",
    ),
]


@pytest.mark.parametrize(("behave", "kind", "says"), [case[1:] for case in READS], ids=[case[0] for case in READS])
def test_a_bad_answer_to_a_read_names_the_endpoint(behave: Behaviour, kind: type[PeerError], says: str) -> None:
    async def story() -> None:
        patience = IMPATIENT if kind is PeerSlow else Patience()
        async with raw_peer(behave) as peer, PeerClient(MARKET, patience=patience) as client:
            with pytest.raises(kind, match=says) as caught:
                await all_of(reader_of(peer, client, SLOT, DIGEST))
            assert peer.endpoint in str(caught.value)

    asyncio.run(story())


def test_what_came_before_a_corrupt_block_is_good() -> None:
    async def story() -> list[bytes]:
        got: list[bytes] = []
        bad = answering(_head(4 * BLOCK), SLOT.blocks[0] + SLOT.blocks[1] + bytes(2 * BLOCK))
        async with raw_peer(bad) as peer, PeerClient(MARKET) as client:
            try:
                async for block in reader_of(peer, client, SLOT, DIGEST):
                    got.append(block)
            except PeerCorrupt:
                return got
        return []

    assert asyncio.run(story()) == SLOT.blocks[:2]


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

    async def story() -> None:
        async with PeerClient(MARKET) as client:
            with pytest.raises(PeerDown, match=f"http://127.0.0.1:{port} cannot be reached"):
                await client.fetch_manifest(Peer(f"http://127.0.0.1:{port}", PROVIDER), DIGEST)

    asyncio.run(story())


def test_an_endless_document_is_cut_within_bounded_memory() -> None:
    async def story() -> int:
        async with raw_peer(_endless) as peer, PeerClient(MARKET) as client:
            tracemalloc.start()
            try:
                with pytest.raises(PeerLied, match="does not stop sending: more than 1048576 bytes"):
                    await client.fetch_manifest(peer, DIGEST)
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

    assert asyncio.run(story()) < 16 << 20


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"[" * 10_000, "does not answer in JSON"),
        (b"{}", "not an upload status of version 1"),
        (
            b'{"version":1,"manifest":true,"blockList":true,"done":false,"held":9,"total":4}',
            "held and total must be counts",
        ),
        (b'{"version":1,"manifest":1,"blockList":true,"done":false,"held":0,"total":4}', "must be true or false"),
    ],
)
def test_a_nonsensical_upload_status_is_a_lie(body: bytes, says: str) -> None:
    async def story() -> None:
        async with raw_peer(answering(_head(len(body)), body)) as peer, PeerClient(MARKET, CLIENT) as client:
            with pytest.raises(PeerLied, match=says):
                await client.upload_status(peer, bytes(32), 0)

    asyncio.run(story())


def test_a_peer_that_stops_taking_blocks_is_cut() -> None:
    slot = Slot(0, count=64, block_bytes=1 << 20)

    async def story() -> None:
        async with raw_peer(lambda reader, writer: asyncio.sleep(60)) as peer:
            patience = Patience(connect=2.0, block=1.0)
            async with PeerClient(MARKET, CLIENT, patience) as client:
                with pytest.raises(PeerSlow, match="stopped taking blocks"):
                    await client.put_blocks(peer, bytes(32), 0, DIGEST, 0, 64 << 20, slot.from_block(0))

    asyncio.run(story())


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("ftp://host", "must start with http"),
        ("host:7070", "must start with http"),
        ("http://", "names no host"),
        ("http://user:word@host", "no user name or password"),
        ("http://host/?q=1", "no query"),
        ("http://host/#x", "no query"),
        ("http://host:99999", "ort out of range"),
        ("http://host:0", "port 0"),
        ("http://host/../etc", "its path"),
        ("http://ho st", "printable ASCII"),
        ("http://höst", "printable ASCII"),
        ("http://" + "h" * 300, "longer than"),
        ("http://a..b", "names no host"),
        ("http://-a.example", "names no host"),
        ("http://" + "h" * 64 + ".example", "names no host"),
        ("http://[::1%25eth0]", "names no host"),
        ("http://[v1.x:y]", "names no host"),
    ],
)
def test_what_cannot_be_an_endpoint(url: str, says: str) -> None:
    with pytest.raises(EndpointInvalid, match=says):
        checked_endpoint(url)


def test_a_name_that_the_resolver_rejects_is_a_peer_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agents.net.client.checked_endpoint", lambda url: url)

    async def story() -> None:
        async with PeerClient(MARKET) as client:
            with pytest.raises(PeerDown, match=r"http://a\.\.b"):
                await client.fetch_manifest(Peer("http://a..b", PROVIDER), DIGEST)

    asyncio.run(story())


@pytest.mark.parametrize(
    "url",
    ["http://" + "h" * 63 + ".example", "http://127.0.0.1:7070/", "https://a.example/holdfast", "http://[::1]:7070"],
)
def test_what_can_be_an_endpoint(url: str) -> None:
    assert checked_endpoint(url) == url.rstrip("/")


@pytest.mark.parametrize(
    ("address", "public"),
    [
        *((each, True) for each in ("1.1.1.1", "2606:4700::1", "64:ff9b::101:101", "2002:101:101::")),
        *((each, False) for each in ("127.0.0.1", "0.0.0.0", "10.0.0.1", "192.168.0.1", "172.18.0.2", "100.64.0.1")),
        *((each, False) for each in ("169.254.169.254", "224.0.0.1", "::1", "::", "fe80::1%eth0", "fd00::1", "ff02::1")),
        *((each, False) for each in ("::ffff:127.0.0.1", "64:ff9b::c0a8:1", "2002:c0a8:1::")),
    ],
)  # fmt: skip
def test_which_addresses_anybody_may_have(address: str, public: bool) -> None:
    assert is_public(address) is public


def test_nobody_is_led_into_a_private_network_by_what_strangers_register(monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[str] = []
    block = b"a block"

    async def hears(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append("somebody came")
        await answering(_head(len(block)), block)(reader, writer)

    async def read(peer: Peer, market: str) -> bytes:
        async with CacheClient(IMPATIENT, market) as client:
            return await client.block(peer, Cid("raw", digest_of(block)))

    async def story() -> None:
        elsewhere = MARKET.replace("31337", "1")
        async with raw_peer(hears) as peer:
            for endpoint in (peer.endpoint, peer.endpoint.replace("127.0.0.1", "localhost")):
                stranger = Peer(endpoint, PROVIDER)
                with pytest.raises(PeerDown, match="private network"):
                    await read(stranger, elsewhere)
                async with PeerClient(elsewhere) as client:
                    with pytest.raises(PeerDown, match="private network"):
                        await client.fetch_manifest(stranger, DIGEST)
            assert heard == []
            assert await read(Peer(peer.endpoint, ""), elsewhere) == block, "the user named it"
            assert await read(stranger, MARKET) == block, "the market is on this machine"
            monkeypatch.setenv(PRIVATE_PEERS, "yes")
            assert await read(stranger, elsewhere) == block

    asyncio.run(story())
