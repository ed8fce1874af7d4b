"""The quote is the cheapest there is: against trying everything, against Codex's Table 1, and with what it must never do."""

import json
import math
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from agents.core.dataset.slot_code import SlotCode
from agents.core.durability.choice import Choice, Need, Offer, predicted, predictions
from agents.core.durability.hazards import YEAR_SECONDS
from agents.core.durability.outlook import coded_slot
from agents.core.durability.quote import Pins, alternatives, cheapest, ladders, probability_of
from agents.core.errors import CodeParameters, FileRejected, HoldfastError, Misuse, OutOfReach
from agents.core.market.types import MAX_SLOTS
from agents.core.proofs.profiles import PROFILES
from agents.core.units import TOKEN
from tests.examples import MARKET

HOUR, DAY = 3_600, 86_400
HOURLY = replace(MARKET, period_blocks=300, block_seconds=12, max_duration=YEAR_SECONDS)
"""A period is an hour, as on a main chain, and a request lasts a year at most."""

NEED = Need(size=20 << 20, duration=YEAR_SECONDS, nines=9, mttf=YEAR_SECONDS, mttr=DAY)
OFFER = Offer(HOURLY, PROFILES["codex"], price=1_000, proof_gas=250_000)

TABLE = json.loads((Path(__file__).parents[2] / "vectors" / "codex_table1.json").read_text())["rows"]


def everything(need: Need, offer: Offer, most: int) -> list[Choice]:
    """All that meets the target, of the proof probabilities that are tried."""
    codes = [(data, slots - data) for slots in range(2, most + 1) for data in range(1, slots + 1)]
    found = [
        choice
        for threshold in range(1, most)
        for probability in ladders(need, offer.config)[0]
        for choice in predictions(
            need, offer, [code for code in codes if max(1, code[1]) >= threshold], threshold, probability
        )
    ]
    return [choice for choice in found if choice.loss <= need.target]


@pytest.mark.parametrize(
    ("nines", "blocks", "misses", "prices"),
    [
        (3, 1, 1, {}),
        (4.5, 40, 1, {}),
        (6, 40, 3, {}),
        (4, 4_000, 1, {"gas_price": TOKEN // 500}),
        (4, 4_000, 1, {"traffic_price": TOKEN // 10}),
        (2, 333, 3, {"gas_price": TOKEN // 3_000, "traffic_price": TOKEN // 100}),
    ],
)
def test_nothing_that_will_do_is_cheaper(nines: float, blocks: int, misses: int, prices: dict[str, int]) -> None:
    need = replace(NEED, nines=nines, size=blocks * 65_536)
    offer = replace(OFFER, config=replace(HOURLY, period_blocks=1_800, max_misses=misses), **prices)
    best = min(everything(need, offer, 6), key=lambda choice: choice.rank)
    assert cheapest(need, offer, Pins(max_slots=6)).rank == best.rank


@pytest.mark.parametrize(
    ("nines", "size", "years", "misses"), [(2, 2, 10, 3), (3, 3, 40, 1), (1, 4, 5, 3), (2, 1, 10, 1), (1, 300, 20, 1)]
)
def test_hosts_that_fail_together_are_reckoned_with(nines: float, size: int, years: int, misses: int) -> None:
    alone = replace(NEED, nines=nines, size=40 * 65_536)
    need = replace(alone, group_size=size, group_mttf=float(years * YEAR_SECONDS))
    offer = replace(OFFER, config=replace(HOURLY, period_blocks=3_600, max_misses=misses))
    best = min(everything(need, offer, 6), key=lambda choice: choice.rank)
    found = cheapest(need, offer, Pins(max_slots=6))
    assert found.rank == best.rank
    assert found.loss == pytest.approx(best.loss, rel=1e-12) and found.cost >= cheapest(alone, offer).cost
    again = predicted(alone, offer, found.code.data, found.code.parity, found.code.repair_threshold, found.probability)
    assert again.loss < found.loss


def test_no_parity_helps_where_all_hosts_fail_together() -> None:
    together = replace(NEED, group_size=MAX_SLOTS, group_mttf=10.0 * YEAR_SECONDS)
    with pytest.raises(OutOfReach, match=r"loses it with 9\.5e-02, which is 1\.0 nines.*--group-mttf"):
        cheapest(together, OFFER, Pins(max_slots=16))


def test_with_hosts_that_fail_together_it_takes_little_longer() -> None:
    need = replace(NEED, group_size=2, group_mttf=10.0 * YEAR_SECONDS)
    begun = time.process_time()
    best = cheapest(need, OFFER, Pins(max_slots=64))
    found = alternatives(need, OFFER, Pins(max_slots=64), best)
    assert time.process_time() - begun < 3, "0.5 s on an idle machine"
    assert found[0] == best and len(found) > 5


def test_thresholds_are_worth_their_parity_once_traffic_costs_something() -> None:
    free = cheapest(NEED, OFFER, Pins(max_slots=24))
    dear = cheapest(NEED, replace(OFFER, traffic_price=3 * TOKEN), Pins(max_slots=24))
    assert free.code.repair_threshold == 1 < dear.code.repair_threshold
    assert dear.traffic < free.traffic / 2
    assert dear.price > free.price


def test_more_nines_are_never_cheaper_and_always_kept() -> None:
    found = [cheapest(replace(NEED, nines=nines), OFFER, Pins(max_slots=20)) for nines in range(1, 12)]
    assert all(choice.loss <= 10.0**-nines for nines, choice in enumerate(found, 1))
    costs = [choice.cost for choice in found]
    assert costs == sorted(costs) and costs[0] < costs[-1]


def test_more_slots_are_never_dearer() -> None:
    costs = [cheapest(NEED, OFFER, Pins(max_slots=most)).cost for most in (12, 16, 32, 64, MAX_SLOTS)]
    assert costs == sorted(costs, reverse=True)


@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row['expansion']}x from {row['l0']}")
def test_the_codes_of_the_papers_first_table(row: dict[str, float]) -> None:
    # So many blocks that each of these numbers of data slots divides them: a larger code is no cheaper by rounding.
    need = replace(NEED, size=720_720 * 65_536)
    offer = replace(OFFER, config=replace(HOURLY, max_misses=1))
    pins = Pins(expansion=row["expansion"], threshold=int(row["l0"]), probability=probability_of(DAY, HOURLY))
    code = cheapest(need, offer, pins).code
    assert [code.data, code.parity] == row.get("model_minimum", [row["k"], row["m"]])


def test_requests_that_the_market_ends_are_mended_for_most_of_their_time() -> None:
    """A year is a row of them where the market keeps none so long: rare proofs would leave each without repairs."""
    monthly = replace(OFFER, config=replace(HOURLY, max_duration=30 * DAY))
    assert cheapest(NEED, monthly, Pins(probability=36)).interval == 36 * HOUR
    assert cheapest(NEED, OFFER, Pins(probability=37)).interval == 37 * HOUR
    with pytest.raises(Misuse, match="no repair in the last 3d 2h of a request's 30d"):
        cheapest(NEED, monthly, Pins(probability=37))
    assert max(ladders(NEED, monthly.config)[1]) == 32


def test_choices_that_are_made_stay() -> None:
    pins = Pins(max_slots=30, expansion=2.5, threshold=3, probability=5)
    choice = cheapest(NEED, OFFER, pins)
    assert (choice.code.expansion, choice.code.repair_threshold, choice.probability) == (2.5, 3, 5)
    assert choice.interval == 5 * HOUR
    others = alternatives(NEED, OFFER, pins, choice)
    assert others == [choice]


def test_others_are_compared_with_the_best() -> None:
    best = cheapest(NEED, OFFER, Pins(max_slots=24))
    others = alternatives(NEED, OFFER, Pins(max_slots=24), best)
    assert others[0] == best
    assert {2.0, 2.5, 3.0} <= {other.code.expansion for other in others}
    assert {1, 2, 5} <= {other.code.repair_threshold for other in others}
    assert {6 * HOUR, DAY} <= {other.interval for other in others}
    assert all(other.loss <= NEED.target and other.cost >= best.cost for other in others)


def test_hosts_limit_the_slots() -> None:
    # Eleven providers can take a slot of up to 4 MiB, three a larger one.
    offer = replace(OFFER, hosts=lambda slot_bytes: 11 if slot_bytes <= 4 << 20 else 3)
    few = cheapest(replace(NEED, nines=3), offer)
    assert few.code.slots == 11 and few.slot_bytes <= 4 << 20
    # Of those that fit, none is so safe any more; three copies are, and so few can take them.
    assert cheapest(replace(NEED, nines=4), offer).code.slots == 3
    with pytest.raises(OutOfReach, match=r"the nearest, 1\+2 slots"):
        cheapest(replace(NEED, nines=5), offer)


def test_a_short_request_is_proven_every_period() -> None:
    """The market opens no repair in the last expected proofs: a request that is over in an hour has no time for rare ones."""
    offer = replace(OFFER, config=replace(MARKET, max_duration=YEAR_SECONDS))
    assert cheapest(replace(NEED, duration=HOUR, nines=3), offer).probability <= 18
    assert cheapest(replace(NEED, duration=60, nines=3), offer).probability == 1
    assert cheapest(replace(NEED, nines=3), offer).probability > 1_000
    with pytest.raises(Misuse, match="no repair in the last 16m 40s of a request's 1h"):
        cheapest(replace(NEED, duration=HOUR, nines=3), offer, Pins(probability=50))


def test_proofs_become_more_frequent_where_nothing_else_helps() -> None:
    offer = replace(OFFER, config=MARKET)
    often = cheapest(replace(NEED, nines=6.3), offer, Pins(max_slots=4))
    assert often.interval < ladders(NEED, MARKET)[0][0] * MARKET.period_seconds
    assert (often.code.data, often.code.parity) == (1, 3)


@pytest.mark.parametrize(
    ("need", "pins", "error", "says"),
    [
        ({}, Pins(max_slots=4), OutOfReach, r"the nearest, 1\+3 slots .* 6\.\d nines\. Ask for fewer"),
        ({"nines": 99}, Pins(max_slots=32), OutOfReach, "the nearest, .* nines"),
        ({}, Pins(expansion=1.01, max_slots=20), OutOfReach, r"the smallest has 100\+1 slots, and there can be 20"),
        ({}, Pins(threshold=20, max_slots=16), CodeParameters, "Repair cannot wait for 20 lost slots.*16 slots"),
        ({}, Pins(expansion=1.0), Misuse, "expansion cannot be 1.0"),
        ({"mttf": 0}, Pins(), Misuse, "mean time to failure cannot be 0"),
        ({"mttr": -5}, Pins(), Misuse, "mean time to reconstruct cannot be -5"),
        ({"group_size": 0}, Pins(), Misuse, "A group cannot have 0 slots"),
        ({"group_size": 2, "group_mttf": 0}, Pins(), Misuse, "mean time to failure of a group cannot be 0"),
        ({"size": 1 << 60}, Pins(), FileRejected, "too large for 256 slots"),
    ],
)
def test_what_cannot_be_is_explained(need: dict[str, float], pins: Pins, error: type[HoldfastError], says: str) -> None:
    with pytest.raises(error) as refused:
        cheapest(replace(NEED, **need), OFFER, pins)
    assert re.search(says, str(refused.value)), str(refused.value)


@pytest.mark.parametrize(
    "absurd",
    [
        lambda: Pins(max_slots=257),
        lambda: Pins(max_slots=1),
        lambda: Pins(threshold=0),
        lambda: Pins(probability=0),
        lambda: Pins(probability=65_536),
        lambda: replace(NEED, nines=0),
        lambda: replace(NEED, nines=-9),
        lambda: replace(NEED, nines=math.nan),
        lambda: replace(NEED, nines=101),
        lambda: replace(NEED, duration=0),
        lambda: replace(OFFER, price=-1),
        lambda: probability_of(HOUR - 1, HOURLY),
        lambda: cheapest(NEED, replace(OFFER, profile=PROFILES["devnet"]), Pins(max_slots=17)),
    ],
)
def test_absurd_numbers_are_refused(absurd: object) -> None:
    with pytest.raises(Misuse):
        absurd()  # type: ignore[operator]


@pytest.mark.parametrize("blocks", [(1, 1), (7, 4), (1_365, 683), (2_048, 1_024), (4_000, 2_000), (9_001, 4_501)])
def test_proofs_are_weighed_against_the_code_that_slots_have(blocks: tuple[int, int]) -> None:
    code, cells = SlotCode(*blocks, cells_per_block=32, cell_bytes=2_048), 32
    slot = coded_slot(blocks[0] * cells, blocks[1] * cells)
    assert slot.codewords == code.codewords
    fewest = min(code.parity_of(codeword) for codeword in range(code.codewords))
    assert slot.fatal_cells == fewest + 1
