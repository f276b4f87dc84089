"""The client is a distribution of its own, which needs httpx only and is typed."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "client"
ALONE = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {"numpy", "PIL", "typer", "rich", "orjson", "service", "models", "torch", "sklearn"}:
            raise ModuleNotFoundError(name, name=name)
sys.meta_path.insert(0, Missing())
import handful
print(handful.Handful, handful.AsyncHandful, handful.RefusedError)
"""
TYPED = """
import asyncio
from handful import AsyncHandful, Handful, RefusedError

with Handful("http://localhost:8000", api_key=None) as handful:
    version: int = handful.adapt("shop", [("where is it?", "delivery")], model="texts")["version"]
    labels: list[str] = [answer["label"] for answer in handful.predict("shop", ["late"])]

async def ask() -> str:
    async with AsyncHandful() as handful:
        return str((await handful.quality("shop"))["estimate"])

try:
    asyncio.run(ask())
except RefusedError as error:
    status: int = error.status
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> zipfile.Path:
    """The wheel of the client, built from a copy of its files."""
    folder = tmp_path_factory.mktemp("wheel")
    copied = ["pyproject.toml", "README.md", *(path.relative_to(CLIENT) for path in CLIENT.glob("handful/**/*.*"))]
    for name in copied:
        if "__pycache__" not in str(name):
            (folder / "client" / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / "client" / name).write_bytes((CLIENT / name).read_bytes())
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-index", "--no-deps"]
    build += ["--no-build-isolation", "--wheel-dir", str(folder), str(folder / "client")]
    done = subprocess.run(build, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (built,) = folder.glob("handful_client-*.whl")
    return zipfile.Path(built)


def test_the_wheel_has_one_package_which_is_typed(wheel):
    names = {name.split("/")[0] for name in wheel.root.namelist()}
    assert {name for name in names if not name.endswith(".dist-info")} == {"handful"}
    assert (wheel / "handful/py.typed").exists()


def test_the_client_needs_httpx_only():
    project = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]
    assert [need.split(">")[0] for need in project["dependencies"]] == ["httpx"]
    done = subprocess.run([sys.executable, "-c", ALONE], env={"PYTHONPATH": str(CLIENT)}, check=False)
    assert done.returncode == 0


def test_mypy_strict_accepts_the_code_of_a_user(tmp_path):
    (tmp_path / "user.py").write_text(TYPED)
    check = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "--config-file", ""]
    done = subprocess.run(
        [*check, "user.py"], cwd=tmp_path, env={"MYPYPATH": str(CLIENT)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_both_distributions_have_one_version():
    versions = [tomllib.loads((at / "pyproject.toml").read_text())["project"]["version"] for at in (ROOT, CLIENT)]
    assert versions[0] == versions[1]
