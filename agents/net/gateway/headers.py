"""The headers of a gateway's answers."""

import mimetypes
from functools import lru_cache
from urllib.parse import quote

from agents.core.channels.wire import PAYMENT_HEADER
from agents.core.dataset.cid import Cid
from agents.net.gateway.asking import CAR, LONG, RAW, Asked
from agents.net.messages import MANIFEST_HEADER

FOR_EVER = "public, max-age=29030400, immutable"
"""What a CID names never changes; so IPFS's gateways say it."""

_TYPES = mimetypes.MimeTypes()
"""Python's own table: the machine's may know fewer types, or others."""
_BYTES, _CBOR = "application/octet-stream", "application/vnd.ipld.dag-cbor"

OPEN = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Expose-Headers": f"Content-Length, Content-Range, ETag, X-Ipfs-Path, X-Ipfs-Roots, {MANIFEST_HEADER}",
}
"""Anybody's page may read: nothing here depends on who asks."""
PREFLIGHT = OPEN | {
    "Access-Control-Allow-Methods": "GET, HEAD, OPTIONS, POST",
    "Access-Control-Allow-Headers": f"{PAYMENT_HEADER}, If-None-Match, Range, Cache-Control",
    "Access-Control-Max-Age": "86400",
}


def unchanged(asked: Asked) -> dict[str, str]:
    """Of an answer 304."""
    return {"ETag": asked.etag, "Cache-Control": FOR_EVER, **OPEN}


def headers_of(asked: Asked, name: str | None = None, dataset: bytes | None = None) -> dict[str, str]:
    """Of an answer with a body; ``name``: the file's own; ``dataset``: digest of the manifest."""
    make = _headers_of if len(asked.filename or "") < LONG else _headers_of.__wrapped__
    return dict(make(asked, name, dataset))


@lru_cache(maxsize=1024)
def _headers_of(asked: Asked, name: str | None, dataset: bytes | None) -> dict[str, str]:
    found = {
        "Content-Type": _content_type(asked, name),
        "Content-Disposition": _disposition(asked, name),
        "X-Content-Type-Options": "nosniff",
        "Accept-Ranges": "none" if asked.form == "car" else "bytes",
        "Vary": "Accept",
        **unchanged(asked),
    }
    if asked.form != "sealed":
        found |= {"X-Ipfs-Path": f"/ipfs/{asked.typed}", "X-Ipfs-Roots": asked.name}
    if dataset is not None:
        found[MANIFEST_HEADER] = str(Cid("dag-cbor", dataset))
    if asked.form == "file":
        # A page that was stored here must not act for the gateway's site.
        found["Content-Security-Policy"] = "sandbox"
    if asked.negotiated:
        found["Content-Location"] = asked.location
    return found


def _content_type(asked: Asked, name: str | None) -> str:
    if asked.form == "car":
        return f"{CAR}; version=1; order=dfs; dups={asked.dups}"
    if asked.form == "raw":
        return RAW
    if asked.form == "sealed":
        return _BYTES
    named = asked.filename or name
    if named is None:
        return _CBOR if asked.cid is not None and asked.cid.codec == "dag-cbor" else _BYTES
    kind, packed = _TYPES.guess_type(named, strict=False)
    if kind is None or packed is not None:
        return _BYTES
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind


def _disposition(asked: Asked, name: str | None) -> str:
    if asked.form != "file":
        named = asked.filename or f"{asked.name}.{'car' if asked.form == 'car' else 'bin'}"
        return _named("attachment", named)
    named = asked.filename or name or asked.name
    return _named("attachment" if asked.download else "inline", named)


def _named(how: str, name: str) -> str:
    """RFC 6266: a plain name for old readers where the true one is not plain."""
    ascii_name = "".join(letter if " " <= letter <= "~" and letter not in '"\\%' else "_" for letter in name)
    plain = f'{how}; filename="{ascii_name}"'
    return plain if ascii_name == name else f"{plain}; filename*=UTF-8''{quote(name, safe='', errors='replace')}"
