"""One proof at a time on a machine, earliest deadline first, whoever dies: with real processes."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from agents.core.errors import ProverUnavailable
from agents.proving.lock import ProverLock

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120.0
"""Seconds until a state that must come is given up: far beyond what a busy machine takes."""

AGENT = """
import asyncio, sys
from pathlib import Path
from agents.proving.lock import ProverLock

async def main():
    folder, deadline, log = Path(sys.argv[1]), float(sys.argv[2]), Path(sys.argv[3])
    async with ProverLock(folder).held(deadline):
        with log.open("a") as file:
            file.write(f"{deadline:.0f}\\n")
        await asyncio.to_thread(sys.stdin.readline)

asyncio.run(main())
"""


def until(state: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not state():
        assert time.monotonic() < end, "the state never came"
        time.sleep(0.01)


class Machine:
    """Agents of one machine: each holds the lock, once it has it, until it is told or killed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder / "lock", folder / "log"
        self.log.touch()
        self.agents: list[subprocess.Popen[str]] = []

    def start(self, deadline: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", AGENT, str(self.folder), str(deadline), str(self.log)]
        self.agents.append(subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, text=True))
        return self.agents[-1]

    def tickets(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("*.ticket"))

    def waiting(self, deadline: int) -> None:
        until(lambda: any(int(name.split("-")[0]) == deadline * 1000 for name in self.tickets()))

    def held(self) -> list[int]:
        """Deadlines of those who have got the lock, in the order in which they got it."""
        return [int(line) for line in self.log.read_text().split()]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    for agent in machine.agents:
        agent.kill()
        agent.communicate()


def test_the_earliest_deadline_is_next_whoever_came_first(machine: Machine) -> None:
    first = machine.start(900)
    until(lambda: machine.held() == [900])
    late = machine.start(300)
    machine.waiting(300)
    early = machine.start(200)
    machine.waiting(200)
    first.communicate("\n")
    until(lambda: machine.held() == [900, 200])
    early.communicate("\n")
    until(lambda: machine.held() == [900, 200, 300])
    late.communicate("\n")
    assert (first.returncode, early.returncode, late.returncode) == (0, 0, 0)
    assert machine.tickets() == []


def test_killed_holders_and_killed_waiters_block_nobody(machine: Machine) -> None:
    holder = machine.start(100)
    until(lambda: machine.held() == [100])
    waiter, survivor = machine.start(200), machine.start(300)
    machine.waiting(200)
    machine.waiting(300)
    for agent in (waiter, holder):
        agent.kill()
        agent.wait()
    until(lambda: machine.held() == [100, 300])
    assert len(machine.tickets()) == 1
    survivor.communicate("\n")
    assert machine.tickets() == []


def test_a_cleaned_folder_stops_nobody(tmp_path: Path) -> None:
    async def run() -> None:
        lock, got = ProverLock(tmp_path), asyncio.Event()

        async def wait() -> None:
            async with lock.held(200):
                got.set()

        async with lock.held(100):
            waiter = asyncio.create_task(wait())
            await asyncio.sleep(0)  # up to their first wait
            assert len(list(tmp_path.glob("*.ticket"))) == 2
            for ticket in tmp_path.glob("*.ticket"):
                ticket.unlink()
            assert not got.is_set()
        await asyncio.wait_for(waiter, PATIENCE)
        assert got.is_set()

    asyncio.run(run())


def test_many_at_once_never_overlap_and_one_who_gives_up_leaves_no_ticket(tmp_path: Path) -> None:
    async def run() -> list[int]:
        lock, inside, order = ProverLock(tmp_path), 0, list[int]()

        async def prove(deadline: int) -> None:
            nonlocal inside
            async with lock.held(deadline):
                inside += 1
                assert inside == 1
                await asyncio.sleep(0)
                order.append(deadline)
                inside -= 1

        async with lock.held(0):
            tasks = [asyncio.create_task(prove(deadline)) for deadline in (5, 3, 4, 1, 2)]
            await asyncio.sleep(0)  # up to their first wait
            assert len(list(tmp_path.glob("*.ticket"))) == 6
            tasks[2].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return order

    assert asyncio.run(run()) == [1, 2, 3, 5]
    assert list(tmp_path.glob("*.ticket")) == []


def test_a_folder_that_is_no_folder_of_ours_is_told(tmp_path: Path) -> None:
    taken = tmp_path / "queue"
    taken.write_text("a file where the folder should be")

    async def queue(folder: Path) -> None:
        async with ProverLock(folder).held(0):
            raise AssertionError("held")

    with pytest.raises(ProverUnavailable, match="HOLDFAST_PROVER_LOCK"):
        asyncio.run(queue(taken))
