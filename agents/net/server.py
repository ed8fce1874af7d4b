"""A provider's HTTP server: takes uploads block by block, serves verified blocks, bounds everything."""

import asyncio
import contextlib
import hashlib
import logging
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from aiohttp import web

from agents.core.errors import BadData, HoldfastError, NotFound, StorageTrouble
from agents.net.guard import GuardedConnection
from agents.net.host import Denied, Host, Later, SlotPlan
from agents.net.limits import Buckets, Limits
from agents.net.listening import Listener, Refusal, json_answer
from agents.net.messages import (
    HELD,
    MAX_BLOCK_LIST,
    MAX_BLOCKS_PER_READ,
    MAX_MANIFEST,
    VERSION,
    Route,
    UploadStatus,
    error_json,
    matched_route,
    whole_number,
)
from agents.net.signing import SIGNATURE, Unauthenticated, Verifier

log = logging.getLogger(__name__)

BATCH = 16
"""Blocks read from the store at a time."""


class PeerServer:
    """Serves one Host on one socket."""

    def __init__(
        self, host: Host, market: str, limits: Limits | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._host = host
        self._market = market
        self._limits = limits or Limits()
        self._verifier = Verifier(market, host.address, clock)
        self._requests = Buckets(self._limits.requests_per_second, self._limits.requests_burst)
        self._bytes = Buckets(self._limits.bytes_per_second, self._limits.bytes_per_second)
        self._uploads: dict[tuple[bytes, int], asyncio.Task[Any]] = {}
        self._listener = Listener(self._answer, self._limits)
        self._routes: dict[tuple[str, str], Callable[[web.BaseRequest, Route], Any]] = {
            ("GET", "status"): self._status,
            ("GET", "upload"): self._upload_status,
            ("HEAD", "upload"): self._upload_status,
            ("PUT", "upload_manifest"): self._put_manifest,
            ("PUT", "upload_block_list"): self._put_block_list,
            ("PUT", "upload_blocks"): self._put_blocks,
            ("GET", "manifest"): self._get_manifest,
            ("GET", "block_list"): self._get_block_list,
            ("GET", "blocks"): self._get_blocks,
        }

    async def start(self, listen: str = "127.0.0.1", port: int = 0) -> int:
        """Listens; returns the port (a free one for 0). Raises HoldfastError when the port is taken."""
        return await self._listener.start(listen, port)

    async def stop(self) -> None:
        """Closes the socket and the connections."""
        await self._listener.stop()

    # ---- one request

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        if isinstance(connection, GuardedConnection):
            connection.headers_came()
        try:
            response = await self._routed(request)
        except Refusal as refusal:
            response = refusal.answer()
        except Unauthenticated as error:
            response = json_answer(error_json("unauthenticated", str(error)), 401)
        except Denied as error:
            response = json_answer(error_json("denied", str(error)), 403)
        except Later as error:
            response = json_answer(error_json("busy", str(error)), 503, {"Retry-After": "2"})
        except NotFound as error:
            response = json_answer(error_json("not found", str(error)), 404)
        except BadData as error:
            response = json_answer(error_json("bad data", str(error)), 422)
        except StorageTrouble as error:
            response = json_answer(error_json("storage", str(error)), 507)
        except HoldfastError as error:
            response = json_answer(error_json("failed", str(error)), 500)
        except (ConnectionError, asyncio.IncompleteReadError, web.RequestPayloadError) as error:
            log.debug("%s went away: %s", request.remote, type(error).__name__)
            response = json_answer(error_json("cut", "the request ended early"), 400)
        except Exception:
            log.exception("a request of %s failed", request.remote)
            response = json_answer(error_json("failed", "an internal error; the host's log says more"), 500)
        response.force_close()
        return response

    async def _routed(self, request: web.BaseRequest) -> web.StreamResponse:
        wait = self._requests.try_take(request.remote or "")
        if wait > 0:
            raise Refusal(429, "busy", "too many requests", {"Retry-After": str(int(wait) + 1)})
        route = matched_route(request.raw_path.partition("?")[0])
        if route is None:
            raise Refusal(404, "not found", "there is no such path in version 1")
        handler = self._routes.get((request.method, route.name))
        if handler is None:
            raise Refusal(405, "method", f"{request.method} is not a method of this path")
        response: web.StreamResponse = await handler(request, route)
        return response

    async def _status(self, request: web.BaseRequest, route: Route) -> web.StreamResponse:
        return json_answer({"version": VERSION, "address": self._host.address, "market": self._market})

    # ---- uploads

    async def _client(self, request: web.BaseRequest, route: Route) -> bytes:
        signer, body = await self._verifier.verified(request.method, request.raw_path, request.headers)
        await self._host.admit_upload(signer, route.id, route.slot_index)
        return body

    async def _upload_status(self, request: web.BaseRequest, route: Route) -> web.StreamResponse:
        await self._client(request, route)
        return await self._upload_answer(route)

    async def _upload_answer(self, route: Route) -> web.StreamResponse:
        place = (route.id, route.slot_index)
        plan = await self._host.upload_plan(*place)
        status = UploadStatus(
            manifest=await self._host.has_manifest(*place),
            block_list=plan is not None,
            held=await self._host.blocks_held(*place) if plan else 0,
            total=plan.uploaded if plan else None,
            done=await self._host.is_finished(*place),
        )
        return json_answer(status.to_json(), headers={HELD: str(status.held)})

    async def _put_manifest(self, request: web.BaseRequest, route: Route) -> web.StreamResponse:
        signed = await self._client(request, route)
        document = await self._document(request, MAX_MANIFEST, signed)
        await self._host.put_manifest(route.id, route.slot_index, document)
        return await self._upload_answer(route)

    async def _put_block_list(self, request: web.BaseRequest, route: Route) -> web.StreamResponse:
        signed = await self._client(request, route)
        if not await self._host.has_manifest(route.id, route.slot_index):
            raise Refusal(409, "order", "the manifest comes before the block list")
        document = await self._document(request, MAX_BLOCK_LIST, signed)
        await self._host.put_block_list(route.id, route.slot_index, document)
        return await self._upload_answer(route)

    async def _document(self, request: web.BaseRequest, most: int, signed: bytes) -> bytes:
        size = _content_length(request)
        if size > most:
            raise Refusal(413, "too large", f"{size} bytes are more than {most}")
        try:
            async with asyncio.timeout(self._limits.document_seconds):
                document = await request.content.readexactly(size)
        except TimeoutError as error:
            raise Refusal(408, "slow", "the body did not arrive in time") from error
        if hashlib.sha256(document).digest() != signed:
            raise Refusal(422, "bad data", "the body does not have the digest that was signed")
        return document

    async def _put_blocks(self, request: web.BaseRequest, route: Route) -> web.StreamResponse:
        signed = await self._client(request, route)
        plan = await self._host.upload_plan(route.id, route.slot_index)
        if plan is None:
            raise Refusal(409, "order", "manifest and block list come before the blocks")
        if signed != plan.block_list_digest:
            raise Refusal(422, "bad data", "the signed digest is not that of the block list held here")
        async with self._only_upload((route.id, route.slot_index)):
            await self._receive(request, route, plan)
        return await self._upload_answer(route)

    @contextlib.asynccontextmanager
    async def _only_upload(self, place: tuple[bytes, int]) -> AsyncIterator[None]:
        """The newest upload of a slot displaces an older one, whose connection is probably dead."""
        mine = asyncio.current_task()
        assert mine is not None
        older, self._uploads[place] = self._uploads.get(place), mine
        try:
            if older is not None:
                older.cancel()
                await asyncio.wait([older], timeout=self._limits.block_seconds)
            yield
        finally:
            if self._uploads.get(place) is mine:
                del self._uploads[place]

    async def _receive(self, request: web.BaseRequest, route: Route, plan: SlotPlan) -> None:
        place = (route.id, route.slot_index)
        start = whole_number(request.query.get("start"))
        held, total = await self._host.blocks_held(*place), plan.uploaded
        if start is None or start > held:
            raise Refusal(409, "order", f"{held} blocks are held: start there", {HELD: str(held)})
        if _content_length(request) != (total - start) * plan.block_bytes:
            raise Refusal(422, "bad data", f"{total - start} blocks of {plan.block_bytes} bytes must follow")
        for index in range(start, total):
            try:
                async with asyncio.timeout(self._limits.block_seconds):
                    block = await request.content.readexactly(plan.block_bytes)
            except TimeoutError as error:
                raise Refusal(408, "slow", f"block {index} did not arrive in time") from error
            if not plan.matches(index, block):
                raise Refusal(422, "bad data", f"block {index} does not match its digest", {HELD: str(index)})
            if index >= held:
                await self._host.put_block(*place, index, block)
        await self._host.finish_upload(*place)

    # ---- reads

    async def _reader(self, request: web.BaseRequest, route: Route, slot_index: int | None) -> str:
        """Admits a reader; returns the key its bytes are counted under."""
        signer = None
        if SIGNATURE in request.headers:
            signer, _ = await self._verifier.verified(request.method, request.raw_path, request.headers)
        await self._host.admit_read(signer, route.id, slot_index)
        return signer or request.remote or ""

    async def _get_manifest(self, request: web.BaseRequest, route: Route) -> web.StreamResponse:
        reader = await self._reader(request, route, None)
        manifest = await self._host.manifest(route.id)
        if manifest is None:
            raise Refusal(404, "not found", "this manifest is not held here")
        if hashlib.sha256(manifest).digest() != route.id:
            raise Refusal(500, "corrupt", "the manifest was damaged here")
        return await self._send_document(request, manifest, reader)

    async def _get_block_list(self, request: web.BaseRequest, route: Route) -> web.StreamResponse:
        reader = await self._reader(request, route, route.slot_index)
        block_list = await self._host.block_list(route.id, route.slot_index)
        plan = await self._host.slot_plan(route.id, route.slot_index)
        if block_list is None or plan is None:
            raise Refusal(404, "not found", f"slot {route.slot_index} of this manifest is not held here")
        if hashlib.sha256(block_list).digest() != plan.block_list_digest:
            raise Refusal(500, "corrupt", "the block list was damaged here")
        return await self._send_document(request, block_list, reader)

    async def _send_document(self, request: web.BaseRequest, document: bytes, reader: str) -> web.StreamResponse:
        response = await self._prepared(request, len(document))
        await self._send(response, document, reader)
        return response

    async def _get_blocks(self, request: web.BaseRequest, route: Route) -> web.StreamResponse:
        reader = await self._reader(request, route, route.slot_index)
        plan = await self._host.slot_plan(route.id, route.slot_index)
        if plan is None:
            raise Refusal(404, "not found", f"slot {route.slot_index} of this manifest is not held here")
        start, count = (whole_number(request.query.get(name)) for name in ("start", "count"))
        if start is None or count is None or not 0 < count <= MAX_BLOCKS_PER_READ:
            raise Refusal(400, "range", f"start and count (1 to {MAX_BLOCKS_PER_READ}) must be given")
        if start + count > len(plan.digests):
            raise Refusal(416, "range", f"the slot has {len(plan.digests)} blocks")
        response: web.StreamResponse | None = None
        for first in range(start, start + count, BATCH):
            blocks = await self._host.read_blocks(route.id, route.slot_index, first, min(BATCH, start + count - first))
            for index, block in enumerate(blocks, first):
                if not plan.matches(index, block):
                    log.error("block %d of slot %d of %s is damaged here", index, route.slot_index, route.id.hex())
                    await self._host.found_damaged(route.id, route.slot_index)
                    _cut_or_refuse(request, response, index)
                if response is None:
                    response = await self._prepared(request, count * plan.block_bytes)
                await self._send(response, block, reader)
        assert response is not None
        return response

    async def _prepared(self, request: web.BaseRequest, size: int) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/octet-stream"})
        response.content_length = size
        response.force_close()
        await response.prepare(request)
        return response

    async def _send(self, response: web.StreamResponse, data: bytes, reader: str) -> None:
        await self._bytes.paced(reader, len(data))
        try:
            async with asyncio.timeout(self._limits.block_seconds):
                await response.write(data)
        except TimeoutError as error:
            raise ConnectionResetError("the reader does not read") from error


def _cut_or_refuse(request: web.BaseRequest, response: web.StreamResponse | None, index: int) -> None:
    """A damaged block is never sent: a clear refusal if nothing was sent yet, else the connection is cut."""
    if response is None:
        raise Refusal(500, "corrupt", f"block {index} was damaged here")
    if request.transport is not None:
        request.transport.abort()
    raise ConnectionResetError("a damaged block")


def _content_length(request: web.BaseRequest) -> int:
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise Refusal(415, "encoding", "bodies are not compressed")
    if request.content_length is None:
        raise Refusal(411, "length", "Content-Length must be given")
    return request.content_length
