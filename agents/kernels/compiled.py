"""LLVM IR -> machine code for this CPU, kept on disk so that a process starts in well under a second.

The object's name is a digest of the IR, the CPU with its features, and llvmlite's version. A file that was cut short or
altered is compiled anew, and two processes may compile the same code at once.
"""

import contextlib
import hashlib
from typing import Any

import llvmlite
from llvmlite import binding

from agents.kernels.cache import cache_folder, store, stored


class Compiled:
    """Machine code in memory; addresses are valid while this object lives."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine

    def address(self, name: str) -> int:
        """Where function ``name`` begins."""
        return int(self._engine.get_function_address(name))


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


def _name(source: str) -> str:
    return hashlib.sha256("\0".join((source, cpu(), llvmlite.__version__)).encode()).hexdigest()


def _optimised(source: str, machine: Any) -> bytes:
    module = binding.parse_assembly(source)
    module.verify()
    options = binding.create_pipeline_tuning_options(speed_level=3)
    passes = binding.create_pass_builder(machine, options)
    passes.getModulePassManager().run(module, passes)
    return bytes(machine.emit_object(module))


def compiled(source: str) -> Compiled:
    """The code of IR ``source``, from the cache or compiled now."""
    machine = _machine()
    path = cache_folder() / f"{_name(source)}.o"
    code = stored(path)
    if code is None:
        code = _optimised(source, machine)
        store(path, code)
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return Compiled(engine)
