"""Products of vectors of GF(2^16) symbols by constants, as LLVM IR: by affine maps of bytes (GFNI) or shuffled tables (AVX2).

Vectors hold the low bytes of as many symbols as they have bytes, or their high bytes. A constant is a row of bytes in memory,
which ``rows`` makes.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from llvmlite import binding, ir
from numpy.typing import NDArray

from agents.kernels.emit import INDEX, WORD, Routine
from agents.kernels.gf16_field import BITS, Symbols, multiples

BYTE = ir.IntType(8)
LANE = 16
"""Bytes within which shuffles and packs move."""

Pair = tuple[Any, Any]
"""Low and high bytes."""


class Products(ABC):
    """One way to multiply, for the routine being written."""

    name: ClassVar[str]
    size: ClassVar[int]
    """Bytes of a vector: symbols of a pair of them."""
    needs: ClassVar[tuple[str, ...]]
    """Features of the CPU."""
    row: ClassVar[int]
    """Bytes of a constant."""

    def __init__(self, routine: Routine) -> None:
        self.routine, self.builder = routine, routine.builder
        self.vector = ir.VectorType(BYTE, self.size)

    @classmethod
    def supported(cls) -> bool:
        """Whether this CPU has the instructions."""
        features = binding.get_host_cpu_features()
        return all(features.get(need) for need in cls.needs)

    @staticmethod
    @abstractmethod
    def rows(constants: Symbols) -> NDArray[np.uint8]:
        """(n,) constants -> (n, row) bytes."""

    @abstractmethod
    def constant(self, address: Any) -> list[Any]:
        """That stands at ``address``, as vectors."""

    @abstractmethod
    def product(self, symbols: Pair, constant: list[Any]) -> Pair:
        """Of each symbol by the constant."""

    def every(self, byte: int) -> ir.Constant:
        """``byte`` everywhere."""
        return ir.Constant(self.vector, [byte] * self.size)

    def load(self, address: Any) -> Pair:
        """From the workspace."""
        upper = self.builder.add(address, self.routine.word(self.size))
        return self.routine.load(address, self.vector, self.size), self.routine.load(upper, self.vector, self.size)

    def store(self, symbols: Pair, address: Any) -> None:
        """Into the workspace."""
        self.routine.store(symbols[0], address, self.size)
        self.routine.store(symbols[1], self.builder.add(address, self.routine.word(self.size)), self.size)

    def add(self, a: Pair, b: Pair) -> Pair:
        """a + b."""
        return self.builder.xor(a[0], b[0]), self.builder.xor(a[1], b[1])

    def add_product(self, a: Pair, b: Pair, constant: list[Any]) -> Pair:
        """a + b times the constant."""
        return self.add(a, self.product(b, constant))

    def fetch(self, address: Any) -> Pair:
        """Words at any address, apart into bytes: lane by lane, which is one instruction."""
        upper = self.builder.add(address, self.routine.word(self.size))
        a, b = (self.routine.load(place, self.vector, 1) for place in (address, upper))
        return self._picked(a, b, self._parted(0)), self._picked(a, b, self._parted(1))

    def put(self, symbols: Pair, address: Any) -> None:
        """The words that were fetched."""
        for half in range(2):
            words = self._picked(*symbols, self._joined(half))
            self.routine.store(words, self.builder.add(address, self.routine.word(half * self.size)), 1)

    def _picked(self, a: Any, b: Any, which: list[int]) -> Any:
        return self.builder.shuffle_vector(a, b, ir.Constant(ir.VectorType(INDEX, len(which)), which))

    def _parted(self, odd: int) -> list[int]:
        """Even or odd bytes of the first vector's lane, then of the second's, for each lane."""
        lanes = range(0, self.size, LANE)
        return [first + lane + i for lane in lanes for first in (0, self.size) for i in range(odd, LANE, 2)]

    def _joined(self, half: int) -> list[int]:
        """Bytes of half a lane of both vectors in turns, for each lane."""
        lanes, start = range(0, self.size, LANE), half * LANE // 2
        return [first + lane + start + i for lane in lanes for i in range(LANE // 2) for first in (0, self.size)]

    def _intrinsic(self, name: str, arguments: list[Any]) -> Any:
        known = self.routine.module.globals
        return (
            known[name]
            if name in known
            else ir.Function(self.routine.module, ir.FunctionType(self.vector, arguments), name)
        )


class Affine(Products):
    """A product is a 16 x 16 matrix of bits: four of 8 x 8, each in one word that GFNI takes."""

    row = 32

    @staticmethod
    def rows(constants: Symbols) -> NDArray[np.uint8]:
        # Of out half, in half, bit out from the highest down: the byte of bits in.
        bits = (multiples(constants)[:, :, None] >> np.arange(BITS, dtype=np.uint16)) & 1
        quarters = bits.astype(np.uint8).reshape(-1, 2, 8, 2, 8).transpose(0, 3, 1, 4, 2)[:, :, :, ::-1]
        return np.packbits(quarters, axis=-1, bitorder="little").reshape(-1, Affine.row)

    def constant(self, address: Any) -> list[Any]:
        wide = ir.VectorType(WORD, self.size // 8)
        found = []
        for i in range(4):
            word = self.routine.load(self.routine.at(address, i, 8))
            first = self.builder.insert_element(ir.Constant(wide, ir.Undefined), word, ir.Constant(INDEX, 0))
            found.append(self.builder.bitcast(self._picked(first, first, [0] * (self.size // 8)), self.vector))
        return found

    def product(self, symbols: Pair, constant: list[Any]) -> Pair:
        name = f"llvm.x86.vgf2p8affineqb.{8 * self.size}"
        function = self._intrinsic(name, [self.vector, self.vector, BYTE])
        low_low, low_high, high_low, high_high = constant
        low, high = symbols

        def mapped(value: Any, matrix: Any) -> Any:
            return self.builder.call(function, [value, matrix, ir.Constant(BYTE, 0)])

        return (
            self.builder.xor(mapped(low, low_low), mapped(high, low_high)),
            self.builder.xor(mapped(low, high_low), mapped(high, high_high)),
        )


class Affine512(Affine):
    """In AVX-512."""

    name, size, needs = "gfni512", 64, ("gfni", "avx512f", "avx512bw")


class Affine256(Affine):
    """In AVX2."""

    name, size, needs = "gfni256", 32, ("gfni", "avx2")


class Shuffled(Products):
    """A product is the sum of those of its four nibbles, each looked up among sixteen: one table a byte of the product."""

    name, size, needs, row = "avx2", 32, ("avx2",), 128

    @staticmethod
    def rows(constants: Symbols) -> NDArray[np.uint8]:
        single = multiples(constants).reshape(-1, 4, 4)
        found = np.zeros((len(constants), 4, LANE), dtype=np.uint16)
        for bit in range(4):
            found[:, :, 1 << bit : 2 << bit] = found[:, :, : 1 << bit] ^ single[:, :, bit, None]
        halves = np.stack([found & np.uint16(255), found >> np.uint16(8)], axis=2).astype(np.uint8)
        return np.ascontiguousarray(halves).reshape(-1, Shuffled.row)

    def constant(self, address: Any) -> list[Any]:
        lane, everywhere = ir.VectorType(BYTE, LANE), list(range(LANE)) * (self.size // LANE)
        found = [self.routine.load(self.routine.at(address, i, LANE), lane, 1) for i in range(8)]
        return [self._picked(table, table, everywhere) for table in found]

    def product(self, symbols: Pair, constant: list[Any]) -> Pair:
        function = self._intrinsic("llvm.x86.avx2.pshuf.b", [self.vector, self.vector])
        nibbles = []
        for part in symbols:
            nibbles += [self.builder.and_(part, self.every(15)), self.builder.lshr(part, self.every(4))]
        total: list[Any] = []
        for half in range(2):
            found = [self.builder.call(function, [constant[2 * i + half], nibble]) for i, nibble in enumerate(nibbles)]
            total.append(self.builder.xor(self.builder.xor(found[0], found[1]), self.builder.xor(found[2], found[3])))
        return total[0], total[1]


WAYS: dict[str, type[Affine512] | type[Affine256] | type[Shuffled]] = {
    way.name: way for way in (Affine512, Affine256, Shuffled)
}
"""By name, best first."""
