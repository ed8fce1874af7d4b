"""Prime field arithmetic in eight AVX-512 IFMA lanes of 5 x 52 bits, in Montgomery form with R = 2^260."""

from collections.abc import Sequence
from typing import Any

from llvmlite import binding, ir

from agents.kernels.emit import INDEX, WORD, Routine
from agents.kernels.form import Form, Value


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
            rows.append(self.routine.load(self.routine.at(address, 4 * lane, 8), self.vector, align=1))
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
