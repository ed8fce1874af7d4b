"""Connections of a server: capped in number and in memory, and cut when a request's headers dawdle (slow-loris).

Where one more connection is more than there may be, the one that has waited longest for a request's headers makes room:
whoever opens thousands and says nothing pushes out its own, while a reader that asks at once is heard.
"""

import asyncio
import json
import logging
from collections import Counter
from typing import Any

from aiohttp import web
from aiohttp.http import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

from agents.net.limits import Limits
from agents.net.messages import error_json

log = logging.getLogger(__name__)

MAX_HEADERS = 64
"""Of a request; each, and its line, has 8,190 bytes at most."""
MAX_HEADER_BYTES = 32 << 10
"""Of all of them together."""
WAITING = 4
"""Requests on one connection, one being answered, behind which nothing more is read."""

_FULL_BODY = json.dumps(error_json("busy", "too many connections are open")).encode()
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 5\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(_FULL_BODY)
) + _FULL_BODY


class GuardedConnection(RequestHandler):
    """One connection. Whoever answers requests on it tells it when a request's headers came and when it was answered."""

    def __init__(self, guard: "GuardedServer", **options: Any) -> None:
        super().__init__(guard, **options)
        self._guard = guard
        self._host = ""
        self._admitted = self._left = False
        self._begun: int | None = 0
        """Bytes of headers that have not come whole; None: they have, and what comes may be a body."""
        self._max_msg_queue_size, self._msg_queue_resume_size = WAITING, WAITING // 2
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Admits the connection, or says that there are too many."""
        assert isinstance(transport, asyncio.Transport)
        peer = transport.get_extra_info("peername")
        self._host = str(peer[0]) if peer else ""
        if not self._guard.admit(self._host):
            transport.write(_FULL)
            transport.close()
            return
        self._admitted = True
        super().connection_made(transport)
        self._await(self._guard.limits.header_seconds)

    def _await(self, seconds: float) -> None:
        self._begun = None if self._messages else 0
        self._deadline = asyncio.get_running_loop().call_later(seconds, self.cut)
        self._guard.waiting[self] = None

    def cut(self) -> None:
        """Ends the connection at once."""
        if self.transport is not None:
            self.transport.abort()

    def hang_up(self) -> None:
        """Ends the connection once the reader has what was handed to it, or has not taken it within ``block_seconds``."""
        if self.transport is not None:
            self.transport.close()
            patience = self._guard.limits.block_seconds
            self._deadline = asyncio.get_running_loop().call_later(patience, self.transport.abort)

    def data_received(self, data: bytes) -> None:
        """Bytes of a refused connection are dropped; headers that are too many end it."""
        if not self._admitted:
            return
        came = self._request_count
        super().data_received(data)
        if self._request_count > came:
            self._begun = None
        elif self._begun is not None:
            self._begun += len(data)
        if max([self._begun or 0, *(_header_bytes(message) for message, _ in self._messages)]) > MAX_HEADER_BYTES:
            self.cut()

    def log_exception(self, *args: Any, **options: Any) -> None:
        """What is no request fills no log."""
        if not isinstance(options.get("exc_info"), HttpProcessingError):
            super().log_exception(*args, **options)

    def eof_received(self) -> None:
        """The peer stopped sending."""
        if self._admitted:
            super().eof_received()

    def connection_lost(self, error: BaseException | None) -> None:
        """Gives the place back."""
        if self._admitted:
            self._leave()
            super().connection_lost(error)

    def make_room(self) -> None:
        """Ends the connection for another; its place is free at once, before the loop has heard of its end."""
        self._leave()
        self.cut()

    def _leave(self) -> None:
        self.headers_came()
        if not self._left:
            self._left = True
            self._guard.release(self._host)

    def send(self, data: bytes | memoryview) -> None:
        """Hands ``data`` to the connection, which copies what the kernel does not take at once. Raises ConnectionError."""
        if self.transport is None or self.transport.is_closing():
            raise ConnectionResetError("the reader is gone")
        self.transport.write(data)

    async def sent(self) -> None:
        """Returns once little is left of what was handed over.

        Raises ConnectionError, also where the reader does not read within ``block_seconds``.
        """
        if not self._paused:
            return  # nearly always: no timer is set for what the kernel took at once
        try:
            async with asyncio.timeout(self._guard.limits.block_seconds):
                await self._drain_helper()
        except TimeoutError:
            self.cut()
            raise ConnectionResetError("the reader does not read") from None

    def headers_came(self) -> None:
        """The request's headers are complete: from now on its handler keeps the time."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
            self._guard.waiting.pop(self, None)

    def answered(self) -> None:
        """The answer was written: the headers of the next request, if any, must come within ``idle_seconds``."""
        if self._deadline is None and not self._left:
            self._await(self._guard.limits.idle_seconds)


def _header_bytes(message: Any) -> int:
    """Of a request as it was parsed, or of what is none."""
    return sum(len(name) + len(value) for name, value in getattr(message, "raw_headers", ()))


class GuardedServer(web.Server):
    """aiohttp's low-level server over guarded connections."""

    def __init__(self, handler: Any, limits: Limits) -> None:
        super().__init__(handler)
        self.limits = limits
        self.waiting: dict[GuardedConnection, None] = {}
        """Connections on which a request's headers are awaited, the longest awaited first."""
        self._open: Counter[str] = Counter()
        self._total = 0

    def __call__(self) -> GuardedConnection:
        """The protocol of a new connection. Bodies are never decompressed."""
        return GuardedConnection(
            self,
            loop=asyncio.get_running_loop(),
            access_log=None,
            auto_decompress=False,
            logger=log,
            max_headers=MAX_HEADERS,
            lingering_time=self.limits.linger_seconds,
        )

    def admit(self, host: str) -> bool:
        """Whether one more connection of ``host`` is welcome; counts it if so."""
        if self._open[host] >= self.limits.connections_per_host:
            return False
        if self._total >= self.limits.connections:
            if not self.waiting:
                return False
            next(iter(self.waiting)).make_room()
        self._open[host] += 1
        self._total += 1
        return True

    def release(self, host: str) -> None:
        """A connection of ``host`` is gone."""
        self._total -= 1
        self._open[host] -= 1
        if self._open[host] <= 0:
            del self._open[host]
