"""The model that comes with the package."""

from agents.artefacts.files import admission_model
from agents.core.admission.model import Model, model_of


def shipped_model() -> Model:
    """What ``agent cache train`` makes when it is told nothing else."""
    return model_of(admission_model())
