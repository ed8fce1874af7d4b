"""A gateway in conversation: files, ranges, blocks, CARs, what is known already, and what cannot be had."""

import asyncio
import logging
import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import aiohttp
import dag_cbor
import pytest
from multiformats import CID

from agents.core.dataset.cid import Cid, digest_of
from agents.core.dataset.manifest import Manifest
from agents.core.dataset.segments import SEGMENT_BYTES
from agents.core.errors import Corrupt, HoldfastError, NotFound, StorageTrouble
from agents.net.errors import PeerDown
from agents.net.host import Later
from agents.net.shelf import Gone
from tests.net.cars import Block, blocks_of
from tests.net.shelves import MemoryShelf, gateway

BLOCK = 65_536
RAW, CAR = "application/vnd.ipld.raw", "application/vnd.ipld.car"

Story = Callable[[aiohttp.ClientSession, str], Awaitable[None]]


@pytest.fixture(scope="module")
def shelf() -> MemoryShelf:
    return MemoryShelf()


@pytest.fixture(scope="module")
def data() -> bytes:
    return os.urandom(2 * SEGMENT_BYTES + 3 * BLOCK + 77)


@pytest.fixture(scope="module")
def public(shelf: MemoryShelf, data: bytes, tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return shelf.store(tmp_path_factory.mktemp("public"), "a file.txt", data)


def run(shelf: MemoryShelf, story: Story) -> None:
    async def whole() -> None:
        async with gateway(shelf) as url, aiohttp.ClientSession() as session:
            await story(session, f"{url}/ipfs/")

    asyncio.run(whole())


def test_a_public_file_is_sent_as_it_is_and_in_parts(shelf: MemoryShelf, public: Manifest, data: bytes) -> None:
    async def story(session: aiohttp.ClientSession, url: str) -> None:
        url += str(public.ipfs)
        async with session.get(url) as answer:
            assert (answer.status, await answer.read()) == (200, data)
            assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"
            assert answer.headers["Cache-Control"] == "public, max-age=29030400, immutable"
            assert answer.headers["X-Ipfs-Roots"] == str(public.ipfs)
            assert answer.headers["Holdfast-Manifest"] == str(Cid("dag-cbor", public.digest))
            whole = answer.headers
        async with session.head(url) as answer:
            assert (answer.status, await answer.read()) == (200, b"")
            assert {**answer.headers, "Date": ""} == {**whole, "Date": ""}
        for start, stop in (
            (0, 1),
            (SEGMENT_BYTES - 1, SEGMENT_BYTES + 1),
            (5, 2 * SEGMENT_BYTES + 9),
            (100, len(data)),
        ):
            async with session.get(url, headers={"Range": f"bytes={start}-{stop - 1}"}) as answer:
                assert (answer.status, await answer.read()) == (206, data[start:stop])
                assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(data)}"
        async with session.get(url, headers={"Range": "bytes=-7"}) as answer:
            assert await answer.read() == data[-7:]
        async with session.get(url, headers={"Range": f"bytes={len(data)}-"}) as answer:
            assert (answer.status, answer.headers["Content-Range"]) == (416, f"bytes */{len(data)}")
        async with session.get(url, headers={"Range": "bytes=0-1,5-6"}) as answer:
            assert (answer.status, await answer.read()) == (200, data)
        for validator, status in ((whole["ETag"], 206), ('"another"', 200)):
            async with session.get(url, headers={"Range": "bytes=0-1", "If-Range": validator}) as answer:
                assert answer.status == status

    run(shelf, story)


def test_every_block_is_sent_raw(shelf: MemoryShelf, public: Manifest, data: bytes) -> None:
    async def story(session: aiohttp.ClientSession, url: str) -> None:
        leaf = Cid("raw", digest_of(data[:BLOCK]))
        tail = Cid("raw", digest_of(data[-(len(data) % BLOCK) :]))
        listed = Cid("dag-cbor", public.slots[1].blocks)
        for cid in (public.ipfs, leaf, tail, listed, Cid("dag-cbor", public.digest)):
            assert cid is not None
            for query, headers in (("?format=raw", {}), ("", {"Accept": RAW})):
                async with session.get(f"{url}{cid}{query}", headers=headers) as answer:
                    assert (answer.status, answer.headers["Content-Type"]) == (200, RAW)
                    assert digest_of(await answer.read()) == cid.digest
                    assert answer.headers.get("Content-Location") == (f"/ipfs/{cid}?format=raw" if headers else None)
        for cid, kind in ((leaf, "application/octet-stream"), (listed, "application/vnd.ipld.dag-cbor")):
            async with session.get(f"{url}{cid}", headers={"Range": "bytes=1-"}) as answer:
                assert (answer.status, answer.headers["Content-Type"]) == (206, kind)
                assert await answer.read() == shelf.blocks[cid][1:]

    run(shelf, story)


def test_a_car_has_what_verifies_the_bytes_and_no_more(shelf: MemoryShelf, public: Manifest, data: bytes) -> None:
    root, tree = public.ipfs, shelf.trees[public.digest]
    assert root is not None

    async def story(session: aiohttp.ClientSession, url: str) -> None:
        async def asked(query: str) -> list[Block]:
            async with session.get(f"{url}{root}?format=car{query}") as answer:
                assert (answer.status, answer.headers["Content-Type"]) == (200, f"{CAR}; version=1; order=dfs; dups=n")
                car = await answer.read()
                assert answer.content_length == len(car)
                roots, blocks = blocks_of(car)
                assert (roots, blocks[0].cid) == ([root], root)
                return blocks

        for query in ("", "&dag-scope=all", "&dag-scope=entity", "&entity-bytes=0:*"):
            blocks = await asked(query)
            assert [block.cid.digest for block in blocks[1:]] == list(tree.leaves)
            assert b"".join(block.data for block in blocks[1:]) == data
        assert len(await asked("&dag-scope=block")) == 1
        assert [block.cid.digest for block in (await asked("&entity-bytes=70000:140000"))[1:]] == list(tree.leaves[1:3])
        assert [block.cid.digest for block in (await asked("&entity-bytes=-1:*"))[1:]] == list(tree.leaves[-1:])
        assert len(await asked("&entity-bytes=5:4")) == 1
        async with session.get(f"{url}{root}?format=car&entity-bytes={len(data)}:*") as answer:
            assert answer.status == 400
        manifest = Cid("dag-cbor", public.digest)
        async with session.get(f"{url}{manifest}?format=car&entity-bytes=0:*") as answer:
            assert [block.cid for block in blocks_of(await answer.read())[1]] == [manifest], "a map has no bytes"

    run(shelf, story)


def test_no_block_is_sent_twice_unless_that_is_wanted(tmp_path: Path) -> None:
    shelf, zeros = MemoryShelf(), bytes(BLOCK)
    data = zeros * (174 + 3) + os.urandom(BLOCK) + zeros * 174 + b"end"
    manifest = shelf.store(tmp_path, "sparse", data)
    tree = shelf.trees[manifest.digest]

    async def story(session: aiohttp.ClientSession, url: str) -> None:
        async def asked(query: str, accept: str = "*/*") -> tuple[str, list[Block]]:
            headers = {"Accept": accept}
            async with session.get(f"{url}{manifest.ipfs}?format=car{query}", headers=headers) as answer:
                car = await answer.read()
                assert (answer.status, answer.content_length) == (200, len(car))
                return answer.headers["Content-Type"].removeprefix(f"{CAR}; version=1; order=dfs; "), blocks_of(car)[1]

        for part, first, last in (
            ("", 0, None),
            ("&entity-bytes=100000:*", 1, None),
            ("&entity-bytes=-3:*", 352, None),
        ):
            walked = [node.cid for node in tree.walk(first, last)]
            for query, accept, dups in (
                ("&car-dups=y", "*/*", "y"),
                ("", f"{CAR}; dups=y", "y"),
                ("", "*/*", "n"),
                ("&car-order=unk", f"{CAR}; order=dfs", "n"),
                ("&car-dups=n", f"{CAR}; dups=y", "n"),
            ):
                told, blocks = await asked(part + query, accept)
                assert told == f"dups={dups}"
                assert [block.cid for block in blocks] == (walked if dups == "y" else list(dict.fromkeys(walked)))
        known = dict((await asked(""))[1])
        assert b"".join(known[Cid("raw", leaf)] for leaf in tree.leaves) == data

    run(shelf, story)


def test_what_is_not_at_hand_is_fetched_for_nobody_who_asks_for_what_is(tmp_path: Path) -> None:
    shelf, asks = MemoryShelf(), {"Cache-Control": "max-stale, Only-If-Cached"}
    data = os.urandom(SEGMENT_BYTES + 2 * BLOCK)
    manifest = shelf.store(tmp_path, "file", data)
    root, leaf = manifest.ipfs, Cid("raw", digest_of(data[:BLOCK]))
    assert root is not None

    async def story(session: aiohttp.ClientSession, url: str) -> None:
        async def asked(path: str, **more: str) -> list[int]:
            found = []
            for method in ("HEAD", "GET"):
                async with session.request(method, url + path, headers=asks | more) as answer:
                    body = await answer.read()
                    assert answer.status != 412 or not body
                    found.append(answer.status)
            return found

        everything = [
            f"{root}",
            f"{root}?format=car",
            f"{root}?format=raw",
            f"../v1/sealed/{Cid('dag-cbor', manifest.digest)}",
        ]
        for path in (*everything, f"{leaf}", "bafkqaaa"):
            assert await asked(path) == [200, 200]
        shelf.far_segments = {1}
        assert [await asked(path) for path in everything] == [[412] * 2, [412] * 2, [200] * 2, [412] * 2]
        assert await asked(str(root), Range="bytes=5-9") == [206, 206]
        assert await asked(f"{root}?format=car&entity-bytes=0:9") == [200, 200]
        assert await asked(f"{root}?format=car&dag-scope=block") == [200, 200]
        assert await asked(str(root), Range="bytes=-1") == [412, 412]
        shelf.far = {root, leaf, Cid("dag-cbor", manifest.digest)}
        shelf.served.clear()
        for path in (*everything, f"{leaf}"):
            assert await asked(path) == [412, 412]
        assert shelf.served == []
        async with session.get(f"{url}{root}") as answer:
            assert await answer.read() == data

    run(shelf, story)


def test_what_a_reader_has_is_not_sent_again(shelf: MemoryShelf, public: Manifest) -> None:
    async def story(session: aiohttp.ClientSession, url: str) -> None:
        for query in ("", "?format=raw", "?format=car", "?format=car&entity-bytes=0:9"):
            async with session.head(f"{url}{public.ipfs}{query}") as answer:
                etag = answer.headers["ETag"]
            for known in (etag, f"W/{etag}", f'"x", {etag}', "*"):
                async with session.get(f"{url}{public.ipfs}{query}", headers={"If-None-Match": known}) as answer:
                    assert (answer.status, await answer.read(), answer.headers["ETag"]) == (304, b"", etag)
            async with session.get(f"{url}{public.ipfs}{query}", headers={"If-None-Match": '"x"'}) as answer:
                assert answer.status == 200

    run(shelf, story)


def test_probes_preflights_and_other_methods(shelf: MemoryShelf, public: Manifest) -> None:
    async def story(session: aiohttp.ClientSession, url: str) -> None:
        async with session.get(f"{url}bafkqaaa?format=raw") as answer:
            assert (answer.status, await answer.read()) == (200, b"")
        async with session.head(f"{url}bafkqaaa") as answer:
            assert answer.status == 200
        async with session.get(f"{url}bafkqaaa", headers={"Accept": CAR}) as answer:
            assert answer.status == 200
            roots = dag_cbor.decode((await answer.read())[1:])
            assert roots == {"roots": [CID.decode("bafkqaaa").set(base="base58btc")], "version": 1}
        for path in (f"{url}{public.ipfs}", url.replace("/ipfs/", "/v1/vouchers")):
            async with session.options(path) as answer:
                assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (204, "*")
                assert "Holdfast-Voucher" in answer.headers["Access-Control-Allow-Headers"]
        async with session.get(f"{url}{public.ipfs}", headers={"Service-Worker": "script"}) as answer:
            assert answer.status == 400
        for method in ("PUT", "DELETE", "POST"):
            async with session.request(method, f"{url}{public.ipfs}", data=b"x" * 100_000) as answer:
                assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD, OPTIONS")
        async with session.post(url.replace("/ipfs/", "/v1/vouchers")) as answer:
            assert (answer.status, await answer.json()) == (200, {"version": 1, "pricePerByte": "0"})
        async with session.get(url.replace("/ipfs/", "/v1/vouchers")) as answer:
            assert (answer.status, answer.headers["Allow"]) == (405, "POST")

    run(shelf, story)


@pytest.mark.parametrize(
    ("trouble", "status"),
    [
        (NotFound("Nobody has it"), 404),
        (Gone("It was here"), 410),
        (Later("It is being rebuilt"), 503),
        (PeerDown("http://host", "is down"), 504),
        (StorageTrouble("The disk is broken"), 500),
        (Corrupt("The origin sent something else"), 500),
    ],
)
def test_what_goes_wrong_behind_it_has_its_status(tmp_path: Path, trouble: HoldfastError, status: int) -> None:
    shelf = MemoryShelf()
    root = shelf.store(tmp_path, "x", b"x").ipfs
    shelf.trouble = trouble

    async def story(session: aiohttp.ClientSession, url: str) -> None:
        for query in ("", "?format=raw", "?format=car"):
            async with session.get(f"{url}{root}{query}") as answer:
                assert answer.status == status
                assert trouble.what in (await answer.json())["reason"]
                assert ("Retry-After" in answer.headers) == (status in (503, 504))
                assert answer.headers["Access-Control-Allow-Origin"] == "*"

    run(shelf, story)


def test_what_is_not_there(shelf: MemoryShelf) -> None:
    async def story(session: aiohttp.ClientSession, url: str) -> None:
        for query in ("", "?format=raw", "?format=car"):
            async with session.get(f"{url}{Cid('dag-pb', bytes(32))}{query}") as answer:
                assert answer.status == 404

    run(shelf, story)


def test_an_inner_node_is_the_root_of_a_part_of_the_file(tmp_path: Path) -> None:
    shelf, data = MemoryShelf(), os.urandom(175 * BLOCK + 9)
    tree = shelf.trees[shelf.store(tmp_path, "deep.txt", data).digest]
    first, second = (node.cid for node in tree.inner if node.cid != tree.root)

    async def story(session: aiohttp.ClientSession, url: str) -> None:
        for node, part in ((first, data[: 174 * BLOCK]), (second, data[174 * BLOCK :])):
            async with session.get(f"{url}{node}") as answer:
                assert (answer.status, answer.headers["Content-Type"]) == (200, "application/octet-stream")
                assert await answer.read() == part
            async with session.get(f"{url}{node}", headers={"Range": "bytes=-70000"}) as answer:
                assert await answer.read() == part[-70000:]
            for query in ("", "&dag-scope=entity", "&car-dups=y", "&entity-bytes=0:*"):
                async with session.get(f"{url}{node}?format=car{query}") as answer:
                    car = await answer.read()
                    assert answer.content_length == len(car)
                roots, (top, *leaves) = blocks_of(car)
                assert roots == [node] == [top.cid]
                assert b"".join(leaf.data for leaf in leaves) == part
            async with session.get(f"{url}{node}?format=car&entity-bytes=-9:*") as answer:
                _, (_, leaf) = blocks_of(await answer.read())
                assert leaf.data == part[-(len(part) % BLOCK or BLOCK) :]
            async with session.get(f"{url}{node}?format=raw") as answer:
                assert digest_of(await answer.read()) == node.digest
            async with session.get(f"{url}{node}?format=car&entity-bytes={len(part)}:*") as answer:
                assert answer.status == 400

    run(shelf, story)


def test_an_answer_that_fails_in_the_middle_is_cut_and_never_looks_whole(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shelf = MemoryShelf()
    root = shelf.store(tmp_path, "x", os.urandom(4 * SEGMENT_BYTES)).ipfs

    async def story(session: aiohttp.ClientSession, url: str) -> None:
        for query in ("", "?format=car"):
            shelf.trouble = None
            shelf.served.clear()
            async with session.get(f"{url}{root}{query}") as answer:
                assert answer.status == 200
                shelf.trouble = PeerDown("http://host", "is down")
                with pytest.raises(aiohttp.ClientPayloadError):
                    await answer.read()

    with caplog.at_level(logging.WARNING):
        run(shelf, story)
    assert "cut short: PeerDown" in caplog.text


def test_one_connection_serves_many_requests(shelf: MemoryShelf, public: Manifest) -> None:
    async def story() -> None:
        made: list[object] = []
        trace = aiohttp.TraceConfig()

        async def connected(*facts: object) -> None:
            made.append(facts)

        trace.on_connection_create_end.append(connected)
        asked = [(200, ""), (404, "/x"), (400, "?format=zip"), (200, "?format=car"), (206, ""), (304, "")]
        async with gateway(shelf) as url, aiohttp.ClientSession(trace_configs=[trace]) as session:
            for status, query in asked * 3:
                headers = {206: {"Range": "bytes=0-9"}, 304: {"If-None-Match": "*"}}.get(status, {})
                async with session.get(f"{url}/ipfs/{public.ipfs}{query}", headers=headers) as answer:
                    assert answer.status == status
                    await answer.read()
        assert len(made) == 1

    asyncio.run(story())
