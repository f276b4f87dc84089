"""`make chaos`: every fault, at length. `python -m tests.chaos --help`."""

import asyncio
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from service.settings import ZOO
from tests.chaos.faults import FAULTS, FULL_VOLUME, Fault, on_ray
from tests.chaos.parts import parts
from tests.chaos.ray_parts import Proxy, ray_parts
from tests.chaos.report import Report
from tests.chaos.suite import run

VOLUME = "256m"
"""Twice the size at which Redis rewrites its file."""

Only = Annotated[list[str] | None, typer.Option(help="A fault, or a word in its name; may be repeated. Default: all.")]
Hold = Annotated[float, typer.Option(help="Seconds of each fault that has a duration.")]
OnRay = Annotated[Proxy | None, typer.Option(help="Run the service on Ray Serve, with this proxy.")]
Logs = Annotated[Path | None, typer.Option(help="Folder for the logs. Default: no logs are kept.", exists=True)]


def main(only: Only = None, hold: Hold = 10, logs: Logs = None, ray: OnRay = None) -> None:
    """Cause faults under load. Exit 1 if an answer is wrong or lost, or if recovery takes too long."""
    report, start = Report(), parts if ray is None else partial(ray_parts, proxy=ray)
    with TemporaryDirectory(prefix="handful-chaos-") as folder, small_volume(Path(folder) / "volume") as mounted:
        faults = [
            fault
            for fault in (on_ray() if ray else FAULTS)
            if _chosen(fault, only) and (mounted or fault.name != FULL_VOLUME.name)
        ]
        if not mounted:
            report.left_out(FULL_VOLUME, "only root can mount a small volume")
        volume, patience = Path(folder) / "volume", str(hold / 2)
        suite = run(faults, ZOO, logs or Path(folder), volume, hold, report.progress, start, receive_timeout_s=patience)
        tally, outcomes = asyncio.run(suite)
    report.table(tally, outcomes)
    raise SystemExit(report.failed(tally, outcomes))


def _chosen(fault: Fault, only: list[str] | None) -> bool:
    return not only or any(word.lower() in fault.name.lower() for word in only)


@contextmanager
def small_volume(folder: Path) -> Iterator[bool]:
    """Mount a small volume at a folder. Yields whether that was possible."""
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
