"""The quality of clients before and after a change of their checkpoint or model."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from handful.address import DEFAULT_URL
from handful.blocking import Handful
from handful.commands.each_client import Names, each, every_client
from handful.commands.running import Key, Url, connect
from handful.refusals import Answer

Scores = dict[str, Any]
"""The `model` and `version` of a client, and its `accuracy` and `mse`, null where there is none."""

SHOWN = ("accuracy", "mse")


def quality(
    clients: Names = None,
    out: Annotated[Path, typer.Option(help="The file to write, for readapt --before.")] = Path("quality.json"),
    url: Url = DEFAULT_URL,
    key: Key = None,
) -> None:
    """Write down how good clients are by their own examples, before a checkpoint is replaced."""
    found: dict[str, Scores] = {}
    with connect(url, key) as handful:

        def judge(name: str) -> str:
            found[name] = scores(handful, name)
            return name

        each(clients or every_client(handful), judge, "judged")
    out.write_text(json.dumps(found, indent=2) + "\n")


def scores(handful: Handful, name: str) -> Scores:
    """What is compared of a client."""
    answer: Answer = handful.quality(name)
    estimate = answer["estimate"] or {}
    return {"version": answer["version"], "model": answer["model"]} | {each: estimate.get(each) for each in SHOWN}


def read(path: Path) -> dict[str, Scores]:
    """What `quality` wrote. Raises ValueError."""
    found = json.loads(path.read_text())
    if not isinstance(found, dict) or not all(isinstance(one, dict) for one in found.values()):
        raise ValueError(f"{path} is not a file of handful client quality")
    return found


def report(before: dict[str, Scores], after: dict[str, Scores]) -> None:
    """Print each client's score before and after, and the means."""
    console = Console(soft_wrap=True)
    for score in SHOWN:
        pairs = {name: (before[name].get(score), after[name].get(score)) for name in after if name in before}
        known = {name: (old, new) for name, (old, new) in pairs.items() if old is not None and new is not None}
        for name, (old, new) in known.items():
            changed = "" if before[name]["version"] == after[name]["version"] else ", with other examples"
            console.print(f"{name}: {score} {old:.4g} before, {new:.4g} after{changed}", highlight=False)
        if known:
            old, new = (_mean(one[place] for one in known.values()) for place in (0, 1))
            console.print(f"mean {score} of {len(known)} clients: {old:.4g} before, {new:.4g} after", highlight=False)
    without = [name for name in after if not _judged(before.get(name, {})) or not _judged(after[name])]
    if without:
        console.print(f"not compared, without a quality before or after: {', '.join(without)}", highlight=False)


def _judged(one: Scores) -> bool:
    return any(one.get(score) is not None for score in SHOWN)


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)
