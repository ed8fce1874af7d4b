"""What typer cannot parse by itself: options whose value may be left out.

``agent provider --stake`` deposits the market's minimum and ``agent provider --stake 1000`` deposits 1000 tokens. Click
knows no such option, so the bare form is rewritten to ``--stake=minimum`` before it sees the arguments.
"""

from collections.abc import Iterator, Sequence

MINIMUM = "minimum"
"""The value that a bare ``--stake`` stands for: whatever the registry's minStake is."""

OPTIONAL_VALUES = {"--stake": MINIMUM}
"""Option name -> the value it takes when none is typed."""


def _looks_like_amount(word: str) -> bool:
    return word == MINIMUM or word[:1].isdigit() or (word[:1] in "+-." and word[1:2].isdigit())


def normalise(arguments: Sequence[str]) -> list[str]:
    """``arguments`` with a value supplied to every optional-value option that was typed bare.

    A word after the option is its value when it starts like an amount; anything else (another option, a subcommand, the
    end of the line) leaves it bare. Arguments after ``--`` are positional and stay as they are.
    """
    return list(_normalised(list(arguments)))


def _normalised(arguments: list[str]) -> Iterator[str]:
    for position, argument in enumerate(arguments):
        if argument == "--":
            yield from arguments[position:]
            return
        if argument not in OPTIONAL_VALUES:
            yield argument
            continue
        following = arguments[position + 1] if position + 1 < len(arguments) else ""
        yield argument if _looks_like_amount(following) else f"{argument}={OPTIONAL_VALUES[argument]}"
