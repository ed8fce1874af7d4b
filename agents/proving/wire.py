"""Errors on their way from a worker process: the class by name, and its words."""

from typing import Any

from agents.core import errors
from agents.core.errors import HoldfastError, ProofFailed


def packed(error: BaseException) -> list[str]:
    """``error`` as JSON can have it."""
    if isinstance(error, HoldfastError):
        return [type(error).__name__, error.what, error.why, error.do]
    return [ProofFailed.__name__, "no proof can be made of this slot", f"{type(error).__name__}: {error}", ""]


def unpacked(found: Any) -> HoldfastError:
    """The error that ``packed`` made ``found`` of."""
    name, *words = (str(part) for part in found)
    kind = getattr(errors, name, None)
    if not (isinstance(kind, type) and issubclass(kind, HoldfastError)):
        kind = ProofFailed
    return kind(*words[:3])
