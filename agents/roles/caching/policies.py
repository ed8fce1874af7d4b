"""Policies by name, as a person types them."""

from collections.abc import Callable
from dataclasses import dataclass

from agents.core.admission.controller import EPOCH, Controller, Rules, lengths
from agents.core.admission.eviction import Lru
from agents.core.admission.experts import Expert
from agents.core.admission.model import Model
from agents.core.admission.objectives import objective
from agents.core.admission.online import Darwin
from agents.core.admission.policy import Admission, Everything, Static
from agents.core.admission.s3fifo import S3Fifo
from agents.core.errors import Misuse
from agents.roles.caching.shelf import Order

NAMES = "darwin, lru, s3fifo, static:F,SIZE"


@dataclass(frozen=True)
class Wanted:
    """A policy as it was typed."""

    name: str = "darwin"
    objective: str = "objects"
    """What Darwin is to make the most of."""
    epoch: int = EPOCH
    """Requests between two of its looks at the traffic."""


@dataclass(frozen=True)
class Policy:
    """What goes into a memory of so many bytes, and what goes out of it first."""

    admission: Callable[[int], Admission] = lambda capacity: Everything()
    order: Order = lambda capacity: Lru()


def policy_of(wanted: Wanted, model: Callable[[], Model]) -> Policy:
    """``lru``, ``s3fifo``, ``static:3,500KiB`` (from the third request of objects smaller than that), or ``darwin``.

    ``model`` is what Darwin has learnt before. Raises Misuse.
    """
    name, _, rest = wanted.name.partition(":")
    if name == "darwin" and not rest:
        return _darwin(wanted, model)
    if name == "lru" and not rest:
        return Policy()
    if name == "s3fifo" and not rest:
        return Policy(order=S3Fifo)
    if name == "static":
        expert = Expert.parse(rest)
        return Policy(lambda capacity: Static(expert.frequency, expert.size))
    raise Misuse(f"{wanted.name!r} is no policy", f"there are {NAMES}", "Type it like static:3,500KiB.")


def _darwin(wanted: Wanted, model: Callable[[], Model]) -> Policy:
    rules, spans = Rules(objective(wanted.objective)), lengths(wanted.epoch)
    return Policy(lambda capacity: Darwin(Controller(model(), spans, rules), capacity))
