"""Extensions.sol by itself, in the hands of a test account: who may write its books, and what it counts as idle."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from tests.contracts.ground import Ground

ID = b"\5" * 31 + b"\0"
RATE = 7
SLOTS = 3
BOUNDS = (1_000, 1_100, 1_400, 1_600)
"""Of three extensions in a row."""


@pytest.fixture
def books(ground: Ground) -> Any:
    """The owner's own."""
    return ground.owner.deploy(ground.contracts.Extensions)


@pytest.fixture
def filled(ground: Ground, books: Any) -> Any:
    """Books of three extensions, each of somebody else, of which nobody serves anything yet."""
    for index, funder in enumerate(ground.hosts[:3]):
        start, until = BOUNDS[index], BOUNDS[index + 1]
        books.add(ID, funder, start, until, SLOTS * RATE * (until - start), sender=ground.owner)
    return books


def idle(ground: Ground, books: Any) -> list[int]:
    """What is idle of each extension, in seconds of a slot."""
    amounts = [amount for *_, amount in ground.idle(ID, books)]
    assert all(amount % RATE == 0 for amount in amounts)
    return [amount // RATE for amount in amounts]


def test_only_the_market_that_made_them_may_write(ground: Ground, market: Any, books: Any) -> None:
    assert (ground.extensions.market(), books.market()) == (market, ground.owner)
    for target, caller in (
        (ground.extensions, ground.owner),
        (ground.extensions, ground.client),
        (books, ground.client),
    ):
        error, arguments = target.Extensions_NotMarket, (ID, RATE, *BOUNDS[:2])
        ground.refused(error, target.add, ID, caller, *BOUNDS[:2], 1, by=caller, caller=caller.address)
        ground.refused(error, target.commit, *arguments, by=caller, caller=caller.address)
        ground.refused(error, target.release, *arguments, by=caller, caller=caller.address)


def test_requests_have_books_of_their_own(ground: Ground, filled: Any) -> None:
    assert [funder for funder, *_ in ground.idle(ID, filled)] == [host.address for host in ground.hosts[:3]]
    assert ground.idle(b"\6" * 31 + b"\0", filled) == []


def test_the_same_funder_follows_itself_in_one_extension(ground: Ground, filled: Any) -> None:
    last, price = ground.hosts[2], SLOTS * RATE * 50
    add = (ID, last, BOUNDS[3], BOUNDS[3] + 50, price)
    assert filled.add.call(*add, sender=ground.owner) == 3
    filled.add(*add, sender=ground.owner)
    assert ground.idle(ID, filled)[2] == (last.address, BOUNDS[2], BOUNDS[3] + 50, SLOTS * RATE * 200 + price)
    assert filled.add.call(ID, ground.hosts[0], *BOUNDS[:2], price, sender=ground.owner) == 4


@pytest.mark.parametrize(
    ("start", "until", "served"),
    [
        (500, 1_000, (0, 0, 0)),
        (500, 1_001, (1, 0, 0)),
        (999, 1_600, (100, 300, 200)),
        (1_000, 1_100, (100, 0, 0)),
        (1_099, 1_101, (1, 1, 0)),
        (1_100, 1_400, (0, 300, 0)),
        (1_250, 1_300, (0, 50, 0)),
        (1_050, 1_500, (50, 300, 100)),
        (1_599, 1_600, (0, 0, 1)),
        (1_599, 1_700, (0, 0, 1)),
        (1_600, 1_700, (0, 0, 0)),
        (1_200, 1_200, (0, 0, 0)),
        # Of a span turned round nothing is counted.
        (1_500, 1_050, (0, 0, 0)),
    ],
)
def test_a_span_takes_from_each_extension_what_lies_in_it_and_gives_it_back(
    ground: Ground, filled: Any, start: int, until: int, served: tuple[int, int, int]
) -> None:
    whole = [SLOTS * (end - begin) for begin, end in pairwise(BOUNDS)]
    assert idle(ground, filled) == whole
    filled.commit(ID, RATE, start, until, sender=ground.owner)
    assert idle(ground, filled) == [all_of_it - part for all_of_it, part in zip(whole, served, strict=True)]
    filled.release(ID, RATE, start, until, sender=ground.owner)
    assert idle(ground, filled) == whole
