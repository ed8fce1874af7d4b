"""The contracts on an anvil and the reference of them, called alike, and compared after every call."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Sequence
from functools import cache
from typing import Any, TypeVar

from agents.chain.anvil import Anvil, AnvilOptions, dev_account
from agents.chain.blocks import Header, header_of, latest, parse_header
from agents.chain.codec import Artefact, artefact, encode
from agents.chain.deploy import create_address
from agents.chain.logs import market_decoder
from agents.chain.reverts import decode_revert
from agents.chain.rpc import Rpc, quantity, to_hex, unhex
from agents.core.market import events as e
from agents.core.market.types import MarketConfig, StakeConfig, slot_id
from tests.chain.picky import picky_verifier
from tests.core.market import reference_views as views
from tests.core.market.reference import Reference, Refused, Tx

GENESIS = 1_700_000_000
GAS = 5_000_000
SUPPLY = 10**30
BANK = 0
TARGETS = {
    **dict.fromkeys(("register", "setEndpoint", "deposit", "unstake", "collectUnbonded", "withdraw"), "StakeRegistry"),
    "approve": "TestToken",
}
"""Contracts of the calls that are not the marketplace's."""

T = TypeVar("T")


@cache
def account(index: int) -> str:
    """Address of development account ``index``."""
    return dev_account(index).address


def proof(valid: bool) -> tuple[Any, ...]:
    """What the verifier accepts, or refuses."""
    return ((int(valid), 2), ((1, 2), (3, 4)), (1, 2))


def camel(name: str) -> str:
    """``fill_slot`` -> ``fillSlot``."""
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


@cache
def answer(contract: str, function: str, values: tuple[Any, ...]) -> str:
    """What a view answers that tells ``values``: the same again for as long as nothing changes."""
    return to_hex(encode(artefact(contract).functions[function].outputs, values))


@cache
def question(contract: str, function: str, arguments: tuple[Any, ...]) -> str:
    """Calldata."""
    return to_hex(artefact(contract).functions[function].encode(*arguments))


class Hashes(dict[int, bytes]):
    """Block hashes, asked for when they are needed."""

    def __init__(self, both: "Both") -> None:
        super().__init__()
        self._both = both

    def __missing__(self, number: int) -> bytes:
        header = self._both.run(header_of(self._both.rpc, number))
        assert header is not None
        self[number] = header.hash
        return header.hash


class Both:
    """One market, told twice. Every account of ``wallets`` has that many tokens, all of which the vault may take."""

    def __init__(self, config: MarketConfig, stake: StakeConfig, wallets: dict[int, int]) -> None:
        self.anvil = Anvil(AnvilOptions(block_time=None, mining=False, accounts=max(wallets) + 1, genesis=GENESIS))
        self._loop = asyncio.new_event_loop()
        self.rpc = Rpc(self.anvil.url)
        self.said: Counter[str] = Counter()
        """Kinds of events, names of refusals, and whatever else happened."""
        self.calls = 0
        self.hashes = Hashes(self)
        self.head: Header = self.run(latest(self.rpc))
        self.names = {index: account(index) for index in wallets}
        self._deploy(config, stake, wallets)
        contracts = self.addresses
        self._decode = market_decoder(contracts["Marketplace"], contracts["StakeRegistry"])
        unpayable = (contracts["StakeRegistry"], contracts["TestToken"])
        balances = {self.names[index]: amount for index, amount in wallets.items()}
        self.reference = Reference(config, stake, balances, unpayable)
        self.reference.state.allowed = dict(balances)

    def close(self) -> None:
        """End the chain."""
        self.run(self.rpc.close())
        self._loop.close()
        self.anvil.stop()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """What an asynchronous function returns."""
        return self._loop.run_until_complete(work)

    # --- the chain ---

    def mine(self, blocks: int = 1, seconds: int = 1) -> None:
        """Empty blocks, the first ``seconds`` after the last one, the others one second apart."""
        self.run(self.rpc.call("evm_mine", {"timestamp": self.head.timestamp + seconds}))
        if blocks > 1:
            self.run(self.rpc.call("anvil_mine", hex(blocks - 1), "0x1"))
        self.head = self.run(latest(self.rpc))

    def _send(self, sender: str, to: str | None, data: str) -> str:
        sent = {"from": sender, "data": data, "gas": hex(GAS if to else 12_000_000)} | ({"to": to} if to else {})
        return str(self.run(self.rpc.call("eth_sendTransaction", sent)))

    def _deploy(self, config: MarketConfig, stake: StakeConfig, wallets: dict[int, int]) -> None:
        bank = account(BANK)
        token, verifier, registry, market = (create_address(bank, nonce) for nonce in range(4))
        extensions = create_address(market, 1)
        self.addresses = {
            "TestToken": token, "StakeRegistry": registry, "Marketplace": market, "Extensions": extensions
        }  # fmt: skip
        deployments: list[tuple[Artefact, tuple[Any, ...]]] = [
            (artefact("TestToken"), (SUPPLY,)),
            (picky_verifier(), ()),
            (artefact("StakeRegistry"), (token, stake, [market])),
            (artefact("Marketplace"), (registry, verifier, config)),
        ]
        hashes = [self._send(bank, None, to_hex(code.deployment(*rest))) for code, rest in deployments]
        for index, amount in wallets.items():
            name = self.names[index]
            hashes.append(self._send(bank, token, question("TestToken", "transfer", (name, amount))))
            hashes.append(self._send(name, token, question("TestToken", "approve", (registry, amount))))
        self.mine()
        found = self.run(self.rpc.batch([("eth_getTransactionReceipt", [hash]) for hash in hashes]))
        assert all(quantity(receipt["status"]) == 1 for receipt in found)

    # --- calls ---

    def would(self, who: int, function: str, *arguments: Any) -> str | None:
        """Why the reference would refuse a call in the next block; None if it would not."""
        reference, state = self.reference, self.reference.state
        try:
            reference.call(self._tx(who, self.head.number + 1, self.head.timestamp + 1), function, *arguments)
        except Refused as refused:
            return refused.name
        finally:
            reference.back_to(state)
        return None

    def call(self, who: int, function: str, *arguments: Any, after: int = 1) -> bool:
        """Whether a call succeeded, in a block ``after`` seconds after the last; it came to the same on both sides."""
        contract = TARGETS.get(camel(function), "Marketplace")
        data = question(contract, camel(function), self._on_chain(function, arguments))
        tx_hash = self._send(self.names[who], self.addresses[contract], data)
        (mined,) = self.run(self.rpc.call("evm_mine_detailed", {"timestamp": self.head.timestamp + after}))
        self.head = parse_header(mined)
        told = self._told(tx_hash, mined)
        expected: list[e.Event] | str
        try:
            tx = self._tx(who, self.head.number, self.head.timestamp, unhex(tx_hash))
            expected = self.reference.call(tx, function, *arguments)
        except Refused as refused:
            expected = refused.name
        assert told == expected, f"{function}{arguments} of {who} in block {self.head.number}"
        self.calls += 1
        self.said.update([told] if isinstance(told, str) else [type(event).__name__ for event in told])
        self.compare()
        return not isinstance(told, str)

    def _told(self, tx_hash: str, mined: dict[str, Any]) -> list[e.Event] | str:
        """The events of a call, or the name of the error it reverted with."""
        receipt = self.run(self.rpc.call("eth_getTransactionReceipt", tx_hash))
        if quantity(receipt["status"]) == 1:
            return [event for log in receipt["logs"] if (event := self._decode(log, self.head)) is not None]
        (sent,) = mined["transactions"]
        return decode_revert(unhex(sent.get("output") or "0x"))[0]

    def _on_chain(self, function: str, arguments: tuple[Any, ...]) -> tuple[Any, ...]:
        """The contracts' arguments for those of the reference."""
        if function in ("close_reservation", "claim", "settle"):
            return (slot_id(*arguments),)
        if function in ("accept_extension", "mark_proof_missing"):
            return (slot_id(*arguments[:2]), arguments[2])
        if function in ("fill_slot", "submit_proof"):
            return (slot_id(*arguments[:2]), *arguments[2:-1], proof(arguments[-1]))
        if function == "submit_proofs":
            return (arguments[0], tuple(proof(valid) for valid in arguments[1]))
        if function == "approve":
            return (self.addresses["StakeRegistry"], *arguments)
        return arguments

    def _tx(self, who: int, block: int, now: int, tx_hash: bytes = b"") -> Tx:
        return Tx(self.names[who], block, now, self.hashes, self.head.hash, tx_hash)

    # --- comparison ---

    def _expected(self) -> list[tuple[str, str, tuple[Any, ...], tuple[Any, ...]]]:
        """Every view of the contracts: contract, function, arguments, and what it must answer."""
        reference, state, now = self.reference, self.reference.state, self.head.timestamp
        vault, market = self.addresses["StakeRegistry"], self.addresses["Marketplace"]
        found: list[tuple[str, str, tuple[Any, ...], tuple[Any, ...]]] = [
            ("TestToken", "balanceOf", (vault,), (state.balance,)),
            ("StakeRegistry", "liabilities", (), (state.balance,)),
            ("StakeRegistry", "poolOf", (market,), (state.pool,)),
        ]
        for name in self.names.values():
            found.append(("TestToken", "balanceOf", (name,), (state.wallets.get(name, 0),)))
            found.append(("StakeRegistry", "creditOf", (name,), (state.credits.get(name, 0),)))
            if name in state.stakes:
                found.append(("StakeRegistry", "providerOf", (name,), (views.provider(reference, name),)))
        for id, deal in state.deals.items():
            found.append(("Marketplace", "requestOf", (id,), (views.request_record(reference, id, now),)))
            found.append(("Extensions", "extensionsOf", (id,), (tuple(views.extensions(reference, id)),)))
            for index in range(deal.ask.slots):
                slot = slot_id(id, index)
                found.append(("Marketplace", "slotOf", (slot,), (views.slot_record(reference, id, index),)))
                pay = views.claimable(reference, id, index, now)
                found.append(("Marketplace", "claimable", (slot,), (pay,)))
        return found

    def compare(self) -> None:
        """Every balance, every record."""
        asked = self._expected()
        requests: Sequence[tuple[str, Sequence[Any]]] = [
            ("eth_call", ({"to": self.addresses[contract], "data": question(contract, function, arguments)}, "latest"))
            for contract, function, arguments, _ in asked
        ]
        answers = self.run(self.rpc.batch(requests))
        for (contract, function, arguments, values), told in zip(asked, answers, strict=True):
            if told != answer(contract, function, values):
                kind = artefact(contract).functions[function]
                raise AssertionError(f"{function}{arguments}: {kind.decode(unhex(told))}, but should be {values}")
