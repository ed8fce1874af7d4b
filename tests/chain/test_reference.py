"""The contracts on an anvil are what the market's rules say: hypothesis plays both against one another.

Every call is accepted by both, with the same events, or refused by both, for the same reason; after each, every balance and
every record is the same; and whatever happened, in the end everybody can take what is theirs, and nothing is left.

HOLDFAST_EXAMPLES=300 plays that many games, new ones each time, and reduces one that goes wrong.
"""

import os
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.chain.market_machine import ASKS, CLIENTS, PROVIDERS, STRANGERS, MarketMachine

MORE = int(os.environ.get("HOLDFAST_EXAMPLES", "0"))
GAMES = settings(
    max_examples=MORE or 20,
    stateful_step_count=60 if MORE else 25,
    derandomize=not MORE,
    deadline=None,
    database=None,
    phases=[Phase.generate, Phase.shrink] if MORE else [Phase.generate],
    suppress_health_check=list(HealthCheck),
)

STAY: dict[str, Any] = {"which": 0, "who": STRANGERS[0], "stay": 0b110, "extra": 110, "wait": 14, "early": False}
FAIL: dict[str, Any] = {"which": 0, "lazy": 3, "who": STRANGERS[0], "late": True, "wait": 5}
STORIES: tuple[tuple[int, tuple[tuple[str, dict[str, Any]], ...]], ...] = (
    (0, (("some_stay", STAY), ("crowd", {"which": 0, "turns": 18}), ("claim", {"which": 1, "who": 7}))),
    (2, (("some_stay", STAY), ("some_stay", {**STAY, "who": CLIENTS[0], "wait": 3, "early": True}))),
    (0, (("some_stay", {**STAY, "stay": 0, "early": True}),)),
    (1, (("some_fail", FAIL), ("accept", {"which": 0, "other": 1, "late": -1}))),
    (1, (("some_fail", {**FAIL, "late": False, "wait": 20}), ("some_stay", {**STAY, "stay": 0b1000}))),
)
"""Which request is made, and what becomes of it: what a game seldom comes to by chance."""

HAPPENED = {
    "RequestStarted", "RequestFailed", "RequestExtended", "ExtensionAccepted", "SlotDeparted", "SlotLost", "SlotSettled",
    "RepairOpened", "ReservationForfeited", "ReservationReleased", "FunderRefunded", "PayClaimed", "RequestClosed",
    "extended by a stranger", "repair opened by an extension", "all places for extensions taken",
    "departed slot repaired", "bounty of a departed slot", "lost slot repaired", "request failed by departures",
    "batch of proofs with skips", "batch of misses with skips", "Marketplace_NothingApplies",
    "Marketplace_InvalidProof", "Marketplace_TooManyExtensions", "Marketplace_SlotEnded", "Marketplace_EndsLater",
}  # fmt: skip
"""What must have happened in some game."""


def test_contracts_and_reference_agree() -> None:
    MarketMachine.heard.clear()
    for kind, steps in STORIES:
        game = MarketMachine()
        try:
            game.join([4_000] * len(PROVIDERS), ASKS[kind], 0)
            for name, arguments in steps:
                getattr(game, name)(**arguments)
        finally:
            game.teardown()
    run_state_machine_as_test(MarketMachine, settings=GAMES)
    never = {what for what in HAPPENED if not MarketMachine.heard[what]}
    assert not never, f"{never} of {sorted(MarketMachine.heard.items())}"
