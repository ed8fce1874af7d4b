"""LLVM IR -> machine code for this CPU, kept on disk so that a process starts in well under a second.

The object's name is a digest of the IR, the CPU with its features, and llvmlite's version. A file carries the digest of
its object: one that was cut short or altered is compiled anew. Files are put in place by rename, so that two processes
may compile the same code at once.
"""

import contextlib
import hashlib
import os
import tempfile
from pathlib import Path
from typing import Any

import llvmlite
from llvmlite import binding

from agents.kernels.cache import cache_folder

DIGEST_BYTES = 32


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


def _name(source: str) -> str:
    facts = (source, binding.get_host_cpu_name(), binding.get_host_cpu_features().flatten(), llvmlite.__version__)
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()


def _stored(path: Path) -> bytes | None:
    """The object in ``path``, or None where there is none that can be trusted."""
    try:
        data = path.read_bytes()
    except OSError:
        return None
    digest, code = data[:DIGEST_BYTES], data[DIGEST_BYTES:]
    return code if code and hashlib.sha256(code).digest() == digest else None


def _store(path: Path, code: bytes) -> None:
    """Keep ``code``; a full or read-only disk costs the next process its compilation and nothing else."""
    with contextlib.suppress(OSError):
        handle, name = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(code).digest() + code)
            os.replace(name, path)
        except OSError:
            os.unlink(name)


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
    code = _stored(path)
    if code is None:
        code = _optimised(source, machine)
        _store(path, code)
    engine = binding.create_mcjit_compiler(binding.parse_assembly(""), machine)
    engine.add_object_file(binding.ObjectFileRef.from_data(code))
    engine.finalize_object()
    return Compiled(engine)
