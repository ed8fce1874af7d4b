"""Which cache is asked first, and what becomes of one that fails."""

from agents.core.discovery.reputation import LIE_PAUSE, LONGEST_PAUSE, STALL_PAUSE, Candidate, Reputation, ranked

MIB = 1 << 20
NOW = 1000.0


def candidate(name: str, price: int = 10, held: float = 1.0, reputation: Reputation | None = None) -> Candidate:
    return Candidate(name, price, held, reputation or Reputation())


def order(*candidates: Candidate, worth: float = 0.0, most: int = 100) -> str:
    return "".join(each.cache for each in ranked(candidates, MIB, worth, most, NOW))


def test_the_cheapest_comes_first_where_time_is_worth_nothing() -> None:
    slow = Reputation(latency=9.0)
    assert order(candidate("a", 11), candidate("b", 10, reputation=slow), candidate("c", 12)) == "bac"


def test_time_is_weighed_against_price() -> None:
    slow, quick = Reputation(latency=2.0), Reputation(latency=0.01)
    pair = candidate("a", 11, reputation=quick), candidate("b", 10, reputation=slow)
    assert order(*pair, worth=0.4 * MIB) == "ba"
    assert order(*pair, worth=0.6 * MIB) == "ab"


def test_who_has_it_comes_before_who_must_fetch_it() -> None:
    assert order(candidate("a", held=0.0), candidate("b", held=0.5), candidate("c", held=1.0), worth=1.0) == "cba"


def test_a_cache_above_the_limit_is_not_asked() -> None:
    assert order(candidate("a", 101), candidate("b", 100)) == "b"


def test_ties_are_in_order_of_address() -> None:
    assert order(candidate("b"), candidate("a")) == "ab"


def test_measurements_move_the_estimate() -> None:
    seen = Reputation()
    for _ in range(30):
        seen = seen.served(0.05, 10 * MIB, 0.1)
    assert abs(seen.latency - 0.05) < 0.001 and abs(seen.rate / (100 * MIB) - 1) < 0.001
    assert order(candidate("a"), candidate("b", reputation=seen), worth=1.0) == "ba"


def test_a_cache_that_stalls_is_left_alone_for_longer_and_longer() -> None:
    seen, now, pauses = Reputation(), NOW, []
    for _ in range(30):
        seen = seen.stalled(now, "silence")
        pauses.append(seen.resting_until - now)
        assert not seen.welcome(seen.resting_until - 1) and seen.welcome(seen.resting_until)
        now = seen.resting_until
    assert pauses[:3] == [STALL_PAUSE, 2 * STALL_PAUSE, 4 * STALL_PAUSE] and pauses[-1] == LONGEST_PAUSE
    again = seen.served(0.1, MIB, 0.1).stalled(now, "again")
    assert again.resting_until == now + STALL_PAUSE


def test_a_summary_that_comes_promptly_makes_up_for_no_read_that_stalled() -> None:
    seen = Reputation().stalled(NOW, "silence").answered(0.01).stalled(NOW + STALL_PAUSE, "silence")
    assert seen.resting_until == NOW + STALL_PAUSE + 2 * STALL_PAUSE


def test_one_outage_that_many_slots_meet_is_one() -> None:
    seen = Reputation()
    for _ in range(10):
        seen = seen.stalled(NOW, "down")
    assert seen.resting_until == NOW + STALL_PAUSE and seen.stalls == 1


def test_a_liar_is_remembered_and_stalling_does_not_shorten_it() -> None:
    liar = Reputation().lied(NOW, "block 3 has another digest").stalled(NOW, "silence")
    assert not liar.welcome(NOW + LIE_PAUSE - 1) and liar.welcome(NOW + LIE_PAUSE)
    assert order(candidate("a", reputation=liar), candidate("b", 99)) == "b"
