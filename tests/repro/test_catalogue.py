"""What people type for a figure, and what they are told if there is none."""

import pytest

from agents.core.errors import Misuse
from agents.repro.catalogue import ENTRIES, chosen
from agents.repro.run import BUILDERS


@pytest.mark.parametrize(
    ("paper", "figure", "names"),
    [
        (None, "4", ["4a", "4b"]),
        ("vault", "6B", ["6b"]),
        ("codex", "1", ["table1"]),
        (None, "Table 1", ["table1"]),
        (None, "figure 10", ["10"]),
        (None, "selection", ["selection-rule"]),
        ("codex", None, ["table1", "3", "9", "10"]),
    ],
)
def test_a_figure_goes_by_several_names(paper: str | None, figure: str | None, names: list[str]) -> None:
    assert [entry.name for entry in chosen(paper, figure)] == names


@pytest.mark.parametrize(
    ("paper", "figure", "says"),
    [
        ("vault", "9", "there are 4a, 4b, 5, 6a, 6b, selection-rule"),
        (None, "7", "there are codex: table1, 3, 9, 10; vault: 4a"),
        (None, "", "there is no figure ''"),
        ("picolo", None, "there are codex and vault"),
    ],
)
def test_an_unknown_figure_is_answered_with_those_there_are(paper: str | None, figure: str | None, says: str) -> None:
    with pytest.raises(Misuse) as error:
        chosen(paper, figure)
    assert says in str(error.value)


def test_all_that_is_listed_can_be_run() -> None:
    assert [(paper, name) for paper in BUILDERS for name in BUILDERS[paper]] == [
        (entry.paper, entry.name) for entry in ENTRIES
    ]
