"""How a peer can disappoint; every message names the endpoint.

::

    PeerError
    ├── EndpointInvalid     not a URL a provider may register
    ├── PeerDown            nobody listens, or the connection was cut
    ├── PeerSlow            it answers, but not in time
    ├── PeerLied            an answer that breaks the protocol: redirects, compression, wrong length
    │   └── PeerCorrupt     bytes that do not match their digest
    ├── PeerRefused         it says no, and why
    │   └── PeerBusy        it says later
    └── TooFewPeers         fewer than k slots can be read
"""

from agents.core.errors import PeerError

TRY_ANOTHER = "Try again, or read from another host"


class EndpointInvalid(PeerError):
    """A URL that cannot be a provider's endpoint."""


class PeerFault(PeerError):
    """A fault of one peer: ``endpoint`` says whose."""

    def __init__(self, endpoint: str, what: str, why: str = "", do: str = TRY_ANOTHER) -> None:
        self.endpoint = endpoint
        super().__init__(f"{endpoint} {what}", why, do)


class PeerDown(PeerFault):
    """Nobody listens there, or the connection was cut."""


class PeerSlow(PeerFault):
    """It is there, but does not answer in time."""


class PeerLied(PeerFault):
    """It answers something the protocol does not allow."""


class PeerCorrupt(PeerLied):
    """It sent bytes that do not match their digest."""


class PeerRefused(PeerFault):
    """It refused, with an HTTP ``status`` and a reason of its own words."""

    def __init__(self, endpoint: str, status: int, reason: str) -> None:
        self.status = status
        self.reason = reason
        super().__init__(endpoint, f"refused ({status})", reason)


class PeerBusy(PeerRefused):
    """It asks to come back later: too many requests or connections."""


class TooFewPeers(PeerError):
    """Fewer than k slots can be read; ``faults`` says what became of each source."""

    def __init__(self, needed: int, faults: dict[int, PeerError]) -> None:
        self.needed = needed
        self.faults = faults
        told = "; ".join(f"slot {index}: {fault}" for index, fault in sorted(faults.items()))
        super().__init__(
            f"Fewer than {needed} slots can be read",
            told or "the others have no host now",
            "Try again when lost slots are repaired and more of the hosts are reachable: `agent market slots` lists them.",
        )
