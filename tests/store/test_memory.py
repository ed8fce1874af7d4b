"""The memory of every stage of a file's life, as scripts/bench_memory measures it."""

import json
import subprocess
import sys
from pathlib import Path

BENCH = Path(__file__).parents[2] / "scripts" / "bench_memory"
STAGES = {"store: encode", "store: push", "hold", "prove", "repair", "read", "serve"}


def test_every_agent_stays_within_400_mib() -> None:
    command = [sys.executable, str(BENCH), "--mib", "256", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=540, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == STAGES
    assert all(60 < row["peak_mib"] <= 400 for row in found.values()), found
