"""Example markets, asks and requests, small enough to reckon by hand. ``as_abi()`` of each is what a contract call takes."""

from dataclasses import replace
from typing import Any

from agents.core.market.types import Ask, Content, MarketConfig, Request, StakeConfig
from agents.core.proofs.proof import Groth16Proof
from agents.core.units import TOKEN

SINK = "0x000000000000000000000000000000000000dEaD"

STAKES = StakeConfig(min_stake=100 * TOKEN, stake_per_byte=10**9, unbonding_seconds=500, sink=SINK)

MARKET = MarketConfig(
    period_blocks=10,
    block_seconds=1,
    mark_blocks=20,
    settle_seconds=60,
    max_misses=3,
    slash_bps=1000,
    validator_bps=2000,
    bounty_bps=5000,
    bond_bps=500,
    reserve_seconds=60,
    repair_window=40,
    min_term_periods=2,
    max_duration=100_000,
    min_extension=100,
)
"""One-second blocks; a slot is lost at its third miss."""

ASK = Ask(
    proof_probability=1,
    slots=3,
    max_slot_loss=1,
    repair_threshold=1,
    dispersal=5000,
    slot_size=1_000,
    duration=2_000,
    price_per_byte_per_second=7,
    collateral_per_byte=10**16,
)
"""Three slots, any two of them enough, a proof each period: 10 tokens of collateral and 7,000 base units a second a slot."""

CONTENT = Content(cid=bytes(range(32)), root=7)

EXPIRY = 200

GOOD_PROOF = Groth16Proof((1, 2), ((3, 4), (5, 6)), (7, 8))
"""What AcceptAllVerifier accepts."""

BAD_PROOF = replace(GOOD_PROOF, a=(0, 2))
"""The one proof that AcceptAllVerifier refuses."""


def example_ask(**changes: int) -> Ask:
    """ASK with changes."""
    return replace(ASK, **changes)


def example_request(
    client: str, *, nonce: int = 0, expiry: int = EXPIRY, content: Content = CONTENT, **changes: Any
) -> Request:
    """A request of ``client`` for ASK with changes."""
    return Request(client, example_ask(**changes), content, expiry, nonce.to_bytes(32, "big"))
