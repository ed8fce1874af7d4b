"""Two forms of prime field arithmetic as LLVM IR: eight AVX-512 IFMA lanes of 5 x 52 bits, and one of 4 x 64 bits.

Elements are in Montgomery form, with R = 2^260 and 2^256. Nothing runs in constant time: a witness is its
prover's own.

**Bounds.** A value need not be reduced; how far it may be from it is known while the code is written. Every `Value` carries
its ``bound``: it is below ``bound`` times the order. The rules are these, with S = R / order (84.6 and 5.29):

==================  ==============================================================================================
a b                 below a b / S + 1: (a b + m order) / R with m below R
a + b               below a + b
a - b               a + ceil(b) order - b: below a + ceil(b)
`reduce`, 52 bits   a - floor(84 t / 2^52) order, where t is a's top limb: below 1.0001 + a (1 - 84 / S)
`reduce`, 64 bits   a or a - 2 order, until below 2
==================  ==============================================================================================

A value fits its form below S. Operations reduce an operand where the result would not fit; formulas need not think of it.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import binding, ir

from agents.kernels.emit import INDEX, WORD, Routine


@dataclass(frozen=True)
class Value:
    """A field element, or one in each lane, as IR values, least significant limb first."""

    limbs: tuple[Any, ...]
    bound: float
    """It is below this times the order."""
    normal: bool = True
    """Whether every limb is within its bits; else limbs are signed and their carries are still to be moved."""


class Form(ABC):
    """Emits the arithmetic of the integers modulo ``order``, a prime between 2^253 and 2^254, into a routine."""

    name: str
    lanes: int
    limbs: int
    bits: int
    line: int
    """Bytes of an element in a table."""
    tight: float
    """Below what `reduce` brings any value that fits."""

    def __init__(self, routine: Routine, order: int) -> None:
        self.routine, self.order = routine, order
        self.radix = 1 << (self.limbs * self.bits)
        self.spread = self.radix / order

    @property
    def builder(self) -> ir.IRBuilder:
        """Of the routine."""
        return self.routine.builder

    # --- what the forms differ in ---

    @abstractmethod
    def spelt(self, number: int) -> tuple[ir.Constant, ...]:
        """Limbs of ``number``, the same in every lane."""

    @abstractmethod
    def normal(self, a: Value) -> Value:
        """The same value with limbs within their bits."""

    @abstractmethod
    def multiply(self, a: Value, b: Value) -> Value:
        """a b / R."""

    @abstractmethod
    def reduce(self, a: Value) -> Value:
        """a less a multiple of the order: below ``tight``, normal."""

    @abstractmethod
    def _plus(self, a: tuple[Any, ...], b: tuple[Any, ...]) -> tuple[Any, ...]: ...

    @abstractmethod
    def _minus(self, a: tuple[Any, ...], b: tuple[Any, ...]) -> tuple[Any, ...]: ...

    @abstractmethod
    def any(self, mask: Any) -> Any:
        """Whether ``mask`` is set in any lane."""

    @abstractmethod
    def gather(self, addresses: Sequence[Any]) -> tuple[Value, Value]:
        """Two elements at one address a lane, as `scatter` left them."""

    @abstractmethod
    def scatter(self, a: Value, b: Value, addresses: Sequence[Any]) -> None:
        """Two elements to one address a lane: a cache line of two times four words, each below `tight` orders."""

    @abstractmethod
    def words(self, address: Any) -> Value:
        """Elements of four words, one a lane, that follow each other from ``address``; any that are below 2^256."""

    @abstractmethod
    def follow(self, a: Value, address: Any) -> None:
        """Reduced ``a`` as `words` reads it."""

    @abstractmethod
    def lines(self, a: Value, address: Any) -> None:
        """Reduced ``a``, lane by lane, as `everywhere` reads it: ``line`` bytes each."""

    @abstractmethod
    def everywhere(self, address: Any) -> Value:
        """The one element at ``address``, in every lane."""

    @abstractmethod
    def canonical(self, a: Value) -> Value:
        """a itself, below the order."""

    # --- what they share ---

    def constant(self, number: int) -> Value:
        """``number`` itself, below the order."""
        return Value(self.spelt(number), 1)

    def element(self, number: int) -> Value:
        """``number`` in Montgomery form."""
        return self.constant(number * self.radix % self.order)

    def square(self, a: Value) -> Value:
        """a a / R."""
        return self.multiply(a, a)

    def add(self, a: Value, b: Value) -> Value:
        """a + b."""
        if a.bound + b.bound > self.spread:
            a = self.reduce(a)
        if a.bound + b.bound > self.spread:
            b = self.reduce(b)
        return Value(self._plus(a.limbs, b.limbs), a.bound + b.bound, normal=self.bits == 64)

    def double(self, a: Value) -> Value:
        """2 a."""
        return self.add(a, a)

    def subtract(self, a: Value, b: Value) -> Value:
        """a - b."""
        if a.bound + math.ceil(b.bound) > self.spread:
            b = self.reduce(b)
        if a.bound + math.ceil(b.bound) > self.spread:
            a = self.reduce(a)
        times = math.ceil(b.bound)
        raised = self._plus(a.limbs, self.spelt(times * self.order))
        return Value(self._minus(raised, b.limbs), a.bound + times, normal=self.bits == 64)

    def negate(self, a: Value) -> Value:
        """-a."""
        return self.subtract(self.constant(0), a)

    def select(self, mask: Any, a: Value, b: Value) -> Value:
        """a where ``mask`` is set, b elsewhere."""
        limbs = tuple(self.builder.select(mask, x, y) for x, y in zip(a.limbs, b.limbs, strict=True))
        return Value(limbs, max(a.bound, b.bound), a.normal and b.normal)

    def is_zero(self, a: Value) -> Any:
        """A mask of where a is a multiple of the order."""
        a = self.reduce(a)
        found = None
        for times in range(math.ceil(a.bound)):
            same = None
            for limb, wanted in zip(a.limbs, self.spelt(times * self.order), strict=True):
                equal = self.builder.icmp_unsigned("==", limb, wanted)
                same = equal if same is None else self.builder.and_(same, equal)
            found = same if found is None else self.builder.or_(found, same)
        return found

    def may_be_zero(self, a: Value) -> Any:
        """A mask that covers `is_zero` and next to nothing else: by the lowest limb alone."""
        lowest = self.normal(a).limbs[0]
        found = None
        for times in range(math.ceil(a.bound)):
            equal = self.builder.icmp_unsigned("==", lowest, self.spelt(times * self.order)[0])
            found = equal if found is None else self.builder.or_(found, equal)
        return found

    def loop(
        self,
        name: str,
        count: Any,
        carried: Sequence[Value],
        body: Callable[[Any, list[Value]], Sequence[Value]],
    ) -> list[Value]:
        """A loop of the routine that carries values; each is reduced before it goes around."""

        def packed(values: Sequence[Value]) -> list[Any]:
            return [limb for value in values for limb in self.reduce(value).limbs]

        def unpacked(limbs: list[Any]) -> list[Value]:
            rows = [tuple(limbs[i : i + self.limbs]) for i in range(0, len(limbs), self.limbs)]
            return [Value(row, self.tight) for row in rows]

        def inner(index: Any, limbs: list[Any]) -> list[Any]:
            return packed(body(index, unpacked(limbs)))

        return unpacked(self.routine.loop(name, count, packed(carried), inner))

    def seldom(
        self, name: str, condition: Any, usual: Sequence[Value], body: Callable[[], Sequence[Value]]
    ) -> list[Value]:
        """A seldom taken branch of the routine that gives values instead of the ``usual`` ones, normal."""
        usual = [Value(self.normal(value).limbs, max(value.bound, self.tight)) for value in usual]

        def inner() -> list[Any]:
            results: list[Any] = []
            for value, result in zip(usual, body(), strict=True):
                results.extend((self.normal(result) if result.bound <= value.bound else self.reduce(result)).limbs)
            return results

        limbs = self.routine.seldom(name, condition, [limb for value in usual for limb in value.limbs], inner)
        rows = [tuple(limbs[i * self.limbs : (i + 1) * self.limbs]) for i in range(len(usual))]
        return [Value(row, value.bound) for row, value in zip(rows, usual, strict=True)]

    def invert(self, a: Value) -> Value:
        """1 / a, or 0 of 0: a^(order - 2), four bits at a time."""
        routine, builder = self.routine, self.builder
        size = self.kept
        with builder.goto_entry_block():
            table = builder.ptrtoint(builder.alloca(ir.ArrayType(WORD, 2 * size), name="powers"), WORD)
        powers = [self.element(1), self.reduce(a)]
        while len(powers) < 16:
            powers.append(self.reduce(self.multiply(powers[-1], powers[1])))
        for i, power in enumerate(powers):
            self.put(power, routine.at(table, i, size))
        exponent = self.order - 2
        digits = [(exponent >> shift) & 15 for shift in range(252, -1, -4)]
        kind = ir.ArrayType(WORD, len(digits))
        known = f"exponent_{self.order:x}"
        if known not in routine.module.globals:
            constant = ir.GlobalVariable(routine.module, kind, known)
            constant.global_constant, constant.linkage = True, "internal"
            constant.initializer = ir.Constant(kind, digits)
        listed = builder.ptrtoint(routine.module.globals[known], WORD)

        def step(index: Any, carried: list[Value]) -> list[Value]:
            (result,) = carried
            for _ in range(4):
                result = self.square(result)
            digit = routine.load(routine.at(listed, index, 8))
            return [self.multiply(result, self.get(routine.at(table, digit, size)))]

        return self.loop("invert", len(digits), [self.element(1)], step)[0]

    def one(self) -> Value:
        """1."""
        return self.element(1)

    @property
    def kept(self) -> int:
        """Bytes of an element, all lanes, as `put` leaves it."""
        return self.limbs * self.lanes * 8

    def get(self, address: Any) -> Value:
        """A value as `put` left it."""
        kind, size = self.spelt(0)[0].type, self.lanes * 8
        places = (self.routine.at(address, i, size) for i in range(self.limbs))
        return Value(tuple(self.routine.load(place, kind) for place in places), self.tight)

    def put(self, a: Value, address: Any) -> None:
        """Keep reduced ``a`` as ``limbs`` rows of one word a lane."""
        for i, limb in enumerate(self.reduce(a).limbs):
            self.routine.store(limb, self.routine.at(address, i, self.lanes * 8), align=8)


class Wide(Form):
    """Eight lanes of five 52-bit limbs."""

    name, lanes, limbs, bits, line = "ifma", 8, 5, 52, 64
    vector = ir.VectorType(WORD, 8)

    def __init__(self, routine: Routine, order: int) -> None:
        super().__init__(routine, order)
        self._quotient = self.radix // order
        self._inverse = -pow(order, -1, 1 << self.bits) % (1 << self.bits)
        # Any value that fits is below `spread` orders; see the table above.
        self.tight = 1.0001 + self.spread * (1 - self._quotient / self.spread)
        known = routine.module.globals
        kind = ir.FunctionType(self.vector, [self.vector] * 3)
        low, high = "llvm.x86.avx512.vpmadd52l.uq.512", "llvm.x86.avx512.vpmadd52h.uq.512"
        self._low = known[low] if low in known else ir.Function(routine.module, kind, low)
        self._high = known[high] if high in known else ir.Function(routine.module, kind, high)

    @staticmethod
    def supported() -> bool:
        """Whether this CPU has the instructions."""
        features = binding.get_host_cpu_features()
        return bool(features.get("avx512f") and features.get("avx512ifma"))

    def every(self, word: int) -> ir.Constant:
        """``word`` in every lane."""
        return ir.Constant(self.vector, [word] * self.lanes)

    def spelt(self, number: int) -> tuple[ir.Constant, ...]:
        mask = (1 << self.bits) - 1
        return tuple(self.every((number >> (self.bits * i)) & mask) for i in range(self.limbs))

    def low(self, total: Any, a: Any, b: Any) -> Any:
        """total + the low 52 bits of a b."""
        return self.builder.call(self._low, [total, a, b])

    def high(self, total: Any, a: Any, b: Any) -> Any:
        """total + the bits above them."""
        return self.builder.call(self._high, [total, a, b])

    def normal(self, a: Value) -> Value:
        if a.normal:
            return a
        limbs = list(a.limbs)
        for i in range(self.limbs - 1):
            limbs[i + 1] = self.builder.add(limbs[i + 1], self.builder.ashr(limbs[i], self.every(self.bits)))
            limbs[i] = self.builder.and_(limbs[i], self.every((1 << self.bits) - 1))
        return Value(tuple(limbs), a.bound)

    def reduce(self, a: Value) -> Value:
        bound = 1.0001 + a.bound * (1 - self._quotient / self.spread)
        if a.bound <= max(bound, self.tight):
            return self.normal(a)
        limbs = list(self.normal(a).limbs)
        quotient = self.high(self.every(0), limbs[-1], self.every(self._quotient))
        carry = self.every(0)
        for i, limb in enumerate(self.spelt(self.order)):
            limbs[i] = self.builder.sub(limbs[i], self.low(carry, quotient, limb))
            carry = self.high(self.every(0), quotient, limb)
        return self.normal(Value(tuple(limbs), bound, normal=False))

    def _plus(self, a: tuple[Any, ...], b: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(self.builder.add(x, y) for x, y in zip(a, b, strict=True))

    def _minus(self, a: tuple[Any, ...], b: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(self.builder.sub(x, y) for x, y in zip(a, b, strict=True))

    def _fit(self, a: Value, b: Value) -> tuple[Value, Value, float]:
        """Normal operands of a product that is below eight orders."""
        if a.bound * b.bound > 7 * self.spread:
            a = self.reduce(a)
        if a.bound * b.bound > 7 * self.spread:
            b = self.reduce(b)
        return self.normal(a), self.normal(b), a.bound * b.bound / self.spread + 1

    def multiply(self, a: Value, b: Value) -> Value:
        a, b, bound = self._fit(a, b)
        lows, highs = [self.every(0)] * 10, [self.every(0)] * 10
        for i in range(self.limbs):
            for j in range(self.limbs):
                lows[i + j] = self.low(lows[i + j], a.limbs[i], b.limbs[j])
                highs[i + j + 1] = self.high(highs[i + j + 1], a.limbs[i], b.limbs[j])
        return self._fold([self.builder.add(x, y) for x, y in zip(lows, highs, strict=True)], bound)

    def square(self, a: Value) -> Value:
        a, _, bound = self._fit(a, a)
        crossed, t = [self.every(0)] * 10, [self.every(0)] * 10
        for i in range(self.limbs):
            t[2 * i] = self.low(t[2 * i], a.limbs[i], a.limbs[i])
            t[2 * i + 1] = self.high(t[2 * i + 1], a.limbs[i], a.limbs[i])
            for j in range(i):
                crossed[i + j] = self.low(crossed[i + j], a.limbs[i], a.limbs[j])
                crossed[i + j + 1] = self.high(crossed[i + j + 1], a.limbs[i], a.limbs[j])
        doubled = [self.builder.add(x, x) for x in crossed]
        return self._fold([self.builder.add(x, y) for x, y in zip(t, doubled, strict=True)], bound)

    def _fold(self, t: list[Any], bound: float) -> Value:
        """t / R."""
        order = self.spelt(self.order)
        for i in range(self.limbs):
            m = self.low(self.every(0), t[i], self.every(self._inverse))
            for j in range(self.limbs):
                t[i + j] = self.low(t[i + j], m, order[j])
                t[i + j + 1] = self.high(t[i + j + 1], m, order[j])
            t[i + 1] = self.builder.add(t[i + 1], self.builder.lshr(t[i], self.every(self.bits)))
        return self.normal(Value(tuple(t[self.limbs :]), bound, normal=False))

    def any(self, mask: Any) -> Any:
        whole = ir.IntType(self.lanes)
        return self.builder.icmp_unsigned("!=", self.builder.bitcast(mask, whole), ir.Constant(whole, 0))

    def transposed(self, rows: Sequence[Any]) -> list[Any]:
        """Eight vectors of eight words, rows for columns."""
        rows = list(rows)
        for step in (1, 2, 4):
            # Row i and row i + step swap what the other has at their columns.
            low = [at if not at & step else self.lanes + at - step for at in range(self.lanes)]
            high = [at + step if not at & step else self.lanes + at for at in range(self.lanes)]
            for i in range(self.lanes):
                if not i & step:
                    a, b = rows[i], rows[i + step]
                    rows[i] = self.builder.shuffle_vector(a, b, self._indices(low))
                    rows[i + step] = self.builder.shuffle_vector(a, b, self._indices(high))
        return rows

    def _indices(self, at: Sequence[int]) -> ir.Constant:
        return ir.Constant(ir.VectorType(INDEX, self.lanes), list(at))

    def gather(self, addresses: Sequence[Any]) -> tuple[Value, Value]:
        words = self.transposed([self.routine.load(address, self.vector, align=64) for address in addresses])
        return Value(self._split(words[:4]), self.tight), Value(self._split(words[4:]), self.tight)

    def scatter(self, a: Value, b: Value, addresses: Sequence[Any]) -> None:
        words = [*self._joined(self.reduce(a).limbs), *self._joined(self.reduce(b).limbs)]
        for row, address in zip(self.transposed(words), addresses, strict=True):
            self.routine.store(row, address, align=64)

    def words(self, address: Any) -> Value:
        rows = []
        for lane in range(0, self.lanes, 2):
            rows.append(self.routine.load(self.routine.at(address, 4 * lane, 8), self.vector))
        words = []
        for word in range(4):
            low = self.builder.shuffle_vector(
                rows[0], rows[1], self._indices([word, 4 + word, 8 + word, 12 + word] * 2)
            )
            high = self.builder.shuffle_vector(
                rows[2], rows[3], self._indices([word, 4 + word, 8 + word, 12 + word] * 2)
            )
            words.append(self.builder.shuffle_vector(low, high, self._indices([0, 1, 2, 3, 8, 9, 10, 11])))
        return Value(self._split(words), self.spread / 16)

    def follow(self, a: Value, address: Any) -> None:
        words = self._joined(self.reduce(a).limbs)
        for k in range(self.lanes // 2):
            at = [2 * k, 8 + 2 * k, 2 * k + 1, 9 + 2 * k] * 2
            low = self.builder.shuffle_vector(words[0], words[1], self._indices(at))
            high = self.builder.shuffle_vector(words[2], words[3], self._indices(at))
            row = self.builder.shuffle_vector(low, high, self._indices([0, 1, 8, 9, 2, 3, 10, 11]))
            self.routine.store(row, self.routine.at(address, 8 * k, 8))

    def lines(self, a: Value, address: Any) -> None:
        columns = [*self.reduce(a).limbs, *[self.every(0)] * (self.lanes - self.limbs)]
        for lane, row in enumerate(self.transposed(columns)):
            self.routine.store(row, self.routine.at(address, lane, self.line), align=64)

    def everywhere(self, address: Any) -> Value:
        return Value(
            tuple(self.spread_out(self.routine.load(self.routine.at(address, i, 8))) for i in range(self.limbs)),
            self.tight,
        )

    def spread_out(self, word: Any) -> Any:
        """``word`` in every lane."""
        undefined = ir.Constant(self.vector, ir.Undefined)
        vector = self.builder.insert_element(undefined, word, ir.Constant(INDEX, 0))
        return self.builder.shuffle_vector(vector, undefined, self._indices([0] * self.lanes))

    def permuted(self, a: Value, at: Sequence[int]) -> Value:
        """Lane i of the result is lane ``at[i]`` of a."""
        limbs = (self.builder.shuffle_vector(limb, limb, self._indices(at)) for limb in a.limbs)
        return Value(tuple(limbs), a.bound, a.normal)

    def each(self, numbers: Sequence[int]) -> Value:
        """One number below the order a lane, in Montgomery form."""
        values = [number * self.radix % self.order for number in numbers]
        mask = (1 << self.bits) - 1
        limbs = ([(value >> (self.bits * i)) & mask for value in values] for i in range(self.limbs))
        return Value(tuple(ir.Constant(self.vector, limb) for limb in limbs), 1)

    def mask(self, lanes: Sequence[bool]) -> ir.Constant:
        """A constant mask."""
        return ir.Constant(ir.VectorType(ir.IntType(1), self.lanes), [int(lane) for lane in lanes])

    def canonical(self, a: Value) -> Value:
        a = self.reduce(a)
        less = self.normal(Value(self._minus(a.limbs, self.spelt(self.order)), a.bound, normal=False))
        negative = self.builder.icmp_signed("<", less.limbs[-1], self.every(0))
        return Value(self.select(negative, a, less).limbs, 1)

    def _split(self, words: Sequence[Any]) -> tuple[Any, ...]:
        """Four words as five limbs."""
        limbs = []
        for i in range(self.limbs):
            word, shift = divmod(self.bits * i, 64)
            limb = self.builder.lshr(words[word], self.every(shift)) if shift else words[word]
            if shift > 64 - self.bits and word < 3:
                limb = self.builder.or_(limb, self.builder.shl(words[word + 1], self.every(64 - shift)))
            limbs.append(self.builder.and_(limb, self.every((1 << self.bits) - 1)) if i < self.limbs - 1 else limb)
        return tuple(limbs)

    def _joined(self, limbs: Sequence[Any]) -> list[Any]:
        """Five limbs of a value below 2^256 as four words."""
        words = []
        for word in range(4):
            first = 64 * word // self.bits
            shift = 64 * word - self.bits * first
            total = self.builder.lshr(limbs[first], self.every(shift)) if shift else limbs[first]
            total = self.builder.or_(total, self.builder.shl(limbs[first + 1], self.every(self.bits - shift)))
            words.append(total)
        return words


class Narrow(Form):
    """One lane of four 64-bit limbs, for any CPU."""

    name, lanes, limbs, bits, line, tight = "portable", 1, 4, 64, 32, 2.0

    def __init__(self, routine: Routine, order: int) -> None:
        super().__init__(routine, order)
        self._inverse = -pow(order, -1, 1 << 64) % (1 << 64)

    @staticmethod
    def supported() -> bool:
        """Everywhere."""
        return True

    def spelt(self, number: int) -> tuple[ir.Constant, ...]:
        return tuple(ir.Constant(WORD, (number >> (64 * i)) & (2**64 - 1)) for i in range(self.limbs))

    def normal(self, a: Value) -> Value:
        return a

    def _packed(self, limbs: Sequence[Any]) -> Any:
        kind = ir.IntType(256)
        total = None
        for i, limb in enumerate(limbs):
            part = self.builder.shl(self.builder.zext(limb, kind), ir.Constant(kind, 64 * i))
            total = part if total is None else self.builder.or_(total, part)
        return total

    def _unpacked(self, total: Any) -> tuple[Any, ...]:
        shifted = [self.builder.lshr(total, ir.Constant(total.type, 64 * i)) for i in range(self.limbs)]
        return tuple(self.builder.trunc(part, WORD) for part in shifted)

    def _plus(self, a: tuple[Any, ...], b: tuple[Any, ...]) -> tuple[Any, ...]:
        return self._unpacked(self.builder.add(self._packed(a), self._packed(b)))

    def _minus(self, a: tuple[Any, ...], b: tuple[Any, ...]) -> tuple[Any, ...]:
        return self._unpacked(self.builder.sub(self._packed(a), self._packed(b)))

    def reduce(self, a: Value) -> Value:
        while a.bound > self.tight:
            packed = self._packed(a.limbs)
            twice = ir.Constant(packed.type, 2 * self.order)
            less = self.builder.icmp_unsigned("<", packed, twice)
            packed = self.builder.select(less, packed, self.builder.sub(packed, twice))
            a = Value(self._unpacked(packed), max(self.tight, a.bound - 2))
        return a

    def multiply(self, a: Value, b: Value) -> Value:
        # Between the steps t is below a + order, which must fit.
        if a.bound + 1 > self.spread:
            a = self.reduce(a)
        if a.bound * b.bound / self.spread + 1 > self.spread:
            a, b = self.reduce(a), self.reduce(b)
        t: list[Any] = [ir.Constant(WORD, 0)] * self.limbs
        order = self.spelt(self.order)
        for word in b.limbs:
            t[0], carry = self._step(a.limbs[0], word, t[0], None)
            m = self.builder.mul(t[0], ir.Constant(WORD, self._inverse))
            _, fold = self._step(m, order[0], t[0], None)
            for i in range(1, self.limbs):
                t[i], carry = self._step(a.limbs[i], word, t[i], carry)
                t[i - 1], fold = self._step(m, order[i], t[i], fold)
            t[-1] = self.builder.add(carry, fold)
        return Value(tuple(t), a.bound * b.bound / self.spread + 1)

    def _step(self, a: Any, b: Any, c: Any, d: Any) -> tuple[Any, Any]:
        """a b + c + d as (low, high); it cannot overflow 128 bits."""
        wide = ir.IntType(128)
        total = self.builder.mul(self.builder.zext(a, wide), self.builder.zext(b, wide))
        for more in (c, d):
            if more is not None:
                total = self.builder.add(total, self.builder.zext(more, wide))
        return self.builder.trunc(total, WORD), self.builder.trunc(
            self.builder.lshr(total, ir.Constant(wide, 64)), WORD
        )

    def any(self, mask: Any) -> Any:
        return mask

    def gather(self, addresses: Sequence[Any]) -> tuple[Value, Value]:
        (address,) = addresses
        words = [self.routine.load(self.routine.at(address, i, 8), align=1) for i in range(8)]
        return Value(tuple(words[:4]), self.tight), Value(tuple(words[4:]), self.tight)

    def scatter(self, a: Value, b: Value, addresses: Sequence[Any]) -> None:
        (address,) = addresses
        for i, limb in enumerate((*self.reduce(a).limbs, *self.reduce(b).limbs)):
            self.routine.store(limb, self.routine.at(address, i, 8))

    def words(self, address: Any) -> Value:
        return Value(tuple(self.routine.load(self.routine.at(address, i, 8), align=1) for i in range(4)), self.spread)

    def follow(self, a: Value, address: Any) -> None:
        for i, limb in enumerate(self.reduce(a).limbs):
            self.routine.store(limb, self.routine.at(address, i, 8))

    def lines(self, a: Value, address: Any) -> None:
        self.follow(a, address)

    def everywhere(self, address: Any) -> Value:
        return self.get(address)

    def canonical(self, a: Value) -> Value:
        packed = self._packed(self.reduce(a).limbs)
        order = ir.Constant(packed.type, self.order)
        less = self.builder.icmp_unsigned("<", packed, order)
        return Value(self._unpacked(self.builder.select(less, packed, self.builder.sub(packed, order))), 1)


FORMS: dict[str, type[Wide] | type[Narrow]] = {form.name: form for form in (Wide, Narrow)}
"""By name, best first."""


def best_form() -> str:
    """The name of the best form this CPU has the instructions for."""
    return next(name for name, form in FORMS.items() if form.supported())
