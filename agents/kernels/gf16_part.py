"""A routine of the code over GF(2^16) being written: what emit.py has, its way to multiply, and loops over pairs of vectors."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from agents.kernels.emit import Routine
from agents.kernels.gf16_products import Products


class Part(Routine):
    """A routine being written, with its way to multiply."""

    def __init__(self, module: ir.Module, name: str, arguments: tuple[str, ...], way: type[Products]) -> None:
        super().__init__(module, name, arguments)
        self.way = way(self)
        self.pair = 2 * way.size

    def call(self, name: str, *arguments: Any) -> None:
        """A routine of this module."""
        self.builder.call(self.module.globals[name], list(arguments))

    def times(self, a: Any, b: Any) -> Any:
        return self.builder.mul(a, b)

    def shifted(self, amount: Any, count: Any) -> Any:
        """amount << count."""
        return self.builder.shl(amount, count)

    def least(self, a: Any, b: Any) -> Any:
        """The lesser one."""
        return self.builder.select(self.builder.icmp_unsigned("<", a, b), a, b)

    def parts(self, amount: Any, log: Any) -> Any:
        """How many times 2^log it takes for ``amount``."""
        less = self.builder.sub(self.builder.shl(self.word(1), log), self.word(1))
        return self.builder.lshr(self.builder.add(amount, less), log)

    def pairs(self, name: str, size: Any, body: Callable[[Any], None]) -> None:
        """``body(offset)`` for each pair of vectors in ``size`` bytes."""

        def step(index: Any, _: list[Any]) -> list[Any]:
            body(self.times(index, self.word(self.pair)))
            return []

        self.loop(name, self.builder.udiv(size, self.word(self.pair)), [], step)

    def each(self, name: str, count: Any, body: Callable[[Any], None]) -> None:
        """``body(index)`` so many times."""

        def step(index: Any, _: list[Any]) -> list[Any]:
            body(index)
            return []

        self.loop(name, count, [], step)

    def clear(self, name: str, address: Any, size: Any) -> None:
        """Zeros."""
        zero = self.way.every(0)
        self.pairs(name, size, lambda offset: self.way.store((zero, zero), self.builder.add(address, offset)))
