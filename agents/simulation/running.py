"""Where the pieces of a simulation run: here, in processes of this machine, or on a cluster's workers.

A simulation is cut into pieces by its size alone, and each piece has a seed of its own, so that its result does not depend on
who runs which piece, nor on how many there are.
"""

import hashlib
import logging
import os
import pickle
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np

from agents.core.errors import ExecutorUnavailable, Misuse
from agents.kernels.cache import sources_digest

Piece = TypeVar("Piece")
Result = TypeVar("Result")

CONNECT_SECONDS = 20.0
CHATTY = ("distributed", "distributed.client", "distributed.utils")
"""Loggers that tell, at length, what is raised here anyway."""


class Runner(Protocol):
    """Runs a function of this package on each of many pieces."""

    def run(self, work: Callable[[Piece], Result], pieces: Sequence[Piece]) -> list[Result]:
        """The results, in the order of the pieces. What the function raises is raised."""
        ...


class Here:
    """One piece after the other, in this process."""

    def run(self, work: Callable[[Piece], Result], pieces: Sequence[Piece]) -> list[Result]:
        """See Runner."""
        return [work(piece) for piece in pieces]


HERE = Here()


class Processes:
    """Processes of this machine. They end with the `with` block, however it ends, and with this process, if it is killed."""

    def __init__(self, workers: int) -> None:
        """Nothing is started before it is needed. Raises Misuse."""
        if workers < 1:
            raise Misuse(f"{workers} workers cannot do anything", "", "Take 1 or more.")
        context = get_context("spawn")
        watched, self._held = context.Pipe(duplex=False)
        self._watched = watched
        self._pool = ProcessPoolExecutor(workers, context, _attend, (watched,))

    def run(self, work: Callable[[Piece], Result], pieces: Sequence[Piece]) -> list[Result]:
        """See Runner. Raises ExecutorUnavailable where a worker was killed."""
        try:
            with _uninterrupted():
                futures = [self._pool.submit(work, piece) for piece in pieces]
            return _gathered(futures)
        except BrokenProcessPool as error:
            raise ExecutorUnavailable(
                "a worker process of the simulation died", str(error), "Is memory short?"
            ) from error

    def __enter__(self) -> "Processes":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._held.close()  # the workers notice
        self._pool.shutdown(wait=True)
        self._watched.close()


def _attend(watched: Connection) -> None:
    """In a worker: end with the parent, in the middle of a piece too."""

    def wait() -> None:
        watched.poll(None)  # nothing is ever sent: the other end was closed
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Ctrl-C waits; processes that are started never hear of it: it is the parent that ends them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _gathered(futures: "list[Future[Result]]") -> list[Result]:
    """All results; where one fails or we are interrupted, the pieces not begun are dropped."""
    try:
        return [future.result() for future in futures]
    except BaseException:
        for future in futures:
            future.cancel()
        raise


class Cluster:
    """The workers of a dask.distributed cluster, which have this package installed, in this version.

    Whoever can reach a scheduler can run any program on its workers and here: keep it in a network of your own, or give it
    TLS.
    """

    def __init__(self, address: str) -> None:
        """Connect to the scheduler at ``address``, such as tcp://10.0.0.1:8786. Raises ExecutorUnavailable."""
        try:
            from distributed import Client
        except ImportError as error:
            raise ExecutorUnavailable(
                "a cluster cannot be used here", str(error), "Install it with `pip install 'holdfast[cluster]'`."
            ) from error
        for name in CHATTY:
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            self._client: Any = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise ExecutorUnavailable(
                f"no cluster's scheduler answers at {address}", str(error), "Start it with `dask scheduler`."
            ) from error

    def run(self, work: Callable[[Piece], Result], pieces: Sequence[Piece]) -> list[Result]:
        """See Runner. Raises ExecutorUnavailable where no worker has this version, or all are lost."""
        from distributed import KilledWorker, as_completed
        from distributed.client import ClosedClientError, FutureCancelledError

        if not self._client.scheduler_info()["workers"]:
            raise ExecutorUnavailable("the cluster has no workers", "", "Start some with `dask worker ADDRESS`.")
        futures = self._client.map(_checked, [(version(), work, piece) for piece in pieces], pure=False)
        try:
            found: dict[str, Result] = {}
            for future, result in as_completed(futures, self._client.loop, with_results=True):
                if future.status != "finished":
                    raise FutureCancelledError(future.key, "the scheduler is gone")
                found[future.key] = result
            return [found[future.key] for future in futures]
        except (KilledWorker, FutureCancelledError, ClosedClientError, OSError) as error:
            raise ExecutorUnavailable("the cluster lost a piece", str(error), "Look at its workers' logs.") from error
        except (ImportError, AttributeError, pickle.UnpicklingError) as error:
            raise _other_version(str(error)) from error
        finally:
            self._client.cancel(futures)

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()


@cache
def version() -> str:
    """A digest of the simulators' and their kernels' code: other code may draw other numbers."""
    digest = hashlib.sha256(sources_digest().encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _checked(parcel: "tuple[str, Callable[[Piece], Result], Piece]") -> Result:
    """On a cluster's worker."""
    wanted, work, piece = parcel
    if wanted != version():
        raise _other_version("their code differs from the code here")
    return work(piece)


def _other_version(why: str) -> ExecutorUnavailable:
    return ExecutorUnavailable(
        "the cluster's workers do not have this version", why, "Install the same one everywhere."
    )


@contextmanager
def runner(workers: int = 1, cluster: str | None = None) -> Iterator[Runner]:
    """The runner for so many processes, or for the cluster whose scheduler is at an address.

    Raises Misuse, ExecutorUnavailable.
    """
    if cluster is not None:
        with Cluster(cluster) as found:
            yield found
    elif workers == 1:
        yield HERE
    else:
        with Processes(workers) as pool:
            yield pool


def cut(total: int, largest: int, seed: int) -> list[tuple[int, np.random.SeedSequence]]:
    """Sizes, at most ``largest``, that add up to ``total``, each with a seed of its own. Raises Misuse."""
    if total < 1:
        raise Misuse(f"{total} of them cannot be simulated", "", "Take 1 or more.")
    if seed < 0:
        raise Misuse(f"{seed} is not a seed", "", "Take 0 or more.")
    count = -(-total // largest)
    sizes = [total // count + (at < total % count) for at in range(count)]
    return list(zip(sizes, np.random.SeedSequence(seed).spawn(count), strict=True))
