"""The capability: one string that is all a reader needs, and all it takes to read.

``hold1``, then the version byte, the manifest's digest, and the key where the file is encrypted, as agents/core/checked_text.py
writes them.
"""

from dataclasses import dataclass, field

from agents.core.checked_text import checked_body, checked_text
from agents.core.errors import CapabilityInvalid

PREFIX = "hold1"
ENCRYPTED, PUBLIC = 1, 2
KEY_BYTES = 32
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
        return checked_text(PREFIX, body)


def parse_capability(text: str) -> Capability:
    """The capability in ``text``. Raises CapabilityInvalid, whose message never repeats the text: it is a secret."""
    cleaned = text.strip()
    if not cleaned.startswith(PREFIX):
        raise CapabilityInvalid(
            "This is not a capability", f"a capability begins with {PREFIX}", "Copy it again, whole."
        )
    try:
        body = checked_body(PREFIX, cleaned)
        whole = LENGTHS.get(body[0]) == len(body)
    except ValueError:
        whole = False
    if not whole:
        raise CapabilityInvalid(
            "The capability has a typo", "its checksum does not match, or letters are missing", "Copy it again, whole."
        )
    return Capability(body[1:33], body[33:] or None)
