"""`make chaos`: every fault, at length. `python -m tests.chaos --help`."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from service.settings import ZOO
from tests.chaos.faults import FAULTS, FULL_VOLUME, Fault
from tests.chaos.report import Report
from tests.chaos.suite import run

VOLUME = "256m"
"""Twice what Redis's file takes before it is rewritten."""

Only = Annotated[list[str] | None, typer.Option(help="A fault, or a word of several; may be repeated. Else all.")]
Hold = Annotated[float, typer.Option(help="Seconds that a fault lasts, where it has a duration.")]
Logs = Annotated[Path | None, typer.Option(help="A folder for what the parts say; else it is forgotten.", exists=True)]


def main(only: Only = None, hold: Hold = 10, logs: Logs = None) -> None:
    """Kill, pause, cut, fill up and pester the service under load; exit 1 if it does not bear it."""
    report = Report()
    with TemporaryDirectory(prefix="handful-chaos-") as folder, small_volume(Path(folder) / "volume") as mounted:
        faults = [fault for fault in FAULTS if _chosen(fault, only) and (mounted or fault is not FULL_VOLUME)]
        if not mounted:
            report.left_out(FULL_VOLUME, "only root may mount a volume that is small enough to fill")
        volume, patience = Path(folder) / "volume", str(hold / 2)
        suite = run(faults, ZOO, logs or Path(folder), volume, hold, report.progress, receive_timeout_s=patience)
        tally, outcomes = asyncio.run(suite)
    report.table(tally, outcomes)
    raise SystemExit(report.failed(tally, outcomes))


def _chosen(fault: Fault, only: list[str] | None) -> bool:
    return not only or any(word.lower() in fault.name.lower() for word in only)


@contextmanager
def small_volume(folder: Path) -> Iterator[bool]:
    """A folder, and whether it could be made a small volume of its own."""
    folder.mkdir()
    try:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={VOLUME}", "handful-chaos", folder]
        mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        mounted = False
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", folder], check=True)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
