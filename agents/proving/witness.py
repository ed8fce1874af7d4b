"""Witnesses without node: circom's witness generator run by wasmtime.

A generator is what circom 2 writes with --wasm. It takes signals and gives wires a 32-bit word at a time, a million calls a
witness, so those loops are WebAssembly too: a module of ours beside circom's moves all values through a memory of its own.
"""

import contextlib
import struct
import threading
from collections.abc import Iterator, Mapping
from operator import index
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from wasmtime import Caller, Engine, FuncType, Instance, Linker, Module, Store, Trap, TrapCode, ValType, WasmtimeError

from agents.artefacts.files import circuit_folder
from agents.core.errors import ProofFailed, ProverUnavailable
from agents.core.proofs.field import SCALAR_ORDER
from agents.core.proofs.profiles import Profile
from agents.proving.files.words import first_not_below
from agents.proving.wasm import REMEDY, load, new_engine

SECONDS = 60.0
"""A generator that runs longer is stopped."""
MOST_MEMORY = 1 << 30
"""Bytes a generator's memory may have."""
PAGE = 1 << 16
VALUE_BYTES = 32
MOST_LINES, MOST_LETTERS = 20, 300
"""Of a generator's complaint."""

COMPLAINTS = {
    1: "a signal was not found",
    2: "too many signals were given",
    3: "a signal was given twice",
    4: "an assertion of the circuit fails",
    5: "it has not enough memory",
    6: "a signal has too many values",
    7: "it reads beyond an array",
}
"""What circom's exception codes mean."""

BRIDGE = b"""
(module
  (import "circuit" "writeSharedRWMemory" (func $write (param i32 i32)))
  (import "circuit" "readSharedRWMemory" (func $read (param i32) (result i32)))
  (import "circuit" "setInputSignal" (func $set (param i32 i32 i32)))
  (import "circuit" "getWitness" (func $get (param i32)))
  (memory (export "memory") 1)

  ;; The first $count values in memory become those of the signal whose name has this hash.
  (func (export "give") (param $high i32) (param $low i32) (param $count i32)
    (local $index i32) (local $word i32) (local $at i32)
    (loop $value
      (if (i32.lt_u (local.get $index) (local.get $count)) (then
        (local.set $word (i32.const 0))
        (loop $words
          (call $write (local.get $word) (i32.load (local.get $at)))
          (local.set $at (i32.add (local.get $at) (i32.const 4)))
          (local.set $word (i32.add (local.get $word) (i32.const 1)))
          (br_if $words (i32.lt_u (local.get $word) (i32.const 8))))
        (call $set (local.get $high) (local.get $low) (local.get $index))
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (br $value)))))

  ;; The first $count wires go to memory.
  (func (export "take") (param $count i32)
    (local $index i32) (local $word i32) (local $at i32)
    (loop $value
      (if (i32.lt_u (local.get $index) (local.get $count)) (then
        (call $get (local.get $index))
        (local.set $word (i32.const 0))
        (loop $words
          (i32.store (local.get $at) (call $read (local.get $word)))
          (local.set $at (i32.add (local.get $at) (i32.const 4)))
          (local.set $word (i32.add (local.get $word) (i32.const 1)))
          (br_if $words (i32.lt_u (local.get $word) (i32.const 8))))
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (br $value))))))
"""


class WitnessGenerator:
    """Witnesses of one circuit. Threads may share it: it works for one of them at a time."""

    def __init__(self, profile: Profile, wasm: Path | None = None, seconds: float = SECONDS) -> None:
        """Reads and compiles the generator of ``profile``, or the one in ``wasm``. Raises ProverUnavailable."""
        path = wasm or circuit_folder(profile.name) / "storage_proof.wasm"
        try:
            code = path.read_bytes()
        except OSError as error:
            raise ProverUnavailable(f"the {profile.name} witness generator is missing", str(error), REMEDY) from error
        self._seconds = seconds
        self._turn = threading.Lock()
        self._engine = new_engine()
        self._circuit = load(self._engine, code, str(path))
        self._bridge = load(self._engine, BRIDGE, "the bridge")
        self._complaint = _Complaint()
        self._linker = _linker(self._engine, self._complaint)

    def witness(self, inputs: Mapping[str, Any]) -> NDArray[np.uint64]:
        """(wires, 4) canonical values of all wires for ``inputs``, named signals as snarkjs takes them.

        Raises ProofFailed when the signals are not the circuit's, when they break a constraint, and when it takes too long;
        ProverUnavailable when the generator is not one of circom 2's over BN254.
        """
        values = {name: _packed(name, value) for name, value in inputs.items()}
        with self._turn:
            self._complaint.forget()
            watch = threading.Timer(self._seconds, self._engine.increment_epoch)
            watch.daemon = True
            watch.start()
            try:
                return self._run(values)
            except (Trap, Refused) as stop:
                raise _failed(self._why(stop)) from stop
            except (WasmtimeError, LookupError, TypeError) as error:  # it lacks a function, or has another in its place
                raise _unusable(str(error).splitlines()[0]) from error
            finally:
                watch.cancel()
                watch.join()  # one that is just firing must not end the next run

    def _run(self, values: Mapping[str, bytes]) -> NDArray[np.uint64]:
        with contextlib.closing(Store(self._engine)) as store:  # with it goes the memory of both instances
            store.set_limits(memory_size=MOST_MEMORY)
            store.set_epoch_deadline(1)
            circuit = self._linker.instantiate(store, self._circuit)
            return _Run(store, circuit, self._bridge).witness(values)

    def _why(self, stop: Exception) -> str:
        if self._complaint.code is not None:
            return self._complaint.text
        if isinstance(stop, Trap) and stop.trap_code == TrapCode.INTERRUPT:
            return f"the witness generator took over {self._seconds:g} s"
        return f"the witness generator broke off, {str(stop).splitlines()[-1].strip()}"


class Refused(Exception):
    """The generator gave up."""


class _Complaint:
    """Why a generator gave up. Wasmtime carries exceptions out of a run by way of all threads, so the reason stays here."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Before a run."""
        self.code: int | None = None
        self.lines: list[str] = []

    @property
    def text(self) -> str:
        """For people."""
        return ": ".join([COMPLAINTS.get(self.code or 0, f"the circuit's error {self.code}"), *self.lines])

    def hear(self, caller: Caller) -> None:
        """One line."""
        next_letter: Any = caller["getMessageChar"]
        letters: list[str] = []
        while len(letters) < MOST_LETTERS and (letter := next_letter(caller)):
            letters.append(chr(letter & 0x7F))
        if len(self.lines) < MOST_LINES:
            self.lines.append("".join(letters).strip())

    def refuse(self, code: int) -> None:
        """It gives up."""
        self.code = code
        raise Refused


def _linker(engine: Engine, complaint: _Complaint) -> Linker:
    """What a generator may call. It holds no store: the store would never be freed."""
    linker, nothing = Linker(engine), FuncType([], [])
    linker.define_func("runtime", "exceptionHandler", FuncType([ValType.i32()], []), complaint.refuse)
    linker.define_func("runtime", "printErrorMessage", nothing, complaint.hear, access_caller=True)
    linker.define_func("runtime", "writeBufferMessage", nothing, _ignore)
    linker.define_func("runtime", "showSharedRWMemory", nothing, _ignore)
    return linker


def _ignore() -> None:
    """What circom's log() says is not for us."""


class _Run:
    """One instance of a generator, used once."""

    def __init__(self, store: Store, circuit: Instance, bridge: Module) -> None:
        self._store = store
        self._circuit: Mapping[str, Any] = circuit.exports(store)
        wanted = [self._circuit[kind.name or ""] for kind in bridge.imports]
        self._bridge: Mapping[str, Any] = Instance(store, bridge, wanted).exports(store)

    def witness(self, values: Mapping[str, bytes]) -> NDArray[np.uint64]:
        """See WitnessGenerator."""
        self._require_our_field()
        self._call("init", 0)
        missing = self._call("getInputSize") - sum(self._give(name, data) for name, data in values.items())
        if missing > 0:
            raise _failed(f"{missing} values of the circuit's signals are missing")
        wires = self._call("getWitnessSize")
        if wires <= 0:
            raise _unusable(f"it has {wires} wires")
        memory = self._memory(wires * VALUE_BYTES)
        self._bridge["take"](self._store, wires)
        found = np.frombuffer(memory.read(self._store, 0, wires * VALUE_BYTES), dtype=np.uint64).reshape(wires, 4)
        if first_not_below(found, SCALAR_ORDER) is not None:
            raise _unusable("it gives values beyond the field")
        return found

    def _call(self, name: str, *arguments: int) -> Any:
        return self._circuit[name](self._store, *arguments)

    def _require_our_field(self) -> None:
        self._call("getRawPrime")
        words = [self._call("readSharedRWMemory", word) & 0xFFFFFFFF for word in range(self._call("getFieldNumLen32"))]
        prime = sum(word << (32 * i) for i, word in enumerate(words))
        if self._call("getVersion") != 2 or prime != SCALAR_ORDER:
            raise _unusable("it is not circom 2's over BN254")

    def _give(self, name: str, data: bytes) -> int:
        """Set all values of a signal; how many these are. The last one of all makes the circuit run."""
        high, low = _hash(name)
        wanted, given = self._call("getInputSignalSize", high, low), len(data) // VALUE_BYTES
        if wanted <= 0:
            raise _failed(f"the circuit has no signal {name}")
        if given != wanted:
            raise _failed(f"the circuit's signal {name} has {wanted} values, not {given}")
        self._memory(len(data)).write(self._store, data)
        self._bridge["give"](self._store, high, low, given)
        return given

    def _memory(self, size: int) -> Any:
        """The bridge's, with room for ``size`` bytes."""
        memory = self._bridge["memory"]
        pages = -(-size // PAGE) - memory.size(self._store)
        if pages > 0:
            memory.grow(self._store, pages)
        return memory


def _failed(why: str) -> ProofFailed:
    return ProofFailed("no proof can be made of this slot", why)


def _unusable(why: str) -> ProverUnavailable:
    return ProverUnavailable("the witness generator cannot be used", why, REMEDY)


def _hash(name: str) -> tuple[int, int]:
    """FNV-1a, how generators know their signals: the upper and the lower half of 64 bits, signed as wasmtime takes them."""
    found = 0xCBF29CE484222325
    for letter in name:
        found = (found ^ ord(letter)) * 0x100000001B3 % (1 << 64)
    high, low = struct.unpack(">ii", found.to_bytes(8, "big"))
    return high, low


def _packed(name: str, value: Any) -> bytes:
    """All values of a signal, row by row, in 32 bytes each."""
    try:
        return b"".join((_number(leaf) % SCALAR_ORDER).to_bytes(VALUE_BYTES, "little") for leaf in _leaves(value))
    except (TypeError, ValueError) as error:
        raise _failed(f"the values of signal {name} are not whole numbers, {error}") from error


def _number(leaf: Any) -> int:
    return int(leaf) if isinstance(leaf, str) else index(leaf)


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, (list, tuple)):
        for part in value:
            yield from _leaves(part)
    else:
        yield value
