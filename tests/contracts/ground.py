"""What contract tests stand on: a deployed market, staked hosts, and a chain whose blocks are exactly a second apart.

Expected refusals are asked of the next block without mining it (``refused``), so they move neither time nor block numbers.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from eth_abi.abi import decode
from eth_account.messages import encode_typed_data
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from web3.exceptions import ContractCustomError

from agents.chain.deploy import create_address
from agents.core.market.types import MarketConfig, Request, StakeConfig, slot_id
from agents.core.units import TOKEN
from tests.examples import ASK, GOOD_PROOF, MARKET, STAKES, example_request

PERIOD = MARKET.period_blocks
HOSTS = 6
STAKE = 1_000 * TOKEN
SUPPLY = 2**160
"""Base units: more than any request can cost."""
PROOF = GOOD_PROOF.as_abi()
SLASH = ASK.collateral * MARKET.slash_bps // 10_000
REWARD = SLASH * MARKET.validator_bps // 10_000
"""What one miss of an ASK's slot costs its host, and what of it the marker earns."""

_nonces = count(1)


@dataclass(frozen=True)
class Ground:
    """The contracts, the accounts, and time."""

    contracts: Any
    """Everything in contracts/, to deploy by name."""
    chain: Any
    token: Any
    registry: Any
    market: Any
    extensions: Any
    """The market's books of who paid for which added time."""
    owner: Any
    client: Any
    validator: Any
    stranger: Any
    """Has tokens; is registered nowhere."""
    hosts: tuple[Any, ...]

    @classmethod
    def deploy(
        cls,
        contracts: Any,
        accounts: Any,
        chain: Any,
        verifier: Any,
        config: MarketConfig = MARKET,
        stakes: StakeConfig = STAKES,
    ) -> Ground:
        """A market with ``HOSTS`` staked hosts."""
        chain.provider.make_request("anvil_setBlockTimestampInterval", [1])
        owner, client, validator, stranger, *rest = accounts[:10]
        token = owner.deploy(contracts.TestToken, SUPPLY)
        modules = [create_address(owner.address, owner.nonce + 1)]
        registry = owner.deploy(contracts.StakeRegistry, token, stakes.as_abi(), modules)
        market = owner.deploy(contracts.Marketplace, registry, verifier, config.as_abi())
        hosts = tuple(rest[:HOSTS])
        for account in (client, stranger, *hosts):
            token.transfer(account, 10**6 * TOKEN, sender=owner)
            token.approve(registry, 2**256 - 1, sender=account)
        for host in hosts:
            registry.register(f"http://{host.address}", sender=host)
            registry.deposit(STAKE, sender=host)
        chain.mine(1)
        extensions = contracts.Extensions.at(market.extensions())
        return cls(contracts, chain, token, registry, market, extensions, owner, client, validator, stranger, hosts)

    # --- time ---

    @property
    def now(self) -> int:
        """Time of the newest block; the next one is a second later."""
        return int(self.chain.blocks.head.timestamp)

    @property
    def block(self) -> int:
        """Number of the newest block."""
        return int(self.chain.blocks.head.number)

    @property
    def period(self) -> int:
        """The next block's."""
        return (self.block + 1) // PERIOD

    def next_at(self, timestamp: int) -> None:
        """The next block will have this timestamp."""
        self.chain.provider.make_request("evm_setNextBlockTimestamp", [timestamp])

    def next_is(self, number: int) -> None:
        """Mine until the next block has this number."""
        assert number > self.block, "that block is mined already"
        if number > self.block + 1:
            self.chain.mine(number - 1 - self.block)

    def pass_until(self, timestamp: int) -> None:
        """Mine one block, at ``timestamp``."""
        self.next_at(timestamp)
        self.chain.mine(1)

    def in_period(self, period: int) -> int:
        """The next block is the second of ``period``, in which its challenge is known; the period."""
        self.next_is(period * PERIOD + 1)
        return period

    def new_period(self) -> int:
        """As ``in_period``, of the next period to begin."""
        return self.in_period(self.block // PERIOD + 1)

    def after_period(self, period: int) -> None:
        """The next block is the first in which misses of ``period`` can be marked."""
        self.next_is((period + 1) * PERIOD)

    def challenge_known(self) -> None:
        """The next block is not the first of its period."""
        if (self.block + 1) % PERIOD == 0:
            self.chain.mine(1)

    # --- answers ---

    def refused(self, error: Any, method: Any, *args: Any, by: Any, block: str = "pending", **inputs: Any) -> None:
        """The next block (or ``block``) would refuse this call of ``by`` with ``error`` and these of its fields."""
        call = {"from": by.address, "to": method.contract.address, "data": method.encode_input(*args)}
        self._refused(error, call, block, inputs)

    def not_deployed(self, error: Any, contract: Any, *args: Any, **inputs: Any) -> None:
        """The next block would refuse to deploy ``contract`` with ``error`` and these of its fields."""
        data = contract.constructor.serialize_transaction(*args).data
        self._refused(error, {"from": self.owner.address, "data": data}, "pending", inputs)

    def _refused(self, error: Any, call: dict[str, Any], block: str, inputs: dict[str, Any]) -> None:
        # Not by ape.reverts, which lets pass an error that it cannot decode, and fields that an error does not have.
        with pytest.raises(ContractCustomError) as refusal:
            self.chain.provider.web3.eth.call(call, block)
        data = bytes.fromhex(str(refusal.value.data)[2:])
        assert data[:4] == keccak(text=error.abi.selector)[:4], f"{data.hex()} is not {error.abi.selector}"
        values = decode([field.canonical_type for field in error.abi.inputs], data[4:])
        found = {
            field.name: to_checksum_address(value) if field.type == "address" else value
            for field, value in zip(error.abi.inputs, values, strict=True)
        }
        assert {name: found[name] for name in inputs} == inputs

    def record(self, id: bytes) -> Any:
        """A request's."""
        return self.market.requestOf(id)

    def slot(self, slot: bytes) -> Any:
        """A slot's."""
        return self.market.slotOf(slot)

    def credit(self, account: Any) -> int:
        """What the registry owes ``account``."""
        return int(self.registry.creditOf(account))

    def stake(self, account: Any) -> tuple[int, int]:
        """A provider's free and locked stake."""
        provider = self.registry.providerOf(account)
        return int(provider.free), int(provider.locked)

    def ends(self, id: bytes) -> int:
        """When a request ends, as of now."""
        return int(self.record(id).endsAt)

    def idle(self, id: bytes, books: Any = None) -> list[tuple[str, int, int, int]]:
        """A request's extensions in the market's ``books``: funder, from, until, what nobody is committed to earn."""
        found = (books or self.extensions).extensionsOf(id)
        return [(one.funder, one.start, one.until, one.idle) for one in found]

    def assert_books(self) -> None:
        """The vault holds exactly what it owes."""
        assert self.token.balanceOf(self.registry) == self.registry.liabilities()

    # --- states ---

    def request(self, **changes: Any) -> Request:
        """A request of the client for ASK, with changes, unlike any before."""
        changes.setdefault("client", self.client.address)
        return example_request(nonce=next(_nonces), **changes)

    def posted(self, **changes: Any) -> bytes:
        """A request in state New; its id."""
        request = self.request(**changes)
        self.market.requestStorage(request.as_abi(), sender=self.client)
        return request.id

    def on_sale(self, **changes: Any) -> bytes:
        """A request whose window is over: every staked host is eligible."""
        id = self.posted(**changes)
        self.window_over(id)
        return id

    def window_over(self, id: bytes) -> None:
        """Every staked host is eligible for the slots of a request that was posted."""
        record = self.record(id)
        self.pass_until(record.createdAt + (record.expiresAt - record.createdAt) // 2)

    def reserved(self, id: bytes, index: int, host: Any) -> bytes:
        """A reserved slot; its id."""
        self.market.reserveSlot(id, index, sender=host)
        return slot_id(id, index)

    def filled(self, id: bytes, index: int, host: Any) -> bytes:
        """A filled slot; its id."""
        slot = self.reserved(id, index, host)
        self.challenge_known()
        self.market.fillSlot(slot, PROOF, sender=host)
        return slot

    def started(self, **changes: Any) -> bytes:
        """A request in state Started, slot i filled by host i."""
        id = self.on_sale(**changes)
        for index in range(changes.get("slots", ASK.slots)):
            self.filled(id, index, self.hosts[index])
        return id

    def extended(self, id: bytes, extra: int, funder: Any) -> int:
        """``funder`` adds ``extra`` seconds to a started request; the price."""
        (event,) = fields(self.market.extendRequest(id, extra, sender=funder), self.market.RequestExtended)
        return int(event["price"])

    def departed(self, *slots: bytes) -> None:
        """The hosts of ``slots`` agreed to an end before the request's, and leave at once when it is due."""
        due = max(self.slot(slot).heldUntil for slot in slots) + MARKET.settle_seconds
        self.next_at(max(self.now + 1, due))
        for slot in slots:
            self.market.settle(slot, sender=self.stranger)

    def missed(self, *slots: bytes) -> int:
        """A whole period in which ``slots`` do not prove, and their misses; the period."""
        period = self.new_period()
        self.after_period(period)
        for slot in slots:
            self.market.markProofMissing(slot, period, sender=self.validator)
        return period

    def lost(self, *slots: bytes) -> None:
        """``slots`` miss until they are lost, each as often as the others."""
        for _ in range(MARKET.max_misses):
            self.missed(*slots)

    def repair_on_sale(self, slot: bytes) -> None:
        """The window of a vacant slot's repair is over."""
        record, vacant = self.record(slot[:31] + b"\0"), self.slot(slot)
        start = max(record.repairOpenedAt, vacant.vacatedAt)
        self.pass_until(max(self.now + 1, start + MARKET.repair_window))


def fields(receipt: Any, event: Any) -> list[dict[str, Any]]:
    """The fields of every such event of a transaction."""
    return [dict(log.event_arguments) for log in receipt.decode_logs(event)]


def permit(token: Any, owner: Any, spender: str, value: int, deadline: int) -> tuple[int, int, bytes, bytes]:
    """(deadline, v, r, s) of an EIP-2612 permit of ``owner``, who is a test account."""
    domain = token.eip712Domain()
    message = {
        "owner": owner.address,
        "spender": spender,
        "value": value,
        "nonce": token.nonces(owner),
        "deadline": deadline,
    }
    types = {
        "Permit": [
            {"name": name, "type": kind}
            for name, kind in (
                ("owner", "address"), ("spender", "address"), ("value", "uint256"), ("nonce", "uint256"),
                ("deadline", "uint256"),
            )
        ]
    }  # fmt: skip
    signable = encode_typed_data(
        {
            "name": domain.name,
            "version": domain.version,
            "chainId": domain.chainId,
            "verifyingContract": domain.verifyingContract,
        },
        types,
        message,
    )
    signature = owner.sign_message(signable)
    # Ape leaves out their leading zeros.
    return deadline, signature.v, bytes(signature.r).rjust(32, b"\0"), bytes(signature.s).rjust(32, b"\0")
