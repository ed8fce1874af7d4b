"""Policies by name, as a person types them."""

from dataclasses import dataclass

from agents.core.admission.eviction import Lru
from agents.core.admission.policy import Admission, Everything, Static
from agents.core.admission.s3fifo import S3Fifo
from agents.core.errors import HoldfastError, Misuse
from agents.core.units import parse_count, parse_size
from agents.roles.caching.shelf import Order

NAMES = "lru, s3fifo, static:F,SIZE"


@dataclass(frozen=True)
class Policy:
    """What goes into memory, and what goes out of it first."""

    admission: Admission
    order: Order = lambda capacity: Lru()


def policy_named(text: str) -> Policy:
    """``lru``, ``s3fifo``, or ``static:3,500KiB``: from the third request of objects smaller than that. Raises Misuse."""
    name, _, rest = text.partition(":")
    if name == "lru" and not rest:
        return Policy(Everything())
    if name == "s3fifo" and not rest:
        return Policy(Everything(), S3Fifo)
    try:
        frequency, size = rest.split(",")
        if name == "static":
            return Policy(Static(parse_count(frequency), parse_size(size)))
    except (ValueError, HoldfastError):
        pass
    raise Misuse(f"{text!r} is no policy", f"there are {NAMES}", "Type it like static:3,500KiB.")
