"""Fetching from a hub, against a local imitation of its addresses: what is fetched, and what is pinned."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.models.model_folders import make_text_folder

pytest.importorskip("transformers", reason="needs transformers: pip install 'handful[worker]'")
COMMIT = "b" * 40
DANGEROUS = ("pytorch_model.bin", "modeling_evil.py", "tf_model.h5", "model.onnx")


class Hub(BaseHTTPRequestHandler):
    """Answers for one model, `somebody/model`."""

    def __init__(self, folder: Path, fetched: list[str], *arguments: object) -> None:
        self.folder, self.fetched = folder, fetched
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_HEAD(self) -> None:
        self.answer(with_body=False)

    def do_GET(self) -> None:
        self.answer(with_body=True)

    def answer(self, *, with_body: bool) -> None:
        path = self.path.partition("?")[0]
        names = sorted(each.name for each in self.folder.iterdir())
        if path.startswith("/api/models/somebody/model/revision/"):
            info = {"id": "somebody/model", "sha": COMMIT, "siblings": [{"rfilename": name} for name in names]}
            self.send(json.dumps(info).encode(), with_body=with_body)
        elif path.startswith("/api/models/somebody/model/tree/"):
            files = [{"type": "file", "oid": "c" * 40, "size": 1, "path": name} for name in names]
            self.send(json.dumps(files).encode(), with_body=with_body)
        elif path.startswith(f"/somebody/model/resolve/{COMMIT}/"):
            name = path.rpartition("/")[2]
            self.fetched.append(name)
            self.send((self.folder / name).read_bytes(), with_body=with_body)
        else:
            self.send_error(404)

    def send(self, content: bytes, *, with_body: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if with_body:
            self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Log nothing."""


@pytest.fixture
def hub(tmp_path) -> Iterator[tuple[Path, list[str], dict[str, str]]]:
    """The folder of the model, the names that were fetched, and the environment of a client."""
    folder, fetched = make_text_folder(tmp_path / "model"), list[str]()
    for name in DANGEROUS:
        (folder / name).write_bytes(b"code")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Hub, folder, fetched))
    Thread(target=server.serve_forever, daemon=True).start()
    environment = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    environment |= {
        "HF_ENDPOINT": f"http://127.0.0.1:{server.server_port}",
        "HF_HUB_CACHE": str(tmp_path / "cache"),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "NO_PROXY": "*",
    }
    yield folder, fetched, environment
    server.shutdown()
    server.server_close()


def test_only_weights_json_and_texts_are_fetched_and_the_newest_commit_is_pinned(hub):
    folder, fetched, environment = hub
    code = "import json; from models.encoders.model_folder import *; p = pin('somebody/model'); folder_of(**p); "
    done = subprocess.run(
        [sys.executable, "-c", code + "print(json.dumps(p))"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert json.loads(done.stdout) == {"name": "somebody/model", "revision": COMMIT, "sha256": digest}
    assert {"model.safetensors", "config.json", "vocab.txt"} <= set(fetched)
    assert not set(fetched) & set(DANGEROUS)


def test_a_name_that_the_hub_does_not_know_is_refused_in_one_line(hub):
    _, _, environment = hub
    command = [sys.executable, "-m", "service", "add", "x", "--encoder", "nobody/nothing"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "nobody/nothing is neither a folder nor in the hub's cache, and cannot be fetched" in done.stderr
