"""The papers' values are those that were published."""

import json
from pathlib import Path
from typing import Any

from agents.repro import published

VECTORS = Path(__file__).parents[1] / "vectors"


def vector(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text())


def numbered(found: dict[str, float]) -> dict[float, float]:
    return {float(at): value for at, value in found.items()}


def test_table_1_is_codexs() -> None:
    rows = vector("codex_table1")["rows"]
    assert [(row.expansion, row.threshold, row.data, row.parity) for row in published.TABLE_1] == [
        (row["expansion"], row["l0"], row["k"], row["m"]) for row in rows
    ]


def test_repair_traffic_is_vaults() -> None:
    found = vector("vault_figures")
    first, ten = found["fig4a_repair_traffic_1yr_per_object"], found["fig4b_repair_traffic_10yr_by_churn_1_to_8"]
    assert first["replication_3x"] == published.FIRST_YEAR_REPLICATED
    assert numbered(first["vault_cache_hours"]) == published.FIRST_YEAR_BY_CACHE_HOURS
    assert tuple(ten["replication"]) == published.TEN_YEARS_REPLICATED
    for hours, row in published.TEN_YEARS_BY_CACHE_HOURS.items():
        assert tuple(ten[f"cache_{hours}h"]) == row


def test_fragments_and_losses_are_vaults() -> None:
    found = vector("vault_figures")
    for members, alive in published.ALIVE.items():
        row = found["fig5_alive_fragments_10yr_f0.33"][f"R{members}"]
        assert (alive.least, alive.mean, alive.most) == (row["min"], row["mean"], row["max"])
    lost = found["fig6a_percent_lost_by_byzantine_fraction"]
    assert {members: numbered(lost[f"R{members}"]) for members in (80, 100, 120)} == published.LOST_BY_BYZANTINE
    assert numbered(lost["replication_3x"]) == published.LOST_REPLICATED
    attacked = found["fig6b_percent_lost_by_attacked_fraction"]
    assert {chunks: numbered(attacked[f"{chunks}_of_8"]) for chunks in (14, 12, 10)} == published.LOST_BY_ATTACKED
