"""LLVM IR -> machine code for this CPU, kept on disk so that a process starts in well under a second.

The object's name is a digest of the IR, or of the sources that write it, of the CPU with its features, and of llvmlite's
version. A file that was cut short or
altered is compiled anew, and two processes may compile the same code at once.
"""

import contextlib
import ctypes
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import llvmlite
from llvmlite import binding

from agents.kernels.cache import cache_folder, sources_digest, store, stored


class Compiled:
    """Machine code in memory; addresses are valid while this object lives."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def address(self, name: str) -> int:
        """Where function ``name`` begins."""
        return int(self._engine.get_function_address(name))

    def routine(self, name: str, arguments: int) -> Callable[..., int]:
        """Function ``name`` of so many 64-bit words, which gives one; it keeps this alive, and runs without the GIL."""
        word = ctypes.c_int64
        function: Any = ctypes.CFUNCTYPE(word, *[word] * arguments)(self.address(name))
        function.code = self
        return function  # type: ignore[no-any-return]


def _machine() -> Any:
    # Newer llvmlite initialises itself and refuses to be asked.
    with contextlib.suppress(RuntimeError):
        binding.initialize()
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    target = binding.Target.from_default_triple()
    features = binding.get_host_cpu_features().flatten()
    return target.create_target_machine(cpu=binding.get_host_cpu_name(), features=features, opt=3)


def cpu() -> str:
    """This CPU and its features: machine code kept on disk is for one of them."""
    return f"{binding.get_host_cpu_name()} {binding.get_host_cpu_features().flatten()}"


def _place(what: str) -> Path:
    return cache_folder() / f"{hashlib.sha256(chr(0).join((what, cpu(), llvmlite.__version__)).encode()).hexdigest()}.o"


def _optimised(source: str, machine: Any) -> bytes:
    module = binding.parse_assembly(source)
    module.verify()
    options = binding.create_pipeline_tuning_options(speed_level=3)
    passes = binding.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    return bytes(machine.emit_object(module))


def compiled(source: str) -> Compiled:
    """The code of IR ``source``, from the cache or compiled now."""
    return _compiled(_place(source), lambda: source)


def compiled_once(name: str, write: Callable[[], str]) -> Compiled:
    """The code of the IR that ``write``, a function of this package, gives; it is not even written where the cache has it.

    ``name`` tells one such function from the others.
    """
    return _compiled(_place(f"{name} {sources_digest()}"), write)


def _compiled(path: Path, write: Callable[[], str]) -> Compiled:
    machine = _machine()
    code = stored(path)
    if code is None:
        code = _optimised(write(), machine)
        store(path, code)
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return Compiled(engine)
