"""Connections of the server: capped in number, and cut when a request's headers dawdle (slow-loris)."""

import asyncio
import json
from collections import Counter
from typing import Any

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from agents.net.limits import Limits
from agents.net.messages import error_json

_FULL_BODY = json.dumps(error_json("busy", "too many connections are open")).encode()
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 5\r\n"
    b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(_FULL_BODY)
) + _FULL_BODY


class GuardedConnection(RequestHandler):
    """One connection, one request."""

    def __init__(self, guard: "GuardedServer", **options: Any) -> None:
        super().__init__(guard, **options)
        self._guard = guard
        self._host = ""
        self._admitted = False
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
        self._deadline = asyncio.get_running_loop().call_later(self._guard.limits.header_seconds, transport.abort)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Bytes of a refused connection are dropped."""
        if self._admitted:
            super().data_received(data)

    def eof_received(self) -> None:
        """The peer stopped sending."""
        if self._admitted:
            super().eof_received()

    def connection_lost(self, error: BaseException | None) -> None:
        """Gives the place back."""
        if self._admitted:
            self.headers_came()
            self._guard.release(self._host)
            super().connection_lost(error)

    def headers_came(self) -> None:
        """The request's headers are complete: from now on its handler keeps the time."""
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class GuardedServer(web.Server):
    """aiohttp's low-level server over guarded connections."""

    def __init__(self, handler: Any, limits: Limits) -> None:
        super().__init__(handler)
        self.limits = limits
        self._open: Counter[str] = Counter()

    def __call__(self) -> GuardedConnection:
        """The protocol of a new connection. Bodies are never decompressed."""
        return GuardedConnection(
            self,
            loop=asyncio.get_running_loop(),
            access_log=None,
            auto_decompress=False,
            lingering_time=self.limits.linger_seconds,
        )

    def admit(self, host: str) -> bool:
        """Whether one more connection of ``host`` is welcome; counts it if so."""
        if self._open.total() >= self.limits.connections or self._open[host] >= self.limits.connections_per_host:
            return False
        self._open[host] += 1
        return True

    def release(self, host: str) -> None:
        """A connection of ``host`` is gone."""
        self._open[host] -= 1
        if self._open[host] <= 0:
            del self._open[host]
