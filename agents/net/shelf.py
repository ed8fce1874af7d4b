"""What a gateway serves from and is paid through: a role gives both, over its caches and its lanes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from agents.core.dataset.cid import Cid
from agents.core.dataset.segments import SEGMENT_BYTES
from agents.core.dataset.unixfs import FileTree
from agents.core.errors import NotEnough, NotFound


class Gone(NotFound):
    """It was here once, and nobody keeps it any more."""


@dataclass(frozen=True, slots=True)
class Item:
    """What a CID leads to.

    A ``file`` is the root of a public file's UnixFS tree (dag-pb; raw where one block is all of it), or a manifest
    (dag-cbor), which stands for the sealed file; an inner node of a tree is the root of a part of the file. Its bytes are
    segments. A ``block`` is a single block of any kind: a leaf, a block list.
    """

    kind: Literal["block", "file"]
    size: int
    """Bytes of the block, or of the file: the plain file's below a UnixFS root, the sealed file's below a manifest."""
    dataset: bytes | None = None
    """Digest of the manifest; for files always."""
    name: str | None = None
    """The file's own name, of public files."""
    start: int = 0
    """Where a part begins in its file."""


class Shelf(Protocol):
    """Verified bytes by CID. Every method raises HoldfastError: NotFound, Gone, PeerError when no origin answers in time."""

    async def find(self, cid: Cid) -> Item | None:
        """What ``cid`` is; None: nothing here, nor at the origins."""

    def has_block(self, cid: Cid) -> bool:
        """Whether that block is here: it can be found and given without asking anybody."""

    def has_bytes(self, dataset: bytes, part: range) -> bool:
        """The same of bytes ``part`` of the sealed file, or where they are many of some. They may be gone in a moment."""

    async def block(self, cid: Cid) -> bytes:
        """One block by its CID: leaf, tree node, manifest, block list."""

    async def segment(self, dataset: bytes, number: int) -> memoryview:
        """Bytes [number SEGMENT_BYTES, (number + 1) SEGMENT_BYTES) of the sealed file; the last is as short as the file.

        They stay as they are while anybody holds the view. (In a slot the file's last block is padded with zeros; not here.)
        """

    async def tree(self, dataset: bytes) -> FileTree:
        """The UnixFS tree of a public dataset, compared with its manifest. Worth keeping: 32 bytes a block."""


class PaymentRequired(NotEnough):
    """Nothing is served without a voucher; ``offer`` is the body of the answer 402."""

    def __init__(self, offer: Mapping[str, Any], why: str = "") -> None:
        self.offer = offer
        super().__init__("This cache is paid for what it serves", why, "Send a voucher for the lane that it offers.")


@dataclass(frozen=True, slots=True)
class Reading:
    """One response about to be sent."""

    host: str
    """The reader's IP address."""
    headers: Mapping[str, str]
    """Of the request; names compare without case."""
    size: int
    """Bytes of block content in it: what is paid for."""


class Ticket(Protocol):
    """One response being sent and paid for."""

    @property
    def step(self) -> int:
        """The most bytes to take at a time, at least a block: less for whoever pays as it reads, so that little is owed."""

    async def take(self, size: int) -> None:
        """Waits until ``size`` more bytes may be sent. Raises PaymentRequired when nobody pays for them in time."""

    def close(self) -> None:
        """The response ended, whole or not: what was taken counts as served."""


class Counter(Protocol):
    """Where readers pay."""

    async def admit(self, reading: Reading) -> Ticket:
        """Raises PaymentRequired where there is neither credit nor trust; it takes the vouchers in the headers first."""

    async def vouch(self, host: str, headers: Mapping[str, str]) -> Mapping[str, Any]:
        """Takes a voucher on its own, while a response streams; the lane's state. Raises PaymentRequired, HoldfastError."""


class _FreeTicket:
    step = SEGMENT_BYTES

    async def take(self, size: int) -> None:
        """Nobody waits."""

    def close(self) -> None:
        """Nothing is owed."""


class Free:
    """A counter of price 0: no wallet on either side."""

    async def admit(self, reading: Reading) -> Ticket:
        """Everybody."""
        return _FREE

    async def vouch(self, host: str, headers: Mapping[str, str]) -> Mapping[str, Any]:
        """There is nothing to pay."""
        return {"version": 1, "pricePerByte": "0"}


_FREE = _FreeTicket()
