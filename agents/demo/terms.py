"""The demo's rules and prices: a period sized to this machine's proofs, a request sized to the period."""

import math
import os
import time
from dataclasses import dataclass
from pathlib import Path

from agents.artefacts.files import verification_key
from agents.core.dataset.cipher import sealed_bytes
from agents.core.dataset.layout import Layout, layout_for
from agents.core.market.types import MarketConfig
from agents.core.proofs.profiles import Profile
from agents.core.units import TOKEN
from agents.proving.prover import prover_for
from agents.proving.service import ProvingService
from agents.store.folders import SlotName
from agents.store.slots import SlotStore, put_all
from agents.store.spool import Spool

DATA, PARITY = 3, 2
SAMPLE_BYTES = 100_000
VERIFY_SECONDS = 1.0
"""What a proof takes on top: it is verified before it is sent, and mined in the next block."""
SHORTEST = 12
"""Blocks of a period at least: a proof must be mined in it, whatever else the machine does."""

READING = 20
"""Seconds for the reads that caches sell."""

RATE = TOKEN // 10
"""Base units a slot earns per second, about."""
COLLATERAL = 100 * TOKEN
"""Base units a slot's host locks, about."""


async def seconds_per_proof(folder: Path, profile: Profile) -> float:
    """Make two real proofs of a small dataset, the way a provider does; how long the second took.

    A provider's prover stays resident, so the first one's start is paid once and not every period.
    """
    sample = folder / "sample"
    folder.mkdir(parents=True, exist_ok=True)
    sample.write_bytes(os.urandom(SAMPLE_BYTES))
    dataset = Spool(folder / "spool").encode(sample, 1, 1, None, profile)
    store = SlotStore(folder / "store", 1 << 30)
    name = SlotName(dataset.manifest.digest, 0)
    held = put_all(store, name, dataset.manifest_bytes, dataset.block_list(0), list(dataset.blocks(0)))
    proving = ProvingService(prover_for(profile), profile, verification_key(profile.name))

    async def challenge() -> bytes:
        return os.urandom(32)

    try:
        await proving.prove_slot(held, time.time() + 60, challenge)
        started = time.monotonic()
        await proving.prove_slot(held, time.time() + 60, challenge)
        return time.monotonic() - started
    finally:
        await proving.close()
        store.close()


def rules(proof: float, rest: int = 0) -> MarketConfig:
    """Market rules under which this machine, at ``proof`` seconds each, proves every slot in time, one after the other.

    ``rest`` is how many blocks of a period are to be left over.
    """
    period = max(SHORTEST, math.ceil((DATA + PARITY) * proof * 1.25 + VERIFY_SECONDS) + 3) + rest
    return MarketConfig(
        period_blocks=period,
        block_seconds=1,
        mark_blocks=2 * period,
        settle_seconds=6 * period,
        max_misses=2,
        slash_bps=2000,
        validator_bps=1000,
        bounty_bps=5000,
        bond_bps=500,
        reserve_seconds=period + 10,
        repair_window=6,
        min_term_periods=1,
        max_duration=86_400,
        min_extension=period,
    )


@dataclass(frozen=True)
class Terms:
    """What the client buys."""

    layout: Layout
    price: int
    """Base units per byte per second."""
    collateral: int
    """Base units per byte."""
    expiry: int
    duration: int
    """Seconds."""
    apart: int
    """Periods between the two losses: where proofs are quick there is time to show that one alone opens no repair."""


def terms(file: Path, profile: Profile, config: MarketConfig, proof: float) -> Terms:
    """Terms for ``file`` that leave time for the whole story: placement, losses that take two missed periods, repairs."""
    size = file.stat().st_size
    layout = layout_for(sealed_bytes(size, file.name, encrypt=True), DATA, PARITY, profile)
    period = config.period_seconds
    # A slot on its way to its host: hashed by the client, sent, hashed by the host; 10 MiB/s is slow.
    moving = layout.slot_bytes * layout.slots // (10 << 20)
    expiry = 14 + 2 * period + 2 * moving
    filled = expiry // 2 + math.ceil(proof * 2) + moving
    # The second repairer begins when the first has reserved, which may be at the window's end.
    rebuilt = config.repair_window + 9 + moving
    apart = 1 if period <= SHORTEST else 0
    # Filled early in a period, a slot is proven in the next and then misses two: four until it is lost. A repairer reserves
    # only where a whole reservation and the minimal term, here a period, are left.
    duration = filled + (4 + apart) * period + rebuilt + config.reserve_seconds + period + READING
    return Terms(layout, RATE // layout.slot_bytes, COLLATERAL // layout.slot_bytes, expiry, duration, apart)
