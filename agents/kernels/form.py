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

from llvmlite import ir

from agents.kernels.emit import WORD, Routine


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
