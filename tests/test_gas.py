"""The gate of scripts/bench_gas: what makes it fail. (`./scripts/test` runs the benchmark itself.)"""

import json

from scripts.gas.limits import CODEX, SNAPSHOT, TARGETS, complaints

KEPT: dict[str, int] = json.loads(SNAPSHOT.read_text())


def test_the_snapshot_itself_passes() -> None:
    assert set(TARGETS) | set(CODEX) <= set(KEPT)
    assert complaints(KEPT, KEPT) == []


def test_a_call_above_its_target_or_codex_is_named() -> None:
    assert complaints(KEPT | {"submitProofs, each of 8": 100_001}, KEPT | {"submitProofs, each of 8": 100_001}) == [
        "submitProofs, each of 8: 100001 is above its target 100000"
    ]
    dear = {"markProofMissing": CODEX["markProofMissing"]}
    assert complaints(KEPT | dear, KEPT | dear) == ["markProofMissing: 126000 is not below Codex's 126000"]


def test_three_percent_above_the_snapshot_is_too_much() -> None:
    assert complaints({**KEPT, "claim": 103_000}, {**KEPT, "claim": 100_000}) == []
    (found,) = complaints({**KEPT, "claim": 103_001}, {**KEPT, "claim": 100_000})
    assert found.startswith("claim: 103001 is 3.0% above")


def test_a_new_call_must_enter_the_snapshot() -> None:
    (found,) = complaints({**KEPT, "newCall": 1}, KEPT)
    assert "newCall" in found and "--write" in found
