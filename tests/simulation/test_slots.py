"""Datasets of slots: against the chain, against a slow simulation, and against themselves."""

import math
import random
from collections.abc import Iterator

import numpy as np
import pytest

from agents.core.durability.hazards import YEAR_SECONDS, Code, Hazards
from agents.core.durability.slots import (
    loss_probability,
    mean_time_to_loss,
    repairs_per_second,
    slots_lost_per_repair,
)
from agents.core.errors import CodeParameters, Misuse
from agents.simulation import intervals
from agents.simulation.slots import PIECE, Periodic, SlotsResult, simulate_slots
from tests.simulation.reference import Dataset

DAY = 86_400.0
YEAR = float(YEAR_SECONDS)
LOSSES_AT_LEAST = 30
SETS, HELD = 20, 17


def random_cases() -> Iterator[tuple[Code, Hazards, int, float]]:
    """Codes, hazards, datasets enough to see some 60 of them lost in a year, and the model's probability of that."""
    chance = random.Random(20)
    while True:
        parity = chance.randint(1, 8)
        code = Code(chance.randint(1, 20), parity, chance.randint(1, min(3, parity)), chance.randint(1, 3))
        size = chance.choice((1, 1, 2, 3))
        hazards = Hazards(
            mttf=chance.uniform(60, 400) * DAY, mttr=chance.uniform(0.5, 4) * DAY, mtbp=chance.uniform(0.5, 4) * DAY,
            group_size=size, group_mttf=chance.uniform(1, 10) * YEAR if size > 1 else math.inf,
        )  # fmt: skip
        loss = loss_probability(code, hazards, YEAR)
        if 1e-3 < loss < 0.1:
            yield code, hazards, int(60 / loss), loss


def test_the_model_is_within_the_simulations_interval() -> None:
    held = []
    for seed, (code, hazards, datasets, loss) in zip(range(SETS), random_cases(), strict=False):
        found = simulate_slots(code, hazards, YEAR, datasets, seed)
        assert found.losses >= LOSSES_AT_LEAST
        held.append(found.loss.holds(loss))
    assert len(held) == SETS and sum(held) >= HELD


def lost_all(code: Code, hazards: Hazards, datasets: int) -> SlotsResult:
    found = simulate_slots(code, hazards, 200 * mean_time_to_loss(code, hazards), datasets, 3)
    assert found.losses == datasets
    return found


@pytest.mark.parametrize("code", [Code(4, 2), Code(3, 4, 2), Code(2, 3, 3, 2)])
def test_the_mean_time_to_loss_is_the_chains(code: Code) -> None:
    hazards = Hazards(60 * DAY, 2 * DAY, 3 * DAY)
    found = lost_all(code, hazards, 8_000)
    assert intervals.mean(found.lost_at).holds(mean_time_to_loss(code, hazards))


@pytest.mark.parametrize(("code", "seed"), [(Code(10, 8), 1), (Code(10, 10, 4), 2), (Code(6, 9, 3, 2), 3)])
def test_repairs_and_their_traffic_are_the_chains(code: Code, seed: int) -> None:
    hazards = Hazards(200 * DAY, 1.5 * DAY, 1.0 * DAY)
    found = simulate_slots(code, hazards, 100 * YEAR, 400, seed)
    rate = repairs_per_second(code, hazards)
    traffic = rate * (code.data + slots_lost_per_repair(code, hazards) - 1)
    assert found.losses <= 1
    assert found.repair_rate.value == pytest.approx(rate, rel=0.01) and found.repair_rate.holds(rate)
    assert found.traffic_rate.value == pytest.approx(traffic, rel=0.01) and found.traffic_rate.holds(traffic)


@pytest.mark.parametrize(
    ("code", "hazards", "periodic"),
    [
        (Code(3, 3, 2, 2), Hazards(50 * DAY, 3 * DAY, 2 * DAY), None),
        (Code(5, 4, 1, 1), Hazards(90 * DAY, 3 * DAY, 2 * DAY, 4, 300 * DAY), None),
        (Code(3, 3, 2, 2), Hazards(50 * DAY, 3 * DAY, 2 * DAY), Periodic(1 * DAY, 0.5)),
        (Code(5, 4, 1, 3), Hazards(90 * DAY, 3 * DAY, 2 * DAY, 4, 300 * DAY), Periodic(2 * DAY, 1.0)),
    ],
)
def test_a_slow_simulation_with_a_clock_for_each_slot_agrees(
    code: Code, hazards: Hazards, periodic: Periodic | None
) -> None:
    found = simulate_slots(code, hazards, YEAR / 2, 40_000, 5, periodic=periodic)
    chance = random.Random(9)
    slow = [Dataset(code, hazards, chance, periodic) for _ in range(600)]
    lost_at = np.array([each.life(YEAR / 2) for each in slow])
    assert intervals.share(int(np.isfinite(lost_at).sum()), len(slow), 0.99).holds(found.loss.value)
    lived = np.minimum(lost_at, YEAR / 2).mean()
    for ours, theirs in ((found.repairs, "repairs"), (found.written, "written")):
        assert intervals.mean([getattr(each, theirs) for each in slow], 0.99).holds(float(ours.mean()))
    assert lived == pytest.approx(np.minimum(found.lost_at, found.duration).mean(), rel=0.05)


def test_fixed_periods_find_losses_sooner_than_the_models_proofs_of_the_same_mean() -> None:
    """With a proof each period and no luck in it, a loss is seen after half a period on average; in the model after a whole."""
    code, hazards = Code(6, 3), Hazards(100 * DAY, 1 * DAY, 4 * DAY)
    model = simulate_slots(code, hazards, YEAR, 40_000, 1)
    sure = simulate_slots(code, hazards, YEAR, 40_000, 1, periodic=Periodic(4 * DAY, 1.0))
    drawn = simulate_slots(code, hazards, YEAR, 40_000, 1, periodic=Periodic(0.05 * DAY, 0.05 / 4))
    assert sure.loss.high < 0.7 * model.loss.low
    assert drawn.loss.holds(model.loss.value)  # rare draws are the model's


def test_the_seed_alone_decides_and_another_stays_within_the_interval() -> None:
    code, hazards = Code(4, 3, 2), Hazards(60 * DAY, 2 * DAY, 2 * DAY)
    first, again, other = (simulate_slots(code, hazards, YEAR, 2 * PIECE + 1, seed) for seed in (1, 1, 2))
    assert first.datasets == 2 * PIECE + 1
    for name in ("lost_at", "repairs", "written"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
        assert not np.array_equal(getattr(first, name), getattr(other, name))
    assert first.losses != other.losses and first.loss.holds(other.loss.value) and other.loss.holds(first.loss.value)
    assert ((first.lost_at < YEAR) | np.isinf(first.lost_at)).all() and (first.written >= first.repairs * 2).all()


def test_without_repair_the_binomial_says_it_all() -> None:
    """Proofs so rare that nothing is ever seen."""
    code, hazards = Code(2, 2), Hazards(YEAR, 1.0, 1e6 * YEAR)
    found = simulate_slots(code, hazards, YEAR, 20_000, 4)
    alive = math.exp(-1)
    kept = sum(math.comb(4, there) * alive**there * (1 - alive) ** (4 - there) for there in (2, 3, 4))
    assert found.loss.holds(1 - kept) and found.repairs.sum() == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"duration": 0.0}, "0.0 seconds cannot be simulated"),
        ({"duration": math.inf}, "inf seconds cannot be simulated"),
        ({"duration": math.nan}, "nan seconds cannot be simulated"),
        ({"datasets": 0}, "0 of them cannot be simulated"),
        ({"seed": -1}, "-1 is not a seed"),
        ({"periodic": Periodic(0.0, 0.5)}, "proofs cannot be asked for each 0.0 s with probability 0.5"),
        ({"periodic": Periodic(1.0, 1.5)}, "with probability 1.5"),
    ],
)
def test_what_cannot_be_simulated_is_refused(options: dict[str, object], message: str) -> None:
    asked = {"code": Code(2, 1), "hazards": Hazards(1.0, 1.0, 1.0), "duration": 1.0, "datasets": 1} | options
    with pytest.raises(Misuse, match=message):
        simulate_slots(**asked)  # type: ignore[arg-type]
    with pytest.raises(CodeParameters):
        Code(200, 57)
