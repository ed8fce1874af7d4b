"""Slots on disk: arriving block by block, committed whole, read at random.

::

    slots/<manifest digest>-<index>/      held: manifest, blocks, data, tree, and health once it was looked at
    arriving/<manifest digest>-<index>/   on the way: manifest, blocks, data so far
    damaged/<manifest digest>-<index>/    set aside: its manifest is not the one it is named after

A slot moves from one to the other by rename, after its root was checked and its bytes were flushed, so a kill at any moment
leaves it in one of the two. Names are hexadecimal digests and numbers: nothing a peer says becomes a path.
"""

import logging
import os
import shutil
import threading
from collections.abc import Sequence
from pathlib import Path

from agents.core.dataset.cid import digest_of
from agents.core.dataset.manifest import parse_manifest
from agents.core.errors import BadData, Corrupt, NotFound, QuotaExceeded, StorageTrouble
from agents.store.files import lock_folder, storage_errors, sync_folder, write_whole
from agents.store.folders import ArrivingSlot, HeldSlot, SlotFolder, SlotName, parse_name

log = logging.getLogger(__name__)

SLOTS = "slots"
"""Below it are the folders of the slots that are held."""


class SlotStore:
    """The slots of one agent below ``folder``, at most ``quota`` bytes of them. Holds the folder's lock until closed."""

    def __init__(self, folder: Path, quota: int) -> None:
        self._lock = lock_folder(folder)
        self._quota = quota
        self._slots, self._arriving, self._damaged = folder / SLOTS, folder / "arriving", folder / "damaged"
        with storage_errors(folder):
            for place in (self._slots, self._arriving):
                place.mkdir(exist_ok=True, mode=0o700)
        self._open: dict[SlotName, ArrivingSlot] = {}
        self._sizes: dict[SlotName, int] = {}
        self._admitting = threading.Lock()
        self.sweep()
        self._inspect()

    def close(self) -> None:
        """Let the folder go."""
        self._lock.close()

    @property
    def held(self) -> list[SlotName]:
        """Slots that are here whole."""
        return _names(self._slots)

    @property
    def arriving(self) -> list[SlotName]:
        """Slots on their way."""
        return _names(self._arriving)

    @property
    def used(self) -> int:
        """Bytes promised to slots, here or on their way."""
        return sum(self._sizes[name] for name in [*self.held, *self.arriving] if name in self._sizes)

    @property
    def room(self) -> int:
        """Bytes of quota left."""
        return self._quota - self.used

    def find(self, name: SlotName) -> HeldSlot | None:
        """A slot that is here whole."""
        path = self._slots / str(name)
        return HeldSlot(path, name) if (path / "manifest").exists() else None  # `drop` takes the manifest first

    def slot(self, name: SlotName) -> HeldSlot:
        """The same. Raises NotFound."""
        found = self.find(name)
        if found is None:
            raise NotFound(f"Slot {name.index} of {name.manifest.hex()} is not here")
        return found

    def begin(self, name: SlotName, manifest: bytes) -> ArrivingSlot:
        """Make place for a slot, or go on with it. Raises ManifestInvalid, QuotaExceeded, DiskFull, StorageTrouble."""
        with self._admitting:  # two slots at once must not both be promised the last of the quota
            if name not in self._open:
                self._open[name] = self._admitted(name, manifest)
            return self._open[name]

    def _admitted(self, name: SlotName, manifest: bytes) -> ArrivingSlot:
        path = self._arriving / str(name)
        if not (path / "manifest").exists():
            if digest_of(manifest) != name.manifest:
                raise Corrupt("The manifest is another dataset's", "", "Send the one the request names.")
            parsed = parse_manifest(manifest)
            if not 0 <= name.index < len(parsed.slots):
                raise NotFound(f"The dataset has no slot {name.index}", f"it has {len(parsed.slots)}")
            if parsed.slot_bytes > self.room:
                raise QuotaExceeded(
                    f"A slot of {parsed.slot_bytes} bytes does not fit", f"{max(0, self.room)} bytes of quota are left",
                    "Raise --quota, or wait until other slots end.",
                )  # fmt: skip
            with storage_errors(path):
                path.mkdir(exist_ok=True, mode=0o700)
            write_whole(path / "manifest", manifest)
            self._sizes[name] = parsed.slot_bytes
        return ArrivingSlot(path, name)

    def commit(self, name: SlotName, manifest: bytes = b"") -> HeldSlot:
        """Check the slot's root and hold it. May be repeated. Raises Corrupt, DiskFull, StorageTrouble."""
        held = self.find(name)
        if held is not None:
            return held
        arriving = self.begin(name, manifest)
        tree = arriving.roots()
        target = self._slots / str(name)
        write_whole(arriving.path / "tree", tree.to_bytes())
        with storage_errors(arriving.path):
            with (arriving.path / "data").open("rb") as file:
                os.fsync(file.fileno())
            arriving.path.rename(target)
            sync_folder(self._slots)
            sync_folder(self._arriving)
        self._open.pop(name, None)
        return HeldSlot(target, name)

    def drop(self, name: SlotName) -> None:
        """Forget a slot, here or on its way; unknown ones are no error."""
        self._open.pop(name, None)
        with storage_errors(self._slots):
            for place in (self._slots, self._arriving):
                # The manifest goes first: a folder without one is no slot, so a kill in between leaves only litter.
                (place / str(name) / "manifest").unlink(missing_ok=True)
                shutil.rmtree(place / str(name), ignore_errors=True)

    def _inspect(self) -> None:
        """Learn the sizes of what is here; a slot whose manifest the disk has changed is set aside, the others go on."""
        for place, names in ((self._slots, self.held), (self._arriving, self.arriving)):
            for name in names:
                folder = SlotFolder(place / str(name), name)
                try:
                    self._sizes[name] = folder.manifest.slot_bytes
                except (BadData, StorageTrouble) as error:
                    aside = self._damaged / str(name)
                    log.error("slot %s is set aside in %s and not proven any more: %s", name, aside, error)
                    with storage_errors(aside):
                        self._damaged.mkdir(exist_ok=True, mode=0o700)
                        shutil.rmtree(aside, ignore_errors=True)
                        folder.path.rename(aside)

    def sweep(self) -> None:
        """Remove what a kill left half deleted."""
        for place in (self._slots, self._arriving):
            for path in place.iterdir():
                if not (path / "manifest").exists():
                    shutil.rmtree(path, ignore_errors=True)


def slot_folder(folder: Path, name: SlotName) -> Path:
    """Where a slot is below an agent's ``folder`` once it is held."""
    return folder / SLOTS / str(name)


def held_below(folder: Path) -> list[HeldSlot]:
    """The slots held in an agent's ``folder``, whether it runs or not. Raises StorageTrouble."""
    place = folder / SLOTS
    with storage_errors(place):
        names = _names(place) if place.exists() else []
    return [HeldSlot(slot_folder(folder, name), name) for name in names]


def _names(place: Path) -> list[SlotName]:
    names = (parse_name(path.name) for path in place.iterdir() if (path / "manifest").exists())
    return sorted(name for name in names if name is not None)


def put_all(store: SlotStore, name: SlotName, manifest: bytes, block_list: bytes, blocks: Sequence[bytes]) -> HeldSlot:
    """Hold a slot whose data blocks are all in memory."""
    arriving = store.begin(name, manifest)
    arriving.put_blocks(block_list)
    for index in range(arriving.held, len(blocks)):
        arriving.put_block(index, blocks[index])
    return store.commit(name)
