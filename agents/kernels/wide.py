"""Poseidon2 in eight AVX-512 IFMA lanes: LLVM IR written here on `forms.Wide`, compiled once by llvmlite, kept on disk.

How far from reduced the elements of a state may be stands in `FULL` and `PARTIAL`; that these bounds hold from round to round
is checked while the code is written.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numpy.typing import NDArray

from agents.core.proofs.field import ELEMENT_BYTES, SCALAR_ORDER
from agents.core.proofs.poseidon2 import sponge_iv
from agents.core.proofs.poseidon2_constants import EXTERNAL, INTERNAL
from agents.kernels.compiled import compiled_once
from agents.kernels.emit import Routine
from agents.kernels.forms import Value, Wide
from agents.kernels.limbs import Limbs
from agents.kernels.memory import Words, aligned

LANES = Wide.lanes
LINE = 64
"""Bytes of a pair of elements."""
FULL_ROUNDS, PARTIAL_ROUNDS = len(EXTERNAL), len(INTERNAL)

REDUCED = (1.1, 1.1, 1.1)
FULL = (7.5, 7.5, 7.5)
"""Below how many orders a state is before a full round: four elements that are about reduced; after it, four fifth powers."""
PARTIAL = (4.5, 1.1, 1.1)
"""And between two partial rounds: two fifth powers and two reduced elements, and two reduced elements."""

State = list[Value]


class Sponge:
    """The compiled function and its table of constants."""

    def __init__(self) -> None:
        self._call = compiled_once("poseidon2", write).routine("sponge", 6)
        rows = [*EXTERNAL[:4], *((value, 0, 0) for value in INTERNAL), *EXTERNAL[4:]]
        self._table = np.array([_split(value) for row in rows for value in row], dtype=np.uint64)

    def _run(self, elements: Words, count: int, third: int) -> Limbs:
        """(rows, 2 pairs, 4) canonical words, a multiple of the lanes of rows -> (count, 4)."""
        out = aligned(len(elements) * 4).reshape(-1, 4)
        last = np.array(_split(third), dtype=np.uint64)
        arrays = (out, elements, last, self._table)
        self._call(*(each.ctypes.data for each in arrays), len(elements) // LANES, elements.shape[1] // 2)
        return out[:count]

    def hash_cells(self, cells: NDArray[np.uint8]) -> Limbs:
        """(n, cell bytes) -> (n, 4): the rate-2 sponge of each row."""
        count, size = cells.shape
        rows = -(-count // LANES) * LANES
        used = size // ELEMENT_BYTES + 1
        padded = used + 1 + (used + 1) % 2
        words = aligned(rows * padded * 4).reshape(rows, padded, 4)
        words[:] = 0
        octets = words.view(np.uint8).reshape(rows, padded, 32)
        whole = size // ELEMENT_BYTES
        octets[:count, :whole, :ELEMENT_BYTES] = cells[:, : whole * ELEMENT_BYTES].reshape(count, whole, ELEMENT_BYTES)
        rest = size - whole * ELEMENT_BYTES
        octets[:count, whole, :rest] = cells[:, whole * ELEMENT_BYTES :]
        octets[:count, whole, rest] = 1
        octets[:, used, 0] = 1
        return self._run(words, count, sponge_iv(2))

    def compress(self, left: Limbs, right: Limbs, key: int) -> Limbs:
        """(n, 4), (n, 4) -> (n, 4): the permutation's first element of each (left, right, key)."""
        count = left.shape[0]
        words = aligned(-(-count // LANES) * LANES * 8).reshape(-1, 2, 4)
        words[:count, 0], words[:count, 1], words[count:] = left, right, 0
        return self._run(words, count, key)


def _split(value: int) -> list[int]:
    """Limbs of ``value`` in Montgomery form."""
    form = value * (1 << (Wide.limbs * Wide.bits)) % SCALAR_ORDER
    return [(form >> (Wide.bits * i)) & ((1 << Wide.bits) - 1) for i in range(Wide.limbs)]


def write() -> str:
    """IR of ``sponge(out, elements, third, table, groups, pairs)``.

    Each row absorbs ``pairs`` pairs of canonical elements of four words, which begin on a cache line, into a state of 0, 0 and
    ``third``, and leaves its first element, canonical, in ``out``; eight rows are a group.
    """
    module = ir.Module("poseidon2")
    _Written(Routine(module, "sponge", ("out", "elements", "third", "table", "groups", "pairs"))).sponge()
    return str(module)


class _Written:
    """The function being written."""

    def __init__(self, routine: Routine) -> None:
        self.routine, self.field = routine, Wide(routine, SCALAR_ORDER)

    def sponge(self) -> None:
        """All of it."""
        routine, field, builder = self.routine, self.field, self.routine.builder
        pairs = routine["pairs"]
        row = builder.mul(pairs, routine.word(LINE))
        enter = field.constant(field.radix**2 % SCALAR_ORDER)
        third = field.everywhere(routine["third"])

        def group(index: Any, _: State) -> State:
            first = builder.add(routine["elements"], builder.mul(builder.mul(index, routine.word(LANES)), row))

            def absorb(pair: Any, state: State) -> State:
                at = routine.at(first, pair, LINE)
                both = field.gather([builder.add(at, builder.mul(row, routine.word(lane))) for lane in range(LANES)])
                x, y = (field.add(state[i], field.multiply(both[i], enter)) for i in range(2))
                return self.permuted([x, y, state[2]])

            state = self.rounds(
                "pair", pairs, REDUCED, [field.constant(0), field.constant(0), Value(third.limbs, 1)], absorb
            )
            left = field.multiply(state[0], field.constant(1))
            field.follow(field.canonical(left), routine.at(routine["out"], index, 32 * LANES))
            return []

        self.rounds("group", routine["groups"], (), [], group)
        routine.end()

    def permuted(self, state: State) -> State:
        """Poseidon2 of three elements; three reduced ones."""
        field, partials = self.field, FULL_ROUNDS // 2

        def full(start: int) -> Callable[[Any, State], State]:
            return lambda index, state: self.mixed(
                [self.fifth(field.add(value, self.constant(index, start, lane))) for lane, value in enumerate(state)]
            )

        def partial(index: Any, state: State) -> State:
            x, y, z = state
            x = self.fifth(field.add(x, self.constant(index, partials, 0)))
            total = field.add(field.add(x, y), z)
            return [
                field.add(x, total),
                field.reduce(field.add(y, total)),
                field.reduce(field.add(field.double(z), total)),
            ]

        state = self.rounds("first", partials, FULL, self.mixed(state), full(0))
        state = self.rounds("partial", PARTIAL_ROUNDS, PARTIAL, [field.reduce(value) for value in state], partial)
        state = self.rounds("last", FULL_ROUNDS - partials, FULL, state, full(partials + PARTIAL_ROUNDS))
        return [field.reduce(value) for value in state]

    def mixed(self, state: State) -> State:
        """The external layer: each and the sum of all."""
        total = self.field.add(self.field.add(state[0], state[1]), state[2])
        return [self.field.add(value, total) for value in state]

    def fifth(self, a: Value) -> Value:
        """a^5."""
        a = self.field.normal(a)
        return self.field.multiply(self.field.square(self.field.square(a)), a)

    def constant(self, index: Any, start: int, lane: int) -> Value:
        """Of round ``start + index``, for one element of the state."""
        size = 8 * self.field.limbs
        place = self.routine.at(self.routine.at(self.routine["table"], index, 3 * size), 3 * start + lane, size)
        return Value(self.field.everywhere(place).limbs, 1)

    def rounds(
        self, name: str, count: Any, bounds: Sequence[float], state: State, body: Callable[[Any, State], State]
    ) -> State:
        """A loop that carries a state which is not reduced on its way, but stays below ``bounds``."""
        limbs = self.field.limbs

        def packed(state: State) -> list[Any]:
            for value, bound in zip(state, bounds, strict=True):
                if value.bound > bound:
                    raise ValueError(f"a value below {value.bound} orders goes around where they are below {bound}")
            return [limb for value in state for limb in value.limbs]

        def unpacked(flat: list[Any]) -> State:
            rows = (tuple(flat[limbs * i : limbs * (i + 1)]) for i in range(len(bounds)))
            return [Value(row, bound, normal=False) for row, bound in zip(rows, bounds, strict=True)]

        return unpacked(
            self.routine.loop(name, count, packed(state), lambda index, flat: packed(body(index, unpacked(flat))))
        )
