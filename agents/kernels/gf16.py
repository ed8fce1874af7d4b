"""Systematic Reed-Solomon over GF(2^16) with the best kernel this CPU has, on all cores; gf16_field.py states the format.

Every kernel gives the same bytes. Rows may be strided views of a larger array; kernels release the GIL.
"""

import os
from collections.abc import Callable
from functools import cache, lru_cache, partial

import numpy as np
from numpy.typing import NDArray

from agents.core.errors import CodeParameters, Corrupt, KernelUnavailable
from agents.kernels.cache import despite_damage
from agents.kernels.gf16_field import Layout, layout, twiddles
from agents.kernels.gf16_kernel import Kernel, Table, Tables, portable, supported, wide
from agents.kernels.gf16_plan import Mending, Octets, direct, mending
from agents.kernels.threads import share

VARIABLE = "HOLDFAST_CODING"
"""Environment variable that forces a kernel by name."""

COLUMNS = 1024
"""Bytes of a row that one thread codes: a multiple of every kernel's unit."""

SHARE_BYTES = 1 << 21
"""Bytes of all rows that are worth a thread of their own."""

ROOM = 1 << 24
"""Bytes of a workspace beyond which there is one alone."""

KERNELS: dict[str, tuple[Callable[[], bool], Callable[[], Kernel]]] = {
    **{name: (partial(supported, name), partial(wide, name)) for name in ("gfni512", "gfni256", "avx2")},
    "portable": (lambda: True, partial(despite_damage, portable)),
}
"""Name -> (whether this CPU can run it, how to load it), best first."""


@cache
def available_kernels() -> tuple[str, ...]:
    """Names of the kernels this CPU can run, best first."""
    return tuple(name for name, (supported, _) in KERNELS.items() if supported())


@cache
def kernel_named(name: str) -> Kernel:
    """The kernel ``name``, loaded once. Raises KernelUnavailable."""
    if name not in available_kernels():
        raise KernelUnavailable(
            f"there is no coding kernel {name!r} here",
            "" if name not in KERNELS else "this CPU lacks its instructions",
            f"Unset {VARIABLE}, or set it to one of {', '.join(available_kernels())}.",
        )
    return KERNELS[name][1]()


def default_kernel() -> Kernel:
    """The kernel HOLDFAST_CODING names, else the best one. Raises KernelUnavailable."""
    return kernel_named(os.environ.get(VARIABLE) or available_kernels()[0])


@cache
def _twiddles(name: str, length: int) -> Table:
    return kernel_named(name).table(twiddles(length))


def encode(data: Octets, m: int, kernel: Kernel | None = None) -> Octets:
    """(k, bytes) data rows -> (m, bytes) parity rows. Raises CodeParameters."""
    k, size = data.shape
    _check_size(size)
    parity = np.empty((m, size), dtype=np.uint8)
    if m == 0 and k > 0:
        return parity
    shape, chosen = layout(k, m), kernel or default_kernel()
    if shape.aligned:
        _encode(data if direct(data) else np.ascontiguousarray(data, dtype=np.uint8), parity, shape, chosen)
    else:
        shards = np.concatenate([data, parity])
        _mend(shards, np.arange(k + m) < k, shape, chosen)
        parity[:] = shards[k:]
    return parity


def rebuild(shards: Octets, present: NDArray[np.bool_], k: int, kernel: Kernel | None = None) -> None:
    """Fill in the rows of (k + m, bytes) ``shards``, data first, that are not ``present``; in place.

    Raises CodeParameters, Corrupt where fewer than k are present, and ValueError where ``shards`` is read-only.
    """
    count, size = shards.shape
    _check_size(size)
    here = np.asarray(present, dtype=np.bool_)
    if here.shape != (count,) or not 0 < k <= count:
        raise CodeParameters(f"{count} rows of which {k} are data, and {here.size} of them known, make no code word")
    if (found := int(here.sum())) < k:
        raise Corrupt(f"Only {found} of the {k} rows needed are there", "", "Fetch more of them from elsewhere.")
    if found == count:
        return
    if not shards.flags.writeable:
        raise ValueError("rows that are read-only cannot be filled in")
    shape, chosen = layout(k, count - k), kernel or default_kernel()
    rows = shards if direct(shards) else np.ascontiguousarray(shards)
    if not (shape.aligned and here[:k].all()):
        _mend(rows, here, shape, chosen)
    elif here[k:].any():
        rows[~here] = encode(rows[:k], count - k, chosen)[~here[k:]]
    else:
        _encode(rows[:k], rows[k:], shape, chosen)
    if rows is not shards:
        shards[~here] = rows[~here]


def _encode(data: Octets, parity: Octets, shape: Layout, kernel: Kernel) -> None:
    table = _twiddles(kernel.name, shape.length)
    _spread(
        data.shape[1],
        len(data) + len(parity),
        2 * shape.space * kernel.unit,
        lambda first, last: kernel.encode(data[:, first:last], parity[:, first:last], shape, table),
    )


def _mend(shards: Octets, present: NDArray[np.bool_], shape: Layout, kernel: Kernel) -> None:
    plan, tables = plan_of(shape, present.tobytes(), kernel.name)
    _spread(
        shards.shape[1],
        3 * shape.length,
        shape.length * kernel.unit,
        lambda first, last: kernel.rebuild(shards[:, first:last], plan, tables),
    )


@lru_cache(maxsize=4)
def plan_of(shape: Layout, present: bytes, name: str) -> tuple[Mending, Tables]:
    """Stripe after stripe lacks the same rows."""
    kernel, plan = kernel_named(name), mending(shape, np.frombuffer(present, dtype=np.bool_))
    return plan, (_twiddles(name, shape.length), kernel.table(plan.scales), kernel.table(plan.unscales))


def _check_size(size: int) -> None:
    if size % 2:
        raise CodeParameters(
            f"rows of {size} bytes cannot be coded", "symbols are two bytes", "Pad them to an even size."
        )


def _spread(size: int, rows: int, room: int, work: Callable[[int, int], None]) -> None:
    """``work(first, last)``, in a workspace of ``room`` bytes, over the bytes of a row, on as many threads as is worth it."""
    if room > ROOM:
        work(0, size)
        return
    least = max(1, SHARE_BYTES // (rows * COLUMNS))
    share(-(-size // COLUMNS), lambda first, count: work(first * COLUMNS, min(size, (first + count) * COLUMNS)), least)


def warm() -> tuple[str, ...]:
    """Compile every kernel this CPU can run and leave its code on disk; their names."""
    names = available_kernels()
    for name in names:
        shards = np.zeros((5, 64), dtype=np.uint8)
        shards[3:] = encode(shards[:3], 2, kernel_named(name))
        rebuild(shards, np.array([False, True, True, True, True]), 3, kernel_named(name))
    return names
