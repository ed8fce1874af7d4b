"""Blocks back to a file's bytes, in any order after the first."""

from collections.abc import Mapping

import numpy as np

from agents.core.dataset.cid import DIGEST_BYTES, digest_of
from agents.core.dataset.cipher import BLOCK_BYTES, Header, cipher_for, read_header
from agents.core.dataset.erasure import code_across
from agents.core.dataset.manifest import PUBLIC, Manifest
from agents.core.dataset.unixfs import checked_tree
from agents.core.errors import CapabilityInvalid, Corrupt


class FileReader:
    """Opens blocks of one dataset and says where their bytes belong."""

    def __init__(self, manifest: Manifest, key: bytes | None) -> None:
        if manifest.encrypted and key is None:
            raise CapabilityInvalid("The file is encrypted", "its CID alone does not open it", "Use its capability.")
        self.manifest = manifest
        self._cipher = cipher_for(key if manifest.encrypted else None)
        self._header_bytes = 0
        self.header: Header | None = None
        """Known once block 0 was opened; of public files since version 3, from the start."""
        self._leaves: _Leaves | None = None
        if manifest.version == PUBLIC:
            self.header, self._leaves = Header(manifest.size, manifest.name), _Leaves(manifest)

    def open(self, index: int, block: bytes) -> tuple[int, bytes]:
        """(offset in the file, bytes) of the sealed file's block ``index``; block 0 comes first.

        Raises Corrupt; and ManifestInvalid once all blocks of a public file were opened that make another UnixFS tree.
        """
        if index >= self.manifest.blocks:
            return 0, b""  # the zeros behind the file
        last = index == self.manifest.blocks - 1
        used = self.manifest.size - index * BLOCK_BYTES if last else BLOCK_BYTES
        chunk = self._cipher.open(index, block[:used], last)
        if self._leaves is not None:
            self._leaves.add(index, chunk)
        elif index == 0:
            return 0, self._without_header(chunk)
        if self.header is None:
            raise ValueError("block 0 must be opened first")
        return index * self._cipher.chunk_bytes - self._header_bytes, chunk

    def _without_header(self, chunk: bytes) -> bytes:
        self.header, self._header_bytes = read_header(chunk)
        tags = self.manifest.blocks * (BLOCK_BYTES - self._cipher.chunk_bytes)
        if self.header.size != self.manifest.size - tags - self._header_bytes:
            raise Corrupt(
                "The file's header is damaged", "it names another size", "Ask whoever gave you the capability."
            )
        return chunk[self._header_bytes :]

    def open_stripe(self, stripe: int, blocks: Mapping[int, bytes]) -> list[tuple[int, bytes]]:
        """The pieces of the file in stripe ``stripe``, from any k of its blocks by slot index."""
        manifest = self.manifest
        data = code_across(manifest).data(blocks)
        indices = (slot * manifest.data_blocks + stripe for slot in range(manifest.data_slots))
        return [piece for piece in map(self.open, indices, data) if piece[1]]


class _Leaves:
    """Digests of a public file's blocks as they come, in any order; the last to come has the UnixFS root compared."""

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._missing = manifest.blocks
        # Zeros are not touched until they are written: a manifest of great size costs nothing by itself.
        self._seen = np.zeros(manifest.blocks, dtype=bool)
        self._digests = np.zeros((manifest.blocks, DIGEST_BYTES), dtype=np.uint8)

    def add(self, index: int, chunk: bytes) -> None:
        if self._seen[index]:
            return
        self._seen[index], self._missing = True, self._missing - 1
        self._digests[index] = np.frombuffer(digest_of(chunk), dtype=np.uint8)
        if not self._missing:
            checked_tree(self._manifest, [digest.tobytes() for digest in self._digests])
