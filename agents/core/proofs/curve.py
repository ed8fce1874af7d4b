"""BN254's groups over Python integers, affine: slow, and only for tables and tests.

A point is (x, y) or None at infinity. Coordinates are integers in G1 and pairs (real, imaginary) in G2.
"""

from agents.core.proofs.field import BASE_ORDER

Complex = tuple[int, int]

PointG1 = tuple[int, int]
PointG2 = tuple[Complex, Complex]

G1: PointG1 = (1, 2)
G2: PointG2 = (
    (
        10857046999023057135944570762232829481370756359578518086990519993285655852781,
        11559732032986387107991004021392285783925812861821192530917403151452391805634,
    ),
    (
        8495653923123431417604973247489272438418190587263600148770280649306958101930,
        4082367875863433681332203403145435568316851327593401208105741076214120093531,
    ),
)


def add_g1(p: PointG1 | None, r: PointG1 | None) -> PointG1 | None:
    """p + r."""
    q = BASE_ORDER
    if p is None or r is None:
        return r if p is None else p
    if p[0] == r[0]:
        if (p[1] + r[1]) % q == 0:
            return None
        slope = 3 * p[0] * p[0] * pow(2 * p[1], -1, q) % q
    else:
        slope = (r[1] - p[1]) * pow(r[0] - p[0], -1, q) % q
    x = (slope * slope - p[0] - r[0]) % q
    return x, (slope * (p[0] - x) - p[1]) % q


def _mul(a: Complex, b: Complex) -> Complex:
    return (a[0] * b[0] - a[1] * b[1]) % BASE_ORDER, (a[0] * b[1] + a[1] * b[0]) % BASE_ORDER


def _sub(a: Complex, b: Complex) -> Complex:
    return (a[0] - b[0]) % BASE_ORDER, (a[1] - b[1]) % BASE_ORDER


def _invert(a: Complex) -> Complex:
    norm = pow(a[0] * a[0] + a[1] * a[1], -1, BASE_ORDER)
    return a[0] * norm % BASE_ORDER, -a[1] * norm % BASE_ORDER


def add_g2(p: PointG2 | None, r: PointG2 | None) -> PointG2 | None:
    """p + r."""
    if p is None or r is None:
        return r if p is None else p
    if p[0] == r[0]:
        if p[1] != r[1] or p[1] == (0, 0):
            return None
        square = _mul(p[0], p[0])
        tripled = (3 * square[0], 3 * square[1])
        slope = _mul(tripled, _invert((2 * p[1][0], 2 * p[1][1])))
    else:
        slope = _mul(_sub(r[1], p[1]), _invert(_sub(r[0], p[0])))
    x = _sub(_sub(_mul(slope, slope), p[0]), r[0])
    return x, _sub(_mul(slope, _sub(p[0], x)), p[1])


def multiples_table_g1() -> list[list[tuple[int, int]]]:
    """[window][digit] -> digit * 256^window * G1, for digit 1 .. 255 (entry 0 is a filler)."""
    table, base = [], G1
    for _ in range(32):
        row, point = [base], base
        for _ in range(255):
            row.append(point)
            point = add_g1(point, base)  # type: ignore[assignment]
        table.append(row)
        base = point
    return table


def multiples_table_g2() -> list[list[tuple[Complex, Complex]]]:
    """The same for G2."""
    table, base = [], G2
    for _ in range(32):
        row, point = [base], base
        for _ in range(255):
            row.append(point)
            point = add_g2(point, base)  # type: ignore[assignment]
        table.append(row)
        base = point
    return table


def quotient_g1(x: int, y: int, zz: int, zzz: int) -> PointG1 | None:
    """(x / zz, y / zzz), or infinity where zz is 0."""
    if not zz:
        return None
    inverse = pow(zz * zzz, -1, BASE_ORDER)
    return x * zzz * inverse % BASE_ORDER, y * zz * inverse % BASE_ORDER


def quotient_g2(x: Complex, y: Complex, zz: Complex, zzz: Complex) -> PointG2 | None:
    """The same for G2."""
    if zz == (0, 0):
        return None
    return _mul(x, _invert(zz)), _mul(y, _invert(zzz))
