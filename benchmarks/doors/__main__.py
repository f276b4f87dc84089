"""Walk each door of a fresh service, as its user does: python -m benchmarks.doors

Prints for each door the seconds and what there is to type or to press, as a table. A door that fails says why and does
not stop the others. The service starts with an empty store and the models of the zoo that the doors use.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from benchmarks.doors.browser import Browser
from benchmarks.doors.programs import PROGRAMS
from benchmarks.doors.service import fresh_service
from benchmarks.doors.walk import Door, Walked, walk

DOORS: dict[str, Door] = {"browser": Browser(), **PROGRAMS}


def main() -> None:
    """Start a service, walk, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=DOORS, action="append", help="Walk this door only; may be repeated.")
    chosen = parser.parse_args().only or list(DOORS)
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="handful-doors-") as folder:
        begin = time.perf_counter()
        with fresh_service(Path(folder) / "data") as url:
            console.print(f"ready after {time.perf_counter() - begin:.0f} s")
            walked = []
            for name in chosen:
                (place := Path(folder) / name).mkdir()
                walked.append(walk(name, DOORS[name], url, place))
                console.print(row(walked[-1]))
    head = ["| door | seconds | what the user does | answer |", "| --- | --- | --- | --- |"]
    print("\n".join([*head, *map(row, walked)]))
    sys.exit(any(each.problem for each in walked))


def row(walked: Walked) -> str:
    """A row of the table."""
    return f"| {walked.name} | {walked.seconds:.1f} | {walked.effort} | {walked.problem or walked.found} |"


if __name__ == "__main__":
    main()
