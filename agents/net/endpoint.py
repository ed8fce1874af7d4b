"""What a provider may register as its endpoint URL."""

import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from agents.net.errors import EndpointInvalid

MAX_ENDPOINT = 256
"""Characters of the longest URL: it is paid for in gas and read by everyone."""

_MAX_HOST = 253
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*\Z")
_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?\Z")


@dataclass(frozen=True)
class Peer:
    """Where a provider listens, and the address that signed requests are meant for."""

    endpoint: str
    address: str


def checked_endpoint(url: str) -> str:
    """``url`` without a trailing slash, if it can be an endpoint.

    http or https; a host name or IP address; an optional port and plain path; nothing else. Private and loopback
    addresses are allowed: a devnet lives there. Raises EndpointInvalid.
    """
    if len(url) > MAX_ENDPOINT:
        raise _invalid(url, f"longer than {MAX_ENDPOINT} characters")
    if not url.isascii() or any(not 32 < ord(char) < 127 for char in url):
        raise _invalid(url, "only printable ASCII without spaces is allowed")
    try:
        parts = urlsplit(url)
        port = parts.port
        host = parts.hostname
    except ValueError as error:
        raise _invalid(url, str(error)) from error
    if parts.scheme not in ("http", "https"):
        raise _invalid(url, "it must start with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise _invalid(url, "no user name or password may stand in it")
    if parts.query or parts.fragment or "?" in url or "#" in url:
        raise _invalid(url, "no query and no fragment may stand in it")
    if not host or not _is_host(host):
        raise _invalid(url, "it names no host")
    if port == 0:
        raise _invalid(url, "port 0 cannot be reached")
    if not _PATH.match(parts.path):
        raise _invalid(url, "its path may hold letters, digits, '-', '_', '.', '~' only")
    return url.rstrip("/")


def _is_host(host: str) -> bool:
    """A DNS name, or an address that sockets take: a resolver breaks on empty and overlong labels."""
    if ":" not in host:
        return len(host) <= _MAX_HOST and _HOST.match(host) is not None
    try:
        return "%" not in host and bool(ipaddress.IPv6Address(host))
    except ValueError:
        return False


def _invalid(url: str, why: str) -> EndpointInvalid:
    shown = "".join(char if 32 <= ord(char) < 127 else "?" for char in url[:80])
    return EndpointInvalid(f"{shown!r} is no provider endpoint", why, "Give one like http://203.0.113.7:7070")
