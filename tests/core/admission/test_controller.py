"""The controller's stages, on windows that tests make up."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from agents.core.admission.controller import Controller, Lengths, Rules, Stage, State, lengths
from agents.core.admission.experts import EXPERTS, beside
from agents.core.admission.features import Features
from agents.core.admission.objectives import BYTE_HITS, Tally
from agents.core.errors import Misuse
from tests.core.admission.models import features, knowing

NEAR, FAR = features(0.1), features(2.0, size=500_000.0, small=0.1)
LENGTHS = Lengths(epoch=200, window=10, warm_up=20, history=40, lead=40)
PAPER = Rules(miniatures=False)
MIXED = replace(BYTE_HITS, weights=(0.0, 1.0, -1e-6, 0.0))
"""Miniatures do not tell all that it heeds."""


@dataclass(frozen=True)
class Seen:
    """A window whose features and miniatures are given."""

    features: Features
    rewards: Any = None
    hits: int = 40

    @property
    def counted(self) -> Tally:
        return Tally(100, 1_000, self.hits, self.hits * 10, 500, 0)

    def miniature(self, experts: Any) -> Any:
        return np.stack([self.rewards[list(experts)]] * 2, axis=1)


def controller(rules: Rules = PAPER, best: tuple[list[int], list[int]] = ([3, 9], [30])) -> Controller:
    return Controller(knowing([NEAR, FAR], list(best)), LENGTHS, rules)


def after(steps: Controller, windows: list[Any], state: State | None = None) -> list[State]:
    states = [state or steps.begin()]
    for one in windows:
        states.append(steps.step(states[-1], one))
    return states


def test_it_warms_up_looks_tries_and_deploys() -> None:
    steps = controller()
    states = after(steps, [Seen(NEAR)] * 14)
    assert [state.stage.value for state in states[:4]] == ["warming", "warming", "collecting", "trying"]
    tried = [state for state in states if state.stage is Stage.TRYING]
    assert {state.expert for state in tried} == {3, 9} and len(tried) <= 10
    assert states[-1].stage is Stage.DEPLOYED and states[-1].expert in (3, 9)
    assert states[-1].search is None and states[-1].looks == 1
    assert steps.expert(states[-1]) == EXPERTS[states[-1].expert]


def test_a_cluster_of_one_candidate_needs_no_rounds() -> None:
    states = after(controller(), [Seen(FAR)] * 3)
    assert states[-1].stage is Stage.DEPLOYED and states[-1].expert == 30


def test_the_epochs_end_brings_another_look_and_no_warming() -> None:
    states = after(controller(), [Seen(FAR)] * 63)
    assert [state.looks for state in states][3::20] == [1, 2, 3, 4] and states[-1].drifts == 0
    assert Stage.WARMING not in {state.stage for state in states[2:]}


def test_other_traffic_brings_its_best_expert_at_once_and_a_second_look() -> None:
    steps = controller()
    deployed = after(steps, [Seen(FAR)] * 3)[-1]
    moved = steps.step(deployed, Seen(NEAR))
    assert (moved.stage, moved.expert, moved.drifts) == (Stage.COLLECTING, 3, 1)
    assert steps.step(moved, Seen(NEAR)).candidates == (3, 9)
    trying = after(steps, [Seen(NEAR)] * 3)[-1]
    assert trying.stage is Stage.TRYING and steps.step(trying, Seen(FAR)).expert == 30


def test_rounds_end_with_the_better_of_the_candidates() -> None:
    rewards = np.full(36, 0.1)
    rewards[[3, 9]] = 0.40, 0.399
    for better in (3, 9):
        shifted = rewards.copy()
        shifted[better] += 0.002
        steps = controller(Rules(MIXED, tolerance=0.05))
        shares = [Seen(NEAR, shifted, 40)] * 30
        assert after(steps, shares)[20].expert == better


def test_miniatures_leave_no_candidate_that_is_worse() -> None:
    rewards = np.full(36, 0.2)
    rewards[[3, 9, 22]] = 0.30, 0.40, 0.41
    chosen = after(controller(Rules(MIXED, tolerance=0.03)), [Seen(NEAR, rewards)] * 3)[-1]
    assert chosen.candidates == (9,)


def test_of_hits_nothing_is_tried_and_the_best_of_a_window_is_in_force_in_the_next() -> None:
    steps = controller(Rules())
    rewards = np.linspace(0.1, 0.2, 36)
    first, second = (np.where(np.arange(36) == best, 0.5, rewards) for best in (9, 3))
    states = after(steps, [Seen(NEAR, first), Seen(NEAR, first), Seen(NEAR, second), Seen(FAR, second)])
    assert [state.expert for state in states][1:] == [9, 9, 3, 3]
    assert {state.stage for state in states} == {Stage.FOLLOWING} and states[-1].looks == 4


def test_the_best_is_sought_in_the_cluster_and_around_the_expert_in_force() -> None:
    steps = controller(Rules(), best=([0], [35]))
    rewards = np.zeros(36)
    rewards[14], rewards[0] = 0.5, 0.1
    states = after(steps, [Seen(NEAR, rewards)] * 3, State(Stage.FOLLOWING, 0, 0))
    assert set(states[1].candidates) == {0, *beside(0)} and states[-1].expert == 0, "14 is far from both"
    rewards[[1, 2, 8]] = 0.2, 0.3, 0.4
    climbs = after(steps, [Seen(NEAR, rewards)] * 5, State(Stage.FOLLOWING, 0, 0))
    assert [state.expert for state in climbs] == [0, 1, 2, 8, 14, 14]


def test_of_experts_that_do_equally_well_the_one_in_force_stays() -> None:
    states = after(controller(Rules()), [Seen(NEAR, np.full(36, 0.3))] * 3, State(Stage.FOLLOWING, 20, 0))
    assert [state.expert for state in states] == [20] * 4


def test_the_same_windows_give_the_same_experts() -> None:
    windows = [Seen(features(0.1 + 0.002 * step), hits=40 + step % 3) for step in range(60)]
    runs = [[state.expert for state in after(controller(), windows)] for _ in range(2)]
    assert runs[0] == runs[1] and len(set(runs[0])) > 1


def test_lengths_are_fractions_of_the_epoch() -> None:
    assert lengths(16_000) == Lengths(16_000, 4_000, 4_000, 96_000, 24_000)
    assert lengths(1_000, window=0.1, warm_up=0.0, history=2, lead=1) == Lengths(1_000, 100, 0, 200, 100)
    assert controller().begin().stage is Stage.WARMING
    assert Controller(controller().model, replace(LENGTHS, warm_up=0), PAPER).begin().stage is Stage.COLLECTING


@pytest.mark.parametrize(
    "wrong", [(100, 200, 0, 0, 0), (100, 1, 0, 0, 0), (100, 10, 101, 0, 0), (100, 10, 10, -1, 0), (100, 10, 10, 9, -1)]
)
def test_lengths_that_make_no_epoch_are_refused(wrong: tuple[int, int, int, int, int]) -> None:
    with pytest.raises(Misuse):
        Lengths(*wrong)
