"""Known multiples of the generators of BN254's groups, by py_ecc, as the kernels read and give them."""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Any

import numpy as np
import py_ecc.optimized_bn128 as reference
import pytest

from agents.core.proofs.field import SCALAR_ORDER
from agents.kernels.forms import FORMS
from agents.kernels.group import Group, group, words_g1, words_g2
from agents.kernels.memory import Words

MANY = 64
"""Multiples that are at hand: 0 .. MANY times the generator, and as many opposites."""

HERE = [name for name, form in FORMS.items() if form.supported()]
GROUPS = [
    pytest.param(form, extension, id=f"{form}-g{1 + extension}") for form, extension in product(HERE, (False, True))
]
EVERY_GROUP = pytest.mark.parametrize(("form", "extension"), GROUPS)


def known(form: str, extension: bool) -> Group:
    return group(form, extension)


def plain(point: Any) -> Any:
    """Integers, or None at infinity."""
    if reference.is_inf(point):
        return None
    x, y = reference.normalize(point)
    if isinstance(x, reference.FQ2):
        return tuple(tuple(int(part) for part in value.coeffs) for value in (x, y))
    return int(x), int(y)


@cache
def multiple(extension: bool, scalar: int) -> Any:
    """``scalar`` times the generator."""
    return plain(reference.multiply(reference.G2 if extension else reference.G1, scalar % SCALAR_ORDER))


@cache
def _table(extension: bool) -> list[Any]:
    generator = reference.G2 if extension else reference.G1
    points = [reference.multiply(generator, 0)]
    for _ in range(MANY):
        points.append(reference.add(points[-1], generator))
    opposites = [reference.neg(point) for point in points[:0:-1]]
    return [plain(point) for point in points + opposites]


@cache
def _words(extension: bool) -> Words:
    return words_g2(_table(extension)) if extension else words_g1(_table(extension))


def small_multiple(extension: bool, scalar: int) -> Any:
    """The same for a scalar from -MANY to MANY."""
    return _table(extension)[scalar]


def words_of(extension: bool, scalars: list[int]) -> Words:
    """(n, 8 or 16): these multiples, from -MANY to MANY, as a .zkey holds them."""
    return np.ascontiguousarray(_words(extension)[np.array(scalars, dtype=np.int64)])
