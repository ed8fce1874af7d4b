"""What people type, and what they read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.core import errors, units


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("512", 512), ("1KiB", 1024), ("1.5 GiB", 3 << 29), ("20mib", 20 << 20), ("2TiB", 2 << 40)],
)
def test_sizes(text: str, size: int) -> None:
    assert units.parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("12h", 43200), ("30d", 2592000), ("1.5m", 90), ("1y", 31536000)]
)
def test_durations(text: str, seconds: int) -> None:
    assert units.parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "GiB", "-1", "1 parsec", "1e3", "0x10", "1.0001B", "ten"])
def test_sizes_with_a_typo_say_how_to_type_them(text: str) -> None:
    with pytest.raises(errors.Misuse, match="20GiB"):
        units.parse_size(text)


@pytest.mark.parametrize("text", ["", "-5", "1,5", "1e18", "nan", "0." + "1" * 19])
def test_amounts_with_a_typo_are_refused(text: str) -> None:
    with pytest.raises(errors.Misuse):
        units.parse_amount(text)


@given(st.integers(0, 10**40))
def test_an_amount_survives_being_written_and_read(amount: int) -> None:
    assert units.parse_amount(units.format_amount(amount)) == amount


@given(st.integers(0, 10**15))
def test_a_price_is_shown_as_it_was_typed(hundred_millionths: int) -> None:
    typed = hundred_millionths * 10**10
    assert units.format_price(typed // units.SIZES["GiB"]) == units.format_amount(typed)


@given(st.integers(0, 10**15))
def test_sizes_and_times_are_always_readable(number: int) -> None:
    assert units.format_size(number)
    assert units.format_duration(number)


@given(st.integers(1, 10**15))
def test_a_time_survives_being_spelt_and_read(seconds: int) -> None:
    assert units.parse_duration(units.spell_duration(seconds)) == seconds
    spelt = [units.spell_duration(seconds) for seconds in (31_536_000, 30 * 86_400, 129_600, 90)]
    assert spelt == ["1y", "30d", "36h", "90s"]


def test_a_size_is_never_written_with_an_exponent() -> None:
    assert units.format_size(1_047_000) == "1022 KiB"


def test_every_error_has_its_exit_code_and_words() -> None:
    codes = dict(errors.exit_codes())
    assert list(codes) == list(range(1, 12))
    error = errors.DiskFull("The disk is full", "no room", "Make room.")
    assert (str(error), error.exit_code) == ("The disk is full: no room. Make room.", 9)
    assert str(errors.Corrupt("It is damaged.")) == "It is damaged."
