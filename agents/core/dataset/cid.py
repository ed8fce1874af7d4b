"""Content identifiers: CIDv1 text over sha2-256 digests. The chain and the agents keep the 32-byte digest."""

import hashlib

from multiformats import CID

from agents.core.errors import CapabilityInvalid

DIGEST_BYTES = 32


def digest_of(data: bytes) -> bytes:
    """sha2-256."""
    return hashlib.sha256(data).digest()


def cid_text(digest: bytes, codec: str = "dag-cbor") -> str:
    """The CIDv1 of a digest: ``dag-cbor`` for manifests and block lists, ``raw`` for blocks."""
    return str(CID("base32", 1, codec, ("sha2-256", digest)))


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return lines[0].rstrip(".") if lines else type(error).__name__


def digest_of_cid(text: str, codec: str = "dag-cbor") -> bytes:
    """The digest in a CIDv1. Raises CapabilityInvalid for a typo or another kind of CID."""
    try:
        found = CID.decode(text.strip())
        digest, kind = found.raw_digest, (found.version, found.codec.name, found.hashfun.name)
    except Exception as error:  # for a typo the library raises errors of many kinds, ImportError among them
        raise CapabilityInvalid(
            f"{text!r} is not a CID ({_first_line(error)})",
            "the CID that `store` prints begins with bafyrei, a capability with hold1",
            "Copy it again, whole.",
        ) from None
    if kind != (1, codec, "sha2-256") or len(digest) != DIGEST_BYTES:
        raise CapabilityInvalid(
            f"{text!r} is not the CID of a manifest", f"it is {kind}", "Copy the CID `store` printed."
        )
    return bytes(digest)
