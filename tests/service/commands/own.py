"""Runs commands on data of the user's own."""

import sys
from pathlib import Path

import pytest

from service.cli import main

OWN = Path("own-models")


def handful(command: str) -> None:
    """Run a command that succeeds."""
    sys.argv = ["handful", *command.split()]
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0


def refused(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command ends with."""
    capsys.readouterr()
    sys.argv = ["handful", *command.split()]
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("handful: ")]
    return line
