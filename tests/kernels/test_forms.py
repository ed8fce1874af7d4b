"""Field arithmetic in both forms against Python integers, at the edges of every bound that it states."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from functools import cache, partial
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llvmlite import ir

from agents.core.proofs.field import BASE_ORDER, SCALAR_ORDER
from agents.kernels.compiled import compiled
from agents.kernels.emit import Routine
from agents.kernels.forms import FORMS, Form, Value, Wide, best_form
from agents.kernels.limbs import from_ints, to_ints
from agents.kernels.memory import aligned
from agents.kernels.vectors import multiply_all
from tests.kernels.written import Laboratory, Written, call, edges, most

HERE = [name for name, form in FORMS.items() if form.supported()]
ORDERS = {"scalars": SCALAR_ORDER, "coordinates": BASE_ORDER}
FIELD = pytest.mark.parametrize(("form", "order"), list(product(HERE, ORDERS.values())), ids=lambda v: str(v)[:6])

Expected = Callable[[int, list[int]], list[int]]
"""Of the order and the operands: results modulo the order, and 0 or 1 for masks."""


def spread(form: str, order: int) -> float:
    return (1 << (FORMS[form].limbs * FORMS[form].bits)) / order


def tight(form: str, order: int) -> float:
    return FORMS[form](Routine(ir.Module("tight"), "tight", ()), order).tight


def radix(form: str) -> int:
    return 1 << (FORMS[form].limbs * FORMS[form].bits)


UNARY: dict[str, tuple[Callable[[Any, Value], Any], Callable[[int, int, int], int]]] = {
    "square": (lambda field, a: field.square(a), lambda p, r, a: a * a * pow(r, -1, p)),
    "double": (lambda field, a: field.double(a), lambda p, r, a: 2 * a),
    "negate": (lambda field, a: field.negate(a), lambda p, r, a: -a),
    "reduce": (lambda field, a: field.reduce(a), lambda p, r, a: a),
    "canonical": (lambda field, a: field.canonical(a), lambda p, r, a: a),
    "is_zero": (lambda field, a: field.is_zero(a), lambda p, r, a: a % p == 0),
    "invert": (lambda field, a: field.invert(a), lambda p, r, a: r * r * pow(a, p - 2, p)),
}
BINARY: dict[str, tuple[Callable[[Any, Value, Value], Value], Callable[[int, int, int, int], int]]] = {
    "multiply": (lambda field, a, b: field.multiply(a, b), lambda p, r, a, b: a * b * pow(r, -1, p)),
    "add": (lambda field, a, b: field.add(a, b), lambda p, r, a, b: a + b),
    "subtract": (lambda field, a, b: field.subtract(a, b), lambda p, r, a, b: a - b),
}


def some_bounds(form: str, order: int) -> list[float]:
    return [1, tight(form, order), 3.5, spread(form, order)]


@cache
def laboratory(form: str, order: int) -> Laboratory:
    """Every operation with operands of every bound."""
    bounds = some_bounds(form, order)
    operations: dict[str, Written] = {}
    for name, (unary, _) in UNARY.items():
        for bound in bounds:
            operations[f"{name} {bound}"] = Written((bound,), lambda field, v, do=unary: [do(field, v[0])])
    for name, (binary, _) in BINARY.items():
        for left, right in product(bounds, bounds):
            operations[f"{name} {left} {right}"] = Written((left, right), lambda field, v, do=binary: [do(field, *v)])
    return Laboratory(form, order, operations)


def check(lab: Laboratory, name: str, rows: Sequence[Sequence[int]]) -> None:
    """Every result of ``rows`` is what Python says, within the bound that was stated for it."""
    operation = name.split()[0]
    expected = (UNARY.get(operation) or BINARY[operation])[1]
    (bound,) = lab.bounds[name]
    for row, (found,) in zip(rows, lab.run(name, rows), strict=True):
        wanted = int(expected(lab.order, radix(lab.form.name), *row))
        if bound is None:
            assert found == wanted, (name, row)
        else:
            assert found % lab.order == wanted % lab.order, (name, row)
            assert found <= most(lab.form, lab.order, bound), (name, row)


@FIELD
@pytest.mark.parametrize("operation", [*UNARY, *BINARY])
def test_results_at_the_edges_of_every_bound(form: str, order: int, operation: str) -> None:
    lab = laboratory(form, order)
    names = [name for name in lab.operations if name.split()[0] == operation]
    assert len(names) in (4, 16)
    for name in names:
        check(lab, name, list(product(*(edges(lab.form, order, bound) for bound in lab.operations[name].bounds))))


@FIELD
def test_stated_bounds_fit_and_reduction_is_what_it_says(form: str, order: int) -> None:
    lab = laboratory(form, order)
    for name, (bound,) in lab.bounds.items():
        assert bound is None or bound <= spread(form, order), name
        if name.split()[0] == "reduce":
            assert bound is not None and bound <= tight(form, order)
        if name.split()[0] == "canonical":
            assert bound == 1
    assert tight(form, order) <= 2


@settings(max_examples=40, deadline=None)
@given(data=st.data())
@FIELD
def test_results_of_any_operands(form: str, order: int, data: st.DataObject) -> None:
    lab = laboratory(form, order)
    name = data.draw(st.sampled_from(sorted(lab.operations)))
    operands = [
        st.integers(0, most(lab.form, order, bound)) | st.sampled_from(edges(lab.form, order, bound))
        for bound in lab.operations[name].bounds
    ]
    check(lab, name, data.draw(st.lists(st.tuples(*operands), min_size=1, max_size=20)))


# --- masks, choices, loops and branches ---


@FIELD
def test_what_may_be_zero(form: str, order: int) -> None:
    bounds = [1, 2, 3.5, spread(form, order)]
    operations = {f"may {bound}": Written((bound,), lambda f, v: [f.may_be_zero(v[0])]) for bound in bounds}
    # Unreduced, with limbs whose carries are still to be moved.
    operations["difference"] = Written((1, 1), lambda f, v: [f.may_be_zero(f.subtract(v[0], v[1]))])
    lab = Laboratory(form, order, operations)
    chance = random.Random(1)
    for bound in bounds:
        rows = [(value,) for value in edges(FORMS[form], order, bound)]
        rows += [(chance.randrange(most(FORMS[form], order, bound)),) for _ in range(200)]
        limb = (1 << FORMS[form].bits) - 1
        for (value,), (found,) in zip(rows, lab.run(f"may {bound}", rows), strict=True):
            alike = any(
                (value - times * order) & limb == 0 for times in range(most(FORMS[form], order, bound) // order + 1)
            )
            assert found == alike
            assert found or value % order
    values = [0, 1, 2, order - 1, order // 2]
    rows2 = list(product(values, values))
    assert [found for (found,) in lab.run("difference", rows2)] == [a == b for a, b in rows2]


@FIELD
def test_selections_loops_and_seldom_taken_branches(form: str, order: int) -> None:
    def chosen(field: Any, v: list[Value]) -> list[Value]:
        a, b, c = v
        return [field.select(field.is_zero(a), field.add(b, b), c), field.select(field.is_zero(a), b, field.double(c))]

    def looped(field: Any, v: list[Value]) -> list[Value]:
        def step(index: Any, carried: list[Value]) -> list[Value]:
            return [field.add(carried[0], carried[1]), field.subtract(carried[0], carried[1])]

        return [*field.loop("ten", 10, v[:2], step), *field.loop("none", 0, [v[2]], lambda i, c: [field.double(c[0])])]

    def branched(field: Any, v: list[Value]) -> list[Value]:
        a, b, c = v
        some = field.any(field.is_zero(a))
        return list(field.seldom("some", some, [field.add(b, c), c], lambda: [field.subtract(b, c), field.reduce(b)]))

    wide = spread(form, order)
    lab = Laboratory(
        form, order,
        {
            "chosen": Written((wide, 2, 3), chosen),
            "looped": Written((2, 2, 2), looped),
            "branched": Written((2, 2, 2), branched),
        },
    )  # fmt: skip
    chance, lanes = random.Random(2), FORMS[form].lanes
    rows = [
        [chance.choice([0, order, chance.randrange(order)]), *(chance.randrange(2 * order) for _ in "bc")]
        for _ in range(64)
    ]
    rows[32:] = [[1 + i % 2 * order, *row[1:]] for i, row in enumerate(rows[32:])]  # vectors without a zero
    for (a, b, c), found in zip(rows, lab.run("chosen", rows), strict=True):
        wanted = [2 * b, b] if a % order == 0 else [c, 2 * c]
        assert [value % order for value in found] == [value % order for value in wanted]
    rows = [[value % (2 * order) for value in row] for row in rows]
    for (a, b, c), found in zip(rows, lab.run("looped", rows), strict=True):
        for _ in range(10):
            a, b = a + b, a - b
        assert [value % order for value in found] == [a % order, b % order, c % order]
    taken = []
    for at, found in enumerate(lab.run("branched", rows)):
        vector = rows[at // lanes * lanes : (at // lanes + 1) * lanes]
        taken.append(any(a % order == 0 for a, _, _ in vector))
        _, b, c = rows[at]
        wanted = [b - c, b] if taken[-1] else [b + c, c]
        assert [value % order for value in found] == [value % order for value in wanted]
    assert set(taken) == {True, False}


@FIELD
def test_a_branch_that_gives_more_than_was_usual_widens_the_bound(form: str, order: int) -> None:
    def branched(field: Any, v: list[Value]) -> list[Value]:
        return list(field.seldom("some", field.any(field.is_zero(v[0])), [field.constant(1)], lambda: [v[1]]))

    wide = spread(form, order)
    lab = Laboratory(form, order, {"branched": Written((wide, wide), branched)})
    (bound,) = lab.bounds["branched"]
    top = most(FORMS[form], order, wide)
    assert bound == tight(form, order)
    for (found,), wanted in zip(
        lab.run("branched", [[order, top]]) + lab.run("branched", [[1, top]]), (top, 1), strict=True
    ):
        assert found % order == wanted % order and found <= most(FORMS[form], order, bound)


@FIELD
def test_numbers_spelt_out(form: str, order: int) -> None:
    numbers = [0, 1, order - 1, order // 3]
    operations = {
        "constants": Written((1,), lambda field, v: [field.constant(number) for number in numbers]),
        "elements": Written((1,), lambda field, v: [field.element(number) for number in numbers] + [field.one()]),
    }
    lab = Laboratory(form, order, operations)
    assert lab.run("constants", [[0]]) == [numbers]
    assert lab.run("elements", [[0]]) == [[number * radix(form) % order for number in [*numbers, 1]]]


# --- long ways, where limbs are signed and bounds grow ---


@FIELD
def test_as_many_additions_and_subtractions_as_fit_and_more(form: str, order: int) -> None:
    times = 2 * int(spread(form, order))  # an even number: then what is mixed is what it was

    def summed(field: Any, v: list[Value]) -> list[Value]:
        plus = minus = mixed = v[0]
        for _ in range(times):
            plus, minus = field.add(plus, v[1]), field.subtract(minus, v[1])
            mixed = field.subtract(v[1], mixed)
        return [plus, minus, mixed]

    lab = Laboratory(form, order, {"summed": Written((1, 1), summed)})
    ones = 2**208 - 1
    rows = list(product([0, 1, order - 1, ones, 2**253], repeat=2))
    for (a, b), found in zip(rows, lab.run("summed", rows), strict=True):
        assert [value % order for value in found] == [(a + times * b) % order, (a - times * b) % order, a]
        for value, bound in zip(found, lab.bounds["summed"], strict=True):
            assert bound is not None and value <= most(FORMS[form], order, bound)


STEPS = ("multiply", "square", "add", "add", "subtract", "subtract", "double", "negate", "reduce")


def program(seed: int) -> list[tuple[str, int, int]]:
    """Some operations on what was there or found before."""
    chance = random.Random(seed)
    return [(chance.choice(STEPS), chance.randrange(3 + at), chance.randrange(3 + at)) for at in range(20)]


def written_program(seed: int, field: Any, values: list[Value]) -> list[Value]:
    values = list(values)
    for name, left, right in program(seed):
        operands = [values[left], values[right]] if name in BINARY else [values[left]]
        values.append(getattr(field, name)(*operands))
        assert values[-1].bound <= field.spread
    return values[-6:]


@FIELD
def test_random_programs(form: str, order: int) -> None:
    seeds = range(5)
    lab = Laboratory(
        form, order, {f"seed {seed}": Written((1, 1, 2), partial(written_program, seed)) for seed in seeds}
    )
    chance, r = random.Random(3), radix(form)
    choices = [edges(FORMS[form], order, bound) for bound in (1, 1, 2)]
    rows = [[chance.choice([*own, chance.randrange(order)]) for own in choices] for _ in range(96)]
    for seed in seeds:
        for row, found in zip(rows, lab.run(f"seed {seed}", rows), strict=True):
            values = list(row)
            for name, left, right in program(seed):
                _, expected = UNARY.get(name) or BINARY[name]
                operands = [values[left], values[right]] if name in BINARY else [values[left]]
                values.append(int(expected(order, r, *operands)) % order)  # type: ignore[arg-type]
            assert [value % order for value in found] == [value % order for value in values[-6:]]
            for value, bound in zip(found, lab.bounds[f"seed {seed}"], strict=True):
                assert bound is not None and value <= most(FORMS[form], order, bound)


# --- memory ---


@FIELD
def test_lines_of_memory(form: str, order: int) -> None:
    """`words` and `follow`, `gather` and `scatter`, `lines` and `everywhere`, `get` and `put`: there and back again."""
    kind = FORMS[form]
    module = ir.Module("memory")

    routine = Routine(module, "copy", ("source", "out"))
    field: Form = kind(routine, order)
    field.follow(field.words(routine["source"]), routine["out"])
    routine.end()

    routine = Routine(module, "spread", ("source", "addresses", "reduced"))
    field = kind(routine, order)
    places = [routine.load(routine.at(routine["addresses"], lane, 8)) for lane in range(field.lanes)]
    first, second = (field.words(routine.at(routine["source"], i, 32 * field.lanes)) for i in range(2))
    field.scatter(first, field.double(second), places)
    both = field.gather(places)
    for i, value in enumerate(both):
        field.follow(value, routine.at(routine["reduced"], i, 32 * field.lanes))
    routine.end()

    routine = Routine(module, "kept", ("source", "lines", "kept", "out"))
    field = kind(routine, order)
    field.lines(field.words(routine["source"]), routine["lines"])
    for lane in range(field.lanes):
        field.put(field.everywhere(routine.at(routine["lines"], lane, field.line)), routine["kept"])
        field.follow(field.get(routine["kept"]), routine.at(routine["out"], lane, 32 * field.lanes))
    routine.end()
    code = compiled(str(module))

    chance, lanes = random.Random(4), kind.lanes
    pool = [0, 1, order - 1, order, order + 1, 2 * order - 1, 5 * order, 2**256 - 1, 2**255, 2**52 - 1, 2**208]
    limit = most(kind, order, tight(form, order)) + 1
    for _ in range(20):
        values = [chance.choice([*pool, chance.randrange(2**256)]) for _ in range(2 * lanes)]
        # `words` asks for no alignment: a key is read where it lies in its file.
        raw = np.zeros(64 * lanes + 4, dtype=np.uint8)
        source = raw[4:]
        source[:] = np.frombuffer(b"".join(value.to_bytes(32, "little") for value in values), dtype=np.uint8)

        out = aligned(4 * lanes)
        call(code, "copy", source, out)
        copied = to_ints(out.reshape(-1, 4))
        assert all(value < limit for value in copied)
        assert [value % order for value in copied] == [value % order for value in values[:lanes]]

        shelves = aligned(8 * 3 * lanes)
        shelves[:] = 7
        order_of = chance.sample(range(3 * lanes), lanes)
        addresses = np.array([shelves.ctypes.data + 64 * at for at in order_of], dtype=np.uint64)
        reduced = aligned(2 * 4 * lanes)
        call(code, "spread", source, addresses, reduced)
        wanted = [[value % order for value in values[:lanes]], [2 * value % order for value in values[lanes:]]]
        found = to_ints(reduced.reshape(-1, 4))
        assert [value % order for value in found] == [*wanted[0], *wanted[1]]
        lines = to_ints(shelves.reshape(-1, 4))
        for lane, at in enumerate(order_of):
            assert lines[2 * at] < limit and lines[2 * at + 1] < limit
            assert [lines[2 * at] % order, lines[2 * at + 1] % order] == [wanted[0][lane], wanted[1][lane]]
        untouched = set(range(3 * lanes)) - set(order_of)
        assert all((shelves[8 * at : 8 * at + 8] == 7).all() for at in untouched)

        table, kept, every = aligned(kind.line // 8 * lanes), aligned(kind.limbs * lanes), aligned(4 * lanes * lanes)
        call(code, "kept", source, table, kept, every)
        rows = to_ints(every.reshape(-1, 4))
        assert [value % order for value in rows] == [value % order for value in values[:lanes] for _ in range(lanes)]


# --- the forms beside each other ---


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.integers(0, SCALAR_ORDER - 1) | st.sampled_from([0, 1, SCALAR_ORDER - 1])] * 2), max_size=19
    )
)
def test_forms_agree(pairs: list[tuple[int, int]]) -> None:
    a, b = (from_ints(pair[i] for pair in pairs) for i in range(2))
    wanted = [x * y % SCALAR_ORDER for x, y in pairs]
    assert {name: to_ints(multiply_all(a, b, name)) for name in HERE} == dict.fromkeys(HERE, wanted)


def test_the_best_form_is_one_that_runs_here() -> None:
    assert best_form() == HERE[0] and "portable" in HERE
    if Wide.supported():
        assert best_form() == "ifma"
