"""The capability: one string that is all a reader needs, and all it takes to read.

``hold1`` + base32 (lower case, no padding) of: version byte, the manifest's digest, the key where the file is encrypted, and
four bytes of checksum. Any one character typed wrongly changes the checksum's argument, so it is noticed.
"""

import base64
import hashlib
from dataclasses import dataclass, field

from agents.core.errors import CapabilityInvalid

PREFIX = "hold1"
ENCRYPTED, PUBLIC = 1, 2
KEY_BYTES = 32
CHECK_BYTES = 4
LENGTHS = {ENCRYPTED: 1 + 32 + KEY_BYTES, PUBLIC: 1 + 32}


@dataclass(frozen=True)
class Capability:
    """Which file, and the key to read it."""

    manifest: bytes
    """sha2-256 digest of the manifest."""
    key: bytes | None = field(default=None, repr=False)
    """None for a public file."""

    def __str__(self) -> str:
        body = bytes([PUBLIC if self.key is None else ENCRYPTED]) + self.manifest + (self.key or b"")
        return PREFIX + _text(body + _check(body))


def _text(data: bytes) -> str:
    return base64.b32encode(data).decode().lower().rstrip("=")


def _check(body: bytes) -> bytes:
    return hashlib.sha256(PREFIX.encode() + body).digest()[:CHECK_BYTES]


def parse_capability(text: str) -> Capability:
    """The capability in ``text``. Raises CapabilityInvalid, whose message never repeats the text: it is a secret."""
    cleaned = text.strip()
    if not cleaned.startswith(PREFIX):
        raise CapabilityInvalid(
            "This is not a capability", f"a capability begins with {PREFIX}", "Copy it again, whole."
        )
    letters = cleaned[len(PREFIX) :]
    try:
        data = base64.b32decode(letters.upper() + "=" * (-len(letters) % 8))
    except ValueError:
        data = b""
    body, check = data[:-CHECK_BYTES], data[-CHECK_BYTES:]
    # Re-encoding catches what base32 lets pass: other cases, and spare bits of the last letter.
    typo = not body or LENGTHS.get(body[0]) != len(body) or _check(body) != check or _text(data) != letters
    if typo:
        raise CapabilityInvalid(
            "The capability has a typo", "its checksum does not match, or letters are missing", "Copy it again, whole."
        )
    return Capability(body[1:33], body[33:] or None)
