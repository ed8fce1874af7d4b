"""`agent provider scrub`: the slots on this disk looked at and mended, whether their provider runs or not, without a chain."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from agents.core.dataset.cid import cid_text
from agents.core.errors import NotFound
from agents.runtime.accounts import own_address
from agents.runtime.acting import agent_folder
from agents.runtime.settings import Place
from agents.store.folders import HeldSlot
from agents.store.mending import Health, scrub
from agents.store.slots import held_below

Advance = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Scrubbed:
    """One slot, and what was found in it."""

    cid: str
    """Of its dataset."""
    index: int
    health: Health


def scrub_slots(place: Place, wanted: Sequence[str], dry_run: bool, advance: Advance) -> list[Scrubbed]:
    """Look at the slots whose names begin like one of ``wanted`` (all where that is empty), and mend them.

    A slot's name is ``<CID>-<index>``. With ``dry_run`` nothing is changed. Raises NotFound, KeyTrouble, DiskFull,
    StorageTrouble.
    """
    folder = agent_folder(place, "provider", "" if place.data_dir else own_address(place))
    held = {_name(slot): slot for slot in held_below(folder)}
    chosen = sorted({name for text in wanted for name in _meant(held, text, folder)}) if wanted else list(held)
    return [_scrubbed(name, held[name], dry_run, advance) for name in chosen]


def _meant(names: Iterable[str], text: str, folder: Path) -> list[str]:
    found = [name for name in names if name == text] or [name for name in names if name.startswith(text)]
    if not found:
        raise NotFound(
            f"No slot {text} is held in {folder}",
            "a slot is named by its file's CID, a hyphen and its number; the beginning will do",
            "Type `agent provider scrub --dry-run` for all of them.",
        )
    return found


def _name(slot: HeldSlot) -> str:
    return f"{cid_text(slot.name.manifest)}-{slot.name.index}"


def _scrubbed(name: str, slot: HeldSlot, dry_run: bool, advance: Advance) -> Scrubbed:
    health = scrub(slot, dry_run, lambda done, total: advance(f"reading {name}", done, total))
    return Scrubbed(cid_text(slot.name.manifest), slot.name.index, health)
