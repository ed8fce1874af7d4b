"""A circuit as polynomials, taken at one secret point: the quadratic arithmetic program of Groth16, for the development key.

All in arrays: (n, 4) uint64 words, canonical, an element a row.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.core.proofs.field import SCALAR_ORDER
from agents.kernels.forms import best_form
from agents.kernels.limbs import from_ints
from agents.kernels.memory import Words
from agents.kernels.ntt import ntt
from agents.kernels.transform import root_of_unity
from agents.kernels.vectors import multiply_all
from agents.proving.files.r1cs import ROWS, Circuit
from agents.proving.files.zkey import COEFFICIENT, RADIX

EXACT_TERMS = 1 << 21
"""So many 32-bit numbers add up without rounding in a float64."""

LIMBS = 8
"""32-bit limbs of an element."""

LIMB_BITS = np.uint64(32)
LOW = np.uint64(2**32 - 1)
ORDER_LIMBS = [(SCALAR_ORDER >> (32 * i)) & (2**32 - 1) for i in range(LIMBS)]


@dataclass(frozen=True, eq=False)
class Evaluated:
    """The circuit's polynomials at tau, (wires, 4) each."""

    a: Words
    b: Words
    c: Words


def domain_size(circuit: Circuit) -> int:
    """The power of two that holds the constraints and one row for each public wire."""
    return 1 << max(1, (circuit.constraints + circuit.publics).bit_length())


def times(values: Words, factor: int) -> Words:
    """Every one of ``values`` times ``factor``."""
    return multiply_all(values, np.repeat(from_ints([factor]), len(values), axis=0))


def powers(base: int, count: int) -> Words:
    """1, base, base^2, ..: ``count`` of them."""
    found = np.empty((count, 4), dtype=np.uint64)
    found[0] = from_ints([1])
    known = 1
    while known < count:
        more = min(known, count - known)
        found[known : known + more] = times(found[:more], pow(base, known, SCALAR_ORDER))
        known += more
    return found


def lagrange(size: int, tau: int) -> Words:
    """The Lagrange polynomials of the domain of ``size`` points, at ``tau``.

    With w the domain's root, L_i(tau) = 1/size sum_j tau^j w^(-i j): the inverse transform of tau's powers.
    """
    return ntt(best_form(), powers(tau, size), inverse=True)


def odd_lagrange(size: int, tau: int) -> Words:
    """Every second Lagrange polynomial, from the first odd one, of the domain twice ``size``, at ``tau``.

    The terms j and j + size of the sum above differ by the factor -tau^size there, which leaves half a sum in powers of
    tau / v, with v the root of the larger domain.
    """
    shifted = tau * pow(root_of_unity(2 * size), -1, SCALAR_ORDER) % SCALAR_ORDER
    factor = (1 - pow(tau, size, SCALAR_ORDER)) * pow(2, -1, SCALAR_ORDER) % SCALAR_ORDER
    return times(ntt(best_form(), powers(shifted, size), inverse=True), factor)


def _limbs(values: Words) -> NDArray[np.uint32]:
    return np.ascontiguousarray(values).view(np.uint32)


def _reduced(sums: NDArray[np.uint64]) -> Words:
    """(8, n) sums of 32-bit limbs, below 2^63 each -> (n, 4) canonical."""
    limbs = np.zeros((LIMBS + 2, sums.shape[1]), dtype=np.uint64)
    limbs[:LIMBS] = sums
    for i in range(LIMBS + 1):
        limbs[i + 1] += limbs[i] >> LIMB_BITS
        limbs[i] &= LOW
    # All from the limb of 2^224 on is small, and becomes an element that is added to the rest, which is below 2^224.
    upper, lower = np.zeros_like(limbs[:LIMBS]), limbs[:LIMBS]
    upper[:3] = limbs[LIMBS - 1 :]
    lower[LIMBS - 1] = 0
    total = lower + _limbs(times(_words(upper), 1 << 224)).T
    # The total is below twice the order.
    less = total.astype(np.int64)
    for i in range(LIMBS):
        less[i] -= ORDER_LIMBS[i]
    for some in (total.view(np.int64), less):
        for i in range(LIMBS - 1):
            some[i + 1] += some[i] >> 32
            some[i] &= 2**32 - 1
    return _words(np.where(less[LIMBS - 1] < 0, total, less.view(np.uint64)))


def _words(limbs: NDArray[np.uint64]) -> Words:
    """(8, n) limbs -> (n, 4) words."""
    return np.ascontiguousarray((limbs[::2] | limbs[1::2] << LIMB_BITS).T)


def sum_all(*parts: Words) -> Words:
    """The sum of arrays of elements."""
    total = np.zeros((LIMBS, len(parts[0])), dtype=np.uint64)
    for part in parts:
        total += _limbs(part).T
    return _reduced(total)


def sums_by_place(parts: Iterable[tuple[NDArray[np.int64], Words]], count: int) -> Words:
    """(count, 4): at each place the sum of the elements that belong there.

    Each of ``parts`` is (n,) places and (n, 4) elements, at most EXACT_TERMS of them.
    """
    sums = np.zeros((LIMBS, count), dtype=np.uint64)
    for places, values in parts:
        limbs = _limbs(values)
        for i in range(LIMBS):
            sums[i] += np.bincount(places, limbs[:, i], count).astype(np.uint64)
    return _reduced(sums)


def _weighted_terms(circuit: Circuit, basis: Words) -> Iterator[tuple[NDArray[np.int64], Words]]:
    """Every term times its constraint's Lagrange polynomial, with its place: matrix times wires, plus wire."""
    rows = circuit.term_rows()
    for start in range(0, len(rows), EXACT_TERMS):
        part = slice(start, start + EXACT_TERMS)
        constraints, matrices = np.divmod(rows[part], ROWS)
        places = matrices * circuit.wires + circuit.term_wires[part]
        yield places, multiply_all(circuit.term_values[part], basis[constraints])


def evaluate(circuit: Circuit, tau: int) -> Evaluated:
    """The quadratic arithmetic program at ``tau``."""
    basis = lagrange(domain_size(circuit), tau)
    sums = sums_by_place(_weighted_terms(circuit, basis), ROWS * circuit.wires)
    a, b, c = sums.reshape(ROWS, circuit.wires, 4)
    # A row of A for each public wire, so that no proof can be bent to other publics.
    publics = circuit.publics + 1
    a[:publics] = sum_all(a[:publics], basis[circuit.constraints : circuit.constraints + publics])
    return Evaluated(a, b, c)


def coefficients(circuit: Circuit) -> NDArray[Any]:
    """Section 4 of a .zkey: the terms of A and B by constraint, values times R^2, and the rows for the public wires."""
    squared, rows = RADIX * RADIX % SCALAR_ORDER, circuit.term_rows()
    kept = rows % ROWS < ROWS - 1
    rows, publics = rows[kept], np.arange(circuit.publics + 1)
    entries = np.empty(len(rows) + len(publics), dtype=COEFFICIENT)
    terms, last = entries[: len(rows)], entries[len(rows) :]
    terms["matrix"], terms["row"], terms["wire"] = rows % ROWS, rows // ROWS, circuit.term_wires[kept]
    terms["value"] = times(circuit.term_values[kept], squared)
    last["matrix"], last["row"], last["wire"] = 0, circuit.constraints + publics, publics
    last["value"] = from_ints([squared])
    return entries
