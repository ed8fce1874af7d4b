"""What the repairers' own logs say of how the lost slots came back."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from agents.core.agents.provider_repair import Repaired
from agents.demo.cast import Agent
from agents.demo.watch import StoryBroken
from agents.runtime.logs import LOG_FILE

PATIENCE = 20
"""Looks, half a second apart: a log line may come just after what it tells of."""


@dataclass(frozen=True)
class Report(Repaired):
    """The same, and who tells it."""

    provider: str


async def reports(providers: Sequence[Agent], hosts: Mapping[int, str | None]) -> list[Report]:
    """Every repair of the slots in ``hosts``, those of no use included; those who rebuilt come first.

    Raises StoryBroken where the log of a slot's host there is silent.
    """
    names = {each.address: each.name for each in providers}
    for _ in range(PATIENCE):
        found = [
            Report(**asdict(repaired), provider=each.name)
            for each in providers
            for repaired in repairs_of(each)
            if repaired.slot in hosts
        ]
        if {(slot, names.get(host or "")) for slot, host in hosts.items()} <= {
            (one.slot, one.provider) for one in found
        }:
            return sorted(found, key=lambda report: report.source is not None)
        await asyncio.sleep(0.5)
    raise StoryBroken("No log says how a lost slot came back", f"slots {sorted(hosts)} were repaired")


def repairs_of(each: Agent) -> list[Repaired]:
    """What its log tells, first to last."""
    path = each.data / LOG_FILE
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    return [repaired for line in lines if (repaired := Repaired.parse(line)) is not None]
