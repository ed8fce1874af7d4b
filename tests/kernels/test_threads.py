"""Work cut among threads: all of it is done, once, by as many as were asked for."""

from __future__ import annotations

import os
import threading

import pytest

from agents.kernels import threads


@pytest.mark.parametrize("workers", [1, 2, 3, 8])
@pytest.mark.parametrize("least", [1, 7, 512])
def test_everything_is_done_once(workers: int, least: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "count", lambda: workers)
    for things in (0, 1, 6, 7, 8, 511, 512, 513, 5000):
        done, lock = [0] * things, threading.Lock()

        def work(first: int, count: int, done: list[int] = done, lock: threading.Lock = lock) -> None:
            assert count >= min(least, len(done) - first)
            with lock:
                for at in range(first, first + count):
                    done[at] += 1

        threads.share(things, work, least)
        assert done == [1] * things


def test_a_thread_that_fails_is_heard_of() -> None:
    def work(first: int, count: int) -> None:
        if first:
            raise ArithmeticError("here")

    with pytest.raises(ArithmeticError, match="here"):
        threads.share(10 * threads.count(), lambda first, count: work(first + 1, count), least=1)


@pytest.mark.parametrize(
    ("asked", "count"), [("3", 3), ("1", 1), ("0", 1), ("", None), ("many", None), ("-2", None), ("²", None)]
)
def test_as_many_threads_as_were_asked_for(asked: str, count: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(threads.VARIABLE, asked)
    assert threads.count.__wrapped__() == (count or len(os.sched_getaffinity(0)))
