"""Every way an endpoint can fail has a message of its own."""

import asyncio
from typing import Any

import pytest
from aiohttp import web

from agents.chain import rpc as transport
from agents.chain.anvil import Anvil
from agents.chain.rpc import Rpc, RpcError
from agents.core.errors import ChainLies, ChainUnavailable, WrongChain
from tests.chain.ground import twisted


async def honest(_method: str, _params: list[Any], answer: dict[str, Any]) -> dict[str, Any]:
    return answer


def ask(url: str, method: str = "eth_blockNumber", **options: Any) -> Any:
    async def once() -> Any:
        async with Rpc(url, attempts=1, **options) as rpc:
            return await rpc.call(method)

    return asyncio.run(once())


def ask_twisted(anvil: Anvil, twist: Any, **options: Any) -> Any:
    async def once() -> Any:
        async with twisted(anvil, twist) as url, Rpc(url, attempts=1, **options) as rpc:
            return await rpc.call("eth_blockNumber")

    return asyncio.run(once())


def test_an_absent_rpc_is_named_with_what_to_type_next() -> None:
    with pytest.raises(ChainUnavailable, match=r"No RPC answers at http://127.0.0.1:1.*agent devnet"):
        ask("http://127.0.0.1:1")


def test_an_rpc_that_hangs_is_given_up(anvil: Anvil) -> None:
    async def hang(*_: Any) -> dict[str, Any]:
        await asyncio.sleep(3600)
        return {}

    with pytest.raises(ChainUnavailable, match=r"hangs: it did not answer within 0.5 s"):
        ask_twisted(anvil, hang, timeout=0.5)


@pytest.mark.parametrize("answer", [b"<html>", b"[]", b'{"id": 1}', b'{"id": 99, "result": "0x1"}', b'{"error": 5}'])
def test_what_is_not_json_rpc_is_called_so(anvil: Anvil, answer: bytes) -> None:
    async def twist(*_: Any) -> bytes:
        return answer

    with pytest.raises(ChainLies, match="does not speak JSON-RPC"):
        ask_twisted(anvil, twist)


@pytest.mark.parametrize("status", [429, 500, 503, 522])
def test_an_endpoint_out_of_order_is_unavailable_whatever_it_says(anvil: Anvil, status: int) -> None:
    class Page(web.HTTPException):
        status_code = status

    async def twist(*_: Any) -> bytes:
        raise Page(text="<html>")

    with pytest.raises(ChainUnavailable, match=f"out of order: HTTP {status}"):
        ask_twisted(anvil, twist)


def test_an_endless_answer_is_cut(anvil: Anvil, monkeypatch: pytest.MonkeyPatch) -> None:
    async def twist(*_: Any) -> bytes:
        return b"1" * 100_000

    monkeypatch.setattr(transport, "MAX_ANSWER", 50_000)
    with pytest.raises(ChainLies, match="endless answer"):
        ask_twisted(anvil, twist)


def test_a_wrong_chain_is_named(anvil: Anvil) -> None:
    async def check() -> None:
        async with Rpc(anvil.url) as rpc:
            await rpc.require_chain(31_337)
            with pytest.raises(WrongChain, match=r"serves chain 31337, not 1.*HOLDFAST_RPC"):
                await rpc.require_chain(1)

    asyncio.run(check())


def test_the_endpoints_own_errors_are_passed_on(anvil: Anvil) -> None:
    with pytest.raises(RpcError, match="eth_nonsense failed"):
        ask(anvil.url, "eth_nonsense")


def test_a_batch_keeps_its_order_and_is_split(anvil: Anvil) -> None:
    async def check() -> None:
        addresses = [f"0x{at:040x}" for at in range(transport.BATCH + 5)]
        async with Rpc(anvil.url) as rpc:
            requests = [("eth_getStorageAt", (address, "0x0", "latest")) for address in addresses]
            assert len(await rpc.batch(requests)) == len(addresses)
            assert (await rpc.batch([("eth_chainId", ()), ("eth_getBalance", (addresses[0], "latest"))]))[0] == "0x7a69"

    asyncio.run(check())


def test_a_read_is_tried_again_but_a_transaction_is_not(anvil: Anvil) -> None:
    seen: list[str] = []

    async def drop_first(method: str, _params: list[Any], answer: dict[str, Any]) -> dict[str, Any]:
        seen.append(method)
        if seen.count(method) == 1:
            await asyncio.sleep(3600)
        return answer

    async def check() -> None:
        async with twisted(anvil, drop_first) as url, Rpc(url, timeout=2) as rpc:
            assert await rpc.chain_id() == 31_337
            with pytest.raises(ChainUnavailable):
                await rpc.call("eth_sendRawTransaction", "0x00")

    asyncio.run(check())
    assert seen.count("eth_chainId") == 2
    assert seen.count("eth_sendRawTransaction") == 1
