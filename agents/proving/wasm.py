"""WebAssembly modules compiled by wasmtime for this CPU, kept on disk so that a process starts in milliseconds."""

import hashlib
from importlib.metadata import version

from wasmtime import Config, Engine, Module, WasmtimeError

from agents.core.errors import ProverUnavailable
from agents.kernels.cache import cache_folder, store, stored
from agents.kernels.compiled import cpu

REMEDY = "Install Holdfast anew, or run scripts/setup in a clone of it."


def new_engine() -> Engine:
    """An engine whose epoch ends what runs too long: every store of it needs a deadline."""
    config = Config()
    config.epoch_interruption = True
    config.memory_init_cow = (
        False  # an image of the memory, nearly all zeros, makes the stored code twenty times larger
    )
    return Engine(config)


def _name(code: bytes) -> str:
    facts = (hashlib.sha256(code).hexdigest(), version("wasmtime"), cpu())
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()


def load(engine: Engine, code: bytes, name: str) -> Module:
    """The module of ``code``, binary or text, from the cache or compiled now. Raises ProverUnavailable."""
    path = cache_folder() / f"{_name(code)}.cwasm"
    if (machine_code := stored(path)) is not None:
        try:
            return Module.deserialize(engine, machine_code)
        except WasmtimeError:
            pass  # of an engine set up in another way: compiled anew, and replaced
    try:
        module = Module(engine, code)
    except WasmtimeError as error:
        raise ProverUnavailable(f"{name} is no WebAssembly module", str(error), REMEDY) from error
    store(path, bytes(module.serialize()))
    return module
