"""A cache's books: what it earned and what for."""

from collections.abc import Sequence
from dataclasses import dataclass

from agents.core.channels.redemption import claimable
from agents.core.channels.till import Till
from agents.roles.caching.lanes import Past


@dataclass(frozen=True)
class Books:
    """What a cache earned, in base units, and what for."""

    earned: int
    """Signed for by readers, all in all, as far as it was served or money is behind it."""
    redeemed: int
    """Of it, paid out."""
    claimable: int
    """Of it, paid when it is redeemed now."""
    lost: int
    """Of it, never to be had: of lanes that ended before."""
    unpaid: int
    """Beyond it, served and not signed for."""
    served: int
    """Bytes."""
    lanes: int


def books_of(past: Past, tills: Sequence[Till]) -> Books:
    """The books of lanes that are over and of those in use."""
    return Books(
        earned=past.redeemed + past.lost + sum(till.earned for till in tills),
        redeemed=past.redeemed + sum(till.cover.redeemed for till in tills),
        claimable=claimable(tills),
        lost=past.lost,
        unpaid=past.unpaid + sum(till.unpaid for till in tills),
        served=past.served + sum(till.served for till in tills),
        lanes=len(tills),
    )
