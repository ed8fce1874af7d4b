"""Transforms of 2 to 2^22 and more elements of the scalar field on all cores, and the quotient of Groth16 made of them."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.core.proofs.field import SCALAR_ORDER, TWO_ADICITY
from agents.kernels.compiled import compiled_once
from agents.kernels.forms import FORMS
from agents.kernels.memory import Words, aligned, on_a_line
from agents.kernels.threads import share
from agents.kernels.transform import reversed_bits, root_of_unity, write

BLOCK = 1 << 11
"""Vectors that stay in a core's own cache."""
SMALLEST_WIDE = 64


class Code:
    """The compiled routines of one form."""

    def __init__(self, form: str) -> None:
        self.form = FORMS[form]
        self._code = compiled_once(f"transform {form}", lambda: write(self.form))
        self.lanes, self.line = self.form.lanes, self.form.line // 8
        self.kept = self.form.limbs * self.lanes
        self._routines: dict[str, Callable[..., int]] = {}
        self.radix = 1 << (self.form.limbs * self.form.bits)

    def __getattr__(self, name: str) -> Callable[..., int]:
        """Routine ``name``, of words and arrays."""
        if name not in self._routines:

            def call(*arguments: Any) -> int:
                words = [each.ctypes.data if isinstance(each, np.ndarray) else each for each in arguments]
                return self._code.routine(name, len(words))(*words)

            self._routines[name] = call
        return self._routines[name]

    def spelt(self, numbers: Sequence[int], montgomery: bool = True) -> Words:
        """A number a lane as `Form.get` reads it; one number is every lane's."""
        values = list(numbers) * (self.lanes // len(numbers))
        if montgomery:
            values = [value * self.radix % SCALAR_ORDER for value in values]
        bits, limbs = self.form.bits, self.form.limbs
        out = aligned(self.kept)
        out[:] = [(value >> (bits * i)) & ((1 << bits) - 1) for i in range(limbs) for value in values]
        return out


@cache
def code(form: str) -> Code:
    """The routines of a form, compiled once."""
    return Code(form)


class Domain:
    """The powers of a root of unity of order ``size``, a power of two from 2 up; tables are made once."""

    def __init__(self, form: str, size: int) -> None:
        """``form`` is narrow for the smallest sizes, whatever it is asked to be."""
        self._code = code(form if size >= SMALLEST_WIDE else "portable")
        self.size = size
        self.vectors = size // self._code.lanes
        self._log = self.vectors.bit_length() - 1
        self._lane_bits = self._code.lanes.bit_length() - 1
        root = root_of_unity(size)
        self._roots = {False: root, True: pow(root, -1, SCALAR_ORDER)}
        self._tables = {
            inverse: self._powers(pow(value, self._code.lanes, SCALAR_ORDER), max(1, self.vectors // 2))
            for inverse, value in self._roots.items()
        }

    def _powers(self, ratio: int, count: int) -> Words:
        """(count, line) table of ratio^0, ratio^1, .."""
        lanes = self._code.lanes
        table = aligned(-(-count // lanes) * lanes * self._code.line).reshape(-1, self._code.line)
        first = self._code.spelt([pow(ratio, i, SCALAR_ORDER) for i in range(lanes)])
        self._code.powers(table, first, self._code.spelt([pow(ratio, lanes, SCALAR_ORDER)]), len(table) // lanes)
        return table

    @cache  # noqa: B019 - domains are few and live as long as the process
    def _shifts(self, shift: int, divide: bool) -> tuple[Words, Words]:
        """Powers of ``shift`` by the bit-reversed index, over the size if ``divide``: a table, and what lanes differ in."""
        lanes = self._code.lanes
        table = self._powers(pow(shift, lanes, SCALAR_ORDER), self.vectors)
        order = bit_reversal(self._log)
        scale = pow(self.size, -1, SCALAR_ORDER) if divide else 1
        powers = [pow(shift, reversed_bits(lane, self._lane_bits), SCALAR_ORDER) * scale for lane in range(lanes)]
        ordered = aligned(self.vectors * self._code.line).reshape(-1, self._code.line)
        ordered[:] = table[order]
        return ordered, self._code.spelt(powers)

    def room(self) -> Words:
        """Memory for the elements, as vectors."""
        return aligned(self.vectors * self._code.kept)

    def enter(self, values: Words, out: Words, montgomery: bool) -> None:
        """(size, 4) canonical words, or Montgomery ones with R = 2^256, as vectors. ``values`` begin on a cache line."""
        have = 2**256 if montgomery else 1
        factor = self._code.spelt(
            [self._code.radix * self._code.radix * pow(have, -1, SCALAR_ORDER) % SCALAR_ORDER], montgomery=False
        )
        share(self.vectors // 2, lambda first, count: self._code.enter(values, out, factor, self.vectors, first, count))

    def dif(self, data: Words, inverse: bool) -> None:
        """The transform, or the inverse one times the size; from natural to bit-reversed order."""
        self._across(data, inverse, "across")
        self._down(data, inverse)

    def dit(self, data: Words, inverse: bool) -> None:
        """The same from bit-reversed to natural order."""
        self._up(data, inverse)
        self._across(data, inverse, "across_back")

    def _across(self, data: Words, inverse: bool, name: str) -> None:
        code, root = self._code, self._roots[inverse]
        if code.lanes == 1:
            return
        turns = [reversed_bits(lane, self._lane_bits) for lane in range(code.lanes)]
        step = code.spelt([pow(root, turn, SCALAR_ORDER) for turn in turns])
        routine = getattr(code, name + ("_inverse" if inverse else ""))

        def some(first: int, count: int) -> None:
            twist = code.spelt([pow(root, turn * first, SCALAR_ORDER) for turn in turns])
            routine(data[first * code.kept :], twist, step, count)

        share(self.vectors, some)

    def _down(self, data: Words, inverse: bool) -> None:
        code, roots = self._code, self._tables[inverse]
        apart, stride = self._log - 1, 0
        while apart >= 0 and 2 << apart > BLOCK:
            self._level(code.dif, data, roots, apart, stride)
            apart, stride = apart - 1, stride + 1
        self._blocks(apart, lambda block, half: code.dif(block, roots, apart, apart + 1, stride, 0, half), data)

    def _up(self, data: Words, inverse: bool) -> None:
        code, roots = self._code, self._tables[inverse]
        levels = min(self._log, BLOCK.bit_length() - 1)
        top = self._log - 1
        self._blocks(levels - 1, lambda block, half: code.dit(block, roots, 0, levels, top, 0, half), data)
        for apart in range(levels, self._log):
            self._level(code.dit, data, roots, apart, top - apart)

    def _level(self, routine: Callable[..., int], data: Words, roots: Words, apart: int, stride: int) -> None:
        """Butterflies of partners 2^apart vectors apart, all over."""
        share(self.vectors // 2, lambda first, count: routine(data, roots, apart, 1, stride, first, count))

    def _blocks(self, apart: int, work: Callable[[Words, int], Any], data: Words) -> None:
        """``work(block, butterflies)`` on every block of 2^(apart + 1) vectors."""
        if apart < 0:
            return
        half = 1 << apart
        blocks = self.vectors // (2 * half)
        size = 2 * half * self._code.kept

        def some(first: int, count: int) -> None:
            for block in range(first, first + count):
                work(data[block * size :], half)

        share(blocks, some, least=1)

    def shift(self, data: Words, by: int, divide: bool) -> None:
        """Coefficients in bit-reversed order, each times its power of ``by``, and over the size if ``divide``."""
        table, lanes = self._shifts(by, divide)
        code = self._code
        share(self.vectors, lambda first, n: code.scale(data[first * code.kept :], table[first:], lanes, n))

    def multiply(self, a: Words, b: Words, out: Words) -> None:
        """a b, element by element."""
        code = self._code

        def some(first: int, count: int) -> None:
            at = first * code.kept
            code.multiply(a[at:], b[at:], out[at:], count)

        share(self.vectors, some)

    def join(self, a: Words, b: Words, c: Words) -> Words:
        """a b - c as (size, 4) canonical words in natural order."""
        out = aligned(self.size * 4).reshape(-1, 4)
        code = self._code
        share(self.vectors // 2, lambda first, count: code.join(a, b, c, out, self.vectors, first, count))
        return out


def bit_reversal(bits: int) -> NDArray[np.int64]:
    """The numbers below 2^bits, each with its bits in the opposite order."""
    order = np.zeros(1, dtype=np.int64)
    for _ in range(bits):
        order = np.concatenate([2 * order, 2 * order + 1])
    return order


def _require(size: int, bits: int) -> None:
    if size < 2 or size & (size - 1) or size > 1 << bits:
        raise ValueError(f"{size} elements are not a power of two from 2 to 2^{bits}")


@cache
def domain(form: str, size: int) -> Domain:
    """The domain of ``size``, its tables made once."""
    return Domain(form, size)


def ntt(form: str, values: Words, inverse: bool = False, coset: int = 1) -> Words:
    """(n, 4) canonical words, n = 2, 4, .. 2^28: the values of the polynomial at coset w^i, or the coefficients of such values.

    Raises ValueError for another n.
    """
    size = len(values)
    _require(size, TWO_ADICITY)
    on = domain(form, size)
    data, one = on.room(), on.room()
    order = bit_reversal(size.bit_length() - 1)
    on.enter(on_a_line(values if inverse else values[order]), data, montgomery=False)
    ones = np.zeros((size, 4), dtype=np.uint64)
    ones[:, 0] = 1
    on.enter(on_a_line(ones), one, montgomery=False)
    zero = on.room()
    zero[:] = 0
    if inverse:
        on.dif(data, inverse=True)
        on.shift(data, pow(coset, -1, SCALAR_ORDER), divide=True)
        return on.join(data, one, zero)[order]
    if coset != 1:
        on.shift(data, coset, divide=False)
    on.dit(data, inverse=False)
    return on.join(data, one, zero)


def quotient(form: str, a: Words, b: Words) -> Words:
    """(n, 4) Montgomery words of A w and B w on the domain -> (n, 4) canonical words of A B - C on its odd points.

    C is A B on the domain. The odd points are w_2n^(2 i + 1); a .zkey's section 9 is made for them (snarkjs). Raises ValueError
    unless n is a power of two from 2 to 2^27.
    """
    _require(len(a), TWO_ADICITY - 1)
    if len(a) != len(b):
        raise ValueError(f"{len(a)} values of A and {len(b)} of B do not make pairs")
    on = domain(form, len(a))
    between = root_of_unity(2 * len(a))
    rooms = [on.room() for _ in range(3)]
    on.enter(on_a_line(a), rooms[0], montgomery=True)
    on.enter(on_a_line(b), rooms[1], montgomery=True)
    on.multiply(rooms[0], rooms[1], rooms[2])
    for room in rooms:
        on.dif(room, inverse=True)
        on.shift(room, between, divide=True)
        on.dit(room, inverse=False)
    return on.join(*rooms)
