"""The JavaScript of the playground in Node: its own tests, its types, its style."""

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NODE = shutil.which("node")

needs_node = pytest.mark.skipif(NODE is None, reason="needs Node 20 or later: apt-get install nodejs")


@needs_node
@pytest.mark.parametrize("file", sorted(HERE.glob("*.test.js")), ids=lambda file: file.stem)
def test_the_modules_pass_their_tests_in_node(file):
    done = subprocess.run([NODE, "--test", file], capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
