"""Prime field arithmetic in one lane of 4 x 64 bits, for any CPU, in Montgomery form with R = 2^256."""

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from agents.kernels.emit import WORD, Routine
from agents.kernels.form import Form, Value


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
