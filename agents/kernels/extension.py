"""The quadratic extension of the base field, Fq2 = Fq[u] / (u^2 + 1), with the same operations as a form (EIP-197)."""

from collections.abc import Callable, Sequence
from typing import Any

from agents.kernels.forms import Form, Value

Pair = tuple[Value, Value]
"""Real part, imaginary part."""


class Quadratic:
    """Emits Fq2 by the operations of ``form``."""

    def __init__(self, form: Form) -> None:
        self.form = form

    def add(self, a: Pair, b: Pair) -> Pair:
        """a + b."""
        return self.form.add(a[0], b[0]), self.form.add(a[1], b[1])

    def double(self, a: Pair) -> Pair:
        """2 a."""
        return self.add(a, a)

    def subtract(self, a: Pair, b: Pair) -> Pair:
        """a - b."""
        return self.form.subtract(a[0], b[0]), self.form.subtract(a[1], b[1])

    def negate(self, a: Pair) -> Pair:
        """-a."""
        return self.form.negate(a[0]), self.form.negate(a[1])

    def multiply(self, a: Pair, b: Pair) -> Pair:
        """a b, by three products (Karatsuba)."""
        form = self.form
        real, imaginary = form.multiply(a[0], b[0]), form.multiply(a[1], b[1])
        both = form.multiply(form.add(a[0], a[1]), form.add(b[0], b[1]))
        return form.subtract(real, imaginary), form.subtract(form.subtract(both, real), imaginary)

    def square(self, a: Pair) -> Pair:
        """a a, by two products."""
        form = self.form
        real = form.multiply(form.add(a[0], a[1]), form.subtract(a[0], a[1]))
        return real, form.double(form.multiply(a[0], a[1]))

    def invert(self, a: Pair) -> Pair:
        """1 / a, or 0 of 0."""
        form = self.form
        norm = form.invert(form.add(form.square(a[0]), form.square(a[1])))
        return form.multiply(a[0], norm), form.multiply(form.negate(a[1]), norm)

    def one(self) -> Pair:
        """1."""
        return self.form.element(1), self.form.constant(0)

    def reduce(self, a: Pair) -> Pair:
        """Both parts reduced."""
        return self.form.reduce(a[0]), self.form.reduce(a[1])

    def select(self, mask: Any, a: Pair, b: Pair) -> Pair:
        """a where ``mask`` is set, b elsewhere."""
        return self.form.select(mask, a[0], b[0]), self.form.select(mask, a[1], b[1])

    def is_zero(self, a: Pair) -> Any:
        """A mask of where a is 0."""
        return self.form.builder.and_(self.form.is_zero(a[0]), self.form.is_zero(a[1]))

    def may_be_zero(self, a: Pair) -> Any:
        """A mask that covers `is_zero` and next to nothing else."""
        return self.form.builder.and_(self.form.may_be_zero(a[0]), self.form.may_be_zero(a[1]))

    @property
    def kept(self) -> int:
        """Bytes of an element, all lanes, as `put` leaves it."""
        return 2 * self.form.kept

    def get(self, address: Any) -> Pair:
        """A value as `put` left it."""
        return self.form.get(address), self.form.get(self.form.routine.at(address, self.form.kept, 1))

    def put(self, a: Pair, address: Any) -> None:
        """Keep ``a``."""
        self.form.put(a[0], address)
        self.form.put(a[1], self.form.routine.at(address, self.form.kept, 1))

    def loop(
        self, name: str, count: Any, carried: Sequence[Pair], body: Callable[[Any, list[Pair]], Sequence[Pair]]
    ) -> list[Pair]:
        """A loop that carries values."""

        def inner(index: Any, flat: list[Value]) -> list[Value]:
            return [part for pair in body(index, _paired(flat)) for part in pair]

        return _paired(self.form.loop(name, count, [part for pair in carried for part in pair], inner))

    def seldom(
        self, name: str, condition: Any, usual: Sequence[Pair], body: Callable[[], Sequence[Pair]]
    ) -> list[Pair]:
        """A seldom taken branch that gives values instead of the ``usual`` ones."""

        def inner() -> list[Value]:
            return [part for pair in body() for part in pair]

        return _paired(self.form.seldom(name, condition, [part for pair in usual for part in pair], inner))


def _paired(flat: Sequence[Value]) -> list[Pair]:
    return [(flat[i], flat[i + 1]) for i in range(0, len(flat), 2)]
