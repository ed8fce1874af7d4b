"""Contract ABIs: from the shipped JSON to bytes and back, by eth_abi, with no web3.

Names cross one boundary here: Solidity's camelCase becomes snake_case, tuples become the dataclass asked for (or a
namespace with snake_case fields), and a dataclass is encoded by its snake_case fields.
"""

import dataclasses
import json
import keyword
import re
from collections.abc import Callable, Mapping, Sequence
from enum import IntEnum
from functools import cache, cached_property
from importlib import resources
from types import SimpleNamespace
from typing import Any

from eth_abi import abi as eth_abi
from eth_abi.exceptions import DecodingError
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from agents.core.channels.lanes import Refusal
from agents.core.errors import ChainLies, ToolMissing
from agents.core.market.types import Amount, AskField, RequestState, SlotState

ENUMS: dict[str, type[IntEnum]] = {kind.__name__: kind for kind in (Amount, AskField, Refusal, RequestState, SlotState)}
"""The contracts' enums by name; a Solidity enum is a number in the ABI."""

Struct = Callable[..., Any]
"""Makes a value of a Solidity struct from snake_case keyword arguments."""


@cache
def snake(name: str) -> str:
    """``pricePerBytePerSecond`` -> ``price_per_byte_per_second``; Python's own words get a trailing underscore."""
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip("_")).lower()
    return f"{text}_" if keyword.iskeyword(text) else text


@dataclasses.dataclass(frozen=True)
class Artefact:
    """One compiled contract as shipped with the package."""

    name: str
    abi: list[dict[str, Any]]
    bytecode: bytes
    runtime: bytes

    @cached_property
    def functions(self) -> dict[str, "Function"]:
        """Functions by name (none is overloaded)."""
        return {entry["name"]: Function(entry) for entry in self.abi if entry["type"] == "function"}

    @cached_property
    def events(self) -> dict[bytes, "EventType"]:
        """Events by topic."""
        kinds = [EventType(entry) for entry in self.abi if entry["type"] == "event"]
        return {kind.topic: kind for kind in kinds}

    @cached_property
    def errors(self) -> dict[bytes, "ErrorType"]:
        """Custom errors by selector."""
        kinds = [ErrorType(entry) for entry in self.abi if entry["type"] == "error"]
        return {kind.selector: kind for kind in kinds}

    def deployment(self, *arguments: Any) -> bytes:
        """Creation code with the constructor's arguments. Raises ToolMissing if the artefact has no bytecode."""
        if not self.bytecode:
            raise ToolMissing(f"The contract {self.name} was built without bytecode", "", "Run ./scripts/setup.")
        inputs: list[dict[str, Any]] = next(
            (entry["inputs"] for entry in self.abi if entry["type"] == "constructor"), []
        )
        return self.bytecode + encode(inputs, arguments)


@cache
def artefact(name: str) -> Artefact:
    """The shipped artefact of contract ``name``. Raises ToolMissing."""
    place = resources.files("agents") / "artefacts" / "contracts" / f"{name}.json"
    try:
        found = json.loads(place.read_text())
    except (FileNotFoundError, NotADirectoryError):
        raise ToolMissing(f"The contract {name} is not built", f"no {place}", "Run ./scripts/setup.") from None
    code = [bytes.fromhex((found.get(key) or "0x").removeprefix("0x")) for key in ("bytecode", "deployedBytecode")]
    return Artefact(name, found["abi"], code[0], code[1])


class Function:
    """One function: its calldata and its results."""

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self.name: str = entry["name"]
        self.inputs: list[dict[str, Any]] = entry["inputs"]
        self.outputs: list[dict[str, Any]] = entry["outputs"]
        self.selector = keccak(text=_signature(entry))[:4]

    def encode(self, *arguments: Any) -> bytes:
        """Calldata."""
        return self.selector + encode(self.inputs, arguments)

    def decode(self, data: bytes, struct: Struct | None = None) -> Any:
        """The result: one value as itself, several as a tuple, or ``struct`` of them by name. Raises ChainLies."""
        if len(self.outputs) == 1:
            kind = self.outputs[0]
            structs = {_struct_name(kind): struct} if struct else {}
            return decode([kind], data, structs)[0]
        values = decode(self.outputs, data, {})
        if struct is None:
            return tuple(values)
        return struct(**{snake(kind["name"]): value for kind, value in zip(self.outputs, values, strict=True)})


class ErrorType:
    """One custom error."""

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self.name: str = entry["name"]
        self.inputs: list[dict[str, Any]] = entry["inputs"]
        self.selector = keccak(text=_signature(entry))[:4]

    def decode(self, data: bytes) -> dict[str, Any]:
        """The error's arguments by snake_case name, enums as ours; ``data`` begins after the selector."""
        values = decode(self.inputs, data, {})
        values = [_member(kind, value) for kind, value in zip(self.inputs, values, strict=True)]
        named = zip(self.inputs, values, strict=True)
        return {snake(kind["name"]) or f"_{at}": value for at, (kind, value) in enumerate(named)}


class EventType:
    """One event."""

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self.name: str = entry["name"]
        self.topic = keccak(text=_signature(entry))
        self._indexed = [kind for kind in entry["inputs"] if kind["indexed"]]
        self._plain = [kind for kind in entry["inputs"] if not kind["indexed"]]

    def decode(self, topics: Sequence[bytes], data: bytes, structs: Mapping[str, Struct]) -> dict[str, Any]:
        """The event's fields by snake_case name. Raises ChainLies."""
        if len(topics) != len(self._indexed) + 1:
            raise ChainLies(f"The RPC sent a malformed {self.name} event", "", "Use another RPC.")
        fields = {}
        for kind, topic in zip(self._indexed, topics[1:], strict=True):
            fields[snake(kind["name"])] = decode([kind], topic, structs)[0]
        for kind, value in zip(self._plain, decode(self._plain, data, structs), strict=True):
            fields[snake(kind["name"])] = value
        return fields


def encode(kinds: Sequence[Mapping[str, Any]], values: Sequence[Any]) -> bytes:
    """``values`` encoded as the ABI inputs ``kinds``."""
    if len(kinds) != len(values):
        raise TypeError(f"{len(kinds)} arguments wanted, {len(values)} given")
    plain = [_to_abi(kind, value) for kind, value in zip(kinds, values, strict=True)]
    return eth_abi.encode([_type(kind) for kind in kinds], plain)


def decode(kinds: Sequence[Mapping[str, Any]], data: bytes, structs: Mapping[str, Struct]) -> list[Any]:
    """The ABI outputs ``kinds`` in ``data``; a struct named in ``structs`` is made by it. Raises ChainLies."""
    if not kinds:
        return []
    try:
        values = eth_abi.decode([_type(kind) for kind in kinds], data)
    except (DecodingError, OverflowError) as error:
        raise ChainLies(
            "A contract's answer does not decode", str(error)[:120], "Check the address and the RPC."
        ) from None
    return [_from_abi(kind, value, structs) for kind, value in zip(kinds, values, strict=True)]


def _signature(entry: Mapping[str, Any]) -> str:
    return f"{entry['name']}({','.join(_type(kind) for kind in entry['inputs'])})"


def _type(kind: Mapping[str, Any]) -> str:
    name: str = kind["type"]
    if not name.startswith("tuple"):
        return name
    return f"({','.join(_type(part) for part in kind['components'])}){name.removeprefix('tuple')}"


def _struct_name(kind: Mapping[str, Any]) -> str:
    internal: str = kind.get("internalType", "")
    return internal.removeprefix("struct ").split("[")[0].rsplit(".", 1)[-1]


def _member(kind: Mapping[str, Any], value: Any) -> Any:
    """``value``, as a member of the enum that ``kind`` is, if it is one of ours."""
    enum = ENUMS.get(str(kind.get("internalType", "")).removeprefix("enum "))
    return enum(value) if enum is not None and value in list(enum) else value


def _element(kind: Mapping[str, Any]) -> dict[str, Any] | None:
    found = re.fullmatch(r"(.*)\[\d*\]", kind["type"])
    if found is None:
        return None
    return {**kind, "type": found.group(1)}


def _to_abi(kind: Mapping[str, Any], value: Any) -> Any:
    element = _element(kind)
    if element is not None:
        return [_to_abi(element, item) for item in value]
    if kind["type"] == "tuple":
        parts = kind["components"]
        items = list(value) if isinstance(value, tuple | list) else [getattr(value, snake(p["name"])) for p in parts]
        return tuple(_to_abi(part, item) for part, item in zip(parts, items, strict=True))
    return value


def _from_abi(kind: Mapping[str, Any], value: Any, structs: Mapping[str, Struct]) -> Any:
    element = _element(kind)
    if element is not None:
        return tuple(_from_abi(element, item, structs) for item in value)
    if kind["type"] == "tuple":
        parts = kind["components"]
        fields = {snake(p["name"]): _from_abi(p, item, structs) for p, item in zip(parts, value, strict=True)}
        return structs.get(_struct_name(kind), SimpleNamespace)(**fields)
    if kind["type"] == "address":
        return checksummed(value)
    return value


@cache
def checksummed(address: str) -> str:
    """``address`` in EIP-55 form, the only form addresses have inside."""
    return str(to_checksum_address(address))
