"""Every cell of every notebook runs, against a real service."""

import json
import shutil
from pathlib import Path

import httpx
import matplotlib as mpl
import pytest

from service.settings import ZOO, Settings
from tests.service.serving import serving, working

NOTEBOOKS = sorted((Path(__file__).parents[2] / "docs/notebooks").glob("*.ipynb"))

MODELS = (
    *("curves", "curves-cnp", "curves-maml", "molecules", "molecules-graph", "molecules-regression", "navigate-maml"),
    *("nodes", "nodes-gated", "nodes-maml", "nodes-protonet", "patients", "tables", "tastes", "texts"),
)


@pytest.fixture(scope="module")
def service(redis_url, tmp_path_factory):
    """A service with the models that the notebooks name."""
    folder = tmp_path_factory.mktemp("notebooks")
    for path in (path for name in MODELS for path in ZOO.glob(f"{name}.*")):
        shutil.copy(path, folder)
    settings = Settings(models=Path(folder), redis_url=redis_url, default_model="texts")
    with working(settings) as worker, serving(settings, worker) as client:
        yield client


@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive:UserWarning")
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_cell_runs(path: Path, service: httpx.Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("HANDFUL_URL", str(service.base_url))
    mpl.use("Agg")
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    names: dict = {}
    for cell in cells:
        exec(compile("".join(cell["source"]), path.name, "exec"), names)
    assert all(cell["outputs"] or cell["execution_count"] for cell in cells), "run the notebook before it is committed"
