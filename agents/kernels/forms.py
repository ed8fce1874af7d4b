"""The forms there are of field arithmetic; form.py says what a form is, and states all bounds."""

from agents.kernels.form import Form, Value
from agents.kernels.form_narrow import Narrow
from agents.kernels.form_wide import Wide

__all__ = ["FORMS", "Form", "Narrow", "Value", "Wide", "best_form"]

FORMS: dict[str, type[Wide] | type[Narrow]] = {form.name: form for form in (Wide, Narrow)}
"""By name, best first."""


def best_form() -> str:
    """The name of the best form this CPU has the instructions for."""
    return next(name for name, form in FORMS.items() if form.supported())
