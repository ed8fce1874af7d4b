"""The threads that kernels share: as many as this process may use cores, or as HOLDFAST_THREADS says."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

VARIABLE = "HOLDFAST_THREADS"


@cache
def count() -> int:
    """How many threads work at once."""
    asked = os.environ.get(VARIABLE, "")
    return max(1, int(asked)) if asked.isascii() and asked.isdecimal() else len(os.sched_getaffinity(0))


@cache
def pool() -> ThreadPoolExecutor:
    """Those threads. What runs on them never waits for another of their tasks."""
    return ThreadPoolExecutor(count(), thread_name_prefix="kernels")


def share(things: int, work: Callable[[int, int], Any], least: int = 512) -> None:
    """``work(first, count)`` over so many things, ``least`` at a time at least; returns when all is done."""
    step = max(least, -(-things // count()))
    spans = [(first, min(step, things - first)) for first in range(0, things, step)]
    if len(spans) == 1:
        work(*spans[0])
    else:
        list(pool().map(lambda span: work(*span), spans))
