"""One sender a key: nothing is sent twice, nothing is lost, and nothing that must fail costs gas."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agents.chain.anvil import Anvil, AnvilOptions, dev_account
from agents.chain.blocks import latest
from agents.chain.contracts import Market, Registry, Token
from agents.chain.journal import MemoryJournal
from agents.chain.reverts import Reverted
from agents.chain.rpc import Rpc, RpcError, to_hex
from agents.chain.sender import KIND, RECHECK_BLOCKS
from agents.chain.transactions import Call, entry_from_bytes, market_fees
from agents.core.errors import DiskFull, NotEnoughGas, NotEnoughTokens
from agents.core.units import TOKEN
from agents.store.state import StateStore
from tests.chain.ground import market_on, sender_of, twisted, until

SOMEBODY = "0x000000000000000000000000000000000000bEEF"


def gift(wei: int = 1) -> Call:
    return Call(SOMEBODY, b"", "gift", value=wei)


async def nonce_of(rpc: Rpc, index: int, tag: str = "latest") -> int:
    return int(await rpc.call("eth_getTransactionCount", dev_account(index).address, tag), 16)


def test_an_effect_is_sent_once_however_often_it_is_asked_for(anvil: Anvil) -> None:
    async def check() -> None:
        async with Rpc(anvil.url) as rpc:
            journal, before = MemoryJournal(), await nonce_of(rpc, 1)
            sender = sender_of(rpc, 1, journal)
            first, second = await asyncio.gather(sender.send(gift(), "once"), sender.send(gift(), "once"))
            again = await sender_of(rpc, 1, journal).send(gift(), "once")
            assert first == second == again
            assert await nonce_of(rpc, 1) == before + 1

    asyncio.run(check())


def test_a_batch_stands_for_each_effect_it_covers(anvil: Anvil) -> None:
    async def check() -> None:
        async with Rpc(anvil.url) as rpc:
            journal, before = MemoryJournal(), await nonce_of(rpc, 4)
            sender = sender_of(rpc, 4, journal)
            batch, single = await asyncio.gather(
                sender.send(gift(2), "all", covers=["one", "two"]), sender.send(gift(), "three")
            )
            # One of them asked for alone, in this process or the next, is done already.
            again = sender_of(rpc, 4, journal)
            assert (
                batch
                == await sender.send(gift(), "one")
                == await again.send(gift(), "two")
                == await again.follow("one")
            )
            assert await again.follow("four") is None and again.knows("three") and not again.knows("four")
            assert again.effects("t") == {"three": single.block_number}
            assert await nonce_of(rpc, 4) == before + 2
            # What a batch that is refused would have done may be done otherwise.
            refused = Call((await market_on(rpc)).registry, bytes(4), "refused")
            with pytest.raises(Reverted):
                await sender.send(refused, "others", covers=["five", "six"])
            assert not sender.knows("five")
            assert (await sender.send(gift(), "five")).succeeded

    asyncio.run(check())


def test_many_effects_at_once_have_a_nonce_each(anvil: Anvil) -> None:
    async def check() -> None:
        async with Rpc(anvil.url) as rpc:
            before = await nonce_of(rpc, 2)
            sender = sender_of(rpc, 2)
            receipts = await asyncio.gather(*(sender.send(gift(), f"many:{at}") for at in range(8)))
            assert len({receipt.tx_hash for receipt in receipts}) == 8
            assert await nonce_of(rpc, 2) == before + 8

    asyncio.run(check())


def test_a_refusal_is_decoded_before_any_gas_is_spent(anvil: Anvil) -> None:
    async def check() -> None:
        async with Rpc(anvil.url) as rpc:
            made = await market_on(rpc)
            before, wealth = await nonce_of(rpc, 3), await rpc.balance(dev_account(3).address)
            sender = sender_of(rpc, 3)
            with pytest.raises(Reverted, match="deposit was refused: StakeRegistry_NotRegistered") as caught:
                await sender.send(Registry(rpc, made.registry).deposit(5), "deposit")
            assert caught.value.name == "StakeRegistry_NotRegistered"
            assert "agent provider --stake" in str(caught.value)
            with pytest.raises(Reverted, match="Marketplace_UnknownRequest"):
                await sender.send(Market(rpc, made.marketplace).reserve_slot(bytes(32), 0), "reserve")
            with pytest.raises(NotEnoughTokens, match=r"transfer needs 5 HOLD: the account holds 0 HOLD"):
                await sender.send(Token(rpc, made.token).transfer(SOMEBODY, 5 * TOKEN), "transfer")
            assert (await nonce_of(rpc, 3), await rpc.balance(dev_account(3).address)) == (before, wealth)

    asyncio.run(check())


def test_too_little_gas_money_is_said_with_both_amounts(anvil: Anvil) -> None:
    async def check() -> None:
        async with Rpc(anvil.url) as rpc:
            poor = dev_account(19).address
            base_fee = int((await rpc.call("eth_getBlockByNumber", "latest", False))["baseFeePerGas"], 16)
            assert base_fee > 0
            await rpc.call("anvil_setBalance", poor, hex(21_000 * base_fee // 2))
            with pytest.raises(NotEnoughGas, match=rf"gift may cost 0\.0.* ETH in gas: {poor} has 0\.0.*Send it some"):
                await sender_of(rpc, 19).send(gift(0), "poor")
            assert await nonce_of(rpc, 19) == 0

    asyncio.run(check())


@pytest.mark.parametrize("kept", [True, False])
def test_a_stuck_transaction_is_replaced_at_higher_fees(kept: bool) -> None:
    async def twist(method: str, _params: list[Any], answer: dict[str, Any]) -> dict[str, Any]:
        # Some pools forget at once what is too cheap for the next block.
        return answer if kept or method != "eth_getTransactionByHash" else answer | {"result": None}

    async def check(chain: Anvil) -> None:
        async with twisted(chain, twist) as url, Rpc(url) as rpc:
            journal = MemoryJournal()
            sender = sender_of(rpc, 1, journal)
            waiting = asyncio.create_task(sender.send(gift(), "stuck"))
            await until(lambda: _pooled(rpc, 1))
            entry = entry_from_bytes(journal.load(KIND)["stuck"])

            async def mined() -> bool:
                # Every block's base fee is just above what was offered, so only a replacement can be mined.
                await rpc.call("anvil_setNextBlockBaseFeePerGas", hex(entry.fees.most + 1))
                await rpc.call("evm_mine")
                return waiting.done()

            await until(mined)
            receipt = await waiting
            final = entry_from_bytes(journal.load(KIND)["stuck"])
            assert len(final.signed) > 1
            assert receipt.tx_hash in final.hashes[1:]
            assert final.fees.most * 1000 >= entry.fees.most * 1125
            assert await nonce_of(rpc, 1) == 1

    with Anvil(AnvilOptions(mining=False)) as chain:
        asyncio.run(check(chain))


def test_a_halted_chain_is_offered_no_more() -> None:
    async def check(chain: Anvil) -> None:
        async with Rpc(chain.url) as rpc:
            journal = MemoryJournal()
            waiting = asyncio.create_task(sender_of(rpc, 1, journal, stuck_after=0).send(gift(), "halted"))
            await until(lambda: _pooled(rpc, 1))
            await asyncio.sleep(0.5)
            assert len(entry_from_bytes(journal.load(KIND)["halted"]).signed) == 1
            await rpc.call("evm_mine")
            assert (await waiting).succeeded

    with Anvil(AnvilOptions(mining=False)) as chain:
        asyncio.run(check(chain))


class Deaf(Rpc):
    """An endpoint that lets every transaction fall."""

    async def call(self, method: str, *params: Any) -> Any:
        return "0x" + "00" * 32 if method == "eth_sendRawTransaction" else await super().call(method, *params)


def test_fees_rise_to_ten_times_the_markets_and_no_further(caplog: pytest.LogCaptureFixture) -> None:
    async def check(chain: Anvil) -> None:
        async with Deaf(chain.url) as rpc:
            journal = MemoryJournal()
            sender = sender_of(rpc, 1, journal, stuck_after=0)
            waiting = asyncio.create_task(sender.send(gift(), "unheard"))

            async def given_up() -> bool:
                await rpc.call("evm_mine")
                return "far above the market: it waits" in caplog.text

            await until(given_up, 30)
            entry = entry_from_bytes(journal.load(KIND)["unheard"])
            market = await market_fees(rpc, await latest(rpc))
            assert 8 * market.most < entry.fees.most <= 11 * market.most
            assert len(entry.signed) < 25
            waiting.cancel()
            await sender.close()

    with Anvil(AnvilOptions(mining=False)) as chain:
        asyncio.run(check(chain))


async def _pooled(rpc: Rpc, index: int) -> bool:
    return await nonce_of(rpc, index, "pending") > await nonce_of(rpc, index)


def test_a_dropped_transaction_is_broadcast_again() -> None:
    async def check(chain: Anvil) -> None:
        async with Rpc(chain.url) as rpc:
            sender = sender_of(rpc, 1)
            waiting = asyncio.create_task(sender.send(gift(), "dropped"))
            await until(lambda: _pooled(rpc, 1))
            await rpc.call("anvil_dropAllTransactions")
            await until(lambda: _pooled(rpc, 1))
            await rpc.call("evm_mine")
            assert (await waiting).succeeded

    with Anvil(AnvilOptions(mining=False)) as chain:
        asyncio.run(check(chain))


def test_a_transaction_reorganised_away_is_sent_again(own_anvil: Anvil) -> None:
    async def check() -> None:
        async with Rpc(own_anvil.url) as rpc:
            sender = sender_of(rpc, 1)
            receipt = await sender.send(gift(), "reorged")
            assert await sender.recheck() == []
            await rpc.call("anvil_reorg", 1, [])
            assert await rpc.call("eth_getTransactionReceipt", to_hex(receipt.tx_hash)) is None
            assert await sender.recheck() == ["reorged"]
            again = await sender.send(gift(), "reorged")
            assert again.block_hash != receipt.block_hash
            assert await nonce_of(rpc, 1) == 1

    asyncio.run(check())


def test_what_no_reorg_can_reach_is_forgotten(own_anvil: Anvil) -> None:
    async def check() -> None:
        async with Rpc(own_anvil.url) as rpc:
            journal = MemoryJournal()
            sender = sender_of(rpc, 1, journal)
            first = await sender.send(gift(), "first")
            await rpc.call("anvil_mine", hex(RECHECK_BLOCKS))
            assert await sender.recheck() == []
            assert await sender.send(gift(), "first") == first
            assert set(journal.load(KIND)) == {"first"}
            await sender.send(gift(), "second")
            assert set(journal.load(KIND)) == {"second"}
            await rpc.call("anvil_mine", hex(RECHECK_BLOCKS + 1))
            assert await sender.recheck() == []
            assert journal.load(KIND) == {}
            assert (await sender.send(gift(), "first")).block_number > first.block_number
            assert await nonce_of(rpc, 1) == 3

    asyncio.run(check())


def test_a_nonce_used_elsewhere_is_noticed_and_the_effect_sent_under_another(own_anvil: Anvil) -> None:
    async def check() -> None:
        async with Rpc(own_anvil.url) as rpc:
            await rpc.call("evm_setAutomine", False)
            journal = MemoryJournal()
            sender = sender_of(rpc, 1, journal)
            waiting = asyncio.create_task(sender.send(gift(), "robbed"))
            await until(lambda: _pooled(rpc, 1))
            await rpc.call("anvil_dropAllTransactions")
            # Another program with the same key is faster.
            await rpc.call("anvil_setNonce", dev_account(1).address, "0x1")

            async def mined() -> bool:
                await rpc.call("evm_mine")
                return waiting.done()

            await until(mined)
            assert (await waiting).succeeded
            assert entry_from_bytes(journal.load(KIND)["robbed"]).nonce == 1

    asyncio.run(check())


def test_a_gap_in_the_nonces_is_filled() -> None:
    async def check(chain: Anvil) -> None:
        async with Rpc(chain.url) as rpc:
            journal = MemoryJournal()
            sender = sender_of(rpc, 1, journal)
            for key in ("first", "second"):
                task = asyncio.create_task(sender.send(gift(), key))
                await until(lambda: _has(journal, key))  # noqa: B023 - awaited at once
                task.cancel()
            await sender.close()
            # The first is refused and forgotten after the second was signed.
            await rpc.call("anvil_dropAllTransactions")
            journal.remove(KIND, "first")
            sender = sender_of(rpc, 1, journal)
            waiting = asyncio.create_task(sender.send(gift(), "second"))

            async def mined() -> bool:
                await rpc.call("evm_mine")
                return waiting.done()

            await until(mined)
            assert (await waiting).succeeded
            assert await nonce_of(rpc, 1) == 2
            await sender.close()

    async def _has(journal: MemoryJournal, key: str) -> bool:
        return key in journal.load(KIND)

    with Anvil(AnvilOptions(mining=False)) as chain:
        asyncio.run(check(chain))


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from agents.chain.rpc import Rpc
from agents.store.state import StateStore
from tests.chain.ground import sender_of
from tests.chain.test_sender import gift

async def main():
    url, place, step = sys.argv[1:]
    rpc = Rpc(url)
    real = rpc.call
    async def call(method, *params):
        if method == "eth_sendRawTransaction" and step == "signed":
            os.kill(os.getpid(), signal.SIGKILL)
        result = await real(method, *params)
        if method == "eth_sendRawTransaction" and step == "sent":
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    rpc.call = call
    await sender_of(rpc, 5, StateStore(Path(place))).send(gift(7), "effect")

asyncio.run(main())
"""


@pytest.mark.parametrize("step", ["signed", "sent"])
def test_a_process_killed_while_sending_sends_exactly_once(anvil: Anvil, tmp_path: Path, step: str) -> None:
    async def state() -> tuple[int, int]:
        async with Rpc(anvil.url) as rpc:
            return await nonce_of(rpc, 5), await rpc.balance(SOMEBODY)

    async def resume() -> None:
        async with Rpc(anvil.url) as rpc:
            sender = sender_of(rpc, 5, StateStore(tmp_path / "state"))
            assert await sender.resume() == ["effect"]
            await sender.send(gift(7), "effect")
            assert sender.pending() == []

    before = asyncio.run(state())
    command = [sys.executable, "-c", KILLED, anvil.url, str(tmp_path / "state"), step]
    ended = subprocess.run(command, timeout=120, check=False, env=os.environ | {"PYTHONPATH": os.getcwd()})
    assert ended.returncode == -signal.SIGKILL
    asyncio.run(resume())
    assert asyncio.run(state()) == (before[0] + 1, before[1] + 7)


@pytest.mark.parametrize(
    ("field", "lie", "message"),
    [
        ("transactionHash", "0x" + "11" * 32, "another transaction's"),
        ("blockHash", "0x" + "22" * 32, "the block it names is not block"),
        ("blockNumber", "0x0", "the block it names is not block 0"),
    ],
)
def test_a_lie_about_a_receipt_is_not_believed(
    anvil: Anvil, caplog: pytest.LogCaptureFixture, field: str, lie: str, message: str
) -> None:
    lies = iter(range(4))

    async def twist(method: str, _params: list[Any], answer: dict[str, Any]) -> dict[str, Any]:
        if method == "eth_getTransactionReceipt" and answer.get("result") and next(lies, None) is not None:
            answer["result"][field] = lie
        return answer

    async def check() -> None:
        async with twisted(anvil, twist) as url, Rpc(url) as rpc:
            before = await nonce_of(rpc, 6)
            receipt = await sender_of(rpc, 6).send(gift(), f"lied:{field}")
            assert (receipt.block_number > 0, receipt.block_hash.hex() != lie[2:]) == (True, True)
            assert await nonce_of(rpc, 6) == before + 1

    asyncio.run(check())
    assert re.search(f"gift waits: The RPC lies about the receipt .*{message}", caplog.text)


def test_a_receipt_for_a_transaction_that_was_never_mined_is_not_believed(
    anvil: Anvil, caplog: pytest.LogCaptureFixture
) -> None:
    async def twist(method: str, params: list[Any], answer: dict[str, Any]) -> dict[str, Any]:
        if method == "eth_sendRawTransaction":
            return answer | {"result": "0x" + "00" * 32}
        if method == "eth_getTransactionReceipt":
            block = json.loads(json.dumps(genesis))
            made = {"transactionHash": params[0], "blockNumber": "0x0", "blockHash": block["hash"], "status": "0x1"}
            return {"jsonrpc": "2.0", "id": answer["id"], "result": made | {"gasUsed": "0x1", "logs": []}}
        return answer

    genesis: dict[str, Any] = {}

    async def noticed() -> bool:
        return "block 0 does not hold the transaction" in caplog.text

    async def check() -> None:
        async with Rpc(anvil.url) as honest:
            genesis.update(await honest.call("eth_getBlockByNumber", "0x0", False))
        async with twisted(anvil, twist) as url, Rpc(url) as rpc:
            sender = sender_of(rpc, 7)
            waiting = asyncio.create_task(sender.send(gift(), "phantom"))
            await until(noticed)
            assert (waiting.done(), sender.pending()) == (False, ["phantom"])
            waiting.cancel()
            await sender.close()

    asyncio.run(check())


def rpc_error(answer: dict[str, Any], code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": answer["id"], "error": {"code": code, "message": message}}


@pytest.mark.parametrize("method", ["eth_getTransactionReceipt", "eth_sendRawTransaction", "eth_getTransactionByHash"])
def test_an_endpoint_that_is_asked_too_often_is_asked_again(anvil: Anvil, method: str) -> None:
    refusals = iter(range(3))

    async def twist(asked: str, _params: list[Any], answer: dict[str, Any]) -> dict[str, Any]:
        if asked == method and next(refusals, None) is not None:
            return rpc_error(answer, -32005, "daily request count exceeded")
        # The receipt is late, so that every question is asked.
        late = asked == "eth_getTransactionReceipt" and method.endswith("Hash") and next(lateness, None) is not None
        return answer | {"result": None} if late else answer

    lateness = iter(range(4))

    async def check() -> None:
        async with twisted(anvil, twist) as url, Rpc(url) as rpc:
            before = await nonce_of(rpc, 8)
            sender = sender_of(rpc, 8)
            assert (await sender.send(gift(), "limited")).succeeded
            assert (await sender.send(gift(), "after")).succeeded
            assert await nonce_of(rpc, 8) == before + 2

    asyncio.run(check())


def test_what_the_endpoint_refuses_is_said_and_may_be_sent_anew(anvil: Anvil) -> None:
    async def twist(method: str, _params: list[Any], answer: dict[str, Any]) -> dict[str, Any]:
        return rpc_error(answer, -32000, "not on my node") if method == "eth_sendRawTransaction" else answer

    async def check() -> None:
        async with twisted(anvil, twist) as url, Rpc(url) as rpc:
            sender = sender_of(rpc, 9)
            with pytest.raises(RpcError, match="not on my node"):
                await sender.send(gift(), "refused")
            assert sender.pending() == []
        async with Rpc(anvil.url) as rpc:
            assert (await sender_of(rpc, 9).send(gift(), "refused")).succeeded

    asyncio.run(check())


class Fickle(Rpc):
    """An endpoint that takes a transaction, loses it, and refuses it twice."""

    broadcasts = 0

    async def call(self, method: str, *params: Any) -> Any:
        if method == "eth_sendRawTransaction":
            self.broadcasts += 1
            if self.broadcasts == 1:
                return "0x" + "00" * 32
            if self.broadcasts <= 3:
                raise RpcError(method, -32000, "not on my node")
        return await super().call(method, *params)


def test_what_was_taken_once_is_not_given_up_when_it_is_refused_later(anvil: Anvil) -> None:
    async def check() -> None:
        async with Fickle(anvil.url) as rpc:
            assert (await sender_of(rpc, 11).send(gift(), "fickle")).succeeded
            assert (rpc.broadcasts, await nonce_of(rpc, 11)) == (4, 1)

    asyncio.run(check())


class FailingJournal(MemoryJournal):
    """Cannot write down what was mined, ``errors`` in a row."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self.errors = list(errors)

    def save(self, kind: str, key: str, value: bytes) -> None:
        if entry_from_bytes(value).mined and self.errors:
            raise self.errors.pop(0)
        super().save(kind, key, value)


def test_a_full_disk_is_waited_for_and_a_follower_that_died_is_replaced(anvil: Anvil) -> None:
    async def check() -> None:
        async with Rpc(anvil.url) as rpc:
            sender = sender_of(rpc, 10, FailingJournal(DiskFull("no room"), RuntimeError("a fault")))
            with pytest.raises(RuntimeError, match="a fault"):
                await sender.send(gift(), "unlucky")

            async def settled() -> bool:
                return sender.pending() == []

            assert not await settled()
            await until(settled, 5)
            assert await nonce_of(rpc, 10) == 1

    asyncio.run(check())


def test_an_account_too_poor_for_higher_fees_keeps_the_old_ones(caplog: pytest.LogCaptureFixture) -> None:
    async def check(chain: Anvil) -> None:
        async with Rpc(chain.url) as rpc:
            journal = MemoryJournal()
            waiting = asyncio.create_task(sender_of(rpc, 1, journal).send(gift(), "poor"))
            await until(lambda: _pooled(rpc, 1))
            entry = entry_from_bytes(journal.load(KIND)["poor"])
            await rpc.call("anvil_setBalance", dev_account(1).address, hex(entry.gas * entry.fees.most + 1))

            async def noticed() -> bool:
                await rpc.call("anvil_setNextBlockBaseFeePerGas", hex(entry.fees.most + 1))
                await rpc.call("evm_mine")
                return "gift waits: gift may cost" in caplog.text

            async def mined() -> bool:
                await rpc.call("anvil_setNextBlockBaseFeePerGas", hex(entry.fees.most // 2))
                await rpc.call("evm_mine")
                return waiting.done()

            await until(noticed, 20)
            await until(mined, 20)
            assert (await waiting).tx_hash == entry.hashes[0]

    with Anvil(AnvilOptions(mining=False)) as chain:
        asyncio.run(check(chain))


def test_a_call_that_fails_on_chain_says_why_and_may_be_tried_anew(own_anvil: Anvil) -> None:
    async def check() -> None:
        async with Rpc(own_anvil.url) as rpc:
            made = await market_on(rpc)
            token = Token(rpc, made.token)
            bank, sender = sender_of(rpc, 0), sender_of(rpc, 1)
            me = dev_account(1).address
            await bank.send(token.transfer(me, 5), "fund")
            await rpc.call("evm_setAutomine", False)
            # Both are affordable when estimated; the first takes what the second needs.
            first = asyncio.create_task(sender.send(token.transfer(SOMEBODY, 4), "first"))
            await until(lambda: _pooled(rpc, 1))
            second = asyncio.create_task(sender.send(token.transfer(SOMEBODY, 3), "second"))

            async def both() -> bool:
                return await nonce_of(rpc, 1, "pending") == await nonce_of(rpc, 1) + 2

            await until(both)
            await rpc.call("evm_mine")
            assert (await first).succeeded
            with pytest.raises((NotEnoughTokens, Reverted), match="transfer"):
                await second
            await rpc.call("evm_setAutomine", True)
            await bank.send(token.transfer(me, 5), "fund more")
            assert (await sender.send(token.transfer(SOMEBODY, 3), "second")).succeeded

    asyncio.run(check())
