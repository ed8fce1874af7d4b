"""Whose turn it is, who comes too late, how long is waited for a worker, what is known of the pace: against plain models."""

from itertools import combinations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agents.core.proofs.pace import MINUTE, REMEMBERED, STALE_SECONDS, ProvingLoad, Tally
from agents.core.proofs.queue import FIRST_PATIENCE, LEAST_PATIENCE, MOST_PATIENCE, Agenda, Entry, hopeless, patience

TIMES = st.floats(0, 100).map(lambda value: round(value, 1))
SPANS = st.floats(0.1, 1000)


Job = tuple[float, float]
"""When a proof begins to wait, and its deadline."""


def played(jobs: list[Job], workers: int, seconds: float) -> tuple[list[float], int]:
    """Let ``workers`` take from an agenda: by how much each proof was in time, and how many were refused."""
    agenda, free, spare, refused = Agenda(), [0.0] * workers, list[float](), 0
    coming = sorted(jobs)
    while coming or len(agenda):
        now = min(free)
        if not len(agenda) and coming:
            now = max(now, coming[0][0])
        while coming and coming[0][0] <= now:
            agenda.add(coming.pop(0)[1])
        refused += len(agenda.take_hopeless(now, seconds))
        first = agenda.first
        if first is not None:
            agenda.drop(first)
            spare.append(first.deadline - now - seconds)
            free[free.index(min(free))] = now + seconds
        else:
            free[free.index(min(free))] = now
    return spare, refused


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 40)), max_size=12), st.integers(1, 3), st.integers(1, 6))
def test_whatever_is_begun_is_in_time_and_nobody_is_forgotten(jobs: list[Job], workers: int, seconds: int) -> None:
    spare, refused = played(jobs, workers, seconds)
    assert all(left >= 0 for left in spare) and len(spare) + refused == len(jobs)


@given(st.lists(st.integers(0, 12), max_size=7), st.integers(1, 3), st.integers(1, 4))
def test_of_proofs_due_at_once_as_many_are_made_as_any_order_allows(due: list[int], workers: int, seconds: int) -> None:
    def possible(chosen: tuple[int, ...]) -> bool:
        """Whether all of ``chosen`` can be in time: in order of their deadlines, ``workers`` at a time."""
        return all((place // workers + 1) * seconds <= deadline for place, deadline in enumerate(sorted(chosen)))

    most = max(size for size in range(len(due) + 1) if any(map(possible, combinations(due, size))))
    spare, _ = played([(0.0, float(deadline)) for deadline in due], workers, seconds)
    assert len(spare) == most


class AgendaMachine(RuleBasedStateMachine):
    """An agenda beside a list that is searched from end to end."""

    def __init__(self) -> None:
        super().__init__()
        self.agenda = Agenda()
        self.model: list[Entry] = []
        self.gone: list[Entry] = []

    @rule(deadline=TIMES)
    def add(self, deadline: float) -> None:
        entry = self.agenda.add(deadline)
        assert entry.deadline == deadline and entry not in self.model + self.gone
        self.model.append(entry)

    @rule(data=st.data())
    def drop(self, data: st.DataObject) -> None:
        if self.model:
            entry = data.draw(st.sampled_from(self.model))
            assert self.agenda.drop(entry)
            self.model.remove(entry)
            self.gone.append(entry)

    @rule(data=st.data())
    def drop_again(self, data: st.DataObject) -> None:
        if self.gone:
            assert not self.agenda.drop(data.draw(st.sampled_from(self.gone)))

    @rule(now=TIMES, seconds=st.floats(0, 30))
    def take_hopeless(self, now: float, seconds: float) -> None:
        found = self.agenda.take_hopeless(now, seconds)
        assert found == sorted(entry for entry in self.model if now + seconds > entry.deadline)
        self.model = [entry for entry in self.model if entry not in found]
        self.gone += found

    @invariant()
    def the_first_is_the_earliest_and_of_those_the_oldest(self) -> None:
        oldest_first = sorted(self.model, key=lambda entry: entry.number)
        assert self.agenda.first == min(oldest_first, key=lambda entry: entry.deadline, default=None)
        assert len(self.agenda) == len(self.model)


TestAgenda = AgendaMachine.TestCase


@given(deadline=TIMES, now=TIMES, seconds=SPANS, known=st.booleans(), last=st.booleans())
def test_patience(deadline: float, now: float, seconds: float, known: bool, last: bool) -> None:
    found = patience(deadline, now, seconds, known, last)
    least = max(LEAST_PATIENCE if known else FIRST_PATIENCE, 3 * seconds)
    assert least <= found <= max(MOST_PATIENCE, 10 * seconds, least)
    if found > least and not last:
        # A worker that hangs is found out while there is time for another proof.
        assert not hopeless(deadline, now + found, seconds)
    if found > least and last:
        assert now + found <= deadline + 1e-6
    assert patience(deadline, now, seconds, known, True) >= patience(deadline, now, seconds, known, False)


@given(st.lists(st.tuples(st.floats(0.1, 50), st.floats(0, 40)), max_size=30))
def test_the_mean_is_of_the_last_proofs_and_the_count_of_the_last_minute(proofs: list[tuple[float, float]]) -> None:
    tally, now, ends = Tally(9.0), 1_000.0, list[float]()
    assert tally.seconds == 9.0 and tally.known == 0.0
    for seconds, pause in proofs:
        now += pause
        ends.append(now)
        tally.proven(seconds, now)
        last = sorted(took for took, _ in proofs[: len(ends)][-REMEMBERED:])
        usual = last[:-1] or last
        assert abs(tally.seconds - sum(usual) / len(usual)) < 1e-9
        assert tally.known == (tally.seconds if len(last) > 1 else 0.0)
        assert tally.per_minute(now) == sum(now - end <= MINUTE for end in ends)
    assert tally.per_minute(now + MINUTE + 1) == 0


def test_what_is_known_is_doubted_when_it_refuses_and_nothing_confirms_it() -> None:
    tally = Tally(1.0)
    tally.proven(8.0, 99.0)
    tally.proven(8.0, 100.0)
    tally.turned_away(100.0 + STALE_SECONDS, guessed=True)
    assert tally.known == 8.0
    # A deadline that has passed says nothing about the machine.
    tally.turned_away(500.0, guessed=False)
    assert tally.known == 8.0
    tally.turned_away(500.0, guessed=True)
    assert (tally.known, tally.seconds, tally.refused) == (0.0, 8.0, 3)
    tally.proven(2.0, 501.0)
    assert tally.known == 5.0  # of 8, 8 and 2, one 8 left out


def test_a_load_in_words_and_as_json() -> None:
    load = ProvingLoad(waiting=3, running=2, capacity=2, due_in=11.6, per_minute=40, seconds=1.514, refused=0)
    assert str(load) == "2 of 2 running, 3 waiting, next due in 12 s, 40 in the last minute, 1.51 s each"
    assert ProvingLoad(**load.as_json()) == load  # type: ignore[arg-type]
    idle = ProvingLoad(0, 0, 4, None, 0, 2.0, 7)
    assert str(idle) == "0 of 4 running, 0 waiting, 0 in the last minute, 2.00 s each, 7 refused as too late"
