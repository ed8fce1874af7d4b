"""Random histories on real contracts and on the reference side by side.

The same calls succeed, with the same events, and the same are refused, for the same reasons. Times, calls and parties
follow a seed; block hashes do not, as anvil dates its first block by the clock.
"""

import asyncio
import random
from collections import Counter
from typing import Any

import pytest

from agents.chain.anvil import Anvil, AnvilOptions, dev_account
from agents.chain.blocks import Header, headers_of, latest
from agents.chain.codec import Artefact
from agents.chain.contracts import Market, Registry, Token
from agents.chain.deploy import Deployment, deploy
from agents.chain.logs import market_decoder
from agents.chain.reverts import decode_revert
from agents.chain.rpc import Rpc, quantity, to_hex, unhex
from agents.chain.transactions import Call
from agents.core.market import events as e
from agents.core.market.types import Ask, Content, MarketConfig, Request, StakeConfig, slot_id
from agents.core.units import TOKEN
from tests.chain.ground import lane_of
from tests.core.market.reference import Reference, Refused, Tx

RUNTIME = bytes.fromhex("600435151560005260206000f3")
PICKY = Artefact("Picky", [], bytes.fromhex("6c" + RUNTIME.hex() + "600052600d6013f3"), RUNTIME)
"""A verifier that accepts every proof but those with a.x = 0."""

SINK = "0x000000000000000000000000000000000000dEaD"
STAKES = StakeConfig(100 * TOKEN, 1, 60, SINK)
CONFIG = MarketConfig(24, 1, 40, 130, 2, 2000, 2000, 5000, 500, 25, 20, 1, 86_400, 24)
EXPIRY, DURATION = 300, 1_800
PROVIDERS, VALIDATOR, CLIENT = range(1, 7), 7, 8
PARTIES = (*PROVIDERS, VALIDATOR, CLIENT)
WALLET = 5_000 * TOKEN
GAS = 2_000_000
OF_REGISTRY = ("register", "set_endpoint", "deposit", "unstake", "collect_unbonded", "withdraw")


def ask(seed: int) -> Ask:
    """What the client of history ``seed`` wants."""
    rare, dispersal = (1, 2)[seed % 2], (5000, 2500, 8000)[seed % 3]
    return Ask(rare, 4, 2, 1 + seed % 2, dispersal, 1 << 20, DURATION, 1_000, 10**14)


class Pair:
    """The contracts and the reference, called alike."""

    def __init__(self, rpc: Rpc, deployment: Deployment, seed: int) -> None:
        self.rpc, self.deployment, self.random = rpc, deployment, random.Random(seed)
        self.market, self.registry = Market(rpc, deployment.marketplace), Registry(rpc, deployment.registry)
        self.token = Token(rpc, deployment.token)
        self.decode = market_decoder(deployment.marketplace, deployment.registry)
        self.names = {n: dev_account(n).address for n in PARTIES}
        unpayable = (deployment.registry, deployment.token)
        self.reference = Reference(CONFIG, STAKES, dict.fromkeys(self.names.values(), WALLET), unpayable)
        self.hashes: dict[int, bytes] = {}
        self.head: Header
        self.said: Counter[str] = Counter()
        """Kinds of events, and names of refusals."""

    async def look(self) -> None:
        """Learn of the newest blocks."""
        self.head = await latest(self.rpc)
        known = max(self.hashes, default=-1)
        for header in await headers_of(self.rpc, range(known + 1, self.head.number + 1)):
            assert header is not None
            self.hashes[header.number] = header.hash

    async def mine(self, blocks: int, seconds: int) -> None:
        """``blocks`` empty blocks, ``seconds`` apart."""
        await self.rpc.call("anvil_mine", hex(blocks), hex(seconds))
        await self.look()

    def encoded(self, function: str, arguments: tuple[Any, ...]) -> Call:
        """The call of the contracts that is ``function`` of the reference."""
        if function == "approve":
            return self.token.approve(self.deployment.registry, *arguments)
        if function in OF_REGISTRY:
            return getattr(self.registry, function)(*arguments)  # type: ignore[no-any-return]
        if function in ("request_storage", "reserve_slot", "close_request"):
            return getattr(self.market, function)(*arguments)  # type: ignore[no-any-return]
        id = slot_id(arguments[0], arguments[1])
        rest = list(arguments[2:])
        if function in ("fill_slot", "submit_proof"):
            rest[-1] = ((int(rest[-1]), 2), ((1, 2), (3, 4)), (1, 2))
        return getattr(self.market, function)(id, *rest)  # type: ignore[no-any-return]

    async def call(self, who: int, function: str, *arguments: Any) -> bool:
        """Whether a call succeeded; it must have come to the same on both sides."""
        sender, call = self.names[who], self.encoded(function, arguments)
        await self.rpc.call("evm_setNextBlockTimestamp", hex(self.head.timestamp + self.random.randint(1, 2)))
        sent = {"from": sender, "to": call.to, "data": to_hex(call.data), "gas": hex(GAS)}
        tx_hash = await self.rpc.call("eth_sendTransaction", sent)
        while (receipt := await self.rpc.call("eth_getTransactionReceipt", tx_hash)) is None:  # noqa: ASYNC110
            await asyncio.sleep(0.002)
        await self.look()
        head = self.head
        assert unhex(receipt["blockHash"]) == head.hash
        told: list[e.Event] | str
        if quantity(receipt["status"]) == 1:
            told = [event for log in receipt["logs"] if (event := self.decode(log, head)) is not None]
        else:
            trace = await self.rpc.call("debug_traceTransaction", tx_hash, {"tracer": "callTracer"})
            told = decode_revert(unhex(trace["output"]))[0]
        tx = Tx(sender, head.number, head.timestamp, self.hashes, head.hash, unhex(tx_hash))
        expected: list[e.Event] | str
        try:
            expected = self.reference.call(tx, function, *arguments)
        except Refused as refused:
            expected = refused.name
        assert told == expected, f"{function}{arguments} of {who} in block {head.number}"
        self.said.update([told] if isinstance(told, str) else [type(event).__name__ for event in told])
        return not isinstance(told, str)

    async def compare(self) -> None:
        """Every balance, and what the vault owes."""
        state = self.reference.state
        for account in (*self.names.values(), SINK):
            assert await self.token.balance_of(account) == state.wallets.get(account, 0)
            assert await self.registry.credit_of(account) == state.credits.get(account, 0)
            if (stake := state.stakes.get(account)) is not None:
                record = await self.registry.provider_of(account)
                assert (record.free, record.locked, record.unbonding) == (stake.free, stake.locked, stake.unbonding)
                since = (record.registered_block, record.staked_since, record.release_at, record.endpoint, record.id)
                assert since == (stake.registered, stake.since, stake.release_at, stake.endpoint, stake.id)
        assert await self.token.balance_of(self.deployment.registry) == state.balance
        assert await self.registry.liabilities() == state.liabilities == state.balance
        assert await self.registry.pool_of(self.deployment.marketplace) == state.pool


class History:
    """One request's life, with everybody also doing what makes no sense."""

    def __init__(self, pair: Pair, seed: int, lazy: frozenset[int], sold: int) -> None:
        """The ``lazy`` never prove; only the first ``sold`` slots find a buyer."""
        self.pair, self.random, self.lazy, self.sold = pair, pair.random, lazy, sold
        nonce = self.random.randbytes(32)
        self.request = Request(pair.names[CLIENT], ask(seed), Content(bytes(32), 7), EXPIRY, nonce)

    def host(self, index: int) -> int | None:
        """Who holds a slot."""
        slot = self.pair.reference.state.slots.get((self.request.id, index))
        return next((n for n, name in self.pair.names.items() if slot and name == slot.host), None)

    @property
    def period(self) -> int:
        """Of the next block."""
        return (self.pair.head.number + 1) // CONFIG.period_blocks

    async def noise(self) -> None:
        """Anybody calls anything."""
        pick, id = self.random.choice, self.request.id
        index, who = self.random.randrange(5), pick(PARTIES)
        if self.random.random() < 0.5:
            who = self.host(index) or who
        amount = pick([0, 1, 50 * TOKEN, 4_000 * TOKEN, 10**30])
        function, *arguments = pick([
            ("register", "http://again"), ("set_endpoint", pick(["", "http://new", "x" * 257])), ("deposit", amount),
            ("unstake", amount), ("collect_unbonded",), ("approve", pick([amount, 10**30])),
            ("withdraw", pick([self.pair.names[who], SINK, self.pair.deployment.registry, "0x" + "0" * 40])),
            ("reserve_slot", id, index), ("close_reservation", id, index), ("claim", id, index), ("settle", id, index),
            ("reserve_slot", bytes(32), 0), ("close_request", pick([id, bytes(32)])),
            ("fill_slot", id, index, pick([True, False])), ("request_storage", self.request),
            ("submit_proof", id, index, max(0, self.period - pick([0, 1])), pick([True, False])),
            ("mark_proof_missing", id, index, max(0, self.period - self.random.randrange(7))),
        ])  # fmt: skip
        await self.pair.call(who, str(function), *arguments)

    async def join(self) -> None:
        for n in PROVIDERS:
            await self.noise()
            for function, argument in (("register", f"http://{n}"), ("approve", WALLET), ("deposit", 2_000 * TOKEN)):
                await self.pair.call(n, function, argument)
        await self.pair.call(CLIENT, "approve", WALLET)
        assert await self.pair.call(CLIENT, "request_storage", self.request)

    async def sell(self, index: int, careless: float = 0.2) -> None:
        """A slot is reserved by whoever may, and filled unless they are careless.

        The first block of a period knows no challenge yet, so there is a second attempt.
        """
        for who in self.random.sample(PROVIDERS, len(PROVIDERS)):
            if await self.pair.call(who, "reserve_slot", self.request.id, index):
                if self.random.random() < careless:
                    await self.pair.mine(1, CONFIG.reserve_seconds)
                    await self.pair.call(VALIDATOR, "close_reservation", self.request.id, index)
                elif not await self.pair.call(who, "fill_slot", self.request.id, index, True):
                    await self.pair.call(who, "fill_slot", self.request.id, index, True)
                return

    async def sell_all(self) -> None:
        """Early, when few are eligible, and at last, when everybody is; the first buyer is careless."""
        for wait, careless in ((30, 0.0), (60, 0.0), (EXPIRY // 2 - 90, 1.0), (1, 0.0)):
            await self.pair.mine(1, wait)
            for index in range(self.sold):
                if self.host(index) is None:
                    await self.sell(index, careless if index == 0 else 0.0)
                await self.noise()

    async def pass_a_period(self) -> None:
        """Hosts prove, but for the lazy; the last period's misses are marked; what is for sale finds a buyer."""
        while (self.pair.head.number + 1) % CONFIG.period_blocks == 0:
            await self.pair.mine(1, 1)
        for index in range(4):
            host = self.host(index)
            if host is not None and host not in self.lazy:
                await self.pair.call(host, "submit_proof", self.request.id, index, self.period, True)
            await self.pair.call(VALIDATOR, "mark_proof_missing", self.request.id, index, max(0, self.period - 1))
        await self.noise()
        for index in range(self.sold):
            if self.host(index) is None and self.random.random() < 0.7:
                await self.sell(index)
        if (left := CONFIG.period_blocks - 1 - self.pair.head.number % CONFIG.period_blocks) > 0:
            await self.pair.mine(left, 1)

    async def wind_up(self) -> None:
        id = self.request.id
        await self.pair.mine(1, DURATION)
        for index in range(4):
            await self.pair.call(VALIDATOR, "close_reservation", id, index)
            await self.pair.call(VALIDATOR, "settle", id, index)
        await self.pair.call(CLIENT, "close_request", id)
        await self.pair.mine(1, CONFIG.settle_seconds)
        for index in range(4):
            await self.pair.call(VALIDATOR, "settle", id, index)
            await self.noise()
        await self.pair.call(CLIENT, "close_request", id)
        assert self.pair.said["RequestClosed"] == 1
        assert not any(stake.locked for stake in self.pair.reference.state.stakes.values())
        for n in PARTIES:
            await self.pair.call(n, "unstake", 1_000 * TOKEN)
        await self.pair.mine(1, 61)
        for n in PARTIES:
            await self.pair.call(n, "collect_unbonded")
            await self.pair.call(n, "withdraw", self.pair.names[self.random.choice(PARTIES)])

    async def run(self, heard: set[str]) -> None:
        """Until everything in ``heard`` was said, and a few periods more."""
        await self.join()
        await self.sell_all()
        more = 4
        for turn in range(30):
            await self.pass_a_period()
            if turn % 4 == 0:
                await self.pair.compare()
            more -= heard <= set(self.pair.said)
            if not more:
                break
        await self.wind_up()
        await self.pair.compare()


@pytest.mark.parametrize(
    ("seed", "lazy", "sold", "heard"),
    [
        (0, 3, 4, {"RequestStarted", "RepairOpened", "ProofSubmitted"}),
        (1, 2, 4, {"RequestStarted", "ProofMissed", "ProofSubmitted"}),
        (2, 6, 4, {"RequestStarted", "RequestFailed"}),
        (3, 0, 4, {"RequestStarted", "ProofSubmitted"}),
        (4, 4, 3, {"SlotLost"}),
    ],
    ids=["some lazy", "seldom proven", "failing", "all diligent", "cancelled"],
)
def test_contracts_and_reference_agree(seed: int, lazy: int, sold: int, heard: set[str]) -> None:
    async def story(anvil: Anvil) -> None:
        async with Rpc(anvil.url) as rpc:
            bank = lane_of(rpc, 0)
            deployment = await deploy(bank, verifier=PICKY, profile="", stake=STAKES, market=CONFIG)
            pair = Pair(rpc, deployment, seed)
            for name in pair.names.values():
                await bank.send(pair.token.transfer(name, WALLET), f"fund:{name}")
            await bank.close()
            await pair.look()
            history = History(pair, seed, frozenset(range(1, 1 + lazy)), sold)
            await history.run(heard)
            assert heard <= set(pair.said)

    with Anvil(AnvilOptions(block_time=None)) as anvil:
        asyncio.run(story(anvil))
