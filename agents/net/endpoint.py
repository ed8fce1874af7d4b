"""What a provider may register as its endpoint URL, and which of them are spoken to.

Anybody can register ``http://192.168.0.1``, or a name that leads there: whoever speaks to it from within that network would be
the stranger's hand in it.
"""

import ipaddress
import os
import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import urlsplit

from agents.core.market.types import DEV_CHAIN_IDS
from agents.net.errors import EndpointInvalid

MAX_ENDPOINT = 256
"""Characters of the longest URL: it is paid for in gas and read by everyone."""

PRIVATE_PEERS = "HOLDFAST_PRIVATE_PEERS"
"""Set to ``yes`` where a market is all in one private network."""

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_MAX_HOST = 253
_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*\Z")
_PATH = re.compile(r"(/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?\Z")


@dataclass(frozen=True)
class Peer:
    """Where a provider listens, and the address that signed requests are meant for.

    One without an address was named by the user; the endpoints of all others are whatever strangers registered.
    """

    endpoint: str
    address: str


def private_peers(market: str) -> bool:
    """Whether strangers' endpoints may be in private networks: on a development chain they are, elsewhere if the user says so.

    ``market``: eip155:<chain id>:<address>; empty for none.
    """
    chain_id = market.partition(":")[2].partition(":")[0]
    return chain_id in map(str, DEV_CHAIN_IDS) or os.environ.get(PRIVATE_PEERS) == "yes"


def is_public(address: str) -> bool:
    """Whether an IP address is one that anybody may have: not this machine's, a private network's, or a group's."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address):
        behind = found.ipv4_mapped or found.sixtofour
        if found in _NAT64:
            behind = ipaddress.IPv4Address(found.packed[-4:])
        found = behind or found
    return found.is_global and not found.is_multicast


@lru_cache(maxsize=1 << 12)
def checked_endpoint(url: str) -> str:
    """``url`` without a trailing slash, if it can be an endpoint.

    http or https; a host name or IP address; an optional port and plain path; nothing else. Remembered, for every request is
    to one. Raises EndpointInvalid.
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
