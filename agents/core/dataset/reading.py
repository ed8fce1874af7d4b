"""Blocks back to a file's bytes, in any order after the first."""

from collections.abc import Mapping

from agents.core.dataset.cipher import BLOCK_BYTES, Header, cipher_for, read_header
from agents.core.dataset.erasure import code_across
from agents.core.dataset.manifest import Manifest
from agents.core.errors import CapabilityInvalid, Corrupt


class FileReader:
    """Opens blocks of one dataset and says where their bytes belong."""

    def __init__(self, manifest: Manifest, key: bytes | None) -> None:
        if manifest.encrypted and key is None:
            raise CapabilityInvalid("The file is encrypted", "its CID alone does not open it", "Use its capability.")
        self.manifest = manifest
        self._cipher = cipher_for(key if manifest.encrypted else None)
        self._blocks = -(-manifest.size // BLOCK_BYTES)
        self._header_bytes = 0
        self.header: Header | None = None
        """Known once block 0 was opened."""

    def open(self, index: int, block: bytes) -> tuple[int, bytes]:
        """(offset in the file, bytes) of the sealed file's block ``index``; block 0 comes first. Raises Corrupt."""
        if index >= self._blocks:
            return 0, b""  # the zeros behind the file
        last = index == self._blocks - 1
        used = self.manifest.size - index * BLOCK_BYTES if last else BLOCK_BYTES
        chunk = self._cipher.open(index, block[:used], last)
        if index == 0:
            self.header, self._header_bytes = read_header(chunk)
            whole = self.manifest.size - self._blocks * (BLOCK_BYTES - self._cipher.chunk_bytes) - self._header_bytes
            if self.header.size != whole:
                raise Corrupt(
                    "The file's header is damaged", "it names another size", "Ask whoever gave you the capability."
                )
            return 0, chunk[self._header_bytes :]
        if self.header is None:
            raise ValueError("block 0 must be opened first")
        return index * self._cipher.chunk_bytes - self._header_bytes, chunk

    def open_stripe(self, stripe: int, blocks: Mapping[int, bytes]) -> list[tuple[int, bytes]]:
        """The pieces of the file in stripe ``stripe``, from any k of its blocks by slot index."""
        manifest = self.manifest
        data = code_across(manifest).data(blocks)
        indices = (slot * manifest.data_blocks + stripe for slot in range(manifest.data_slots))
        return [piece for piece in map(self.open, indices, data) if piece[1]]
