"""Every kernel test runs on every kernel this CPU has; the report's header says which."""

import pytest

from agents.kernels import gf16
from agents.kernels.forms import FORMS
from agents.kernels.poseidon2 import KERNELS, Kernel, available_kernels, kernel_named


def pytest_report_header() -> list[str]:
    forms = [name for name, form in FORMS.items() if form.supported()]
    return [
        _said("hashing kernels", available_kernels(), list(KERNELS)),
        _said("coding kernels", list(gf16.available_kernels()), list(gf16.KERNELS)),
        _said("forms of arithmetic", forms, list(FORMS)),
    ]


def _said(what: str, here: list[str], all_: list[str]) -> str:
    missing = [name for name in all_ if name not in here]
    return f"{what}: {', '.join(here)}" + (f" (not on this CPU: {', '.join(missing)})" if missing else "")


@pytest.fixture(params=available_kernels())
def kernel(request: pytest.FixtureRequest) -> Kernel:
    return kernel_named(request.param)


@pytest.fixture(params=gf16.available_kernels())
def coder(request: pytest.FixtureRequest) -> gf16.Kernel:
    return gf16.kernel_named(request.param)
