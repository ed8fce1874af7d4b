"""A gateway: serves a shelf over HTTP, for free or as it is paid.

==========  =================================================================  ====================================
GET, HEAD   /ipfs/<cid>                                                        a public file, or a block
GET, HEAD   /ipfs/<cid>?format=raw                                             one block
GET, HEAD   /ipfs/<cid>?format=car&dag-scope=block|entity|all&entity-bytes=a:b and the blocks that verify it
GET, HEAD   /v1/sealed/<manifest's cid>                                        the sealed file
GET         /v1/summary                                                        what it holds and asks, signed
GET         /v1/offer                                                          what it asks
POST        /v1/vouchers                                                       a voucher, while a body streams
==========  =================================================================  ====================================

A CAR of a manifest is the manifest alone, as that of any block that is no UnixFS node: its digests are no links.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from math import ceil

from aiohttp import web

from agents.core.errors import BadData, HoldfastError, NotFound, PeerError
from agents.net.gateway.asking import asked
from agents.net.gateway.finding import Finder, Found
from agents.net.gateway.headers import OPEN, PREFLIGHT, unchanged
from agents.net.guard import GuardedConnection
from agents.net.host import Later
from agents.net.limits import Buckets, Limits
from agents.net.listening import Listener, Refusal, json_answer
from agents.net.messages import OFFER_PATH, SUMMARY_PATH, VOUCHERS_PATH, error_json
from agents.net.shelf import Counter, Free, Gone, PaymentRequired, Reading, Shelf, Ticket

log = logging.getLogger(__name__)

LIMITS = Limits(connections=1024, connections_per_host=256, requests_per_second=5000.0, requests_burst=20_000)
"""Of a gateway by default: connections are kept, and requests are many and small. IPFS clients ask for all 174 children of a
node at the same time, each on a connection of its own."""
PIECE = 256 << 10
"""Bytes handed to a connection at a time, and so the most that it holds for a reader that does not read."""

Summaries = Callable[[], Awaitable[bytes]]
"""Gives the newest summary, as it travels."""


class Gateway:
    """Serves one shelf on one socket."""

    def __init__(
        self,
        shelf: Shelf,
        counter: Counter | None = None,
        limits: Limits = LIMITS,
        summaries: Summaries | None = None,
    ) -> None:
        self._finder = Finder(shelf)
        self._summaries = summaries
        self._counter: Counter = counter or Free()
        self._limits = limits
        self._requests = Buckets(limits.requests_per_second, limits.requests_burst)
        self._listener = Listener(self._answer, limits)

    async def start(self, listen: str = "127.0.0.1", port: int = 0) -> int:
        """Listens; returns the port (a free one for 0). Raises HoldfastError when the port is taken."""
        return await self._listener.start(listen, port)

    async def stop(self) -> None:
        """Closes the socket and the connections."""
        await self._listener.stop()

    # ---- one request

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = request.protocol
        assert isinstance(connection, GuardedConnection)
        connection.headers_came()
        try:
            response = await self._refusable(request, connection)
            if request.can_read_body:
                response.force_close()  # nobody has a body to send: what follows is not the next request
            if not response.prepared:
                response.headers.update(OPEN)
                await response.prepare(request)
            await response.write_eof()
        except ConnectionError as error:
            log.debug("%s is left: %s", request.remote, error)
            connection.hang_up()
            return web.Response()
        connection.answered()
        return response

    async def _refusable(self, request: web.BaseRequest, connection: GuardedConnection) -> web.StreamResponse:
        try:
            found = await self._routed(request)
            return found if isinstance(found, web.Response) else await self._sent(request, connection, found)
        except Refusal as refusal:
            return refusal.answer()
        except PaymentRequired as required:
            return json_answer(required.offer, 402)
        except Gone as error:
            return json_answer(error_json("gone", str(error)), 410)
        except Later as error:
            return json_answer(error_json("busy", str(error)), 503, {"Retry-After": "2"})
        except (PeerError, TimeoutError) as error:
            told = error_json("origin", str(error) or "nobody answered in time")
            return json_answer(told, 504, {"Retry-After": "2"})
        except NotFound as error:
            return json_answer(error_json("not found", str(error)), 404)
        except HoldfastError as error:
            log.warning("a request of %s failed: %s", request.remote, error)
            return json_answer(error_json("failed", str(error)), 500)
        except ConnectionError:
            raise
        except Exception:
            log.exception("a request of %s failed", request.remote)
            return json_answer(error_json("failed", "an internal error; the gateway's log says more"), 500)

    async def _routed(self, request: web.BaseRequest) -> web.Response | Found:
        wait = self._requests.try_take(request.remote or "")
        if wait > 0:
            raise Refusal(429, "busy", "too many requests", {"Retry-After": str(ceil(wait))})
        target = request.raw_path
        if request.method == "OPTIONS":
            return web.Response(status=204, headers=PREFLIGHT)
        if target == VOUCHERS_PATH:
            return await self._vouch(request, "POST")
        if target == OFFER_PATH:
            return await self._vouch(request, "GET")
        if target == SUMMARY_PATH:
            return await self._summary(request)
        if request.method not in ("GET", "HEAD"):
            raise Refusal(405, "method", f"{request.method} is no method of this path", {"Allow": "GET, HEAD, OPTIONS"})
        headers = request.headers
        if headers.get("Service-Worker", "").lower() == "script":
            raise Refusal(400, "service worker", "a file may not act for the site that all files share")
        question = asked(target, headers.get("Accept", ""))
        if _is_known(headers.get("If-None-Match"), question.etag):
            return web.Response(status=304, headers=unchanged(question))
        wanted = headers.get("Range") if headers.get("If-Range", question.etag) == question.etag else None
        async with asyncio.timeout(self._limits.document_seconds):
            if "only-if-cached" not in headers.get("Cache-Control", "").lower():
                return await self._finder.find(question, wanted)
            return await self._finder.at_hand(question, wanted) or web.Response(status=412)

    async def _vouch(self, request: web.BaseRequest, method: str) -> web.Response:
        _only(request, method)
        try:
            return json_answer(await self._counter.vouch(request.remote or "", request.headers))
        except BadData as error:
            raise Refusal(400, "voucher", str(error)) from None

    async def _summary(self, request: web.BaseRequest) -> web.Response:
        _only(request, "GET")
        if self._summaries is None:
            raise Refusal(404, "not found", "this cache is not announced: it signs no summaries")
        return web.Response(body=await self._summaries(), content_type="application/vnd.ipld.dag-cbor")

    # ---- a body

    async def _sent(self, request: web.BaseRequest, connection: GuardedConnection, found: Found) -> web.StreamResponse:
        response = web.StreamResponse(status=found.status, headers=found.headers)
        response.content_length = found.body.length
        if request.method == "HEAD":
            return response
        ticket = await self._admitted(request, found.body.content)
        try:
            async with aclosing(found.body.pieces(min(ticket.step, PIECE))) as pieces:
                async for framing, data in pieces:
                    if data:
                        await ticket.take(len(data))
                    if not response.prepared:
                        # Not before its first piece is here and paid for, so that failing has a status.
                        await response.prepare(request)
                    connection.send(b"".join((framing, data)) if framing else data)
                    del data  # nobody keeps a view of a segment for a reader that does not read
                    await connection.sent()
        except Exception as error:
            if not response.prepared or isinstance(error, ConnectionError):
                raise
            # The connection ends in mid-body: the reader has what it owes for, and sees that something is missing.
            log.warning("an answer to %s was cut short: %s: %s", request.remote, type(error).__name__, error)
            raise ConnectionResetError("the answer was cut short") from error
        finally:
            ticket.close()
        return response

    async def _admitted(self, request: web.BaseRequest, size: int) -> Ticket:
        try:
            return await self._counter.admit(Reading(request.remote or "", request.headers, size))
        except BadData as error:
            raise Refusal(400, "voucher", str(error)) from None


def _only(request: web.BaseRequest, method: str) -> None:
    if request.method != method:
        raise Refusal(405, "method", f"{request.method} is no method of this path", {"Allow": method})


def _is_known(header: str | None, etag: str) -> bool:
    """Whether an If-None-Match names ``etag``, or everything."""
    if header is None:
        return False
    return header.strip() == "*" or etag in (entry.strip().removeprefix("W/") for entry in header.split(","))
