"""What the server needs of whoever runs it: a role gives it, over its store and the chain."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from agents.core.errors import HoldfastError

MAX_BLOCK = 1 << 20
"""Bytes of the largest block a peer buffers."""


class Denied(HoldfastError):
    """This host does not do that for this signer."""

    exit_code = 10


class Later(HoldfastError):
    """This host will have it soon: ask again."""


@dataclass(frozen=True)
class SlotPlan:
    """The blocks of a slot: ``digests`` (sha2-256, in order), all of ``block_bytes`` bytes, and their list's digest."""

    block_list_digest: bytes
    digests: Sequence[bytes]
    block_bytes: int
    made: int = 0
    """Blocks at its end that are not uploaded: whoever hosts the slot makes them of the others."""

    def __post_init__(self) -> None:
        if not 0 < self.block_bytes <= MAX_BLOCK:
            raise ValueError(f"blocks of {self.block_bytes} bytes")

    @property
    def uploaded(self) -> int:
        """Blocks that are uploaded, from the first on."""
        return len(self.digests) - self.made

    def matches(self, index: int, block: bytes) -> bool:
        """Whether ``block`` is the slot's block number ``index``."""
        return len(block) == self.block_bytes and hashlib.sha256(block).digest() == self.digests[index]


class Host(Protocol):
    """Callbacks of the server. Every HoldfastError becomes a clear refusal; anything else an unexplained 500.

    Blocks given to :meth:`put_block` are verified; documents are given raw and checked here. All of them are
    idempotent: an upload may be cut and repeated at any point.
    """

    @property
    def address(self) -> str:
        """The provider's address: signed requests are meant for it."""

    async def admit_upload(self, signer: str, request_id: bytes, slot_index: int) -> None:
        """Raises Denied unless ``signer`` is the request's client and this host holds the slot's reservation."""

    async def put_manifest(self, request_id: bytes, slot_index: int, manifest: bytes) -> None:
        """Checks the manifest against the request's CID and keeps it. Raises BadData, StorageTrouble."""

    async def put_block_list(self, request_id: bytes, slot_index: int, block_list: bytes) -> None:
        """Checks the list against the manifest and keeps it. Raises BadData, StorageTrouble."""

    async def has_manifest(self, request_id: bytes, slot_index: int) -> bool:
        """Whether the upload's manifest is held."""

    async def upload_plan(self, request_id: bytes, slot_index: int) -> SlotPlan | None:
        """The slot's blocks, once manifest and block list are held."""

    async def blocks_held(self, request_id: bytes, slot_index: int) -> int:
        """Length of the unbroken run of blocks held from the slot's first on."""

    async def put_block(self, request_id: bytes, slot_index: int, index: int, block: bytes) -> None:
        """Keeps a verified block. Raises StorageTrouble."""

    async def finish_upload(self, request_id: bytes, slot_index: int) -> None:
        """All blocks to be uploaded are held: make the others, and all of them durable, and go on.

        Raises BadData if they do not make the slot's root.
        """

    async def is_finished(self, request_id: bytes, slot_index: int) -> bool:
        """Whether :meth:`finish_upload` succeeded for this upload."""

    async def admit_read(self, signer: str | None, manifest_digest: bytes, slot_index: int | None) -> None:
        """Raises Denied unless ``signer`` (None: unsigned) may read; ``slot_index`` None asks for the manifest."""

    async def manifest(self, manifest_digest: bytes) -> bytes | None:
        """The manifest with this digest, if held."""

    async def block_list(self, manifest_digest: bytes, slot_index: int) -> bytes | None:
        """The block list of a slot that is held whole. Raises Later while it is being made."""

    async def slot_plan(self, manifest_digest: bytes, slot_index: int) -> SlotPlan | None:
        """The blocks of a slot that is held whole."""

    async def read_blocks(self, manifest_digest: bytes, slot_index: int, start: int, count: int) -> Sequence[bytes]:
        """``count`` blocks from ``start``; the server checks each before it is sent."""

    async def found_damaged(self, manifest_digest: bytes, slot_index: int) -> None:
        """A block of a slot that is held was not what it should be: it was not sent."""
