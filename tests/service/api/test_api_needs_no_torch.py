"""The API ships in a small image: it starts without torch."""

import subprocess
import sys

import pytest

LOADED = "import sys, {module}; print(*sorted({{'torch', 'models'}} & set(sys.modules)))"


@pytest.mark.parametrize(
    "module",
    [
        "service.process.api_main",
        "service.process.serve",
        "service.app",
        "service.api.readiness",
        "service.adaptation",
        "service.ipc.pool",
    ],
)
def test_the_api_imports_neither_torch_nor_models(module):
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(module=module)], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
