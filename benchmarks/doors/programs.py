"""Doors that are walked with commands and short programs."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from benchmarks.doors.walk import Found

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 300


class Program(NamedTuple):
    """Commands of a shell, and the files that they use. The last line of the output must match `expected`.

    The shell finds the address of the service in HANDFUL_URL, the pictures in PHOTOS, the client in CLIENT, and a
    Python that has what the door needs in PYTHON. `needs` are commands without which the door cannot be walked.
    """

    expected: str
    commands: str
    files: Mapping[str, str] = MappingProxyType({})
    needs: tuple[str, ...] = ()

    def walk(self, url: str, folder: Path) -> Found:
        """Write the files, run the commands, and look at the answer."""
        if missing := [name for name in self.needs if not shutil.which(name)]:
            raise RuntimeError(f"needs {', '.join(missing)}")
        for name, text in self.files.items():
            (folder / name).write_text(text)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.commands],
            cwd=folder, env=_environment(url), capture_output=True, text=True, check=False, timeout=TIMEOUT_S,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(done.stderr or done.stdout)
        answer = done.stdout.strip().splitlines()[-1]
        if (found := re.search(self.expected, answer)) is None:
            raise RuntimeError(f"answered {answer}")
        return Found(found[0], self.effort())

    def effort(self) -> str:
        """The lines to type."""
        commands, lines = lines_of(self.commands), sum(lines_of(text) for text in self.files.values())
        typed = f"{commands} command{'' if commands == 1 else 's'}"
        return typed + (f", {lines} lines of code" if lines else "")


def lines_of(text: str) -> int:
    """Lines that are neither empty nor the rest of the one before."""
    return sum(1 for line in text.replace("\\\n", " ").splitlines() if line.strip())


def _environment(url: str) -> dict[str, str]:
    apart = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return apart | {
        "HANDFUL_URL": url, "PHOTOS": str(ROOT / "examples" / "photos"), "CLIENT": str(ROOT / "client"),
        "PYTHON": sys.executable, "PYTHONPATH": str(ROOT / "client"), "NO_PROXY": "127.0.0.1",
    }  # fmt: skip


CURL = r"""
curl -sf "$HANDFUL_URL/adapt?client_id=grocer&model=photos" \
  -F kiwi=@"$PHOTOS/kiwi-1.jpg" -F kiwi=@"$PHOTOS/kiwi-2.jpg" \
  -F cucumber=@"$PHOTOS/cucumber-1.jpg" -F cucumber=@"$PHOTOS/cucumber-2.jpg"
curl -sf "$HANDFUL_URL/predict?client_id=grocer" -F photo=@"$PHOTOS/kiwi-3.jpg"
"""

PIP = """
cp -r "$CLIENT" client && unset PYTHONPATH
"$PYTHON" -m venv env
env/bin/pip install -q ./client
env/bin/python teach.py
"""

TEACH = """
from handful import Handful

handful = Handful()
handful.adapt("shop", {"delivery": ["where is my parcel?"], "refund": ["I want my money back"]}, model="texts")
print(handful.predict("shop", ["The courier never came"])[0]["label"])
"""

PIPELINE = """
from sklearn.datasets import load_iris
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from handful.sklearn import HandfulClassifier

X, y = load_iris(return_X_y=True)
print(cross_val_score(make_pipeline(StandardScaler(), HandfulClassifier(model="tables")), X, y, cv=3).mean())
"""

TRITON_TEACH = r"""
curl -sf "$HANDFUL_URL/adapt?client_id=market&model=photos" \
  -F kiwi=@"$PHOTOS/kiwi-1.jpg" -F cucumber=@"$PHOTOS/cucumber-1.jpg"
"$PYTHON" infer.py
"""

INFER = """
import os
import numpy as np
import tritonclient.http

client = tritonclient.http.InferenceServerClient(os.environ["HANDFUL_URL"].removeprefix("http://"))
photo = tritonclient.http.InferInput("input", [1], "BYTES")
with open(os.environ["PHOTOS"] + "/kiwi-3.jpg", "rb") as file:
    photo.set_data_from_numpy(np.array([file.read()], object))
answer = client.infer("photos", [photo], parameters={"client_id": "market"})
print(answer.as_numpy("label")[0].decode())
"""

NODE = """
curl -sfO "$HANDFUL_URL/playground/handful.js"
node teach.mjs
"""

TEACH_JS = """
import { Handful } from "./handful.js";

const handful = new Handful(process.env.HANDFUL_URL);
const examples = [["where is my parcel?", "delivery"], ["I want my money back", "refund"]];
await handful.adapt("desk", examples, { model: "texts" });
const [answer] = await handful.predict("desk", ["The courier never came"]);
console.log(answer.label);
"""

PROGRAMS = {
    "curl with files": Program('kiwi(?=",)', CURL, needs=("curl",)),
    "pip and Python": Program("^delivery$", PIP, {"teach.py": TEACH}),
    "scikit-learn pipeline": Program(r"^0\.9\d", '"$PYTHON" pipeline.py', {"pipeline.py": PIPELINE}),
    "tritonclient": Program("kiwi$", TRITON_TEACH, {"infer.py": INFER}, needs=("curl",)),
    "Node": Program("^delivery$", NODE, {"teach.mjs": TEACH_JS}, needs=("curl", "node")),
}
