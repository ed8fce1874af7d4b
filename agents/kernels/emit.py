"""Writing LLVM IR: functions of 64-bit words (addresses and counts), loops that carry values, and branches seldom taken."""

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir

WORD = ir.IntType(64)
INDEX = ir.IntType(32)


class Routine:
    """One function being written; every argument and the result are 64-bit words."""

    def __init__(self, module: ir.Module, name: str, arguments: Sequence[str]) -> None:
        kind = ir.FunctionType(WORD, [WORD] * len(arguments))
        self.module = module
        self.function = ir.Function(module, kind, name)
        self.builder = ir.IRBuilder(self.function.append_basic_block("entry"))
        self._arguments = dict(zip(arguments, self.function.args, strict=True))

    def __getitem__(self, name: str) -> Any:
        """An argument."""
        return self._arguments[name]

    def word(self, value: int) -> ir.Constant:
        """A constant."""
        return ir.Constant(WORD, value)

    def at(self, base: Any, index: Any, size: int) -> Any:
        """base + index * size."""
        step = self.word(index * size) if isinstance(index, int) else self.builder.mul(index, self.word(size))
        return self.builder.add(base, step)

    def load(self, address: Any, kind: Any = WORD, align: int = 8) -> Any:
        """What stands at ``address``."""
        return self.builder.load(self.builder.inttoptr(address, kind.as_pointer()), align=align)

    def store(self, value: Any, address: Any, align: int = 8) -> None:
        """Put ``value`` at ``address``."""
        self.builder.store(value, self.builder.inttoptr(address, value.type.as_pointer()), align=align)

    def prefetch(self, address: Any) -> None:
        """Have the cache line at ``address`` come; any address will do."""
        pointer, small = ir.IntType(8).as_pointer(), ir.IntType(32)
        name = "llvm.prefetch.p0"
        kind = ir.FunctionType(ir.VoidType(), [pointer, small, small, small])
        known = self.module.globals
        function = known[name] if name in known else ir.Function(self.module, kind, name)
        hints = [ir.Constant(small, hint) for hint in (0, 3, 1)]  # to read, from all caches, data
        self.builder.call(function, [self.builder.inttoptr(address, pointer), *hints])

    def loop(
        self, name: str, count: Any, carried: Sequence[Any], body: Callable[[Any, list[Any]], Sequence[Any]]
    ) -> list[Any]:
        """``for i in range(count): carried = body(i, carried)``; what is carried at the end. ``count`` may be 0."""
        builder = self.builder
        before = builder.block
        head = self.function.append_basic_block(f"{name}_head")
        block = self.function.append_basic_block(name)
        after = self.function.append_basic_block(f"{name}_end")
        builder.branch(head)
        builder.position_at_end(head)
        index = builder.phi(WORD)
        index.add_incoming(self.word(0), before)
        phis = []
        for value in carried:
            phi = builder.phi(value.type)
            phi.add_incoming(value, before)
            phis.append(phi)
        limit = self.word(count) if isinstance(count, int) else count
        builder.cbranch(builder.icmp_unsigned("<", index, limit), block, after)
        builder.position_at_end(block)
        results = body(index, list(phis))
        index.add_incoming(builder.add(index, self.word(1)), builder.block)
        for phi, value in zip(phis, results, strict=True):
            phi.add_incoming(value, builder.block)
        builder.branch(head)
        builder.position_at_end(after)
        return list(phis)

    def seldom(self, name: str, condition: Any, usual: Sequence[Any], body: Callable[[], Sequence[Any]]) -> list[Any]:
        """``body()`` where ``condition`` holds, which is rare, else ``usual``: as many values of the same types."""
        builder = self.builder
        before = builder.block
        block = self.function.append_basic_block(name)
        after = self.function.append_basic_block(f"{name}_end")
        builder.cbranch(condition, block, after)
        builder.position_at_end(block)
        results = body()
        from_block = builder.block
        builder.branch(after)
        builder.position_at_end(after)
        phis = []
        for value, result in zip(usual, results, strict=True):
            phi = builder.phi(value.type)
            phi.add_incoming(value, before)
            phi.add_incoming(result, from_block)
            phis.append(phi)
        return phis

    def end(self, result: Any = None) -> None:
        """Return ``result``, or 0."""
        self.builder.ret(self.word(0) if result is None else result)
