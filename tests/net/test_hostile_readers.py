"""What a server is asked that it must not do: forged, replayed and expired requests, odd paths, slow-loris."""

import asyncio
import contextlib
import time
from collections.abc import Callable

import pytest

from agents.net.client import PeerClient
from agents.net.endpoint import Peer
from agents.net.errors import PeerBusy, PeerRefused
from agents.net.limits import Limits
from agents.net.messages import upload_path
from agents.net.signing import SIGNER, AccountSigner, signed_headers

from .peers import CLIENT, MARKET, PROVIDER, REQUEST_ID, STRANGER, MemoryHost, Slot, all_of, reader_of, serving, sha256

TARGET = upload_path(REQUEST_ID, 0)
OTHER = "0x00000000000000000000000000000000000000AA"


def _signed(
    signer: AccountSigner = CLIENT,
    market: str = MARKET,
    audience: str = PROVIDER,
    method: str = "GET",
    target: str = TARGET,
    clock: Callable[[], float] = time.time,
) -> dict[str, str]:
    return signed_headers(signer, market=market, audience=audience, method=method, target=target, clock=clock)


async def _raw(peer: Peer, text: bytes) -> bytes:
    host, port = peer.endpoint.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(text)
    with contextlib.suppress(ConnectionError):
        await writer.drain()
        answer = await asyncio.wait_for(reader.read(), 30)
        writer.close()
        return answer
    writer.close()
    return b""


async def _get(peer: Peer, target: str, headers: dict[str, str], method: str = "GET", body: bytes = b"") -> bytes:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return await _raw(peer, f"{method} {target} HTTP/1.1\r\nHost: x\r\n{lines}\r\n".encode() + body)


FORGERIES = [
    ("unsigned", dict, b"Holdfast-Signer is missing or malformed"),
    ("another signer", lambda: _signed(STRANGER) | {SIGNER: CLIENT.address}, b"the signature is not the signer's"),
    ("another host", lambda: _signed(audience=OTHER), b"the signature is not the signer's"),
    ("another market", lambda: _signed(market="eip155:1:" + OTHER), b"the signature is not the signer's"),
    ("another method", lambda: _signed(method="PUT"), b"the signature is not the signer's"),
    ("another slot", lambda: _signed(target=TARGET[:-1] + "1"), b"the signature is not the signer's"),
    ("expired", lambda: _signed(clock=lambda: time.time() - 3600), b"the request expired"),
    ("from the future", lambda: _signed(clock=lambda: time.time() + 3600), b"expires too far ahead"),
    ("no signature", lambda: _signed() | {"Holdfast-Signature": "0x" + "00" * 65}, b"the signature is"),
    ("high v", lambda: _signed() | {"Holdfast-Signature": "0x" + "ff" * 65}, b"the signature is"),
]


@pytest.mark.parametrize(("forged", "says"), [case[1:] for case in FORGERIES], ids=[case[0] for case in FORGERIES])
def test_a_forged_request_is_unauthenticated(forged: Callable[[], dict[str, str]], says: bytes) -> None:
    async def story() -> bytes:
        async with serving(MemoryHost(Slot(0))) as peer:
            return await _get(peer, TARGET, forged())

    answer = asyncio.run(story())
    assert answer.startswith(b"HTTP/1.1 401")
    assert says in answer


def test_a_replayed_request_is_refused() -> None:
    async def story() -> None:
        headers = _signed()
        async with serving(MemoryHost(Slot(0))) as peer:
            assert (await _get(peer, TARGET, headers)).startswith(b"HTTP/1.1 200")
            again = await _get(peer, TARGET, headers)
            assert again.startswith(b"HTTP/1.1 401")
            assert b"the nonce was used before" in again

    asyncio.run(story())


def test_a_signature_does_not_cover_another_body() -> None:
    async def story() -> bytes:
        headers = signed_headers(
            CLIENT, market=MARKET, audience=PROVIDER, method="PUT", target=TARGET + "/manifest", body=sha256(b"one")
        )
        async with serving(MemoryHost(Slot(0))) as peer:
            return await _get(peer, TARGET + "/manifest", headers | {"Content-Length": "3"}, "PUT", b"two")

    assert b"does not have the digest that was signed" in asyncio.run(story())


@pytest.mark.parametrize(
    "target",
    [
        "/v1/manifests/../../etc/passwd",
        "/v1/manifests/%2e%2e%2fetc%2fpasswd",
        "/v1/manifests/" + "A" * 64,
        "/v1/manifests/" + "a" * 64 + "/slots/256/blocklist",
        "/v1/manifests/" + "a" * 64 + "/slots/00/blocklist",
        "/v1/manifests/" + "a" * 64 + "\\..",
        "/v1/manifests/" + "a" * 64 + "%0a",
        "/v2/status",
        "//v1/status",
    ],
)
def test_paths_outside_the_routes_do_not_exist(target: str) -> None:
    async def story() -> bytes:
        async with serving(MemoryHost(Slot(0), holds=True)) as peer:
            return await _get(peer, target, {})

    assert asyncio.run(story()).startswith(b"HTTP/1.1 404")


@pytest.mark.parametrize(
    ("headers", "status", "says"),
    [
        ({"Content-Length": str(1 << 40)}, b"413", b"bytes are more than"),
        ({"Transfer-Encoding": "chunked"}, b"411", b"Content-Length must be given"),
        ({"Content-Length": "3", "Content-Encoding": "gzip"}, b"415", b"not compressed"),
        ({"Content-Length": "10"}, b"408", b"did not arrive in time"),
    ],
)
def test_bodies_are_bounded_in_size_and_time(headers: dict[str, str], status: bytes, says: bytes) -> None:
    async def story() -> bytes:
        target = TARGET + "/manifest"
        async with serving(MemoryHost(Slot(0)), Limits(document_seconds=0.3, linger_seconds=0.2)) as peer:
            return await _get(peer, target, _signed(method="PUT", target=target) | headers, "PUT")

    answer = asyncio.run(story())
    assert answer.startswith(b"HTTP/1.1 " + status)
    assert says in answer


def test_a_slow_loris_is_cut_and_others_are_served() -> None:
    async def story() -> None:
        host = MemoryHost(Slot(0), holds=True)
        async with serving(host, Limits(header_seconds=3.0)) as peer, PeerClient(MARKET) as client:
            lorises = [asyncio.create_task(_raw(peer, b"GET /v1/status HTTP/1.1\r\nX-Slow: ")) for _ in range(20)]
            assert await client.fetch_manifest(peer, host.digest) == host.manifest_bytes
            assert await asyncio.gather(*lorises) == [b""] * 20

    asyncio.run(story())


def test_an_upload_that_dawdles_is_cut_and_keeps_what_came() -> None:
    async def story() -> None:
        slot = Slot(0)
        host = MemoryHost(slot)
        host.taken_manifest, host.taken_list = host.manifest_bytes, slot.block_list
        target = TARGET + "/blocks?start=0"
        headers = signed_headers(
            CLIENT, market=MARKET, audience=PROVIDER, method="PUT", target=target, body=slot.plan.block_list_digest
        ) | {"Content-Length": str(20 * slot.plan.block_bytes)}
        async with serving(host, Limits(block_seconds=1.0, linger_seconds=0.2)) as peer:
            answer = await _get(peer, target, headers, "PUT", slot.blocks[0] + slot.blocks[1] + b"x")
        assert b"block 2 did not arrive in time" in answer
        assert host.held == slot.blocks[:2]

    asyncio.run(story())


def test_a_newer_upload_displaces_a_dead_one() -> None:
    async def story() -> None:
        slot = Slot(0)
        host = MemoryHost(slot)
        host.taken_manifest, host.taken_list = host.manifest_bytes, slot.block_list
        target = TARGET + "/blocks?start=0"
        headers = signed_headers(
            CLIENT, market=MARKET, audience=PROVIDER, method="PUT", target=target, body=slot.plan.block_list_digest
        ) | {"Content-Length": str(20 * slot.plan.block_bytes)}
        async with serving(host) as peer, PeerClient(MARKET, CLIENT) as client:
            dead = asyncio.create_task(_get(peer, target, headers, "PUT", slot.blocks[0]))
            await host.holds(1)
            size = 19 * slot.plan.block_bytes
            status = await client.put_blocks(
                peer, REQUEST_ID, 0, slot.plan.block_list_digest, 1, size, slot.from_block(1)
            )
            assert status.done
            assert host.held == slot.blocks
            await dead

    asyncio.run(story())


def test_connections_and_requests_are_capped() -> None:
    async def story() -> None:
        host = MemoryHost(Slot(0), holds=True)
        async with (
            serving(host, Limits(connections_per_host=3)) as peer,
            serving(host, Limits(requests_per_second=0.001, requests_burst=2)) as strict,
            PeerClient(MARKET) as client,
        ):
            address, port = peer.endpoint.removeprefix("http://").split(":")
            idle = [await asyncio.open_connection(address, int(port)) for _ in range(3)]
            with pytest.raises(PeerBusy, match="too many connections are open"):
                await client.fetch_manifest(peer, host.digest)
            for _, writer in idle:
                writer.close()
            for _ in range(2):
                await client.fetch_manifest(strict, host.digest)
            with pytest.raises(PeerBusy, match=r"refused \(429\): too many requests"):
                await client.fetch_manifest(strict, host.digest)

    asyncio.run(story())


def test_many_readers_at_once_are_all_served() -> None:
    async def story() -> None:
        slot = Slot(0)
        host = MemoryHost(slot, holds=True)
        async with serving(host) as peer, PeerClient(MARKET) as client:
            reads = [all_of(reader_of(peer, client, slot, host.digest)) for _ in range(30)]
            assert await asyncio.gather(*reads) == [slot.blocks] * 30

    asyncio.run(story())


def test_a_request_signed_for_one_slot_is_denied_on_another() -> None:
    async def story() -> None:
        async with serving(MemoryHost(Slot(0))) as peer, PeerClient(MARKET, CLIENT) as client:
            with pytest.raises(PeerRefused, match=r"refused \(403\)"):
                await client.upload_status(peer, REQUEST_ID, 7)

    asyncio.run(story())
