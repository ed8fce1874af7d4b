"""Every kernel test runs on every kernel this CPU has; the report's header says which."""

import pytest

from agents.kernels.poseidon2 import KERNELS, Kernel, available_kernels, kernel_named


def pytest_report_header() -> str:
    missing = [name for name in KERNELS if name not in available_kernels()]
    return f"hashing kernels: {', '.join(available_kernels())}" + (f" (not on this CPU: {missing})" if missing else "")


@pytest.fixture(params=available_kernels())
def kernel(request: pytest.FixtureRequest) -> Kernel:
    return kernel_named(request.param)
