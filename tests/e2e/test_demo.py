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
    assert len(accounts) == 13
    assert all(account["change"] == account["chain"] for account in accounts.values())
    assert sum(int(account["change"]) for account in accounts.values()) == 0  # the market keeps nothing
    slashed = [account for account in accounts.values() if "slash" in account["lines"]]
    assert len(slashed) == 2 and all(int(account["lines"]["slash"]) < -99 * 10**18 for account in slashed)
    repairers = {account["party"] for account in accounts.values() if "bounty" in account["lines"]}
    # Two slots, one reconstruction: three slots' worth of bytes for the first, one for the second.
    first, second = told["repairs"]
    assert {first["provider"], second["provider"]} == repairers
    made = {first["slot"], *first["spares"]}
    assert (first["source"], len(made)) == (None, 2) and second["slot"] in made
    assert (second["source"], second["spares"]) == (accounts[first["provider"]]["address"], [])
    assert first["fetched"] + second["fetched"] < 4.2 * told["slot_size"]
    # Two caches, three reads: the reader's payments are the caches' earnings, and the cheaper was read from twice.
    paid = {name: int(amount) for name, amount in told["reads"]["paid"].items()}
    assert {name: int(accounts[name]["change"]) for name in paid} == paid
    assert int(accounts["reader"]["change"]) == -sum(paid.values())
    assert paid["cache X"] == paid["cache Y"] > 1_500_000 * (10 * 10**18 // 2**30) * 2
    for said in (
        "Marketplace_NotEligible", "are on sale together", "reconstructions: 1", "both repaired slots are needed",
        "every byte the same", "SKIPPED", "cold read", "hot read", "SIGKILL to cache X", "cache Y redeemed",
    ):  # fmt: skip
        assert said in done.stderr
    assert max(map(len, done.stderr.splitlines())) <= 80
    assert not list(tmp_path.glob("holdfast-demo-*"))  # it tidied up
