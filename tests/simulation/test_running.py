"""Pieces of simulations here, in processes, and on the workers of a dask scheduler that runs in a process of its own."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from agents.core.durability.hazards import YEAR_SECONDS, Code, Hazards
from agents.core.errors import ExecutorUnavailable, Misuse
from agents.simulation import running
from agents.simulation.groups import GroupSetting, byzantine, object_losses
from agents.simulation.running import HERE, Processes, Runner, cut, runner
from agents.simulation.slots import PIECE, simulate_slots
from agents.simulation.targeted import targeted_losses
from tests.simulation import endless

DAY = 86_400.0
PATIENCE = 60.0
ROOT = Path(__file__).resolve().parents[2]


def until(state: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE
    while not state():
        assert time.monotonic() < end, "it does not come about"
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    """Of a process, all there are below it."""
    found = []
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                found += [int(child), *children(int(child))]
    return found


def alive(pid: int) -> bool:
    with suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")")[-1].split()[0] != "Z"
    return False


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a dask scheduler on the loopback interface; its one worker runs two pieces at a time."""
    folder = tmp_path_factory.mktemp("dask")
    place = folder / "scheduler.json"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "DASK_DISTRIBUTED__LOGGING__DISTRIBUTED": "critical"}
    common = ["--scheduler-file", str(place), "--no-dashboard"]
    here = ["--host", "127.0.0.1"]
    commands = [
        ["dask_scheduler", *here, "--port", "0", *common],
        ["dask_worker", *here, "--nthreads", "2", "--no-nanny", "--local-directory", str(folder), *common],
    ]
    started = [
        subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{command[0]}", *command[1:]], env=environment, cwd=folder,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        for command in commands
    ]  # fmt: skip
    try:
        from distributed import Client

        until(place.exists)
        with Client(scheduler_file=str(place), set_as_default=False) as client:
            client.wait_for_workers(1, timeout=PATIENCE)
            address = client.scheduler.address
        yield address
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait(PATIENCE)


def results(where: Runner) -> list[object]:
    """Of each simulator, in more than one piece."""
    slots = simulate_slots(Code(4, 2), Hazards(60 * DAY, DAY, DAY), YEAR_SECONDS, 2 * PIECE + 7, 3, runner=where)
    objects = object_losses(byzantine(GroupSetting(), [0.33, 0.36]), YEAR_SECONDS, 60, 3, runner=where)
    targeted = targeted_losses(GroupSetting(), [0.1, 0.2], 50, 5, 3, runner=where)
    return [slots.lost_at.tobytes(), slots.repairs.tobytes(), slots.written.tobytes(), objects, targeted]


def test_processes_and_a_cluster_give_what_one_process_gives(scheduler: str) -> None:
    expected = results(HERE)
    with runner(2) as pool:
        assert results(pool) == expected
    with runner(cluster=scheduler) as cluster:
        assert results(cluster) == expected


def test_what_a_piece_raises_is_raised_here(scheduler: str) -> None:
    for where in (runner(), Processes(1), runner(cluster=scheduler)):
        with where as found, pytest.raises(Misuse, match=r"^0 of them"):
            found.run(_refused, [0])


def _refused(total: int) -> object:
    return cut(total, 1, 0)


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C as Python has it by default; a plugin of pytest's makes it end the process."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_whoever_interrupts_leaves_no_pieces_on_the_cluster(scheduler: str) -> None:
    with runner(cluster=scheduler) as cluster:
        cluster.run(_nap, [0.0])
        interrupt = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
        interrupt.start()
        with pytest.raises(KeyboardInterrupt):
            cluster.run(_nap, [0.2] * 600)  # a minute's work for its two threads
        interrupt.join()
        began = time.monotonic()
        cluster.run(_nap, [0.0])
        assert time.monotonic() - began < 20


def _nap(seconds: float) -> None:
    time.sleep(seconds)


def test_a_cluster_with_other_code_is_refused(scheduler: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "version", lambda: "another")
    with runner(cluster=scheduler) as cluster, pytest.raises(ExecutorUnavailable, match="do not have this version"):
        cluster.run(_refused, [1])


def test_a_worker_that_is_killed_is_told_and_the_others_end() -> None:
    before = set(children(os.getpid()))
    with runner(2) as pool:
        pids = pool.run(_pid, [0] * 8)
        workers = set(children(os.getpid())) - before
        assert set(pids) <= workers
        with pytest.raises(ExecutorUnavailable, match="a worker process of the simulation died"):
            pool.run(_die, [0] * 4)
    until(lambda: not any(alive(pid) for pid in pids))


def _pid(_: int) -> int:
    return os.getpid()


def _die(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_in_the_middle_of_a_piece_with_whoever_started_them(number: signal.Signals) -> None:
    """Ctrl-C goes to all processes of the terminal's group; whoever is killed cannot say good-bye."""
    # As from a terminal, though whatever runs the tests may be in the background, where SIGINT is ignored.
    hearing = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    process = subprocess.Popen(
        [sys.executable, "-m", endless.__name__], cwd=ROOT, start_new_session=True, preexec_fn=hearing,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None and process.stdout.readline() == "begun\n"
        below = children(process.pid)
        assert len(below) >= 2
        time.sleep(0.3)  # they are amid a piece that takes hours
        (os.killpg if number == signal.SIGINT else os.kill)(process.pid, number)
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()  # its workers end with it
    assert process.returncode == (130 if number == signal.SIGINT else -signal.SIGKILL)
    assert (out, err) == ("interrupted\n", "") or (number == signal.SIGKILL and not out)
    until(lambda: not any(alive(pid) for pid in below))


def test_who_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "CONNECT_SECONDS", 0.5)
    for address in ("tcp://127.0.0.1:9", "nonsense://x"):
        with (
            pytest.raises(ExecutorUnavailable, match=f"no cluster's scheduler answers at {address}"),
            runner(cluster=address),
        ):
            pass
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(ExecutorUnavailable, match=r"holdfast\[cluster\]"), runner(cluster="tcp://127.0.0.1:9"):
        pass
    with pytest.raises(Misuse, match="0 workers cannot do anything"), runner(0):
        pass


def test_pieces_add_up_and_have_seeds_of_their_own() -> None:
    pieces = cut(1_003, 250, 5)
    sizes = [size for size, _ in pieces]
    assert sum(sizes) == 1_003 and max(sizes) <= 250 and max(sizes) - min(sizes) <= 1
    states = {tuple(seed.generate_state(4)) for _, seed in [*pieces, *cut(1_003, 250, 6)]}
    assert len(states) == 2 * len(pieces)
    assert np.array_equal(cut(1_003, 250, 5)[3][1].generate_state(4), pieces[3][1].generate_state(4))
