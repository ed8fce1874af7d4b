"""Words of the command line -> values, each mistake explained with the option it was typed for."""

from collections.abc import Callable
from typing import TypeVar

import typer

from agents.core.errors import HoldfastError, Misuse
from agents.core.units import SIZES, format_amount, parse_amount

Value = TypeVar("Value")


def read(option: str, text: str, parse: Callable[[str], Value]) -> Value:
    """``parse(text)``; its error becomes a usage error that names ``option``."""
    try:
        return parse(text)
    except HoldfastError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def maybe(option: str, text: str | None, parse: Callable[[str], Value]) -> Value | None:
    """The same for an option that may be left out."""
    return None if text is None else read(option, text, parse)


def price_per_byte(text: str) -> int:
    """Base units per byte, of tokens per GiB. Raises Misuse."""
    amount, gib = parse_amount(text), SIZES["GiB"]
    if amount and amount < gib:
        least = format_amount(gib)
        raise Misuse(f"{text} a GiB is too little", "less than one base unit a byte", f"{least} is the least.")
    return amount // gib
