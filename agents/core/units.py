"""Units people type and read: sizes (KiB, GiB), times (30d, 12h) and token amounts (1.5).

Sizes and times are whole numbers of bytes and seconds. Amounts are base units, 10**18 to a token, and never pass through
a float.
"""

import re
from datetime import UTC, datetime
from fractions import Fraction

from agents.core.errors import Misuse

DECIMALS = 18
"""Decimals of the market's token."""

TOKEN: int = 10**DECIMALS
"""Base units in one token."""

SYMBOL = "HOLD"

SIZES = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40}
TIMES = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 7 * 86_400, "y": 365 * 86_400}

_NUMBER = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")


def _scaled(text: str, units: dict[str, int], bare: str, kind: str, example: str) -> int:
    found = _NUMBER.fullmatch(text.strip())
    known = {name.lower(): factor for name, factor in units.items()}
    unit = (found.group(2) or bare).lower() if found else ""
    if found is None or unit not in known:
        raise Misuse(f"{text!r} is not a {kind}", f"the units are {', '.join(units)}", f"Type it like {example}.")
    value = Fraction(found.group(1)) * known[unit]
    if value.denominator != 1:
        raise Misuse(f"{text!r} is not a whole number of {bare}", "", f"Type it like {example}.")
    return int(value)


def parse_size(text: str) -> int:
    """Bytes in ``text``, e.g. ``20MiB``; a bare number is bytes. Raises Misuse."""
    return _scaled(text, SIZES, "B", "size", "20GiB")


def parse_duration(text: str) -> int:
    """Seconds in ``text``, e.g. ``30d``; a bare number is seconds. Raises Misuse."""
    return _scaled(text, TIMES, "s", "time", "30d")


def parse_amount(text: str) -> int:
    """Base units in ``text``, an amount of tokens such as ``1.5``. Raises Misuse."""
    cleaned = text.strip().removesuffix(SYMBOL).strip()
    if not re.fullmatch(r"\d+(\.\d+)?", cleaned):
        raise Misuse(f"{text!r} is not an amount", "an amount is digits with at most one point", "Type it like 1.5.")
    value = Fraction(cleaned) * TOKEN
    if value.denominator != 1:
        raise Misuse(f"{text!r} is too fine", f"a token has {DECIMALS} decimals", "Round it.")
    return int(value)


def parse_count(text: str) -> int:
    """A whole number of zero or more. Raises Misuse."""
    if not text.strip().isdecimal():
        raise Misuse(f"{text!r} is not a whole number", "", "Type digits only.")
    return int(text)


def format_size(size: int) -> str:
    """``size`` bytes for a person, e.g. ``1.5 GiB``."""
    for name in ("TiB", "GiB", "MiB", "KiB"):
        if size >= SIZES[name]:
            return f"{size / SIZES[name]:.4g} {name}" if size % SIZES[name] else f"{size // SIZES[name]} {name}"
    return f"{size} B"


def format_duration(seconds: int) -> str:
    """``seconds`` for a person, its two largest parts, e.g. ``2d 3h``."""
    if seconds <= 0:
        return "0s"
    parts = []
    for name in ("d", "h", "m", "s"):
        count, seconds = divmod(seconds, TIMES[name])
        if count:
            parts.append(f"{count}{name}")
    return " ".join(parts[:2])


def spell_duration(seconds: int) -> str:
    """``seconds`` exactly, as one number that `parse_duration` reads, e.g. ``51h``."""
    name = next(name for name in ("y", "d", "h", "m", "s") if seconds % TIMES[name] == 0)
    return f"{seconds // TIMES[name]}{name}"


def format_amount(amount: int) -> str:
    """``amount`` base units as tokens, exact, e.g. ``-1.5 HOLD``."""
    sign = "-" if amount < 0 else ""
    whole, rest = divmod(abs(amount), TOKEN)
    tail = f".{rest:0{DECIMALS}d}".rstrip("0") if rest else ""
    return f"{sign}{whole}{tail} {SYMBOL}"


def format_price(per_byte: int) -> str:
    """``per_byte`` base units a byte as tokens a GiB, e.g. ``10 HOLD``."""
    finest = 10 ** (DECIMALS - 8)  # what a price by the byte still tells apart
    return format_amount(-(-per_byte * SIZES["GiB"] // finest) * finest)


def format_time(timestamp: int) -> str:
    """A UNIX ``timestamp`` as UTC date and time."""
    return datetime.fromtimestamp(timestamp, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
