"""Transactions: the call, its fees, its signed forms, its receipt, and the record a sender keeps of it."""

import json
import re
from dataclasses import asdict, dataclass, field, replace
from enum import Enum, auto
from typing import Any

from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from agents.chain.blocks import Header, header_of
from agents.chain.codec import checksummed
from agents.chain.reverts import refusal, revert_of
from agents.chain.rpc import Rpc, RpcError, quantity, to_hex, unhex
from agents.core.errors import ChainLies

BUMP = (1125, 1000)
"""Least factor between the fees of a transaction and of its replacement that nodes accept (12.5 %)."""

DEAREST = 10
"""How many times the market's fees a replacement offers at most: what does not go in for that lacks something else."""

FALLBACK_TIP = 10**9
"""Wei per gas offered to the block's producer where the node suggests none."""

LIMITS = frozenset({429, -32005, -32007})
"""JSON-RPC codes by which endpoints say that they were asked too often."""


class Answer(Enum):
    """What an endpoint's error about a transaction comes to; endpoints share words rather than codes."""

    NOTHING_NEW = auto()
    """It is known already, or its nonce or fees are behind the chain's."""
    POVERTY = auto()
    """The account cannot pay for it."""
    LATER = auto()
    """The endpoint is too busy to say anything about it."""
    REFUSAL = auto()
    """Anything else."""


ANSWERS = {
    Answer.LATER: r"rate.?limit|too many requests|request (count|limit)|limit exceeded|compute units|pool is full",
    Answer.NOTHING_NEW: r"\b(already|known|imported)\b|nonce too low|underpriced|max fee per gas less",
    Answer.POVERTY: r"insufficient funds|out of gas: gas required exceeds allowance",
}


def answer_of(error: RpcError) -> Answer:
    """What ``error`` says about the transaction it answers."""
    if error.code in LIMITS:
        return Answer.LATER
    message = error.message.lower()
    return next((answer for answer, words in ANSWERS.items() if re.search(words, message)), Answer.REFUSAL)


@dataclass(frozen=True)
class Call:
    """A call to send: ``label`` names it in messages; ``gas_floor`` is the least gas to give it."""

    to: str
    data: bytes
    label: str
    value: int = 0
    gas_floor: int = 0


@dataclass(frozen=True)
class Fees:
    """EIP-1559 fees in wei per gas."""

    most: int
    tip: int

    def bumped(self, market: "Fees") -> "Fees | None":
        """Fees that replace a transaction of these: 12.5 % up, or the market's where those are higher.

        None where these already are nearly DEAREST times the market's.
        """
        up, down = BUMP
        fees = Fees(max(self.most * up // down + 1, market.most), max(self.tip * up // down + 1, market.tip))
        return fees if fees.most <= DEAREST * market.most else None


@dataclass(frozen=True)
class Receipt:
    """What became of a transaction, checked against its block."""

    tx_hash: bytes
    block_number: int
    block_hash: bytes
    gas_used: int
    gas_price: int
    succeeded: bool
    contract: str | None = None
    logs: tuple[dict[str, Any], ...] = field(default=(), compare=False)

    @property
    def cost(self) -> int:
        """Wei paid for the gas."""
        return self.gas_used * self.gas_price


@dataclass(frozen=True)
class Entry:
    """One effect on its sender: what is sent, under which nonce, every signed form of it, and where it was mined."""

    key: str
    call: Call
    nonce: int
    gas: int
    fees: Fees
    signed: tuple[bytes, ...]
    mined: tuple[int, bytes, bytes] | None = None
    """Block number, block hash and transaction hash of the receipt."""
    covers: tuple[str, ...] = ()
    """Keys of the effects it is all of at once, if it is a batch."""

    @property
    def hashes(self) -> tuple[bytes, ...]:
        """The hash of each signed form, oldest first."""
        return tuple(keccak(raw) for raw in self.signed)

    def to_bytes(self) -> bytes:
        """The record kept in the journal."""
        return json.dumps(asdict(self), default=to_hex).encode()


def entry_from_bytes(record: bytes) -> Entry:
    """The entry in a journal's record."""
    found = json.loads(record)
    call = found["call"] | {"data": unhex(found["call"]["data"])}
    mined = found["mined"] and (found["mined"][0], unhex(found["mined"][1]), unhex(found["mined"][2]))
    return Entry(
        key=found["key"],
        call=Call(**call),
        nonce=found["nonce"],
        gas=found["gas"],
        fees=Fees(**found["fees"]),
        signed=tuple(unhex(raw) for raw in found["signed"]),
        mined=mined,
        covers=tuple(found.get("covers", ())),
    )


def sign(account: LocalAccount, chain_id: int, entry: Entry) -> Entry:
    """``entry`` with one more signed form, at its present nonce, gas and fees."""
    transaction: dict[str, Any] = {
        "type": 2,
        "chainId": chain_id,
        "nonce": entry.nonce,
        "to": checksummed(entry.call.to) if entry.call.to else "",
        "value": entry.call.value,
        "data": entry.call.data,
        "gas": entry.gas,
        "maxFeePerGas": entry.fees.most,
        "maxPriorityFeePerGas": entry.fees.tip,
    }
    raw = bytes(account.sign_transaction(transaction).raw_transaction)
    return replace(entry, signed=(*entry.signed, raw))


async def market_fees(rpc: Rpc, head: Header) -> Fees:
    """What gets into a block soon: twice the base fee, which six full blocks cannot outrun, plus the usual tip."""
    try:
        tip = quantity(await rpc.call("eth_maxPriorityFeePerGas"))
    except RpcError:
        tip = FALLBACK_TIP
    return Fees(2 * head.base_fee + tip, tip)


async def receipt_of(rpc: Rpc, tx_hash: bytes) -> Receipt | None:
    """The receipt of ``tx_hash``, or None while it is not in the canonical chain.

    The receipt is believed only if its block is the canonical one at that height and lists the transaction. Raises
    ChainLies if that stays untrue while the chain stands still.
    """
    doubt = ""
    for _ in range(3):
        found = await rpc.call("eth_getTransactionReceipt", to_hex(tx_hash))
        if found is None:
            return None
        receipt = _parse_receipt(found, tx_hash)
        header = await header_of(rpc, receipt.block_number)
        if header is None or header.hash != receipt.block_hash:
            doubt = f"the block it names is not block {receipt.block_number}"
        elif tx_hash not in header.transactions:
            doubt = f"block {receipt.block_number} does not hold the transaction"
        else:
            return receipt
        # Between the two answers the chain may have reorganised: ask again before calling it a lie.
    raise ChainLies(f"The RPC lies about the receipt of {to_hex(tx_hash)}", doubt, "Use another RPC.")


async def failure_of(rpc: Rpc, sender: str, call: Call, receipt: Receipt) -> Exception:
    """Why ``call`` of ``sender`` failed on the chain, found by asking again as of the block before."""
    request = {"from": sender, "to": call.to, "data": to_hex(call.data), "value": hex(call.value)}
    try:
        await rpc.call("eth_call", request, hex(receipt.block_number - 1))
    except RpcError as error:
        return revert_of(call.label, error)
    return refusal(call.label, b"")


def _parse_receipt(found: Any, tx_hash: bytes) -> Receipt:
    if not isinstance(found, dict) or unhex(found.get("transactionHash"), 32) != tx_hash:
        raise ChainLies(
            f"The RPC lies about the receipt of {to_hex(tx_hash)}", "it is another transaction's", "Use another RPC."
        )
    contract = found.get("contractAddress")
    return Receipt(
        tx_hash=tx_hash,
        block_number=quantity(found.get("blockNumber")),
        block_hash=unhex(found.get("blockHash"), 32),
        gas_used=quantity(found.get("gasUsed")),
        gas_price=quantity(found.get("effectiveGasPrice", "0x0")),
        succeeded=quantity(found.get("status")) == 1,
        contract=checksummed(contract) if contract else None,
        logs=tuple(found.get("logs") or ()),
    )
