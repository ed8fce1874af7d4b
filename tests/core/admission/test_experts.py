"""The experts of the paper, and which of them let a whole segment in."""

import pytest

from agents.core.admission.experts import EXPERTS, Expert, beside
from agents.core.errors import Misuse


def test_there_are_thirty_six_and_each_has_a_name_of_its_own() -> None:
    assert len(EXPERTS) == 36 == len({expert.name for expert in EXPERTS})
    assert EXPERTS[0].name == "f2s10" and EXPERTS[-1].frequency == 7


def test_some_experts_keep_whole_segments_in_memory() -> None:
    assert [expert.frequency for expert in EXPERTS if expert.size > 1 << 20] == [2, 3, 4, 5, 6, 7]


@pytest.mark.parametrize(("frequency", "size"), [(0, 10), (2, 0), (-1, -1)])
def test_thresholds_below_one_are_refused(frequency: int, size: int) -> None:
    with pytest.raises(Misuse):
        Expert(frequency, size)


def test_beside_an_expert_are_those_a_step_away() -> None:
    assert [EXPERTS[at].name for at in beside(0)] == ["f3s10", "f2s20"]
    assert [EXPERTS[at].name for at in beside(14)] == ["f3s50", "f5s50", "f4s20", "f4s100"]
    assert all(at in beside(other) for at in range(36) for other in beside(at))
