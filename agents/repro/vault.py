"""Vault's figures, from our simulation of its chunk groups and our closed forms beside it."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from agents.repro import vault_losses, vault_repairs, vault_selection
from agents.repro.catalogue import Entry
from agents.repro.effort import Effort
from agents.repro.figures import Figure

FIGURES: Mapping[str, Callable[[Entry, Effort], Figure]] = MappingProxyType(
    {
        "4a": vault_repairs.figure4a,
        "4b": vault_repairs.figure4b,
        "5": vault_repairs.figure5,
        "6a": vault_losses.figure6a,
        "6b": vault_losses.figure6b,
        "selection-rule": vault_selection.rules,
    }
)
