"""Places of one machine, earliest deadline first, whoever dies: with real processes."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.core.errors import ProverUnavailable
from agents.core.proofs.pace import Tally
from agents.core.proofs.proof import Groth16Proof
from agents.proving.queue import ProofQueue
from agents.proving.turns import Turns, cores

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 120.0
"""Seconds until a state that must come is given up: far beyond what a busy machine takes."""

AGENT = """
import asyncio, sys
from pathlib import Path
from agents.core.proofs.pace import Tally
from agents.proving.queue import ProofQueue
from agents.proving.turns import Turns

class Executor:
    capacity = 8
    cores = int(sys.argv[5]) or None

async def main():
    folder, deadlines, log, places = Path(sys.argv[1]), sys.argv[2].split(","), Path(sys.argv[3]), int(sys.argv[4])
    queue = ProofQueue(Executor(), Turns(folder, places), Tally(1.0), lambda: 0.0)
    told = asyncio.Queue()

    async def listen():
        while line := await asyncio.to_thread(sys.stdin.readline):
            told.put_nowait(line)

    async def prove(deadline):
        async with queue.turn(float(deadline)):
            with log.open("a") as file:
                file.write(f"{deadline}\\n")
            await told.get()

    listening = asyncio.create_task(listen())
    await asyncio.gather(*map(prove, deadlines))
    listening.cancel()
    import os
    os._exit(0)

asyncio.run(main())
"""


def until(state: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not state():
        assert time.monotonic() < end, "the state never came"
        time.sleep(0.01)


class Agent:
    """A process with proofs to make; each goes on, once it has its turn, until the process is told to let one end."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def end_one(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


class Machine:
    """Agents of one machine, and the order in which their proofs were begun."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.log = folder / "turns", folder / "log"
        self.log.touch()
        self.agents: list[Agent] = []

    def start(self, *deadlines: int, places: int = 1, each: int = 1) -> Agent:
        """An agent with proofs due at ``deadlines``; it knows of ``places``, and each proof takes ``each``, 0: all."""
        due = ",".join(str(deadline) for deadline in deadlines)
        command = [sys.executable, "-c", AGENT, str(self.folder), due, str(self.log), str(places), str(each)]
        self.agents.append(Agent(subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, text=True)))
        return self.agents[-1]

    def tickets(self) -> list[int]:
        """The deadlines agents wait for: one each."""
        return sorted(int(path.name.split("-")[0]) // 1000 for path in self.folder.glob("*.ticket"))

    def began(self, *deadlines: int) -> None:
        """Wait until these have begun, in this order, and nobody else."""
        until(lambda: len(self.begun()) >= len(deadlines))
        assert self.begun() == list(deadlines)

    def waits(self, *deadlines: int) -> None:
        until(lambda: self.tickets() == sorted(deadlines))

    def begun(self) -> list[int]:
        return [int(line) for line in self.log.read_text().split()]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    for agent in machine.agents:
        agent.kill()
        assert agent.process.stdin is not None
        agent.process.stdin.close()


def test_the_earliest_deadline_is_next_whoever_came_first_and_whosever_it_is(machine: Machine) -> None:
    first = machine.start(900)
    machine.began(900)
    several = machine.start(300, 500, 200)
    machine.waits(200)  # a ticket a process, for the first of its proofs
    other = machine.start(400)
    machine.waits(200, 400)
    first.end_one()
    machine.began(900, 200)
    machine.waits(300, 400)
    several.end_one()
    machine.began(900, 200, 300)
    several.end_one()
    machine.began(900, 200, 300, 400)
    other.end_one()
    machine.began(900, 200, 300, 400, 500)
    several.end_one()
    assert [agent.process.wait(PATIENCE) for agent in machine.agents] == [0, 0, 0]
    assert machine.tickets() == []


def test_as_many_prove_at_once_as_there_are_places(machine: Machine) -> None:
    one = machine.start(100, 600, places=2)
    machine.began(100, 600)
    late, early = machine.start(800, places=2), machine.start(700, places=2)
    machine.waits(700, 800)
    one.end_one()
    machine.began(100, 600, 700)
    early.end_one()
    machine.began(100, 600, 700, 800)
    # Who needs the whole machine waits for both places, and nobody whose deadline is later slips in meanwhile.
    whole = machine.start(850, places=2, each=0)
    machine.waits(850)
    small = machine.start(900, places=2)
    machine.waits(850, 900)
    one.end_one()
    time.sleep(0.3)
    assert machine.begun()[4:] == []
    late.end_one()
    until(lambda: machine.begun()[4:] == [850])
    time.sleep(0.3)
    assert machine.begun()[4:] == [850]
    whole.end_one()
    until(lambda: machine.begun()[4:] == [850, 900])
    small.end_one()


def test_killed_holders_and_killed_waiters_block_nobody(machine: Machine) -> None:
    holder = machine.start(100, 110, places=2)
    machine.began(100, 110)
    waiter = machine.start(200, places=2)
    machine.waits(200)
    survivor = machine.start(300, 310, places=2)
    machine.waits(200, 300)
    waiter.kill()
    holder.kill()
    machine.began(100, 110, 300, 310)
    assert machine.tickets() == []
    survivor.end_one()
    survivor.end_one()
    assert survivor.process.wait(PATIENCE) == 0


def test_a_cleaned_folder_stops_nobody(tmp_path: Path) -> None:
    one, other = Turns(tmp_path / "turns", 1), Turns(tmp_path / "turns", 1)
    held = one.take(100)
    assert held is not None and other.take(200) is None
    for path in (tmp_path / "turns").iterdir():
        if path.suffix == ".ticket":
            path.unlink()
    assert other.take(200) is None and len(list((tmp_path / "turns").glob("*.ticket"))) == 1
    held.release()
    held.release()
    again = other.take(300)
    assert again is not None
    again.release()
    for path in (tmp_path / "turns").iterdir():
        path.unlink()
    (tmp_path / "turns").rmdir()
    last = one.take(float("inf"))
    assert last is not None
    last.release()
    assert list((tmp_path / "turns").glob("*.ticket")) == []


def test_a_turn_that_is_not_wanted_any_more_is_the_next_ones(tmp_path: Path) -> None:
    holder, early, late = (Turns(tmp_path, 1) for _ in range(3))
    held = holder.take(1)
    assert held is not None
    assert early.take(100) is None and late.take(200) is None
    held.release()
    assert late.take(200) is None
    early.leave()
    found = late.take(200)
    assert found is not None
    found.release()


def test_a_folder_that_is_no_folder_of_ours_is_told(tmp_path: Path) -> None:
    taken = tmp_path / "queue"
    taken.write_text("a file where the folder should be")
    with pytest.raises(ProverUnavailable, match="HOLDFAST_PROVER_LOCK"):
        Turns(taken).take(0)


def test_a_machine_has_as_many_places_as_this_process_may_use_cores(tmp_path: Path) -> None:
    assert Turns(tmp_path).places == cores() >= 1


class Five:
    """An executor that takes more than there are places."""

    capacity = 5
    cores = 1

    async def prove(self, inputs: dict[str, Any]) -> Groth16Proof:
        raise AssertionError(inputs)

    async def close(self) -> None:
        pass


def test_waiters_that_are_cancelled_leave_no_ticket(tmp_path: Path) -> None:
    async def work() -> list[int]:
        queue, inside, order = ProofQueue(Five(), Turns(tmp_path, 2), Tally(1.0), lambda: 0.0), 0, list[int]()

        async def prove(deadline: int) -> None:
            nonlocal inside
            async with queue.turn(deadline):
                inside += 1
                assert inside <= queue.running <= 2
                await asyncio.sleep(0)
                order.append(deadline)
                inside -= 1

        async with queue.turn(0), queue.turn(0):
            tasks = [asyncio.create_task(prove(deadline)) for deadline in (5, 3, 4, 1, 2)]
            await asyncio.sleep(0.05)
            assert (queue.waiting, queue.running, queue.due) == (5, 2, 0)
            assert len(list(tmp_path.glob("*.ticket"))) == 1
            tasks[2].cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(end) for end in ends] == [type(None), type(None), asyncio.CancelledError, type(None), type(None)]
        assert (queue.waiting, queue.running, queue.due) == (0, 0, None)
        return order

    assert asyncio.run(asyncio.wait_for(work(), PATIENCE)) == [1, 2, 3, 5]
    assert list(tmp_path.glob("*.ticket")) == []


def test_who_waits_in_a_queue_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    async def work() -> None:
        queue = ProofQueue(Five(), Turns(tmp_path / "turns", 1), Tally(1.0), lambda: 0.0)
        async with queue.turn(0):
            waiting = [asyncio.create_task(wait(queue)) for _ in range(2)]
            await asyncio.sleep(0.05)
            for path in (tmp_path / "turns").iterdir():
                path.unlink()
            (tmp_path / "turns").rmdir()
            (tmp_path / "turns").touch()
            for task in waiting:
                with pytest.raises(ProverUnavailable, match="HOLDFAST_PROVER_LOCK"):
                    await task
        (tmp_path / "turns").unlink()
        await wait(queue)

    async def wait(queue: ProofQueue) -> None:
        async with queue.turn(1):
            pass

    asyncio.run(asyncio.wait_for(work(), PATIENCE))
