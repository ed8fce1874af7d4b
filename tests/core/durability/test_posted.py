"""What is left of a request: against equations solved at 60 digits, and against the model that it was chosen by."""

import math
from dataclasses import replace
from typing import Any

import mpmath
import pytest

from agents.core.durability.choice import Need, Offer, predicted
from agents.core.durability.hazards import YEAR_SECONDS, Code, Hazards
from agents.core.durability.posted import Posted, posted, unmended, until_back
from agents.core.durability.transient import loss_by
from agents.core.errors import CodeParameters
from agents.core.market.types import Ask
from agents.core.proofs.profiles import PROFILES
from tests.core.durability.chains import published, solved, told_apart
from tests.examples import MARKET, example_ask

DAY = 86_400.0
HOURLY = replace(MARKET, period_blocks=300, block_seconds=12)
PAPER = Hazards(mttf=YEAR_SECONDS, mttr=DAY, mtbp=DAY)
ASK = example_ask(slots=16, max_slot_loss=7, repair_threshold=2, proof_probability=6, slot_size=54 * 65_536)


@pytest.fixture(autouse=True)
def _sixty_digits() -> Any:
    with mpmath.workdps(60):
        yield


def of(ask: Ask = ASK, vacant: int = 0, remaining: int = int(30 * DAY), **hazards: Any) -> Posted:
    assumed = replace(PAPER, mtbp=float(ask.proof_probability * HOURLY.period_seconds), **hazards)
    return posted(ask, vacant, remaining, HOURLY, PROFILES["codex"], assumed)


@pytest.mark.parametrize("vacant", [0, 1, 2, 3, 5, 6])
def test_what_is_left_of_a_cycle_at_sixty_digits(vacant: int) -> None:
    code = Code(4, 6, 3)
    seconds, loss, repair, lost = solved((vacant, vacant), published(code, PAPER), lambda state: state[0])
    found = until_back(code, PAPER, vacant)
    assert found.seconds == pytest.approx(float(seconds), rel=1e-12)
    assert found.loss == pytest.approx(float(loss), rel=1e-12, abs=0)
    assert found.repair == pytest.approx(float(repair), rel=1e-12)
    assert found.lost_slots == pytest.approx(float(lost / repair), rel=1e-12)


@pytest.mark.parametrize(
    ("code", "size", "vacant"),
    [(Code(2, 3, 3, 2), 2, 1), (Code(4, 4, 3), 2, 2), (Code(3, 4, 1, 3), 3, 3), (Code(4, 4, 2), 2, 3), (Code(3, 3, 1), 3, 1)],
)  # fmt: skip
def test_with_misses_and_groups_against_slots_told_apart(code: Code, size: int, vacant: int) -> None:
    hazards = Hazards(50 * DAY, DAY, DAY, size, 100 * DAY)
    _, moves = told_apart(code, hazards)
    sizes = [size] * (code.slots // size) + ([code.slots % size] if code.slots % size else [])
    start, left = [], vacant
    for slots in reversed(sizes):
        gone = min(left, slots)
        left -= gone
        start.append((0, slots - gone, *(0,) * code.misses, gone))
    told = solved(tuple(sorted(start)), moves, lambda state: code.slots - sum(group[1] for group in state))
    found = until_back(code, hazards, vacant)
    ours = (found.seconds, found.loss, found.repair, found.lost_slots * found.repair)
    assert ours == pytest.approx([float(exact) for exact in told], rel=1e-11)


def test_with_all_slots_there_it_is_what_was_quoted() -> None:
    need = Need(size=9 * 36 * 65_536, duration=int(30 * DAY), nines=6, mttf=YEAR_SECONDS, mttr=DAY)
    offer = Offer(HOURLY, PROFILES["codex"], price=1_000, proof_gas=250_000)
    chosen, found = predicted(need, offer, 9, 7, 2, 6), of()
    for name in (
        "code",
        "cycle",
        "interval",
        "loss",
        "repairs",
        "traffic",
        "proofs",
        "fatal_share",
        "caught",
        "slot_bytes",
    ):
        assert getattr(found, name) == getattr(chosen, name), name
    assert found.loss_in_remaining == chosen.loss_in_duration
    assert found.mean_time_to_loss == pytest.approx(chosen.cycle.mean_time_to_loss, rel=1e-9)
    assert found.caught < found.caught_within(DAY) < 1
    assert found.caught_within(DAY) == pytest.approx(1 - (1 - found.caught / 6) ** 24)


def test_every_slot_lost_makes_it_worse() -> None:
    losses = [of(vacant=vacant).loss_in_remaining for vacant in range(8)]
    lives = [of(vacant=vacant).mean_time_to_loss for vacant in range(8)]
    # With the second the repair opens, and what waits for it with one lost is worse off than that.
    assert 0 < losses[0] < losses[2] < losses[1] < losses[3]
    assert losses[2:] == sorted(losses[2:]) and lives[2:] == sorted(lives[2:], reverse=True)
    assert lives[0] > lives[7] > (1 - 0.03) * lives[0]
    # One more loss is the last, unless the repair is over first.
    assert losses[7] == pytest.approx(9 / (9 + 365), rel=1e-3)


@pytest.mark.parametrize("grouping", [{}, {"group_size": 3, "group_mttf": 40 * DAY}])
def test_without_repairs_it_is_what_the_chain_says_where_there_are_none(grouping: dict[str, Any]) -> None:
    for seconds in (DAY, 30 * DAY):
        rare = Hazards(50 * DAY, mttr=1e12, mtbp=1e12, **grouping)
        for data, parity in ((3, 4), (4, 3), (2, 0)):
            left = Code(data, parity)
            assert unmended(Code(data, parity + 2), rare, 2, seconds) == pytest.approx(
                loss_by(left, rare, seconds), rel=1e-6
            )


def test_over_times_that_are_short_beside_a_repair_nothing_is_lost_at_once() -> None:
    found = [of(vacant=5, remaining=seconds) for seconds in (60, 3_600, int(DAY), int(30 * DAY))]
    losses = [one.loss_in_remaining for one in found]
    # Three more of eleven slots, each with a chance of an hour in a year.
    assert losses[1] == pytest.approx(165 * (3_600 / YEAR_SECONDS) ** 3, rel=1e-2)
    assert losses == sorted(losses) and losses[0] < losses[1] / 1e5
    assert losses[3] < unmended(found[3].code, found[3].hazards, 5, 30 * DAY) / 100


def test_hosts_that_fail_together_make_it_worse() -> None:
    together = {"group_size": 2, "group_mttf": 10.0 * YEAR_SECONDS}
    for vacant in (0, 1, 4):
        assert of(vacant=vacant, **together).loss_in_remaining > of(vacant=vacant).loss_in_remaining


def test_slots_that_others_made_are_taken_to_have_no_code_of_their_own() -> None:
    for size in (4 * 65_536, 54 * 65_536 + 1, 1_000):
        found = of(replace(ASK, slot_size=size))
        assert found.coded.parity_cells == 0 and found.coded.fatal_cells == 1
        assert found.coded.data_cells == math.ceil(size / 2_048)
        assert found.data_bytes == size
    ours = of()
    assert (ours.coded.data_cells, ours.coded.parity_cells) == (36 * 32, 18 * 32)


def test_what_the_model_does_not_know_is_refused() -> None:
    with pytest.raises(CodeParameters, match="17 missed proofs"):
        posted(ASK, 0, 1, replace(HOURLY, max_misses=17), PROFILES["codex"], PAPER)
