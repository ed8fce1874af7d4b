"""The service over real workers: many slots due at once, a prover that takes the whole machine, and what goes wrong."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from agents.artefacts.files import verification_key
from agents.core.errors import ProofFailed, ProverLost, TooLate
from agents.core.proofs import queue as rules
from agents.core.proofs.profiles import profile_named
from agents.core.proofs.proof import Groth16Proof, public_inputs
from agents.core.proofs.verification import verify
from agents.proving.executor import Executor
from agents.proving.pool import LocalPool
from agents.proving.prover import SNARKJS, SnarkjsProver, prover_for
from agents.proving.service import ProvingService
from agents.proving.turns import Turns
from tests.circuits.slots import CHALLENGE, Slot, inputs_for, slot_of, small_cell
from tests.proving.makers import ForgerRecipe, write_key

DEVNET = profile_named("devnet")
PATIENCE = 120.0
FAR = 1e9
SLOTS = 5


@pytest.fixture(scope="module")
def slots() -> list[Slot]:
    return [slot_of(DEVNET, index=index, slots=SLOTS, blocks=2, cell=small_cell) for index in range(SLOTS)]


async def challenge() -> bytes:
    return CHALLENGE


class Clock:
    """UNIX seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class House:
    """A service over a pool of forgers, and the order in which proofs were begun."""

    def __init__(self, folder: Path, workers: int = 2, places: int = 2) -> None:
        self.folder, self.clock = folder, Clock()
        self.turns: list[int] = []
        """Slots in the order in which their challenges were read."""
        self.key = write_key(folder / "forger.zkey")
        self.pool = LocalPool(ForgerRecipe(folder / "forger.zkey", folder), workers)
        self.service = ProvingService(self.pool, DEVNET, self.key, Turns(folder / "turns", places), self.clock)

    def order(self, name: str) -> Path:
        path = self.folder / name
        path.touch()
        return path

    def begun(self) -> list[int]:
        """Slots in the order in which workers began to prove them."""
        found = [path.name.split("-") for path in self.folder.glob("begun-*")]
        return [int(slot) for _, slot, _, _ in sorted(found, key=lambda parts: int(parts[3]))]

    def prove(self, slot: Slot, deadline: float) -> "asyncio.Task[Groth16Proof]":
        async def read() -> bytes:
            self.turns.append(slot.index)
            return CHALLENGE

        return asyncio.create_task(self.service.prove_slot(slot, deadline, read))


def play(folder: Path, story: Callable[[House], Awaitable[None]], **options: int) -> None:
    async def main() -> None:
        house = House(folder, **options)
        try:
            async with asyncio.timeout(PATIENCE):
                await story(house)
        finally:
            await house.service.close()

    asyncio.run(main())


async def until(state: Callable[[], bool]) -> None:
    while not state():  # noqa: ASYNC110  what is waited for happens in another process
        await asyncio.sleep(0.005)


def test_many_slots_due_in_one_period_are_proven_by_deadline(slots: list[Slot], tmp_path: Path) -> None:
    async def story(house: House) -> None:
        hold = house.order("hold")
        assert house.service.load().waiting == 0 and house.service.load().due_in is None
        proofs = {}
        for index, deadline in ((4, 1_500), (0, 1_400), (3, 1_100), (1, 1_300), (2, 1_200)):
            proofs[index] = house.prove(slots[index], deadline)
            await asyncio.sleep(0)
            if index == 0:
                await until(lambda: len(house.begun()) == 2)  # workers start at their own pace
        load = house.service.load()
        assert (load.waiting, load.running, load.capacity, load.due_in) == (3, 2, 2, 100.0)
        assert load.seconds == 2.0 == 2 * house.service.pace  # so far nothing is known of this machine
        hold.unlink()
        for index, proof in proofs.items():
            found = await proof
            assert index != 3 or verify(house.key, found, public_inputs(CHALLENGE, slots[3].facts.dataset_root, 3))
        assert house.turns == [4, 0, 3, 2, 1] and sorted(house.begun()) == [0, 1, 2, 3, 4]
        load = house.service.load()
        assert (load.waiting, load.running, load.per_minute, load.refused) == (0, 0, SLOTS, 0)
        assert 0 < load.seconds == house.service.seconds

    play(tmp_path, story)


def test_whoever_comes_too_late_is_refused_and_not_begun(slots: list[Slot], tmp_path: Path) -> None:
    async def story(house: House) -> None:
        with pytest.raises(TooLate, match=r"its deadline passed 1\.0 s ago") as caught:
            await house.prove(slots[0], house.clock.now - 1)
        assert "smaller --quota" in str(caught.value)
        await house.prove(slots[0], house.clock.now + 0.001)  # nothing is known yet: it is tried
        for _ in range(2):
            house.service._tally.proven(19.0, house.clock.now)
        seconds = house.service.seconds
        assert 9.0 < seconds < 12.0
        with pytest.raises(TooLate, match=f"due in 9.0 s and the last ones took {seconds:.1f} s each"):
            await house.prove(slots[1], house.clock.now + 9)
        # One that waits is refused as soon as it is hopeless, not when its turn would come; others wait on.
        hold = house.order("hold")
        runs, waits, longer = (house.prove(slots[index], 1_100 + 100 * index) for index in (2, 3, 4))
        await until(lambda: house.begun() == [0, 2])
        house.clock.now = 1_100 + 300 - 5
        with pytest.raises(TooLate):
            await waits
        assert not longer.done() and not runs.done() and house.service.load().refused == 3
        hold.unlink()
        await runs  # what is begun is brought to its end
        await longer
        assert house.begun() == [0, 2, 4]

    play(tmp_path, story, workers=1)


def test_cancelled_work_leaves_the_queue_and_frees_its_worker(slots: list[Slot], tmp_path: Path) -> None:
    async def story(house: House) -> None:
        house.order("hang-0")
        runs, waits, last = (house.prove(slots[index], FAR + index) for index in (0, 1, 2))
        await until(lambda: house.begun() == [0])
        (pid,) = house.pool.pids
        assert house.service.load().waiting == 2
        waits.cancel()
        await asyncio.wait([waits])
        assert (house.service.load().waiting, house.service.load().running) == (1, 1)
        runs.cancel()
        await last
        assert house.begun() == [0, 2] and pid not in house.pool.pids

    play(tmp_path, story, workers=1)


def test_a_worker_that_dies_or_hangs_costs_a_second_attempt_but_not_the_proof(
    slots: list[Slot], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(rules, "LEAST_PATIENCE", 4.0)

    async def story(house: House) -> None:
        house.order("die-0")
        await house.prove(slots[0], FAR)
        assert house.begun() == [0, 0] and "died: signal 9" in caplog.text
        house.order("hang-1")
        await house.prove(slots[1], house.clock.now + 4)  # a hanging worker is given up in time for another
        assert house.begun() == [0, 0, 1, 1] and "did not answer in 4 s" in caplog.text
        assert house.service.seconds < 4.0  # what was lost does not count
        # Where there is no time for another attempt there is none.
        house.order("die-2")
        for _ in range(2):
            house.service._tally.proven(60.0, house.clock.now)

        async def slow_challenge() -> bytes:
            house.clock.now += 39
            return CHALLENGE

        with pytest.raises(ProverLost):
            await house.service.prove_slot(slots[2], house.clock.now + 40, slow_challenge)
        assert house.begun().count(2) == 1

    play(tmp_path, story, workers=1)


def test_a_challenge_that_cannot_be_read_gives_the_turn_back(slots: list[Slot], tmp_path: Path) -> None:
    async def gone() -> bytes:
        raise ProofFailed("the period is over")

    async def story(house: House) -> None:
        with pytest.raises(ProofFailed, match="period is over"):
            await house.service.prove_slot(slots[0], FAR, gone)
        assert house.begun() == [] and house.service.load().running == 0
        places = Turns(tmp_path / "turns", 2).take(0.0)
        assert places is not None
        places.release()

    play(tmp_path, story)


def test_snarkjs_takes_the_whole_machine_and_the_challenge_is_read_when_it_is_its_turn(
    slots: list[Slot], tmp_path: Path
) -> None:
    events: list[str] = []

    async def read() -> bytes:
        events.append("challenge")
        return CHALLENGE

    async def main() -> None:
        prover: Executor = prover_for(DEVNET, executable=SNARKJS)
        assert isinstance(prover, SnarkjsProver) and prover.cores is None
        other = Turns(tmp_path, 4)
        service = ProvingService(prover, DEVNET, verification_key("devnet"), Turns(tmp_path, 4))
        try:
            held = other.take(0.0, 1)
            assert held is not None
            waiting = asyncio.create_task(service.prove_slot(slots[0], time.time() + PATIENCE, read))
            await asyncio.sleep(0.2)
            assert service.load().waiting == 1 and len(list(tmp_path.glob("*.ticket"))) == 1
            events.append("released")
            held.release()
            await until(lambda: service.load().running == 1)
            assert other.take(0.0, 1) is None  # not one place is left
            other.leave()
            await asyncio.wait_for(waiting, PATIENCE)
            assert service.load().per_minute == 1
        finally:
            await service.close()

    asyncio.run(main())
    assert events == ["released", "challenge"]


def test_a_proof_that_does_not_verify_is_not_handed_over(slots: list[Slot], tmp_path: Path) -> None:
    seen: list[Any] = []

    class Liar(ForgerPool):
        async def prove(self, inputs: dict[str, Any]) -> Groth16Proof:
            seen.append(inputs)
            proof = await super().prove(inputs)
            return Groth16Proof(proof.a, proof.b, proof.a)

    async def main() -> None:
        key = write_key(tmp_path / "forger.zkey")
        service = ProvingService(Liar(tmp_path), DEVNET, key, Turns(tmp_path / "turns"))
        try:
            with pytest.raises(ProofFailed, match="does not verify") as caught:
                await service.prove_slot(slots[2], time.time() + PATIENCE, challenge)
            assert "HOLDFAST_ZKEY" in str(caught.value)
        finally:
            await service.close()

    asyncio.run(main())
    assert seen == [inputs_for(slots[2])]


class ForgerPool(LocalPool):
    def __init__(self, folder: Path) -> None:
        super().__init__(ForgerRecipe(folder / "forger.zkey", folder), 1)


def test_workers_do_not_outlive_an_agent_that_is_killed(tmp_path: Path) -> None:
    import signal
    import subprocess
    import sys

    write_key(tmp_path / "forger.zkey")
    (tmp_path / "hold").touch()
    program = f"""
import asyncio
from pathlib import Path
from agents.proving.pool import LocalPool
from tests.proving.makers import ForgerRecipe
folder = Path({str(tmp_path)!r})
inputs = {{"entropy": "1", "dataSetRoot": "2", "slotIndex": "3"}}
asyncio.run(LocalPool(ForgerRecipe(folder / "forger.zkey", folder), 1).prove(inputs))
"""
    agent = subprocess.Popen([sys.executable, "-c", program], cwd=Path(__file__).resolve().parents[2])

    def worker() -> list[int]:
        return [int(path.name.split("-")[2]) for path in tmp_path.glob("begun-*")]

    async def main() -> None:
        async with asyncio.timeout(PATIENCE):
            await until(lambda: worker() != [])
            (pid,) = worker()
            assert os.getpriority(os.PRIO_PROCESS, pid) > 0
            agent.send_signal(signal.SIGKILL)
            agent.wait()
            await until(lambda: not Path(f"/proc/{pid}").exists())

    try:
        asyncio.run(main())
    finally:
        agent.kill()
        agent.wait()
