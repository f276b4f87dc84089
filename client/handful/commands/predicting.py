"""predict and watch: answers to files, as many as there are and as they come."""

import itertools
import re
import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from handful.address import DEFAULT_URL
from handful.blocking import Handful
from handful.commands.answers import Answers
from handful.commands.progress import progress_bar
from handful.commands.running import Key, SomeFailed, Url, card_of, connect
from handful.commands.sources import Form, Item, UnreadableError, content_of, files_of, unlabelled
from handful.inputs import Text, plain
from handful.refusals import Answer, RefusedError

CHUNK, BATCH = 200, 50
"""Inputs between two writes to the file, and of one request."""
Found = tuple[list[tuple[Item, Answer]], list[str], int | None]
"""Answers, what failed and why, and the version that has answered."""

Client = Annotated[str, typer.Argument(help="Id of the client.")]
Out = Annotated[
    Path | None, typer.Option(help="File for the answers: .csv, .tsv or .jsonl. Default: JSON Lines on the screen.")
]
Columns = Annotated[str | None, typer.Option(help="Columns of a table that are the input, such as subject,body.")]
Abstain = Annotated[bool, typer.Option("--abstain", help="Say which inputs are probably of no class.")]
MinProbability = Annotated[float | None, typer.Option(min=0, max=1, help="Answers that are less probable are unknown.")]
TopK = Annotated[int | None, typer.Option(min=1, help="Number of probabilities in each line of JSON.")]


def predict(
    client: Client,
    files: Annotated[
        list[Path], typer.Argument(help="Photos, .txt files, folders, zips, CSV or JSON Lines.", exists=True)
    ],
    out: Out = None,
    restart: Annotated[bool, typer.Option("--restart", help="Replace the file of answers.")] = False,
    columns: Columns = None,
    label: Annotated[str | None, typer.Option(help="Column that is no input, such as that of the labels.")] = None,
    abstain: Abstain = False,
    min_probability: MinProbability = None,
    top_k: TopK = None,
    url: Url = DEFAULT_URL,
    key: Key = None,
) -> None:
    """Answer files. With --out, the same command goes on where it stopped; all answers are of one version."""
    with connect(url, key) as handful, Answers(out, restart=restart) as answers:
        card = card_of(handful, client)
        form = Form.of(card, columns, label)
        items = [item for item in unlabelled(files, form) if item.source not in answers.done]
        options = _options(abstain, min_probability, top_k) | _version(answers.version)
        failed: list[str] = []
        chunks = (_chunks if card["transductive"] else _streamed)(handful, client, items, options)
        for found, lost, version in progress_bar(chunks, -(-len(items) // CHUNK)):
            answers.write(found, version)
            failed += lost
    _report(len(items) - len(failed), len(answers.done), failed)


def watch(
    client: Client,
    folder: Annotated[Path, typer.Argument(help="Folder whose photos and .txt files are answered.", exists=True)],
    out: Out = None,
    abstain: Abstain = False,
    min_probability: MinProbability = None,
    every_s: Annotated[float, typer.Option(min=0.01, help="Seconds between two looks.")] = 1,
    url: Url = DEFAULT_URL,
    key: Key = None,
) -> None:
    """Answer the files of a folder, then each file that comes or changes, until Ctrl-C."""
    console = Console(stderr=True)
    with connect(url, key) as handful, Answers(out) as answers:
        form, options = Form.of(card_of(handful, client), None, None), _options(abstain, min_probability, None)

        def answer(items: Iterable[Item]) -> None:
            for found, lost, version in _chunks(handful, client, items, options):
                answers.write(found, version)
                for line in lost:
                    console.print(line, style="red", markup=False, highlight=False)

        with suppress(KeyboardInterrupt):
            for paths in arrivals(folder, every_s):
                answer(item for item in unlabelled(paths, form) if item.source not in answers.done)
                answers.done.clear()  # what changes later is answered again


def arrivals(folder: Path, every_s: float) -> Iterator[list[Path]]:
    """The files of a folder that have come or changed, at each look. A file is whole if it is as at the look before.

    This looks again and again, since events of files do not reach network drives.
    """
    told: dict[Path, tuple[int, int]] = {}
    before: dict[Path, tuple[int, int]] | None = None
    while True:
        now = states(folder)
        whole = [path for path, state in now.items() if before is None or before.get(path) == state]
        yield [path for path in whole if told.get(path) != now[path]]
        told |= {path: now[path] for path in whole}
        before = now
        time.sleep(every_s)


def states(folder: Path) -> dict[Path, tuple[int, int]]:
    """The time and the size of each file that is an input."""
    found = {}
    for path in files_of(folder):
        with suppress(FileNotFoundError):
            about = path.stat()
            found[path] = about.st_mtime_ns, about.st_size
    return found


def _options(abstain: bool, min_probability: float | None, top_k: int | None) -> dict[str, Any]:
    given = {"abstain": abstain or None, "min_probability": min_probability, "top_k": top_k}
    return {name: value for name, value in given.items() if value is not None}


def _version(version: int | None) -> dict[str, Any]:
    return {} if version is None else {"version": version}


def _chunks(handful: Handful, client: str, items: Iterable[Item], options: dict[str, Any]) -> Iterator[Found]:
    """The answers to the items, some at a time. The first answer says which version is asked."""
    left = iter(items)
    while chunk := list(itertools.islice(left, CHUNK)):
        found = _asked(handful, client, chunk, options)
        options = options | _version(found[2])
        yield found


def _streamed(handful: Handful, client: str, items: Iterable[Item], options: dict[str, Any]) -> Iterator[Found]:
    """The answers to the items of one stream, some at a time."""
    sent: deque[Item] = deque()
    found: list[tuple[Item, Answer]] = []
    failed: list[str] = []

    def inputs() -> Iterator[Any]:
        for item in _read(items, failed):
            sent.append(item)
            yield Text(item.input) if isinstance(item.input, str) else item.input

    version = options.get("version")
    for answer in handful.predict_iter(client, inputs(), **options):
        item, version = sent.popleft(), answer["version"]
        if "error" in answer:
            failed.append(f"{item.source}: {answer['error']['detail']}")
        else:
            found.append((item, answer))
        if len(found) >= CHUNK:
            yield found, [*failed], version
            found = []
            failed.clear()
    yield found, failed, version


def _asked(handful: Handful, client: str, items: list[Item], options: dict[str, Any]) -> Found:
    """The answers to the inputs, without those that cannot be read or are refused."""
    failed: list[str] = []
    left = list(_read(items, failed))
    while left:
        try:
            found = handful.predict(client, [item.input for item in left], batch=BATCH, **options)
        except RefusedError as error:
            place = re.match(r"inputs\[(\d+)\]", error.field or "")
            if place is None:
                raise
            failed.append(f"{left.pop(int(place[1])).source}: {error.detail}")
        else:
            return list(zip(left, found, strict=True)), failed, found.version
    return [], failed, None


def _read(items: Iterable[Item], failed: list[str]) -> Iterator[Item]:
    for item in items:
        try:
            given = content_of(item.input) if isinstance(item.input, Path) else item.input
            yield item._replace(input=plain(given))
        except OSError as error:
            failed.append(f"{item.source}: cannot be read: {error.strerror}")
        except UnreadableError as error:
            failed.append(str(error))


def _report(answered: int, before: int, failed: list[str]) -> None:
    earlier = f", {before} of an earlier run" if before else ""
    Console(stderr=True).print(f"{answered} answers{earlier}, {len(failed)} failed.", highlight=False)
    if failed:
        raise SomeFailed("\n".join(failed))
