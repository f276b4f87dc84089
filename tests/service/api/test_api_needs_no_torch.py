"""The API ships in a small image: it starts without torch."""

import subprocess
import sys

import pytest

LOADED = "import sys, {module}; print(*[name for name in sys.modules if name == 'torch' or name.startswith('models.')])"


@pytest.mark.parametrize(
    "module",
    [
        "service.process.api_main",
        "service.process.serve",
        "service.app",
        "service.api.readiness",
        "service.use_cases.adapting",
        "service.use_cases.predicting",
        "service.ipc.client",
    ],
)
def test_the_api_imports_no_torch_and_of_the_models_only_what_needs_none(module):
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(module=module)], capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) <= {
        "models.column_names",
        "models.columns",
        "models.graph_arrays",
        "models.molecules",
        "models.photo_pixels",
        "models.registry",
    }
