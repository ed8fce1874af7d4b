"""What a reader asks of a gateway: a path, a query and an Accept header make one of a few questions.

https://specs.ipfs.tech/http-gateways/trustless-gateway/ and /path-gateway/. A CAR is always of version 1 and depth first.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Literal
from urllib.parse import parse_qsl

from agents.core.dataset.cid import Cid, parse_cid
from agents.core.errors import BadData
from agents.net.gateway.ranges import Span
from agents.net.listening import Refusal
from agents.net.messages import SEALED_PREFIX

Form = Literal["file", "raw", "car", "sealed"]
"""How it is sent: a file's bytes, or one block's; one block; a CAR; the sealed file's bytes of a manifest."""
Scope = Literal["block", "entity", "all"]

RAW, CAR = "application/vnd.ipld.raw", "application/vnd.ipld.car"
EMPTY = "bafkqaaa"
"""The identity CID of nothing: readers ask for it to see whether a gateway is there."""

_PREFIX = "/ipfs/"
_FORMATS: dict[str, Form] = {"raw": "raw", "car": "car"}
_ELSEWHERE = {"tar", "json", "cbor", "dag-json", "dag-cbor", "ipns-record"}
"""Forms that other gateways know."""
_OURS: dict[str, Form] = {RAW: "raw", CAR: "car"}
_CAR_DETAILS = ("version", "order", "dups")
_MOST_PARAMETERS = 16

LONG = 512
"""Characters from which on what a reader sent is not remembered: many long ones would take memory that nobody granted."""

_Liked = list[tuple[str, dict[str, str]]]
"""Media types with their parameters; None stands for a header that names none of IPFS's."""


@dataclass(frozen=True)
class Asked:
    """One question."""

    cid: Cid | None
    """None: the empty probe."""
    form: Form = "file"
    negotiated: bool = False
    """The Accept header names a form: this one, or another than the query does."""
    scope: Scope = "all"
    span: Span | None = None
    """Of a CAR: the bytes to be verified with it."""
    once: bool = True
    """Of a CAR: a block that is met again is not sent again."""
    filename: str | None = None
    download: bool = False
    typed: str = ""
    """The CID as it was asked for."""

    @cached_property
    def name(self) -> str:
        """The CID as it is written in headers."""
        return EMPTY if self.cid is None else str(self.cid)

    @cached_property
    def etag(self) -> str:
        """The same answer has the same, and another answer another: nothing here ever changes."""
        if self.form == "file":
            return f'"{self.name}"'
        if self.form in ("raw", "sealed"):
            return f'"{self.name}.{self.form}"'
        return f'"{self.name}.car.{self.span or self.scope}.dfs.{self.dups}"'

    @property
    def dups(self) -> str:
        """As parameters tell whether blocks are sent again."""
        return "n" if self.once else "y"

    @property
    def location(self) -> str:
        """The path of this very answer, whatever an Accept header says."""
        path = f"{_PREFIX}{self.name}?format={self.form}"
        if self.form != "car":
            return path
        part = f"dag-scope={self.scope}" if self.span is None else f"entity-bytes={self.span}"
        return f"{path}&car-dups={self.dups}&{part}"


def asked(target: str, accept: str) -> Asked:
    """The question in a request's target and Accept header. Raises Refusal."""
    read = _asked if len(target) + len(accept) < LONG else _asked.__wrapped__
    return read(target, accept)


@lru_cache(maxsize=1024)
def _asked(target: str, accept: str) -> Asked:
    path, _, query = target.partition("?")
    if path.startswith(SEALED_PREFIX):
        return Asked(_manifest(path[len(SEALED_PREFIX) :]), "sealed")
    parameters = _parameters(query) if query else {}
    if not path.startswith(_PREFIX):
        raise Refusal(404, "not found", "a gateway's paths are /ipfs/<cid>")
    typed = path[len(_PREFIX) :]
    cid = _cid(typed)
    liked = _by_preference(accept.lower()) if "vnd.ip" in accept.lower() else None
    form = _form(parameters, liked)
    found = Asked(
        cid,
        form,
        negotiated=form != "file" and any(kind in _OURS for kind, _ in liked or ()),
        filename=parameters.get("filename"),
        download=parameters.get("download") == "true",
        typed=typed.rstrip("/"),
    )
    return _car(found, parameters, liked or []) if form == "car" else found


def _car(found: Asked, parameters: Mapping[str, str], liked: _Liked) -> Asked:
    """The same with what is asked of a CAR alone. Raises Refusal."""
    details = next((dict(details) for kind, details in liked if kind == CAR and _car_fits(details)), {})
    details |= {name: parameters[f"car-{name}"] for name in _CAR_DETAILS if f"car-{name}" in parameters}
    if not _car_fits(details):
        raise Refusal(406, "car", f"CARs are {CAR}; version=1; order=dfs; dups=y or n")
    scope = parameters.get("dag-scope", "all")
    if scope not in ("block", "entity", "all"):
        raise Refusal(400, "dag-scope", "dag-scope is block, entity or all")
    # The comparison above is the proof; the checker does not take it.
    return replace(found, scope=scope, span=_span(parameters), once=details.get("dups") != "y")  # type: ignore[arg-type]


def _parameters(query: str) -> dict[str, str]:
    try:
        found = parse_qsl(query, keep_blank_values=True, max_num_fields=_MOST_PARAMETERS, errors="strict")
    except ValueError:
        raise Refusal(400, "query", "the query cannot be read") from None
    return dict(reversed(found))


def _cid(text: str) -> Cid | None:
    name, _, rest = text.partition("/")
    try:
        cid = None if name == EMPTY else parse_cid(name)
    except BadData as error:
        raise Refusal(400, "cid", f"{error.what}: {error.why}") from None
    if rest:
        raise Refusal(404, "not found", "a file has no paths below it")
    return cid


def _manifest(text: str) -> Cid:
    cid = _cid(text)
    if cid is None or cid.codec != "dag-cbor":
        raise Refusal(400, "cid", "a sealed file is named by its manifest's CID, which begins with bafyrei")
    return cid


def _form(parameters: Mapping[str, str], liked: _Liked | None) -> Form:
    """The form. The query goes before the header. Raises Refusal."""
    wanted = parameters.get("format")
    if wanted is not None:
        if wanted in _FORMATS:
            return _FORMATS[wanted]
        raise Refusal(406 if wanted in _ELSEWHERE else 400, "format", "format is raw or car")
    if liked is None:
        return "file"
    for kind, details in liked:
        form = _OURS.get(kind)
        if form == "car" and not _car_fits(details):
            continue
        if form is not None:
            return form
        if not kind.startswith("application/vnd.ip"):
            return "file"
    raise Refusal(406, "accept", f"served are {RAW}, {CAR}; version=1; order=dfs, and files as they are")


def _by_preference(accept: str) -> _Liked:
    """What an Accept header names, the best liked first."""
    found: _Liked = []
    for entry in accept.split(",")[:_MOST_PARAMETERS]:
        kind, *rest = (part.strip() for part in entry.split(";"))
        details = {name.strip(): value.strip(' "') for name, _, value in (part.partition("=") for part in rest)}
        found.append((kind, details))
    return sorted((entry for entry in found if _weight(entry[1]) > 0), key=lambda entry: -_weight(entry[1]))


def _weight(details: Mapping[str, str]) -> float:
    try:
        return float(details.get("q", "1"))
    except ValueError:
        return 0.0


def _car_fits(details: Mapping[str, str]) -> bool:
    version, order, dups = (details.get(name, "") for name in _CAR_DETAILS)
    return version in ("", "1") and order in ("", "dfs", "unk") and dups in ("", "y", "n")


def _span(parameters: Mapping[str, str]) -> Span | None:
    text = parameters.get("entity-bytes")
    if text is None:
        return None
    try:
        return Span.parse(text)
    except ValueError:
        raise Refusal(400, "entity-bytes", "entity-bytes is from:to, numbers of bytes, or * for the end") from None
