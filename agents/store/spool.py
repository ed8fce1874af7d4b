"""The client's spool: a file made into slots on disk, ready to be pushed.

::

    <spool>/<manifest digest>/   manifest, slot-<i> (data blocks), blocks-<i> (block list)

A slot's own parity is made here to be listed and hashed, and not kept: its host makes it again.

A dataset appears under its digest whole or not at all. One in the making is locked by its process, so what a kill left of
it is told from another's work and removed by the next `Spool`.
"""

import fcntl
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from io import BufferedReader
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

from agents.core.dataset.cid import digest_of
from agents.core.dataset.cipher import BLOCK_BYTES, Header, chunks_of, cipher_for, public_name, sealed_bytes
from agents.core.dataset.erasure import Gf16Code
from agents.core.dataset.layout import Layout, layout_for
from agents.core.dataset.manifest import Manifest, SlotEntry, block_list, parse_block_list, parse_manifest
from agents.core.dataset.slot_code import SlotCode
from agents.core.dataset.slots import SlotTree
from agents.core.dataset.unixfs import FileTree
from agents.core.errors import Corrupt, FileRejected, ManifestInvalid, NotFound, StorageTrouble
from agents.core.proofs.profiles import Profile
from agents.core.proofs.trees import block_roots, dataset_tree, root
from agents.kernels.limbs import Limbs
from agents.store.coding import make_parity
from agents.store.files import storage_errors, sync_folder, write_whole

BATCH_BLOCKS = 128
"""Blocks sealed, coded and hashed at a time: 8 MiB a slot's share."""
CODED_BYTES = 32 << 20
"""Of all slots together, coded at a time."""

_MAKING = "making-"

Advance = Callable[[str, int, int], None]
"""(what, bytes done, bytes in all)."""


@dataclass(frozen=True)
class SpooledDataset:
    """A dataset in the spool."""

    path: Path

    @cached_property
    def manifest_bytes(self) -> bytes:
        """The manifest as stored."""
        return (self.path / "manifest").read_bytes()

    @cached_property
    def manifest(self) -> Manifest:
        """The manifest."""
        return parse_manifest(self.manifest_bytes)

    def block_list(self, index: int) -> bytes:
        """The block list of slot ``index``, as bytes."""
        return (self.path / f"blocks-{index}").read_bytes()

    def digests(self, index: int) -> list[bytes]:
        """The blocks of slot ``index``."""
        return parse_block_list(self.block_list(index), self.manifest.slots[index], self.manifest.blocks_per_slot)

    def blocks(self, index: int, start: int = 0) -> Iterator[bytes]:
        """Data blocks of slot ``index`` from ``start``."""
        with storage_errors(self.path), (self.path / f"slot-{index}").open("rb") as file:
            file.seek(start * BLOCK_BYTES)
            for _ in range(start, self.manifest.data_blocks):
                block = file.read(BLOCK_BYTES)
                if len(block) != BLOCK_BYTES:
                    raise StorageTrouble(f"Slot {index} in {self.path} is cut short", "", "Store the file again.")
                yield block

    @property
    def whole(self) -> bool:
        """Whether every file of it is there in full length."""
        try:
            files = [
                (self.path / f"slot-{index}", self.path / f"blocks-{index}")
                for index in range(len(self.manifest.slots))
            ]
            return all(data.stat().st_size == self.manifest.data_bytes and listed.exists() for data, listed in files)
        except (OSError, ManifestInvalid):
            return False

    def remove(self) -> None:
        """Free its disk space."""
        # The manifest goes first: without it there is no dataset, so a kill in between leaves only litter.
        (self.path / "manifest").unlink(missing_ok=True)
        shutil.rmtree(self.path, ignore_errors=True)


class Spool:
    """Datasets below ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with storage_errors(folder):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._sweep()

    def _sweep(self) -> None:
        for path in self._folder.glob(f"{_MAKING}*"):
            with suppress(FileNotFoundError, BlockingIOError), _locked(path):
                shutil.rmtree(path, ignore_errors=True)

    def find(self, manifest: bytes) -> SpooledDataset:
        """The dataset of a manifest's digest. Raises NotFound."""
        path = self._folder / manifest.hex()
        if not (path / "manifest").exists():
            raise NotFound(f"Dataset {manifest.hex()} is not in the spool", "", "Store the file again.")
        return SpooledDataset(path)

    def keep(self, manifests: Set[bytes]) -> None:
        """Remove every dataset but those of ``manifests``."""
        for path in self._folder.iterdir():
            if not path.name.startswith(_MAKING) and path.name not in {digest.hex() for digest in manifests}:
                SpooledDataset(path).remove()

    def encode(
        self, file: Path, k: int, m: int, key: bytes | None, profile: Profile, advance: Advance = lambda *_: None
    ) -> SpooledDataset:
        """Make ``file`` into k + m slots. ``key``: 32 bytes for this file alone, or None for a public file.

        Raises FileRejected (empty, unreadable, changed while read), CodeParameters, DiskFull, StorageTrouble.
        """
        with _opened(file) as source, self._making() as folder:
            size = os.fstat(source.fileno()).st_size
            layout = layout_for(sealed_bytes(size, file.name, key is not None), k, m, profile)
            making = _Making(folder, layout, profile, advance)
            making.data(_sealed(source, file, size, key))
            making.parity()
            manifest = making.manifest(None if key else public_name(file.name))
            target = self._folder / manifest.digest.hex()
            with storage_errors(self._folder):
                if not SpooledDataset(target).whole:
                    shutil.rmtree(target, ignore_errors=True)
                    making.folder.rename(target)
                sync_folder(self._folder)
        return SpooledDataset(target)

    @contextmanager
    def _making(self) -> Iterator[Path]:
        with storage_errors(self._folder):
            folder = Path(tempfile.mkdtemp(dir=self._folder, prefix=_MAKING))
        try:
            with _locked(folder):
                yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold ``folder``. Raises FileNotFoundError, BlockingIOError."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def _opened(file: Path) -> BinaryIO:
    try:
        # A pipe without a writer would keep a plain open waiting for ever.
        source = os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    except OSError as error:
        raise FileRejected(
            f"Cannot read {file}", error.strerror or str(error), "Name a file that can be read."
        ) from None
    if not stat.S_ISREG(os.fstat(source.fileno()).st_mode):
        source.close()
        raise FileRejected(f"{file} is no ordinary file", "its size must be known first", "Save it as a file.")
    if os.fstat(source.fileno()).st_size == 0:
        source.close()
        raise FileRejected(f"{file} is empty", "there is nothing to store", "Name a file with something in it.")
    return source


def _sealed(source: BinaryIO, file: Path, size: int, key: bytes | None) -> Iterator[bytes]:
    """The sealed file, block by block; the last may be short."""
    cipher = cipher_for(key)
    header = Header(size, file.name).to_bytes() if key else b""
    before = os.fstat(source.fileno())

    def pieces() -> Iterator[bytes]:
        yield header
        while piece := source.read(1 << 20):
            yield piece

    plain = len(header) + size
    count, done = max(1, -(-plain // cipher.chunk_bytes)), 0
    for index, chunk in enumerate(chunks_of(pieces(), cipher.chunk_bytes)):
        done += len(chunk)
        if done > plain:
            break
        yield cipher.seal(index, chunk, index == count - 1)
    after = os.fstat(source.fileno())
    if done != plain or (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise FileRejected(f"{file} changed while it was read", "", "Store it again once nobody writes to it.")


class _Making:
    """One dataset in the making, in a folder that vanishes with it."""

    def __init__(self, folder: Path, layout: Layout, profile: Profile, advance: Advance) -> None:
        self.folder = folder / "done"
        with storage_errors(self.folder):
            self.folder.mkdir()
        self._layout = layout
        self._profile = profile
        self._tell = advance
        self._told = ("coding", 0, layout.size)
        self._code = SlotCode(layout.data_blocks, layout.parity_blocks, profile.cells_per_block, profile.cell_bytes)
        self._entries: list[SlotEntry] = []
        self._listed: list[bytes] = []
        """Digests of the data slots' data blocks."""
        self._last = b""
        """The sealed file's last block, as short as it is."""

    def _advance(self, what: str, done: int, total: int) -> None:
        self._told = (what, done, total)
        self._tell(*self._told)

    def _pause(self) -> None:
        """Let whoever waits end what takes long."""
        self._tell(*self._told)

    def data(self, sealed: Iterator[bytes]) -> None:
        """Write the data slots, one after the other."""
        done = 0
        for index in range(self._layout.data_slots):

            def blocks() -> Iterator[bytes]:
                nonlocal done
                for _ in range(self._layout.data_blocks):
                    block = next(sealed, b"")
                    self._last = block or self._last
                    yield block.ljust(BLOCK_BYTES, b"\0")
                    done += BLOCK_BYTES
                    self._advance("encrypting", min(done, self._layout.size), self._layout.size)

            self._slot(index, blocks())
        if next(sealed, None) is not None:
            raise FileRejected("The file grew while it was read", "", "Store it again once nobody writes to it.")

    def parity(self) -> None:
        """Write the parity slots from the data slots, some stripes at a time."""
        k, m, count = self._layout.data_slots, self._layout.parity_slots, self._layout.data_blocks
        if m == 0:
            return
        code, step = Gf16Code(k, m), max(1, CODED_BYTES // (k + m) // BLOCK_BYTES)
        with storage_errors(self.folder), ExitStack() as stack:
            sources = [stack.enter_context((self.folder / f"slot-{index}").open("rb")) for index in range(k)]
            targets = [stack.enter_context((self.folder / f"slot-{k + extra}").open("wb")) for extra in range(m)]
            for stripe in range(0, count, step):
                _code_stripe(code, sources, targets, min(step, count - stripe) * BLOCK_BYTES)
                self._advance("coding", min(stripe + step, count) * BLOCK_BYTES, count * BLOCK_BYTES)
        for extra in range(m):
            self._slot(k + extra)

    def _slot(self, index: int, blocks: Iterator[bytes] | None = None) -> None:
        """Write the data blocks of a slot, unless they are there; list and hash them with the parity its host will make."""
        digests: list[bytes] = []
        roots: list[Limbs] = []
        data = self._layout.data_blocks

        def hashed(batch: Sequence[bytes]) -> None:
            digests.extend(map(digest_of, batch))
            roots.append(block_roots(b"".join(batch), self._profile.cell_bytes, BLOCK_BYTES))

        with storage_errors(self.folder), (self.folder / f"slot-{index}").open("wb+" if blocks else "rb+") as file:
            for batch in _batches(blocks or (file.read(BLOCK_BYTES) for _ in range(data))):
                if blocks:
                    file.writelines(batch)
                hashed(batch)
            file.flush()
            make_parity(file.fileno(), self._code, self._pause)
            file.seek(data * BLOCK_BYTES)
            for batch in _batches(file.read(BLOCK_BYTES) for _ in range(self._layout.parity_blocks)):
                hashed(batch)
            file.truncate(data * BLOCK_BYTES)
            os.fsync(file.fileno())
        if blocks:
            self._listed += digests[:data]
        listed = block_list(digests)
        write_whole(self.folder / f"blocks-{index}", listed)
        tree = SlotTree(self._profile, np.concatenate(roots))
        self._entries.append(SlotEntry(digest_of(listed), tree.root))

    def manifest(self, public: str | None) -> Manifest:
        """Write the manifest over all slots; ``public``: a public file's name."""
        manifest = Manifest(
            profile=self._profile.name,
            data_slots=self._layout.data_slots,
            parity_slots=self._layout.parity_slots,
            data_blocks=self._layout.data_blocks,
            parity_blocks=self._layout.parity_blocks,
            size=self._layout.size,
            encrypted=public is None,
            slots=tuple(self._entries),
            dataset_root=root(dataset_tree([entry.root for entry in self._entries])),
            name=public or "",
            unixfs=b"" if public is None else self._tree().root.digest,
        )
        write_whole(self.folder / "manifest", manifest.to_bytes())
        return manifest

    def _tree(self) -> FileTree:
        return FileTree([*self._listed[: self._layout.blocks - 1], digest_of(self._last)], self._layout.size)


def _code_stripe(code: Gf16Code, sources: Sequence[BufferedReader], targets: Sequence[BinaryIO], size: int) -> None:
    """The next ``size`` bytes of the parity slots from those of the data slots. Raises Corrupt."""
    data = np.empty((len(sources), size), dtype=np.uint8)
    for source, row in zip(sources, data, strict=True):
        if source.readinto(row.data) != size:
            raise Corrupt(f"{source.name} ends before its last block", "", "Store the file again.")
    for target, row in zip(targets, code.parity(data), strict=True):
        target.write(row.data)


def _batches(blocks: Iterator[bytes]) -> Iterator[list[bytes]]:
    while batch := list(islice(blocks, BATCH_BLOCKS)):
        yield batch
