"""Bytes as one line of text that a person can copy: a typo in it is noticed.

A prefix that says what it is, then base32 (lower case, no padding) of the bytes and four bytes of checksum.
"""

import base64
import hashlib

CHECK_BYTES = 4


def checked_text(prefix: str, body: bytes) -> str:
    """The line."""
    return prefix + _letters(body + _check(prefix, body))


def checked_body(prefix: str, text: str) -> bytes:
    """What `checked_text` made the line of. Raises ValueError where any one character is another than it wrote."""
    letters = text.removeprefix(prefix)
    data = base64.b32decode(letters.upper() + "=" * (-len(letters) % 8))
    body, check = data[:-CHECK_BYTES], data[-CHECK_BYTES:]
    # Writing it again catches what base32 lets pass: other cases, and spare bits of the last letter.
    if not body or _check(prefix, body) != check or prefix + _letters(data) != text:
        raise ValueError("the checksum does not match")
    return body


def _letters(data: bytes) -> str:
    return base64.b32encode(data).decode().lower().rstrip("=")


def _check(prefix: str, body: bytes) -> bytes:
    return hashlib.sha256(prefix.encode() + body).digest()[:CHECK_BYTES]
