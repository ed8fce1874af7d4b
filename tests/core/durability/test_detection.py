"""What samples catch: the paper's numbers, padding, interleaving, and time."""

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from agents.core.dataset.slot_code import SlotCode
from agents.core.durability.detection import (
    CodedSlot,
    Proofs,
    catch_probability,
    samples_for,
)
from agents.core.errors import CodeParameters, HoldfastError, Misuse

HOUR = 3_600.0


@pytest.mark.parametrize(("share", "samples"), [(1 / 2, 20), (1 / 3, 35), (1 / 4, 49), (1 / 10, 132), (1 / 100, 1_375)])
def test_six_nines(share: float, samples: int) -> None:
    assert samples_for(share, 1e-6) == samples
    assert 1 - catch_probability(share, samples) <= 1e-6 < 1 - catch_probability(share, samples - 1)


def test_the_fewest_samples_exactly() -> None:
    for share in (Fraction(1, 2), Fraction(1, 7), Fraction(3, 4), Fraction(1, 1000)):
        for samples in (1, 2, 9, 40):
            # A target that so many samples meet exactly is not met by one more.
            assert samples_for(float(share), float((1 - share) ** samples)) == samples
    assert samples_for(1.0, 1e-9) == 1


def test_small_losses_are_not_rounded_away() -> None:
    assert catch_probability(1e-18, 5) == pytest.approx(5e-18, rel=1e-12)
    assert catch_probability(0.0, 5) == 0.0
    assert catch_probability(1.0, 5) == 1.0


def test_padding_catches_nothing() -> None:
    plain = CodedSlot(1_000, 0)
    assert (plain.padded_cells, plain.fatal_cells, plain.fatal_share) == (1_024, 1, 1 / 1_024)
    coded = CodedSlot(1_024, 512)
    assert (coded.padded_cells, coded.fatal_cells) == (2_048, 513)
    # All 1,536 cells lost are three quarters of what is sampled: one sample in four is in the padding.
    assert coded.share(1_536) == 0.75
    draws = np.random.default_rng(1).integers(0, coded.padded_cells, (200_000, 3))
    caught = (draws < 513).any(axis=1).mean()
    assert caught == pytest.approx(catch_probability(coded.fatal_share, 3), abs=0.005)


def test_interleaving_makes_a_smaller_loss_fatal() -> None:
    whole, interleaved = CodedSlot(40_000, 20_000), CodedSlot(320_000, 160_000, 8)
    assert whole.fatal_cells == interleaved.fatal_cells == 20_001
    assert interleaved.fatal_share == pytest.approx(whole.fatal_share / 8)
    # Parity that does not divide leaves the last codewords one cell less.
    assert CodedSlot(100, 11, 4).fatal_cells == 3


@pytest.mark.parametrize(("data", "parity"), [(3, 1), (1_000, 500), (2_048, 1_024), (5_000, 2_500)])
def test_the_fatal_cells_are_those_of_the_code_in_use(data: int, parity: int) -> None:
    code = SlotCode(data, parity, cells_per_block=32, cell_bytes=2_048)
    coded = CodedSlot(code.data_cells, code.parity_cells, code.codewords)
    assert coded.fatal_cells == min(code.parity_of(codeword) for codeword in range(code.codewords)) + 1


def test_over_time_against_chance() -> None:
    proofs = Proofs(period=HOUR, one_in=4, samples=5)
    share, chance = 0.2, np.random.default_rng(2)
    caught = chance.random((20_000, 120)) < (1 - 0.8**5) / 4
    assert proofs.mtbp == 4 * HOUR
    assert proofs.caught_a_period(share) == pytest.approx((1 - 0.8**5) / 4)
    for misses in (1, 3):
        times = (
            np.where(caught.cumsum(axis=1).max(axis=1) >= misses, (caught.cumsum(axis=1) >= misses).argmax(axis=1), 999)
            + 1
        )
        for hours in (2, 10, 40):
            assert (times <= hours).mean() == pytest.approx(
                proofs.caught_within(share, hours * HOUR, misses), abs=0.015
            )
        assert times.mean() * HOUR == pytest.approx(proofs.mean_time_to_catch(share, misses), rel=0.03)


def test_time_without_end_and_without_doubt() -> None:
    proofs = Proofs(period=HOUR, one_in=1, samples=1)
    assert proofs.mean_time_to_catch(0.0) == math.inf
    assert proofs.mean_time_to_catch(1.0, 3) == 3 * HOUR
    assert proofs.caught_within(0.0, 1e6) == 0.0
    assert proofs.caught_within(1.0, 3 * HOUR, 3) == 1.0
    assert proofs.caught_within(1.0, 2.99 * HOUR, 3) == 0.0
    assert proofs.caught_within(0.5, 10 * HOUR, 1) == 1 - 0.5**10


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda: CodedSlot(0, 1), CodeParameters),
        (lambda: CodedSlot(4, -1), CodeParameters),
        (lambda: CodedSlot(4, 2, 5), CodeParameters),
        (lambda: CodedSlot(60_000, 6_000), CodeParameters),
        (lambda: CodedSlot(4, 2).share(7), Misuse),
        (lambda: catch_probability(1.1, 1), Misuse),
        (lambda: catch_probability(math.nan, 1), Misuse),
        (lambda: catch_probability(0.5, 0), Misuse),
        (lambda: samples_for(0.0, 0.1), Misuse),
        (lambda: samples_for(0.5, 1.0), Misuse),
        (lambda: Proofs(0.0, 1, 1), Misuse),
        (lambda: Proofs(HOUR, 0, 1), Misuse),
        (lambda: Proofs(HOUR, 1, 0), Misuse),
        (lambda: Proofs(HOUR, 1, 1).caught_within(0.5, 0.0), Misuse),
        (lambda: Proofs(HOUR, 1, 1).mean_time_to_catch(0.5, 0), Misuse),
    ],
)
def test_what_cannot_be_is_refused(make: Any, kind: type[HoldfastError]) -> None:
    with pytest.raises(kind):
        make()
