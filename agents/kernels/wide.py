"""Poseidon2 in eight AVX-512 IFMA lanes: LLVM IR written here, compiled once by llvmlite, kept on disk.

An element is five vectors of 52-bit limbs (least significant first), one element a lane, in Montgomery form with
R = 2^260. Bounds, in units of 2^254 (the order r is about 0.76 of it, R is 64):

=========================  ======  =================================================================
value                      below   why
=========================  ======  =================================================================
output of `multiply`       1.2     a b / R + r, with a and b below 5
output of `fifth`          0.81    a below 4: (((a^2/R + r)^2/R + r) a)/R + r
output of `reduce`         0.8     v - floor(84 v / R) r <= (1 - 84 r / R) v + r, with v below 5
sum in a round             5       y + z + 2 x + a constant, or x + y + 3 z: a power and reduced ones
=========================  ======  =================================================================

Limbs are below 2^52 wherever a product reads them (`normal`), since IFMA reads the low 52 bits of each only.
"""

import ctypes
from typing import Any

import numpy as np
from llvmlite import binding, ir
from numpy.typing import NDArray

from agents.core.proofs.field import ELEMENT_BYTES, SCALAR_ORDER
from agents.core.proofs.poseidon2 import sponge_iv
from agents.core.proofs.poseidon2_constants import EXTERNAL, INTERNAL
from agents.kernels.compiled import compiled
from agents.kernels.limbs import ORDER, Limbs

LANES = 8
LIMBS = 5
BITS = 52
MASK = (1 << BITS) - 1
R = 1 << (LIMBS * BITS)
QUOTIENT = R // SCALAR_ORDER
"""84: how often the order fits R, for quotients by one multiplication."""
NEGATED_INVERSE = -pow(SCALAR_ORDER, -1, 1 << BITS) % (1 << BITS)

FULL_ROUNDS, PARTIAL_ROUNDS = len(EXTERNAL), len(INTERNAL)

WORD = ir.IntType(64)
VECTOR = ir.VectorType(WORD, LANES)

Element = list[Any]
"""Five IR values of type VECTOR."""


def supported() -> bool:
    """Whether this CPU has the instructions."""
    features = binding.get_host_cpu_features()
    return bool(features.get("avx512f") and features.get("avx512ifma"))


def split(value: int) -> list[int]:
    """``value`` as five 52-bit limbs."""
    return [(value >> (BITS * i)) & MASK for i in range(LIMBS)]


def constant(value: int) -> ir.Constant:
    """``value`` in every lane."""
    return ir.Constant(VECTOR, [value] * LANES)


class Field:
    """Emits field arithmetic at the end of a block."""

    def __init__(self, builder: ir.IRBuilder, module: ir.Module) -> None:
        self.builder = builder
        kind = ir.FunctionType(VECTOR, [VECTOR, VECTOR, VECTOR])
        known = module.globals
        low, high = "llvm.x86.avx512.vpmadd52l.uq.512", "llvm.x86.avx512.vpmadd52h.uq.512"
        self._low = known[low] if low in known else ir.Function(module, kind, low)
        self._high = known[high] if high in known else ir.Function(module, kind, high)

    def low(self, total: Any, a: Any, b: Any) -> Any:
        """total + the low 52 bits of a * b."""
        return self.builder.call(self._low, [total, a, b])

    def high(self, total: Any, a: Any, b: Any) -> Any:
        """total + the bits above of a * b."""
        return self.builder.call(self._high, [total, a, b])

    def normal(self, a: Element) -> Element:
        """The same value with limbs below 2^52 (signed carries are allowed in)."""
        a = list(a)
        for i in range(LIMBS - 1):
            a[i + 1] = self.builder.add(a[i + 1], self.builder.ashr(a[i], constant(BITS)))
            a[i] = self.builder.and_(a[i], constant(MASK))
        return a

    def add(self, a: Element, b: Element) -> Element:
        """a + b, neither reduced nor normal."""
        return [self.builder.add(x, y) for x, y in zip(a, b, strict=True)]

    def reduce(self, a: Element) -> Element:
        """a less a multiple of the order, below 0.8 * 2^254, normal."""
        a = self.normal(a)
        quotient = self.high(constant(0), a[-1], constant(QUOTIENT))
        carry = constant(0)
        for i, limb in enumerate(split(SCALAR_ORDER)):
            a[i] = self.builder.sub(a[i], self.low(carry, quotient, constant(limb)))
            carry = self.high(constant(0), quotient, constant(limb))
        return self.normal(a)

    def multiply(self, a: Element, b: Element) -> Element:
        """a * b / R mod r of normal a and b, normal."""
        zero = constant(0)
        lows, highs = [zero] * 10, [zero] * 10
        for i in range(LIMBS):
            for j in range(LIMBS):
                lows[i + j] = self.low(lows[i + j], a[i], b[j])
                highs[i + j + 1] = self.high(highs[i + j + 1], a[i], b[j])
        t = self.add(lows, highs)
        order = [constant(limb) for limb in split(SCALAR_ORDER)]
        for i in range(LIMBS):
            m = self.low(zero, t[i], constant(NEGATED_INVERSE))
            for j in range(LIMBS):
                t[i + j] = self.low(t[i + j], m, order[j])
                t[i + j + 1] = self.high(t[i + j + 1], m, order[j])
            t[i + 1] = self.builder.add(t[i + 1], self.builder.lshr(t[i], constant(BITS)))
        return self.normal(t[LIMBS:])

    def fifth(self, a: Element) -> Element:
        """a^5 of a normal a."""
        square = self.multiply(a, a)
        return self.multiply(self.multiply(square, square), a)


class Emitter:
    """Writes one function: the sponge over many groups of eight inputs."""

    def __init__(self) -> None:
        self.module = ir.Module("poseidon2")
        pointer = VECTOR.as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer, pointer, pointer, WORD.as_pointer(), WORD, WORD, WORD])
        self.function = ir.Function(self.module, kind, "sponge")
        self.builder = ir.IRBuilder(self.function.append_basic_block("entry"))
        self.field = Field(self.builder, self.module)

    def load(self, pointer: Any, index: Any) -> Element:
        """Element ``index`` of an array of elements."""
        base = self.builder.mul(index, ir.Constant(WORD, LIMBS))
        places = [self.builder.add(base, ir.Constant(WORD, i)) for i in range(LIMBS)]
        return [self.builder.load(self.builder.gep(pointer, [place]), align=64) for place in places]

    def round_constant(self, table: Any, round_: Any, lane: int) -> Element:
        """Constant ``lane`` of a round, in every lane of the vectors."""
        base = self.builder.mul(round_, ir.Constant(WORD, 3 * LIMBS))
        values = []
        for i in range(LIMBS):
            place = self.builder.add(base, ir.Constant(WORD, lane * LIMBS + i))
            word = self.builder.load(self.builder.gep(table, [place]))
            vector = self.builder.insert_element(
                ir.Constant(VECTOR, ir.Undefined), word, ir.Constant(ir.IntType(32), 0)
            )
            undefined = ir.Constant(VECTOR, ir.Undefined)
            spread = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
            values.append(self.builder.shuffle_vector(vector, undefined, spread))
        return values

    def loop(self, name: str, start: int, stop: Any, carried: list[Element], body: Any) -> list[Element]:
        """``for i in start .. stop: carried = body(i, carried)``; stop is above start."""
        before = self.builder.block
        block = self.function.append_basic_block(name)
        after = self.function.append_basic_block(f"{name}_end")
        self.builder.branch(block)
        self.builder.position_at_end(block)
        index = self.builder.phi(WORD)
        index.add_incoming(ir.Constant(WORD, start), before)
        phis = []
        for element in carried:
            row = []
            for value in element:
                phi = self.builder.phi(VECTOR)
                phi.add_incoming(value, before)
                row.append(phi)
            phis.append(row)
        results = body(index, phis)
        following = self.builder.add(index, ir.Constant(WORD, 1))
        index.add_incoming(following, self.builder.block)
        for row, element in zip(phis, results, strict=True):
            for phi, value in zip(row, element, strict=True):
                phi.add_incoming(value, self.builder.block)
        self.builder.cbranch(self.builder.icmp_unsigned("<", following, stop), block, after)
        self.builder.position_at_end(after)
        return list(results)

    def permutation(self, table: Any, state: list[Element]) -> list[Element]:
        """Poseidon2 of three elements below 1.2 * 2^254; three reduced ones."""
        field = self.field

        def full(round_: Any, state: list[Element]) -> list[Element]:
            powered = [
                field.fifth(field.normal(field.add(value, self.round_constant(table, round_, lane))))
                for lane, value in enumerate(state)
            ]
            total = field.add(field.add(powered[0], powered[1]), powered[2])
            return [field.add(value, total) for value in powered]

        def partial(round_: Any, state: list[Element]) -> list[Element]:
            x, y, z = state
            x = field.fifth(field.normal(field.add(x, self.round_constant(table, round_, 0))))
            total = field.add(field.add(x, y), z)
            return [
                field.add(x, total),
                field.reduce(field.add(y, total)),
                field.reduce(field.add(field.add(z, z), total)),
            ]

        total = field.add(field.add(state[0], state[1]), state[2])
        state = [field.reduce(field.add(value, total)) for value in state]
        partials, lasts = FULL_ROUNDS // 2, FULL_ROUNDS // 2 + PARTIAL_ROUNDS
        state = self.loop("first", 0, ir.Constant(WORD, partials), state, full)
        state = self.loop("partial", partials, ir.Constant(WORD, lasts), [field.reduce(v) for v in state], partial)
        end = ir.Constant(WORD, lasts + FULL_ROUNDS // 2)
        state = self.loop("last", lasts, end, [field.reduce(v) for v in state], full)
        return [field.reduce(value) for value in state]

    def emit(self) -> str:
        """IR of ``sponge(out, initial, elements, constants, groups, pairs, initial stride)``.

        Each group of eight lanes starts from three canonical elements at ``initial + group * stride`` (in elements),
        absorbs ``pairs`` pairs of canonical ``elements`` and leaves its first element in ``out``, at most r.
        """
        out, initial, elements, table, groups, pairs, stride = self.function.args
        field = self.field
        enter, leave = [constant(v) for v in split(R * R % SCALAR_ORDER)], [constant(v) for v in split(1)]

        def group(index: Any, _: list[Element]) -> list[Element]:
            start = self.builder.mul(index, stride)
            state = [
                field.multiply(self.load(initial, self.builder.add(start, ir.Constant(WORD, i))), enter)
                for i in range(3)
            ]
            first = self.builder.mul(self.builder.mul(index, pairs), ir.Constant(WORD, 2))

            def absorb(pair: Any, state: list[Element]) -> list[Element]:
                at = self.builder.add(first, self.builder.mul(pair, ir.Constant(WORD, 2)))
                left = field.multiply(self.load(elements, at), enter)
                right = field.multiply(self.load(elements, self.builder.add(at, ir.Constant(WORD, 1))), enter)
                x = field.reduce(field.add(state[0], left))
                y = field.reduce(field.add(state[1], right))
                return self.permutation(table, [x, y, state[2]])

            state = self.loop("pair", 0, pairs, state, absorb)
            base = self.builder.mul(index, ir.Constant(WORD, LIMBS))
            for i, value in enumerate(field.multiply(state[0], leave)):
                place = self.builder.gep(out, [self.builder.add(base, ir.Constant(WORD, i))])
                self.builder.store(value, place, align=64)
            return []

        self.loop("group", 0, groups, [], group)
        self.builder.ret_void()
        return str(self.module)


def _aligned(shape: tuple[int, ...]) -> NDArray[np.uint64]:
    """Zeros on a 64-byte boundary, as vector loads need."""
    size = int(np.prod(shape))
    raw = np.zeros(size + 8, dtype=np.uint64)
    start = (-raw.ctypes.data % 64) // 8
    return raw[start : start + size].reshape(shape)


def _lanes(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """(groups, 8, elements, 4) canonical words -> (groups, elements, 5, 8) 52-bit limbs."""
    groups, lanes, elements, _ = words.shape
    limbs = _aligned((groups, elements, LIMBS, lanes))
    w = words.transpose(3, 0, 2, 1)
    mask = np.uint64(MASK)
    limbs[:, :, 0] = w[0] & mask
    for i in range(1, LIMBS):
        word, shift = divmod(BITS * i, 64)
        value = w[word] >> np.uint64(shift)
        if word + 1 < 4 and shift > 64 - BITS:
            value = value | (w[word + 1] << np.uint64(64 - shift))
        limbs[:, :, i] = value & mask
    return limbs


def _canonical(out: NDArray[np.uint64], count: int) -> Limbs:
    """(groups, 5, 8) limbs, each value at most r -> (count, 4) canonical words."""
    limbs = out.transpose(0, 2, 1).reshape(-1, LIMBS)[:count]
    words = np.empty((count, 4), dtype=np.uint64)
    words[:, 0] = limbs[:, 0] | (limbs[:, 1] << np.uint64(52))
    words[:, 1] = (limbs[:, 1] >> np.uint64(12)) | (limbs[:, 2] << np.uint64(40))
    words[:, 2] = (limbs[:, 2] >> np.uint64(24)) | (limbs[:, 3] << np.uint64(28))
    words[:, 3] = (limbs[:, 3] >> np.uint64(36)) | (limbs[:, 4] << np.uint64(16))
    words[(words == ORDER).all(axis=1)] = 0  # a Montgomery product by 1 is at most r, and r itself stands for 0
    return words


class Sponge:
    """The compiled function and its table of constants."""

    def __init__(self) -> None:
        code = compiled(Emitter().emit())
        pointer, count = ctypes.c_void_p, ctypes.c_int64
        signature = ctypes.CFUNCTYPE(None, pointer, pointer, pointer, pointer, count, count, count)
        self._call = signature(code.address("sponge"))
        self._code = code
        rows = [*EXTERNAL[:4], *((value, 0, 0) for value in INTERNAL), *EXTERNAL[4:]]
        table = [split(value * R % SCALAR_ORDER) for row in rows for value in row]
        self._table = np.array(table, dtype=np.uint64)

    def _run(self, initial: NDArray[np.uint64], elements: NDArray[np.uint64], pairs: int, stride: int) -> Any:
        groups = elements.shape[0]
        out = _aligned((groups, LIMBS, LANES))
        self._call(
            out.ctypes.data, initial.ctypes.data, elements.ctypes.data, self._table.ctypes.data, groups, pairs, stride
        )
        return out

    def hash_cells(self, cells: NDArray[np.uint8]) -> Limbs:
        """(n, cell bytes) -> (n, 4): the rate-2 sponge of each row."""
        count, size = cells.shape
        groups = -(-count // LANES)
        used = size // ELEMENT_BYTES + 1
        padded = used + 1 + (used + 1) % 2
        data = np.zeros((groups * LANES, padded * ELEMENT_BYTES), dtype=np.uint8)
        data[:count, :size] = cells
        data[:, size] = 1
        words = np.zeros((groups * LANES, padded, 32), dtype=np.uint8)
        words[:, :, :ELEMENT_BYTES] = data.reshape(groups * LANES, padded, ELEMENT_BYTES)
        words[:, used, 0] = 1
        elements = _lanes(words.view(np.uint64).reshape(groups, LANES, padded, 4))
        initial = _aligned((3, LIMBS, LANES))
        initial[2] = np.array(split(sponge_iv(2)), dtype=np.uint64)[:, None]
        return _canonical(self._run(initial, elements, padded // 2, 0), count)

    def compress(self, left: Limbs, right: Limbs, key: int) -> Limbs:
        """(n, 4), (n, 4) -> (n, 4): the permutation's first element of each (left, right, key)."""
        count = left.shape[0]
        groups = -(-count // LANES)
        words = np.zeros((groups * LANES, 3, 4), dtype=np.uint64)
        words[:count, 0], words[:count, 1], words[:, 2, 0] = left, right, key
        initial = _lanes(words.reshape(groups, LANES, 3, 4))
        return _canonical(self._run(initial, _aligned((groups, 2, LIMBS, LANES)), 1, 3), count)
