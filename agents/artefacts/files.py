"""Where the built things are that ship with the package."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent


def circuit_folder(profile: str) -> Path:
    """Witness generator, verification key and constraint system of a profile."""
    return FOLDER / "circuits" / profile


def verification_key(profile: str) -> dict[str, Any]:
    """snarkjs' verification key of a profile's development key; it says itself that it is insecure."""
    found: dict[str, Any] = json.loads((circuit_folder(profile) / "verification_key.json").read_text())
    return found


def admission_model() -> dict[str, Any]:
    """The arrays of the model that caches learn admission with, made by ``agent cache train``."""
    import numpy as np

    with np.load(FOLDER / "admission.npz", allow_pickle=False) as found:
        return {name: found[name] for name in found.files}
