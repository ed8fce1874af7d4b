"""Parts of a file: HTTP byte ranges, and ``entity-bytes`` of trustless gateways."""

import re
from dataclasses import dataclass
from typing import Self

_RANGE = re.compile(r"bytes=[ \t]*([0-9]{0,18})-([0-9]{0,18})[ \t]*\Z")
_SPAN = re.compile(r"(-?[0-9]{1,18}):(-?[0-9]{1,18}|\*)\Z")


class Unsatisfiable(Exception):
    """A range that begins behind the end."""


def byte_range(header: str, size: int) -> range | None:
    """Which bytes a Range header asks for; None: all of them, as for several ranges and for what is no range.

    Raises Unsatisfiable.
    """
    found = _RANGE.match(header)
    if found is None or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        if not int(last) or not size:
            raise Unsatisfiable
        return range(max(0, size - int(last)), size)
    if last and int(last) < int(first):
        return None
    if int(first) >= size:
        raise Unsatisfiable
    return range(int(first), min(int(last) + 1, size) if last else size)


@dataclass(frozen=True, slots=True)
class Span:
    """``entity-bytes=first:last``: both included, counted from the end where negative; ``last`` None is the end."""

    first: int
    last: int | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError."""
        found = _SPAN.match(text)
        if found is None:
            raise ValueError(text)
        return cls(int(found[1]), None if found[2] == "*" else int(found[2]))

    def within(self, size: int) -> range:
        """The bytes of it that a file of ``size`` has; none where they end before they begin."""
        first = self.first if self.first >= 0 else max(0, size + self.first)
        last = size - 1 if self.last is None else self.last if self.last >= 0 else size + self.last
        return range(first, max(first, min(last + 1, size)))

    def __str__(self) -> str:
        return f"{self.first}:{'*' if self.last is None else self.last}"
