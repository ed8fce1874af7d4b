"""Whatever a peer answers, bounded in size and time, and what goes wrong on the wire as a fault of that peer."""

import asyncio
import contextlib
import errno
import socket
from collections.abc import AsyncIterator
from typing import Self

import aiohttp

from agents.net.endpoint import PRIVATE_PEERS, Peer, is_public
from agents.net.errors import PeerBusy, PeerDown, PeerLied, PeerRefused, PeerSlow
from agents.net.messages import MAX_ANSWER, reason_of


class Connections:
    """Sessions that are opened when they are first used; an async context manager.

    They follow no proxy of the environment, keep no cookies and inflate nothing.
    """

    def __init__(self, connect: float, keep_alive: bool, private: bool) -> None:
        """``connect``: seconds to connect within. ``private``: whether strangers' endpoints may be in private networks."""
        self._connect = connect
        self._keep_alive = keep_alive
        self._private = private
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes every connection."""
        while self._sessions:
            await self._sessions.popitem()[1].close()

    def _open(self, peer: Peer) -> aiohttp.ClientSession:
        anywhere = self._private or not peer.address
        if anywhere not in self._sessions:
            self._sessions[anywhere] = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0,
                    force_close=not self._keep_alive,
                    socket_factory=None if anywhere else _public_socket,
                ),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=self._connect),
                auto_decompress=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._sessions[anywhere]


def _public_socket(info: aiohttp.AddrInfoType) -> socket.socket:
    """A socket for an address that was resolved: what a name led to before, or leads to elsewhere, does not matter."""
    family, kind, protocol, _, address = info
    if not is_public(str(address[0])):
        why = f"{address[0]} is in a private network; if all of the market is, set {PRIVATE_PEERS}=yes"
        raise OSError(errno.EHOSTUNREACH, why)
    return socket.socket(family, kind, protocol)


async def check(endpoint: str, response: aiohttp.ClientResponse, within: float, good: int = 200) -> None:
    """Raises PeerFault unless the status is ``good`` and the body as it is; ``within``: seconds for a refusal's reason."""
    if 300 <= response.status < 400:
        raise PeerLied(endpoint, "redirects elsewhere", "a provider answers at its own endpoint")
    if response.headers.get("Content-Encoding", "identity") != "identity":
        raise PeerLied(endpoint, "sends a compressed answer", "nobody asked for one")
    if response.status == good:
        return
    reason = reason_of(await bounded(endpoint, response, MAX_ANSWER, within))
    kind = PeerBusy if response.status in (429, 503) else PeerRefused
    raise kind(endpoint, response.status, reason)


async def bounded(endpoint: str, response: aiohttp.ClientResponse, most: int, within: float) -> bytes:
    """The whole body, if it ends within ``most`` bytes and ``within`` seconds. Raises PeerFault."""
    body = bytearray()
    async with faults(endpoint, "the rest of an answer", within):
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > most:
                raise PeerLied(endpoint, "does not stop sending", f"more than {most} bytes")
    return bytes(body)


@contextlib.asynccontextmanager
async def faults(endpoint: str, what: str, within: float | None) -> AsyncIterator[None]:
    """Turns what goes wrong on the wire into a PeerFault; ``what`` is waited for ``within`` seconds."""
    try:
        async with asyncio.timeout(within):
            yield
    except aiohttp.ServerTimeoutError as error:
        raise PeerSlow(endpoint, "does not answer", "connecting took too long") from error
    except TimeoutError as error:
        raise PeerSlow(endpoint, "is too slow", f"{what} did not come in {within} s") from error
    except aiohttp.ClientConnectorError as error:
        raise PeerDown(endpoint, "cannot be reached", error.strerror or str(error)) from error
    except aiohttp.ClientPayloadError as error:
        raise PeerDown(endpoint, "stopped in the middle", f"{what} came short") from error
    except asyncio.IncompleteReadError as error:
        raise PeerDown(endpoint, "stopped in the middle", f"{what} came short") from error
    except aiohttp.ClientResponseError as error:
        raise PeerLied(endpoint, "does not speak HTTP", "its answer cannot be read") from error  # nor shown
    except (aiohttp.ClientError, ConnectionError) as error:
        raise PeerDown(endpoint, "cut the connection", str(error)) from error
    except (ValueError, OSError) as error:  # a name that no resolver takes (UnicodeError), or no socket for it
        raise PeerDown(endpoint, "cannot be reached", str(error)) from error
