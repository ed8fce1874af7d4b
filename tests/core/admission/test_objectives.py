"""What a cache is good at, reckoned by hand."""

import numpy as np
import pytest

from agents.core.admission.objectives import (
    BYTE_HITS,
    DISK_WRITES,
    EVENTS,
    OBJECT_HITS,
    OBJECTIVES,
    Tally,
    earnings,
    objective,
)
from agents.core.errors import Misuse

TALLY = Tally(requests=10, size=1_000, hot=6, hot_bytes=300, origin_bytes=200, written_bytes=50)


def test_shares_are_of_requests_and_of_bytes() -> None:
    assert TALLY.shares.tolist() == [0.6, 0.3, 0.2, 0.05] and len(EVENTS) == 4
    assert Tally().shares.tolist() == [0, 0, 0, 0]


def test_tallies_add_up() -> None:
    assert (
        Tally(20, 2_000, 12, 600, 400, 100) == TALLY + TALLY
        and (TALLY + TALLY).shares.tolist() == TALLY.shares.tolist()
    )


def test_hits_bytes_and_writes() -> None:
    assert [one.reward(TALLY.shares) for one in (OBJECT_HITS, BYTE_HITS, DISK_WRITES)] == pytest.approx(
        [0.6, 0.3, -0.05]
    )


def test_earnings_are_income_less_what_was_fetched_read_and_written() -> None:
    kept = earnings(income=10, origin=4, reading=1, writing=2).reward(TALLY.shares)
    assert kept * 1_000 == pytest.approx(10 * 1_000 - 4 * 200 - 1 * (1_000 - 300 - 200) - 2 * 50)


def test_rewards_of_many_at_once() -> None:
    shares = np.random.default_rng(1).random((3, 5, 4))
    assert BYTE_HITS.reward(shares) == pytest.approx(shares[:, :, 1])


def test_objectives_have_names() -> None:
    assert all(objective(name).name == name for name in OBJECTIVES)
    with pytest.raises(Misuse, match="Choose one of objects, bytes, writes, earnings"):
        objective("fame")


def test_prices_are_not_below_zero() -> None:
    with pytest.raises(Misuse):
        earnings(1, -1, 0, 0)


def test_of_hits_alone_memory_tells_everything() -> None:
    assert [name for name, one in OBJECTIVES.items() if one.hits_alone] == ["objects", "bytes"]
