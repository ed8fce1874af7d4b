"""The wire: routes, headers and JSON bodies of version 1.

Names are digests and numbers, never file names: a route either matches these patterns letter by letter or does not
exist, so no path can leave the store.

==========  ==============================================  =======================================================
GET         /v1/status                                      who this is
GET, HEAD   /v1/uploads/<request>/<slot>                    how much of an upload is held       (client, signed)
PUT         /v1/uploads/<request>/<slot>/manifest           the manifest                        (client, signed)
PUT         /v1/uploads/<request>/<slot>/blocklist          the slot's block list               (client, signed)
PUT         /v1/uploads/<request>/<slot>/blocks?start=      blocks from ``start`` to the end    (client, signed)
GET         /v1/manifests/<digest>                          the manifest
GET         /v1/manifests/<digest>/slots/<slot>/blocklist   the slot's block list
GET         /v1/manifests/<digest>/slots/<slot>/blocks?start=&count=    verified blocks
==========  ==============================================  =======================================================

``<request>`` is a request id, ``<digest>`` the sha2-256 digest of a manifest (what the market stores as the CID), both
64 lower-case hex digits. A stream of blocks carries the digest of its block list as its body digest: every block is
checked against that list as it arrives.
"""

import json
import re
from dataclasses import dataclass
from typing import Any, Self, TypeGuard

VERSION = 1
MAX_SLOTS = 256
"""A slot index is the low byte of a slot id."""

MAX_MANIFEST = 1 << 20
"""Bytes of the largest manifest."""
MAX_BLOCK_LIST = 16 << 20
"""Bytes of the largest block list."""
MAX_BLOCKS_PER_READ = 4096
"""Blocks of one GET."""
MAX_ANSWER = 16 << 10
"""Bytes of the largest JSON answer."""
MAX_REASON = 300
"""Characters shown of a peer's own explanation."""

HELD = "Holdfast-Held"
"""Header of upload answers: blocks held so far."""

_REQUEST = r"(?P<request>[0-9a-f]{64})"
_DIGEST = r"(?P<digest>[0-9a-f]{64})"
_SLOT = r"(?P<slot>0|[1-9][0-9]{0,2})"
ROUTES = {
    "status": re.compile(r"/v1/status\Z"),
    "upload": re.compile(rf"/v1/uploads/{_REQUEST}/{_SLOT}\Z"),
    "upload_manifest": re.compile(rf"/v1/uploads/{_REQUEST}/{_SLOT}/manifest\Z"),
    "upload_block_list": re.compile(rf"/v1/uploads/{_REQUEST}/{_SLOT}/blocklist\Z"),
    "upload_blocks": re.compile(rf"/v1/uploads/{_REQUEST}/{_SLOT}/blocks\Z"),
    "manifest": re.compile(rf"/v1/manifests/{_DIGEST}\Z"),
    "block_list": re.compile(rf"/v1/manifests/{_DIGEST}/slots/{_SLOT}/blocklist\Z"),
    "blocks": re.compile(rf"/v1/manifests/{_DIGEST}/slots/{_SLOT}/blocks\Z"),
}
_NUMBER = re.compile(r"0|[1-9][0-9]{0,11}\Z")


@dataclass(frozen=True)
class Route:
    """A matched path: which route, whose id (request or manifest digest), which slot."""

    name: str
    id: bytes = b""
    slot_index: int = 0


def matched_route(path: str) -> Route | None:
    """The route of a raw path, or None. Slot indices of 256 and more do not exist."""
    for name, pattern in ROUTES.items():
        if found := pattern.match(path):
            groups = found.groupdict()
            slot_index = int(groups.get("slot") or 0)
            if slot_index >= MAX_SLOTS:
                return None
            return Route(name, bytes.fromhex(groups.get("request") or groups.get("digest") or ""), slot_index)
    return None


def upload_path(request_id: bytes, slot_index: int, part: str = "") -> str:
    """Path of an upload, or of one ``part`` of it: manifest, blocklist, blocks."""
    return f"/v1/uploads/{request_id.hex()}/{slot_index}" + (f"/{part}" if part else "")


def manifest_path(digest: bytes) -> str:
    """Path of the manifest with this sha2-256 digest."""
    return f"/v1/manifests/{digest.hex()}"


def slot_path(digest: bytes, slot_index: int, part: str) -> str:
    """Path of one ``part`` (blocklist, blocks) of a slot of that manifest's dataset."""
    return f"{manifest_path(digest)}/slots/{slot_index}/{part}"


SUMMARY_PATH, OFFER_PATH, VOUCHERS_PATH = "/v1/summary", "/v1/offer", "/v1/vouchers"
"""What a cache says of itself, what it asks, and where vouchers go while an answer streams."""


SEALED_PREFIX = "/v1/sealed/"


def sealed_path(manifest: str) -> str:
    """Path of the sealed file of a manifest at a cache, whose bytes are read by range."""
    return SEALED_PREFIX + manifest


MANIFEST_HEADER = "Holdfast-Manifest"
"""Names the dataset that an answer's block is of: a hint, for whoever asks by the block's CID to ask for the rest by."""


def block_path(cid: str) -> str:
    """Path of one block at a cache, as at any IPFS gateway."""
    return f"/ipfs/{cid}?format=raw"


def whole_number(text: str | None) -> int | None:
    """A plain decimal number of at most twelve digits, or None."""
    return int(text) if text is not None and _NUMBER.fullmatch(text) else None


@dataclass(frozen=True)
class UploadStatus:
    """How much of an upload a provider holds. ``total`` is None before the block list came."""

    manifest: bool
    block_list: bool
    held: int
    total: int | None
    done: bool

    def to_json(self) -> dict[str, Any]:
        """The body of an upload answer."""
        return {
            "version": VERSION,
            "manifest": self.manifest,
            "blockList": self.block_list,
            "held": self.held,
            "total": self.total,
            "done": self.done,
        }

    @classmethod
    def from_json(cls, body: Any) -> Self:
        """Reads an answer; ValueError says what is wrong with it."""
        if not isinstance(body, dict) or body.get("version") != VERSION:
            raise ValueError(f"not an upload status of version {VERSION}")
        flags = [body.get(name) for name in ("manifest", "blockList", "done")]
        held, total = body.get("held"), body.get("total")
        if not all(isinstance(flag, bool) for flag in flags):
            raise ValueError("manifest, blockList and done must be true or false")
        if not _is_count(held) or not (total is None or (_is_count(total) and held <= total)):
            raise ValueError("held and total must be counts of blocks")
        return cls(bool(flags[0]), bool(flags[1]), held, total, bool(flags[2]))


def _is_count(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**12


def error_json(kind: str, reason: str) -> dict[str, Any]:
    """The body of every refusal."""
    return {"version": VERSION, "error": kind, "reason": reason[:MAX_REASON]}


def reason_of(body: bytes) -> str:
    """A peer's explanation, made safe to show: short, printable, no control characters."""
    try:
        told = json.loads(body)
        text = str(told["reason"]) if isinstance(told, dict) and "reason" in told else ""
    except (ValueError, RecursionError):
        text = ""
    return "".join(char if char.isprintable() else " " for char in text[:MAX_REASON]).strip()
