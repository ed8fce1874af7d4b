"""JSON-RPC over HTTP: bounded, timed, retried where it is safe, and sceptical of what comes back.

A hand-sized client instead of web3's provider: start-up stays light, and every way an endpoint can fail has its own
message. web3 is one attribute away for whoever wants it (:meth:`Rpc.web3`).
"""

import asyncio
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import aiohttp

from agents.core.errors import ChainError, ChainLies, ChainUnavailable, WrongChain

if TYPE_CHECKING:
    from web3 import AsyncWeb3

TIMEOUT = 20.0
"""Seconds one request may take."""

MAX_ANSWER = 128 << 20
"""Bytes of the largest answer that is read; an endless one is cut here."""

BATCH = 100
"""Requests in one batch: providers commonly refuse more."""

NOT_IDEMPOTENT = frozenset({"eth_sendRawTransaction", "evm_mine", "anvil_mine", "anvil_reorg"})
"""Methods that are never repeated by the transport."""

LONGEST_PAUSE = 5.0
"""Seconds between looks at an endpoint at most, while one after the other fails."""

WHAT_NEXT = "Start one with `agent devnet`, or name another with --rpc or HOLDFAST_RPC."


class RpcError(ChainError):
    """The endpoint answered with a JSON-RPC error.

    ``code`` and ``message`` are the endpoint's own; ``data`` is the revert data where there is any.
    """

    def __init__(self, method: str, code: int, message: str, data: bytes = b"") -> None:
        super().__init__(f"{method} failed", message or f"error {code}")
        self.method = method
        self.code = code
        self.message = message
        self.data = data


class Rpc:
    """One JSON-RPC endpoint. Use as an async context manager, or call :meth:`close`."""

    def __init__(self, url: str, *, timeout: float = TIMEOUT, concurrency: int = 32, attempts: int = 3) -> None:
        self.url = url
        self.timeout = timeout
        self._attempts = attempts
        self._gate = asyncio.Semaphore(concurrency)
        self._session: aiohttp.ClientSession | None = None
        self._serial = 0

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def call(self, method: str, *params: Any) -> Any:
        """The result of one request. Raises RpcError, ChainUnavailable, ChainLies."""
        request = self._request(method, params)
        answer = await self._post(request, retry=method not in NOT_IDEMPOTENT)
        if not isinstance(answer, dict):
            raise self._nonsense(f"{method} was answered by {str(answer)[:80]!r}")
        return self._result(method, request["id"], answer)

    async def batch(self, requests: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """The results of many idempotent requests, in order; the first error is raised."""
        parts = [requests[start : start + BATCH] for start in range(0, len(requests), BATCH)]
        results = await asyncio.gather(*(self._batch(part) for part in parts))
        return [result for part in results for result in part]

    async def chain_id(self) -> int:
        """The chain's id."""
        return quantity(await self.call("eth_chainId"))

    async def require_chain(self, expected: int) -> None:
        """Raises WrongChain unless the endpoint serves chain ``expected``."""
        found = await self.chain_id()
        if found != expected:
            raise WrongChain(
                f"{self.url} serves chain {found}, not {expected}",
                "the market's reference names another chain",
                "Name an RPC of that chain with --rpc or HOLDFAST_RPC, or correct HOLDFAST_MARKET.",
            )

    async def block_number(self) -> int:
        """The number of the newest block."""
        return quantity(await self.call("eth_blockNumber"))

    async def balance(self, address: str) -> int:
        """Wei at ``address``."""
        return quantity(await self.call("eth_getBalance", address, "latest"))

    async def code(self, address: str) -> bytes:
        """The code at ``address``, empty where there is none."""
        return unhex(await self.call("eth_getCode", address, "latest"))

    def web3(self) -> "AsyncWeb3[Any]":
        """An AsyncWeb3 on the same endpoint, for developers; imports web3 on first use."""
        from web3 import AsyncHTTPProvider, AsyncWeb3

        return AsyncWeb3(AsyncHTTPProvider(self.url))

    def _request(self, method: str, params: Sequence[Any]) -> dict[str, Any]:
        self._serial += 1
        return {"jsonrpc": "2.0", "id": self._serial, "method": method, "params": list(params)}

    async def _batch(self, requests: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        if not requests:
            return []
        bodies = [self._request(method, params) for method, params in requests]
        answers = await self._post(bodies, retry=True)
        if isinstance(answers, dict) and "error" in answers:
            self._result("batch", bodies[0]["id"], answers | {"id": bodies[0]["id"]})
        if not isinstance(answers, list) or not all(isinstance(answer, dict) for answer in answers):
            raise self._nonsense("a batch was not answered by a list")
        by_id = {answer.get("id"): answer for answer in answers}
        if set(by_id) != {body["id"] for body in bodies}:
            raise self._nonsense("a batch was answered in part")
        return [self._result(body["method"], body["id"], by_id[body["id"]]) for body in bodies]

    async def _post(self, body: Any, *, retry: bool) -> Any:
        attempts = self._attempts if retry else 1
        for attempt in range(attempts):
            try:
                async with self._gate:
                    return await self._once(body)
            except ChainUnavailable:
                if attempt + 1 == attempts:
                    raise
                await asyncio.sleep(0.2 * 2**attempt)
        raise AssertionError("attempts is at least one")

    async def _once(self, body: Any) -> Any:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self.timeout))
        try:
            async with self._session.post(self.url, json=body) as response:
                raw = await _bounded(response)
                status = response.status
        except TimeoutError:
            raise ChainUnavailable(
                f"The RPC at {self.url} hangs", f"it did not answer within {self.timeout:g} s", WHAT_NEXT
            ) from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise ChainUnavailable(f"No RPC answers at {self.url}", _reason(error), WHAT_NEXT) from None
        if status == 429 or status >= 500:
            raise ChainUnavailable(f"The RPC at {self.url} is out of order", f"HTTP {status}", "Try again later.")
        try:
            return json.loads(raw)
        except ValueError:
            raise self._nonsense(f"HTTP {status}, not JSON: {raw[:60]!r}") from None

    def _result(self, method: str, serial: int, answer: dict[str, Any]) -> Any:
        error = answer.get("error")
        if error is not None:
            if not isinstance(error, dict):
                raise self._nonsense(f"{method} failed with {str(error)[:80]!r}")
            code = error.get("code")
            code = code if isinstance(code, int) else 0
            raise RpcError(method, code, str(error.get("message", ""))[:500], _revert_data(error.get("data")))
        if answer.get("id") != serial or "result" not in answer:
            raise self._nonsense(f"{method} was answered without a result")
        return answer["result"]

    def _nonsense(self, why: str) -> ChainLies:
        return ChainLies(f"{self.url} does not speak JSON-RPC", why, WHAT_NEXT)


async def _bounded(response: aiohttp.ClientResponse) -> bytes:
    raw = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        raw += chunk
        if len(raw) > MAX_ANSWER:
            raise ChainLies(f"{response.url} sends an endless answer", f"over {MAX_ANSWER} bytes", WHAT_NEXT)
    return bytes(raw)


def _reason(error: Exception) -> str:
    if isinstance(error, aiohttp.ClientConnectorError):
        return error.os_error.strerror or "the connection was refused"
    return str(error) or type(error).__name__


def _revert_data(data: Any) -> bytes:
    # Geth and anvil give the hex itself, others an object holding it.
    if isinstance(data, dict):
        data = data.get("data") or data.get("result")
    if isinstance(data, str):
        try:
            return bytes.fromhex(data.removeprefix("Reverted ").removeprefix("0x"))
        except ValueError:
            return b""
    return b""


def longer(pause: float) -> float:
    """Seconds to wait after one more failure, where it was ``pause`` before."""
    return min(2 * pause, LONGEST_PAUSE)


def quantity(value: Any) -> int:
    """The number in a JSON-RPC quantity. Raises ChainLies."""
    try:
        if isinstance(value, str) and value.startswith("0x"):
            return int(value, 16)
    except ValueError:
        pass
    raise ChainLies("The RPC sent a malformed number", repr(value)[:80], "Use another RPC.")


def unhex(value: Any, length: int | None = None) -> bytes:
    """The bytes in a JSON-RPC string, ``length`` of them if given. Raises ChainLies."""
    try:
        if isinstance(value, str) and value.startswith("0x"):
            found = bytes.fromhex(value[2:])
            if length is None or len(found) == length:
                return found
    except ValueError:
        pass
    raise ChainLies("The RPC sent malformed bytes", repr(value)[:80], "Use another RPC.")


def to_hex(value: bytes) -> str:
    """0x-prefixed hexadecimal."""
    return "0x" + value.hex()
