"""The contracts on an anvil are what the market's rules say: hypothesis plays both against one another.

Every call is accepted by both, with the same events, or refused by both, for the same reason; after each, every balance and
every record is the same; and whatever happened, in the end everybody can take what is theirs, and nothing is left.

HOLDFAST_EXAMPLES=300 plays that many longer games, new ones each time, and reduces one that goes wrong; -s tells of how
many calls.
"""

import os
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.chain.market_game import ASKS, CLIENTS, PROVIDERS, STRANGERS
from tests.chain.market_machine import MarketMachine

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
FAIL: dict[str, Any] = {"which": 0, "lazy": 1, "who": STRANGERS[0], "late": False, "wait": 5}
PERIOD: dict[str, Any] = {"lazy": 0, "who": 7, "noise": [0, 1, 2, 3], "forged": True}
STORIES: dict[str, tuple[int, tuple[tuple[str, dict[str, Any]], ...]]] = {
    "a host leaves, and many fund": (0, (("some_stay", STAY), ("crowd", {"which": 0, "turns": 18}))),
    "the only host left reserves": (2, (("some_stay", {**STAY, "who": CLIENTS[0], "early": True}),)),
    "all hosts leave": (0, (("some_stay", {**STAY, "stay": 0, "early": True}),)),
    "a host leaves a pot": (
        0, (("period_passes", {**PERIOD, "lazy": -1}), ("period_passes", PERIOD), ("claim", {"which": 1, "who": 7}),
            ("some_stay", STAY)),
    ),
    "time is added when it was too late for a repair": (5, (("some_fail", {**FAIL, "lazy": 3, "late": True}),)),
    "a slot is lost": (0, (("some_fail", FAIL), ("some_stay", {**STAY, "stay": 0b110}))),
    "one slot of several that may be is lost": (4, (("some_fail", FAIL),)),
    "too many slots are lost": (0, (("some_fail", {**FAIL, "lazy": 3}),)),
    "a host accepts": (
        0, (("extend", {"which": 0, "who": CLIENTS[0], "extra": 47}), ("accept", {"which": 0, "other": 1, "late": -1}),
            ("accept", {"which": 0, "other": 1, "late": 0})),
    ),
    **{
        f"the end of a host's time {what} {off}": (5, (("about_an_end", {"which": 0, "off": off, "what": what}),))
        for what in (0, 1, 3) for off in (0, 1)
    },
}  # fmt: skip
"""Which request is made, and what becomes of it: what a game seldom comes to by chance."""

HAPPENED = {
    "RequestStarted", "RequestFailed", "RequestExtended", "ExtensionAccepted", "SlotDeparted", "SlotLost", "SlotSettled",
    "RepairOpened", "ReservationForfeited", "ReservationReleased", "FunderRefunded", "PayClaimed", "RequestClosed",
    "extended by a stranger", "repair opened by an extension", "all places for extensions taken",
    "departed slot repaired", "bounty of a departed slot", "lost slot repaired", "request failed by departures",
    "batch of proofs with skips", "batch of misses with skips", "Marketplace_NothingApplies",
    "Marketplace_InvalidProof", "Marketplace_TooManyExtensions", "Marketplace_SlotEnded", "Marketplace_EndsLater",
}  # fmt: skip
"""What must have happened in some story."""


def test_stories() -> None:
    MarketMachine.heard.clear()
    for kind, steps in STORIES.values():
        game = MarketMachine()
        try:
            game.join([4_000] * len(PROVIDERS), ASKS[kind], 0)
            for name, arguments in steps:
                getattr(game, name)(**arguments)
        finally:
            game.teardown()
    never = {what for what in HAPPENED if not MarketMachine.heard[what]}
    assert not never, f"{never} of {sorted(MarketMachine.heard.items())}"


def test_games() -> None:
    MarketMachine.heard.clear()
    run_state_machine_as_test(MarketMachine, settings=GAMES)
    print(f"{GAMES.max_examples} games: contracts and reference agree in {MarketMachine.heard['calls']:,} calls")
