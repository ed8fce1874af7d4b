"""How far a cache goes ahead of payment for a reader and a payer, all their lanes together.

Keys, lanes and epochs are free, so what is risked is reckoned by *party*: the reader of a lane, who may not sign, and its
payer, whose money may not be there. With each of them a cache is never more than one interval ahead, and how long that is
follows from what the party's lanes paid, as in one lane. Being a new party takes a deposit of at least
`Terms.minimal_deposit` that no lane keeps, or a grant by who has one: the payer answers for all readers it gave grants.

What a party owes shortens its interval and no more: a lane that overlaps another, or a bad reader among a sponsor's many,
stops nobody else before the interval is gone. Before a lane is open it is served half a first interval at least, for which it
is opened (`Terms.opening`), or nothing: less would be lost to the cache and of no use to the reader. So of many that begin
at once, whoever was served last can go on until its lane is open, and the others after it.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from agents.core.channels.lanes import Lane
from agents.core.channels.terms import Terms


@dataclass(frozen=True)
class Risk:
    """What one lane says of its parties, in base units."""

    reader: str
    payer: str
    paid: int
    """What is sure to be had of it."""
    exposed: int
    """Served, and not sure to be paid; of a lane that ended, lost."""

    @property
    def parties(self) -> Iterable[str]:
        """Who answers for it, each once."""
        return {self.reader, self.payer}


@dataclass
class _Sums:
    paid: int = 0
    exposed: int = 0


class Credit:
    """What is risked on every party. It holds one `Risk` for each lane with something in it."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._risks: dict[bytes, Risk] = {}
        self._sums: defaultdict[str, _Sums] = defaultdict(_Sums)

    def __len__(self) -> int:
        return len(self._sums)

    def note(self, lane: bytes, risk: Risk) -> None:
        """What the lane of this id says now, instead of what it said before."""
        self.drop(lane)
        if risk.paid or risk.exposed:
            self._risks[lane] = risk
            self._add(risk, 1)

    def drop(self, lane: bytes) -> None:
        """The lane says nothing any more."""
        risk = self._risks.pop(lane, None)
        if risk is not None:
            self._add(risk, -1)

    def left(self, lane: Lane) -> int:
        """Base units that may be owed in ``lane``, beyond what is sure, for all that its parties owe in others."""
        own = self._risks.get(lane.id)
        mine = own.exposed if own else 0
        return min(self._interval(party) + mine - self._owed(party) for party in {lane.reader, lane.payer})

    def _add(self, risk: Risk, sign: int) -> None:
        for party in risk.parties:
            sums = self._sums[party]
            sums.paid += sign * risk.paid
            sums.exposed += sign * risk.exposed
            if not (sums.paid or sums.exposed):
                del self._sums[party]

    def _interval(self, party: str) -> int:
        return self._terms.cost(self._terms.window(self._sums[party].paid if party in self._sums else 0))

    def _owed(self, party: str) -> int:
        return self._sums[party].exposed if party in self._sums else 0
