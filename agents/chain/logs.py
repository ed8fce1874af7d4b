"""From raw logs to core's events."""

from collections.abc import Callable
from typing import Any

from agents.chain.blocks import Header
from agents.chain.codec import EventType, Struct, artefact, checksummed
from agents.chain.rpc import quantity, unhex
from agents.core.errors import ChainLies
from agents.core.market import events, types

MarketEvent = Any
"""One of the event dataclasses of ``agents.core.market.events``."""

Decoder = Callable[[dict[str, Any], Header], MarketEvent | None]
"""Makes a core event of a log and its block's header; None for a log that is no event of the market."""

STRUCTS: dict[str, Struct] = {"Ask": types.Ask, "Content": types.Content}


def market_decoder(marketplace: str, registry: str) -> Decoder:
    """Decodes the logs of one market: its marketplace and its registry."""
    known: dict[str, dict[bytes, EventType]] = {
        checksummed(marketplace): artefact("Marketplace").events,
        checksummed(registry): artefact("StakeRegistry").events,
    }

    def decode(log: dict[str, Any], header: Header) -> MarketEvent | None:
        topics = [unhex(topic, 32) for topic in log.get("topics") or ()]
        kind = known.get(checksummed(log["address"]), {}).get(topics[0]) if topics else None
        shape = getattr(events, kind.name, None) if kind is not None else None
        if kind is None or shape is None:
            return None
        fields = kind.decode(topics, unhex(log.get("data")), STRUCTS)
        return shape(**fields, at=place_of(log, header))

    return decode


def place_of(log: dict[str, Any], header: Header) -> events.EventPlace:
    """Where a log stands in the chain. Raises ChainLies if it is not of ``header``'s block."""
    if unhex(log.get("blockHash"), 32) != header.hash or quantity(log.get("blockNumber")) != header.number:
        raise ChainLies(f"The RPC sent a log of another block than {header.number}", "", "Use another RPC.")
    return events.EventPlace(
        block_number=header.number,
        block_hash=header.hash,
        log_index=quantity(log.get("logIndex")),
        tx_hash=unhex(log.get("transactionHash"), 32),
        timestamp=header.timestamp,
    )
