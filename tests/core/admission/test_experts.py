"""The experts of the paper, and which of them let a whole segment in."""

import pytest

from agents.core.admission.experts import EXPERTS, Expert
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
