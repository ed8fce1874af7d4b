"""A chain of blocks over the reference contracts: it can go back, and nobody knows the next block's hash or time."""

from dataclasses import dataclass, field
from typing import Any

from eth_utils.crypto import keccak

from agents.core.market import events as e
from agents.core.market.types import MarketConfig, StakeConfig
from agents.core.market.view import MarketView
from tests.core.market.reference import Reference, Refused, Tx
from tests.core.market.reference_vault import State

GENESIS = 1_700_000_000
PROVEN = ("fill_slot", "submit_proof", "submit_proofs")
"""Calls that carry a proof."""


@dataclass(eq=False)
class Sent:
    """A transaction: what it calls, and what became of it."""

    who: str
    function: str
    arguments: tuple[Any, ...]
    key: str = ""
    seed: bytes = b""
    """Hash of the block that gave the proof's challenge."""
    covers: tuple[str, ...] = ()
    """Keys of the effects it is all of at once."""
    outcome: str | None = None
    """``done``, or the name of the error; None until it is mined."""


@dataclass(frozen=True)
class Block:
    """One block, and the market after it."""

    number: int
    hash: bytes
    now: int
    sent: tuple[Sent, ...]
    events: tuple[e.Event, ...]
    state: State
    view: MarketView


@dataclass
class Chain:
    """The canonical chain."""

    config: MarketConfig
    stake: StakeConfig
    wallets: dict[str, int]
    seed: int
    blocks: list[Block] = field(default_factory=list)
    pool: list[Sent] = field(default_factory=list)
    """What waits for the next block."""
    hashes: dict[int, bytes] = field(default_factory=dict)
    forks: int = 0

    def __post_init__(self) -> None:
        self.reference = Reference(self.config, self.stake, self.wallets)
        empty = MarketView(self.config, self.stake)
        self.hashes[0] = self._drawn(0)
        self.blocks.append(Block(0, self.hashes[0], GENESIS, (), (), self.reference.state, empty))

    @property
    def head(self) -> Block:
        """The newest block."""
        return self.blocks[-1]

    def mine(self) -> Block:
        """A block of everything that waits."""
        sent, self.pool = tuple(self.pool), []
        return self._append(sent)

    def reorganise(self, depth: int, omitted: int) -> list[Sent]:
        """Replace the newest ``depth`` blocks by others, the same calls in them but for those ``omitted`` (a bit each).

        What is left out waits for the next block, and is returned.
        """
        dropped = self.blocks[-depth:]
        del self.blocks[-depth:]
        self.reference.back_to(self.head.state)
        self.forks += 1
        left_out: list[Sent] = []
        for block in dropped:
            kept = []
            for sent in block.sent:
                sent.outcome = None
                out = omitted & 1
                omitted >>= 1
                (left_out if out else kept).append(sent)
            self._append(tuple(kept))
        self.pool = left_out + self.pool
        return left_out

    def trial(self, sent: Sent) -> str:
        """What would become of a call if it alone were in the next block."""
        state = self.head.state
        try:
            self.reference.call(
                self._tx(sent, self.head.number + 1, self.head.now + 1), sent.function, *self._full(sent)
            )
        except Refused as refused:
            return refused.name
        finally:
            self.reference.back_to(state)
        return "done"

    def events(self) -> list[e.Event]:
        """All of them, from the first block on."""
        return [event for block in self.blocks for event in block.events]

    def _append(self, sent: tuple[Sent, ...]) -> Block:
        number = self.head.number + 1
        # Block hashes are known before their block only to the one who draws them.
        drawn = self._drawn(number)
        now = self.head.now + self.config.block_seconds + (drawn[0] < 24)
        events: list[e.Event] = []
        for at, one in enumerate(sent):
            tx = self._tx(one, number, now, drawn, keccak(drawn + bytes([at])))
            try:
                events += self.reference.call(tx, one.function, *self._full(one, number))
                one.outcome = "done"
            except Refused as refused:
                one.outcome = refused.name
        self.hashes[number] = drawn
        view = self.head.view.after_all(events)
        block = Block(number, drawn, now, sent, tuple(events), self.reference.state, view)
        self.blocks.append(block)
        return block

    def _tx(self, sent: Sent, number: int, now: int, hash: bytes = b"", tx_hash: bytes = b"") -> Tx:
        return Tx(sent.who, number, now, self.hashes, hash, tx_hash)

    def _full(self, sent: Sent, number: int | None = None) -> tuple[Any, ...]:
        """The arguments, with whether the proof is one of the challenge of the block's period."""
        if sent.function not in PROVEN:
            return sent.arguments
        first = (self.head.number + 1 if number is None else number) // self.config.period_blocks
        valid = self.hashes.get(first * self.config.period_blocks) == sent.seed
        if sent.function == "submit_proofs":
            return (*sent.arguments, [valid] * len(sent.arguments[0]))
        return (*sent.arguments, valid)

    def _drawn(self, number: int) -> bytes:
        return keccak(f"{self.seed} {self.forks} {number}".encode())
