"""PaymentChannels as typed calls to send and typed views to read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from agents.chain.blocks import Header
from agents.chain.codec import artefact
from agents.chain.contracts import Contract
from agents.chain.create2 import create2_address, ensure_contract
from agents.chain.cursor import Batch, EventCursor
from agents.chain.deploy import Deployment
from agents.chain.rpc import Rpc, to_hex, unhex
from agents.chain.sender import Sender
from agents.chain.transactions import Call
from agents.core.channels.lanes import Domain, Lane, SignedGrant, SignedOpening, SignedVoucher
from agents.core.channels.till import Cover
from agents.core.errors import WrongChain
from agents.core.market.types import DEV_CHAIN_IDS

NAME = "PaymentChannels"

DEV_CHALLENGE = 60
"""Seconds of challenge on development chains."""
CHALLENGE = 86_400
"""Elsewhere: long enough for a cache that was down for a night."""


@dataclass(frozen=True)
class Deposit:
    """A payer's account; amounts in base units."""

    pool: int
    """What no lane keeps."""
    reserved: int
    """What lanes keep."""
    epoch: int
    """Withdrawals so far."""
    closes_at: int
    """UNIX seconds from which the payer may withdraw; 0 while it does not want to."""


def challenge_of_chain(chain_id: int) -> int:
    """Seconds of challenge of the channels on a chain."""
    return DEV_CHALLENGE if chain_id in DEV_CHAIN_IDS else CHALLENGE


def channels_address(token: str, chain_id: int) -> str:
    """Where the channels for ``token`` are, or would be."""
    return create2_address(artefact(NAME).deployment(token, challenge_of_chain(chain_id)))


async def ensure_channels(sender: Sender, token: str) -> "Channels":
    """The channels for ``token``, deployed from the sender's account if they are not there."""
    address = await ensure_contract(sender, artefact(NAME), token, challenge_of_chain(sender.chain_id))
    return Channels(sender.rpc, address, sender.chain_id)


async def find_channels(rpc: Rpc, market: Deployment) -> "Channels":
    """The channels for the token of ``market``. Raises WrongChain if nobody deployed them."""
    address = channels_address(market.token, market.chain_id)
    if not await rpc.code(address):
        raise WrongChain(
            f"Chain {market.chain_id} has no channels for token {market.token}",
            f"there is no contract at {address}",
            "Read from caches that ask no price, or have the channels deployed: anybody can.",
        )
    return Channels(rpc, address, market.chain_id)


class Channels(Contract):
    """The channels for one token on one chain."""

    def __init__(self, rpc: Rpc, address: str, chain_id: int) -> None:
        super().__init__(rpc, NAME, address)
        self.domain = Domain(chain_id, self.address)
        """What is signed for them."""

    async def challenge_seconds(self) -> int:
        """Seconds between `close` and `withdraw`."""
        return int(await self.view("challengeSeconds"))

    async def account_of(self, payer: str) -> Deposit:
        """The payer's account; all zeros if it never deposited."""
        found: Deposit = await self.view("accountOf", payer, struct=Deposit)
        return found

    async def granted_to(self, sponsor: str, reader: str, epoch: int) -> int:
        """Base units that lanes of the epoch keep and have paid of the sponsor's deposit for the reader."""
        return int(await self.view("grantedTo", sponsor, reader, epoch))

    async def covers_of(self, lanes: Sequence[Lane]) -> list[Cover]:
        """What the chain shows of these lanes, all at the newest block."""
        block = hex(await self.rpc.block_number())
        questions = [("accountOf", lane.payer) for lane in lanes] + [("laneOf", lane.id) for lane in lanes]
        requests = [("eth_call", (self._asked(name, argument), block)) for name, argument in questions]
        answers = await self.rpc.batch(requests)
        found = [self._told(name, answer) for (name, _), answer in zip(questions, answers, strict=True)]
        return [
            Cover(account.epoch, account.pool, account.closes_at, books.reserved, books.redeemed)
            for account, books in zip(found[: len(lanes)], found[len(lanes) :], strict=True)
        ]

    async def lanes_of(self, payer: str, first_block: int) -> list[Lane]:
        """Every lane that was opened on the payer's deposit since ``first_block``, of any epoch. Raises ChainError."""
        kinds = artefact(NAME).events

        def decode(log: dict[str, Any], _: Header) -> Lane | None:
            topics = [unhex(topic, 32) for topic in log["topics"]]
            kind = kinds.get(topics[0])
            if kind is None or kind.name != "LaneOpened":
                return None
            lane: Lane = kind.decode(topics, unhex(log.get("data")), {"Lane": Lane})["lane"]
            return lane if lane.payer == payer else None

        cursor, found = EventCursor(self.rpc, [self.address], decode, first_block), dict[bytes, Lane]()
        async for step in cursor.catch_up():
            if isinstance(step, Batch):  # what a reorganisation takes back keeps nothing
                found |= {lane.id: lane for lane in step.events}
        return list(found.values())

    def deposit(self, payer: str, amount: int) -> Call:
        """Add ``amount`` of the sender's tokens to the payer's deposit."""
        return self.call("deposit", payer, amount)

    def open_lane(self, lane: Lane, amount: int) -> Call:
        """Keep what makes vouchers up to ``amount`` sure; the sender is the lane's payer."""
        return self.call("openLane", lane, amount)

    def open_signed(self, signed: SignedOpening, grant: SignedGrant | None = None) -> Call:
        """The same for anybody to send, as the reader signed, and its sponsor where it has one."""
        lane, amount = signed.opening.lane, signed.opening.amount
        if grant is None:
            return self.call("openLaneOf", lane, amount, signed.signature)
        terms = (grant.grant.limit, grant.grant.expiry, grant.signature)
        return self.call("openLaneGranted", lane, amount, signed.signature, terms)

    def redeem(self, vouchers: Sequence[SignedVoucher], to: str) -> Call:
        """Pay ``to`` what the sender's vouchers are worth; those that are worth nothing now are passed over."""
        signed = [(one.voucher.lane, one.voucher.amount, one.signature) for one in vouchers]
        return self.call("redeem", signed, to)

    def reclaim(self, lane: Lane) -> Call:
        """Give what an expired lane keeps back to its payer's pool."""
        return self.call("reclaim", lane)

    def close(self) -> Call:
        """Begin the challenge, after which the sender may withdraw."""
        return self.call("close")

    def withdraw(self, to: str) -> Call:
        """Send all of the sender's deposit to ``to``, once the challenge is over."""
        return self.call("withdraw", to)

    def _asked(self, function: str, argument: str | bytes) -> dict[str, str]:
        return {"to": self.address, "data": to_hex(artefact(NAME).functions[function].encode(argument))}

    def _told(self, function: str, answer: Any) -> Any:
        data = unhex(answer)
        if not data:
            raise WrongChain(f"There are no channels at {self.address}", "nothing answers there", "Check the RPC.")
        return artefact(NAME).functions[function].decode(data)
