"""An agent that kills itself once, at a step that was named."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from agents.core.errors import Misuse
from agents.roles.drill import STEPS, Drill

ROOT = Path(__file__).parents[2]
STORY = """
from agents.roles.drill import reached
for step in ("encoded", "posted", "pushed", "pushed"):
    reached(step)
    print(step, flush=True)
"""


def run(asked: str, marker: Path | None = None) -> tuple[int, str]:
    environment = {"HOLDFAST_KILL_AT": asked, **({"HOLDFAST_KILLED": str(marker)} if marker else {})}
    done = subprocess.run(
        [sys.executable, "-c", STORY],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout


def test_it_dies_once_at_the_nth_time(tmp_path: Path) -> None:
    whole, dead = "encoded\nposted\npushed\npushed\n", -signal.SIGKILL
    assert run("") == (0, whole)
    assert run("posted") == (dead, "encoded\n")
    assert run("posted") == (dead, "encoded\n")  # without a marker every time
    assert run("posted:2") == (0, whole)
    marker = tmp_path / "killed"
    assert run("pushed:2", marker) == (dead, "encoded\nposted\npushed\n")
    assert marker.exists()
    assert run("pushed:2", marker) == (0, whole)


@pytest.mark.parametrize("asked", ["postd", "posted:", "posted:0", "posted:x", ":1", "posted:1:2"])
def test_steps_nobody_knows_are_named_with_those_there_are(asked: str) -> None:
    with pytest.raises(Misuse, match=r"names no step.*reserve\.before, .*mark\.sent"):
        Drill(asked, "").check()


def test_every_step_is_reached_somewhere() -> None:
    Drill("", "").check()
    roles = (path.read_text() for path in (ROOT / "agents" / "roles").glob("*.py"))
    calls = [step for text in roles for step in re.findall(r'reached\("([^"]+)"\)', text)]
    assert sorted(calls) == sorted(STEPS)
    for step in STEPS:
        Drill(f"{step}:3", "").check()
