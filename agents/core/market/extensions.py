"""Who paid for which time that was added to a request, and how much of that no host is committed to earn (Extensions.sol).

A funder's money pays for the time it bought and for no other; what of it nobody served comes back when the request is closed.
"""

from dataclasses import replace

from agents.core.market.types import Extension

Extensions = tuple[Extension, ...]
"""Those of one request, oldest first: each begins where the one before ends."""


def added(extensions: Extensions, funder: str, from_: int, until: int, price: int) -> Extensions:
    """With [from_, until) added for ``price``; one funder's that follow each other are one."""
    if extensions and extensions[-1].funder == funder:
        last = extensions[-1]
        return (*extensions[:-1], replace(last, until=until, idle=last.idle + price))
    return (*extensions, Extension(funder, from_, until, price))


def committed(extensions: Extensions, rate: int, from_: int, until: int) -> Extensions:
    """With a host going to earn ``rate`` a second during [from_, until)."""
    return _changed(extensions, -rate, from_, until)


def released(extensions: Extensions, rate: int, from_: int, until: int) -> Extensions:
    """With nobody earning it after all."""
    return _changed(extensions, rate, from_, until)


def _changed(extensions: Extensions, rate: int, from_: int, until: int) -> Extensions:
    return tuple(
        replace(one, idle=one.idle + rate * max(0, min(until, one.until) - max(from_, one.start))) for one in extensions
    )
