"""`agent demo` as a user types it, with its result as JSON."""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_demo_tells_its_story_to_the_end(tmp_path: Path) -> None:
    file = tmp_path / "photos.tar"
    file.write_bytes(os.urandom(1_500_000))
    environment = {**os.environ, "HOLDFAST_HOME": str(tmp_path / "home"), "TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "agents", "demo", str(file), "--json"],
        capture_output=True, text=True, cwd=ROOT, env=environment, timeout=900, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["size"] == 1_500_000
    assert len(told["placed_after"]) == 5
    accounts = {account["party"]: account for account in told["accounts"]}
    assert len(accounts) == 10
    assert all(account["change"] == account["chain"] for account in accounts.values())
    assert sum(int(account["change"]) for account in accounts.values()) == 0  # the market keeps nothing
    (slashed,) = [account for account in accounts.values() if "slash" in account["lines"]]
    assert int(slashed["lines"]["slash"]) < -99 * 10**18
    assert sum("bounty" in account["lines"] for account in accounts.values()) == 1
    for said in ("Marketplace_NotEligible", "is killed and its disk wiped", "every byte the same", "SKIPPED"):
        assert said in done.stderr
    assert not list(tmp_path.glob("holdfast-demo-*"))  # it tidied up
