"""What the chain tests stand on: an accept-all verifier, markets on a real anvil, and an RPC that misbehaves."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web

from agents.chain.anvil import Anvil, dev_account
from agents.chain.codec import Artefact
from agents.chain.contracts import Registry, Token
from agents.chain.deploy import Deployment, deploy
from agents.chain.journal import Journal, MemoryJournal
from agents.chain.rpc import Rpc
from agents.chain.sender import Sender
from agents.core.units import TOKEN

RUNTIME = bytes.fromhex("600160005260206000f3")
ACCEPT_ALL = Artefact("AcceptAll", [], bytes.fromhex("69" + RUNTIME.hex() + "600052600a6016f3"), RUNTIME)
"""Answers every call with true."""

Twist = Callable[[str, list[Any], dict[str, Any]], Awaitable[dict[str, Any] | bytes]]
"""Method, parameters and the honest answer -> the answer sent instead."""


def sender_of(rpc: Rpc, index: int, journal: Journal | None = None, **options: Any) -> Sender:
    """A sender for development account ``index``, quick to look again."""
    chosen = {"poll": 0.02} | options
    return Sender(rpc, dev_account(index), 31_337, journal or MemoryJournal(), **chosen)


async def market_on(rpc: Rpc) -> Deployment:
    """A fresh market whose verifier accepts every proof."""
    sender = sender_of(rpc, 0)
    try:
        return await deploy(sender, verifier=ACCEPT_ALL, profile="")
    finally:
        await sender.close()


async def stake(rpc: Rpc, deployment: Deployment, index: int, amounts: list[int]) -> None:
    """Account ``index`` registers and deposits ``amounts`` of tokens, one transaction each."""
    account = dev_account(index).address
    token, registry = Token(rpc, deployment.token), Registry(rpc, deployment.registry)
    bank, sender = sender_of(rpc, 0), sender_of(rpc, index)
    await bank.send(token.transfer(account, 10_000 * TOKEN), f"fund:{account}")
    await sender.send(token.approve(deployment.registry, 10_000 * TOKEN), "approve")
    await sender.send(registry.register(f"http://{account}"), "register")
    for at, amount in enumerate(amounts):
        await sender.send(registry.deposit(amount), f"deposit:{at}")
    await bank.close()
    await sender.close()


@asynccontextmanager
async def twisted(anvil: Anvil, twist: Twist) -> AsyncIterator[str]:
    """The URL of a proxy before ``anvil`` whose answers go through ``twist``; bytes are sent as they are."""

    async def handle(request: web.Request) -> web.Response:
        asked = await request.json()
        async with session.post(anvil.url, json=asked) as response:
            honest = await response.json()
        if isinstance(asked, list):
            told = [await twist(q["method"], q["params"], a) for q, a in zip(asked, honest, strict=True)]
            return web.json_response(told)
        answer = await twist(asked["method"], asked["params"], honest)
        return web.Response(body=answer if isinstance(answer, bytes) else json.dumps(answer).encode())

    app = web.Application(client_max_size=1 << 24)
    app.router.add_post("/", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    async with aiohttp.ClientSession() as session:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server = site._server
        assert server is not None
        try:
            yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"  # type: ignore[attr-defined]
        finally:
            await runner.cleanup()


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    """Wait for a state. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not await condition():  # noqa: ASYNC110 - the chain rings no bell
            await asyncio.sleep(0.02)
