"""What the servers share: a guarded socket, and refusals as JSON."""

import json
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from agents.core.errors import HoldfastError
from agents.net.guard import GuardedServer
from agents.net.limits import Limits
from agents.net.messages import error_json

BACKLOG = 1024
"""Connections that wait to be taken: with fewer, a flood of them has others wait for their second attempt."""
AT_ONCE = 16
"""Connections taken before those that are there are heard again: what a reader asks is heard before a flood takes its place."""

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Refusal(Exception):
    """An HTTP status and the reason that goes with it."""

    def __init__(self, status: int, kind: str, reason: str, headers: Mapping[str, str] | None = None) -> None:
        self.status = status
        self.kind = kind
        self.reason = reason
        self.headers = headers
        super().__init__(reason)

    def answer(self) -> web.Response:
        """What is sent."""
        return json_answer(error_json(self.kind, self.reason), self.status, self.headers)


def json_answer(body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """An answer in JSON."""
    data = json.dumps(dict(body)).encode()
    return web.Response(body=data, status=status, headers=headers, content_type="application/json")


class Listener:
    """Answers requests on one socket."""

    def __init__(self, answer: Answer, limits: Limits) -> None:
        self._answer = answer
        self._limits = limits
        self._runner: web.ServerRunner | None = None

    async def start(self, listen: str = "127.0.0.1", port: int = 0) -> int:
        """Listens; returns the port (a free one for 0). Raises HoldfastError when the port is taken."""
        self._runner = web.ServerRunner(GuardedServer(self._answer, self._limits), shutdown_timeout=5.0)
        await self._runner.setup()
        try:
            family = socket.AF_INET6 if ":" in listen else socket.AF_INET
            listener = socket.create_server((listen, port), family=family, backlog=BACKLOG)
        except OSError as error:
            await self._runner.cleanup()
            raise HoldfastError(
                f"cannot listen on {listen}:{port}", str(error), "Choose another address or port with --listen"
            ) from error
        # To asyncio both are the same number.
        await web.SockSite(self._runner, listener, backlog=AT_ONCE).start()
        listener.listen(BACKLOG)
        return int(listener.getsockname()[1])

    async def stop(self) -> None:
        """Closes the socket and the connections."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None
