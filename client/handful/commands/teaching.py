"""adapt, clients, evaluate and forget."""

import json
from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.table import Table

from handful.address import DEFAULT_URL
from handful.commands.predicting import Client, Columns
from handful.commands.running import Key, SomeFailed, Url, card_of, connect
from handful.commands.sources import Form, labelled
from handful.options import AdaptOptions

Source = Annotated[
    Path, typer.Argument(help="A folder of class folders, a zip of one, CSV, TSV or JSON Lines.", exists=True)
]
Label = Annotated[str | None, typer.Option(help="Column of the labels; recognised if it is called label, class, ...")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the answer as JSON.")]


def adapt(
    client: Client,
    source: Source,
    model: Annotated[str | None, typer.Option(help="Name of a model; by default that of the client.")] = None,
    append: Annotated[bool, typer.Option("--append", help="Add to the examples that the client has.")] = False,
    columns: Columns = None,
    label: Label = None,
    ttl_s: Annotated[int | None, typer.Option(min=1, help="Seconds after which the client is forgotten.")] = None,
    quality: Annotated[bool, typer.Option("--quality", help="Also show how good the client is.")] = False,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    key: Key = None,
) -> None:
    """Adapt a model to the labelled examples of a folder, a zip or a table."""
    with connect(url, key) as handful:
        card = card_of(handful, client, model)
        items = list(labelled(source, Form.of(card, columns, label)))
        pairs = [(item.input, item.label) for item in items]
        bar = not as_json and Console(stderr=True).is_terminal
        mode: Literal["append", "replace"] = "append" if append else "replace"
        options: AdaptOptions = {"model": card["name"], "mode": mode, "ttl_s": ttl_s, "quality": quality}
        answer = handful.adapt(client, pairs, progress=bar, **options)
    if as_json:
        typer.echo(json.dumps(answer))
        return
    counts = Counter(str(item.label) for item in items)
    sent = ", ".join(f"{name} {count}" for name, count in counts.most_common(10)) if answer["classes"] else "numbers"
    typer.echo(f"{client}: version {answer['version']} of {answer['model']}, {answer['examples']} examples.")
    typer.echo(f"Sent {len(items)}: {sent}{', ...' if len(counts) > 10 and answer['classes'] else ''}.")
    for warning in answer.get("warnings", []):
        typer.echo(f"{warning['field']}: {warning['detail']}", err=True)
    if quality and (estimate := (answer.get("quality") or {}).get("estimate")):
        typer.echo(_summary(estimate))


def clients(
    client: Annotated[str | None, typer.Argument(help="Id of a client to show with its quality.")] = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    key: Key = None,
) -> None:
    """List all clients, or show one and how good it is."""
    with connect(url, key) as handful:
        if client is not None:
            shown = handful.client(client) | {"quality": handful.quality(client)}
            typer.echo(json.dumps(shown, indent=None if as_json else 2, ensure_ascii=False))
            return
        found = list(handful.iter_clients())
    if as_json:
        typer.echo("".join(json.dumps(each, ensure_ascii=False) + "\n" for each in found), nl=False)
        return
    table = Table("client", "model", "version", "examples", "classes", "updated")
    for each in found:
        names = [str(label) for label in each["classes"] or ()]
        classes = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        table.add_row(each["client_id"], each["model"], str(each["version"]), str(each["examples"]), classes,
                      each["updated_at"][:19])  # fmt: skip
    Console().print(table)


def evaluate(
    client: Client,
    source: Source,
    columns: Columns = None,
    label: Label = None,
    min_accuracy: Annotated[
        float | None, typer.Option(min=0, max=1, help="Exit with 1 if the accuracy is lower.")
    ] = None,
    as_json: AsJson = False,
    url: Url = DEFAULT_URL,
    key: Key = None,
) -> None:
    """Compare the answers of a client with the labels of a folder, a zip or a table."""
    with connect(url, key) as handful:
        items = labelled(source, Form.of(card_of(handful, client), columns, label))
        found = handful.evaluate(client, [(item.input, item.label) for item in items])
    typer.echo(json.dumps(found) if as_json else _summary(found))
    accuracy = found.get("accuracy")
    if min_accuracy is not None and (accuracy is None or accuracy < min_accuracy):
        raise SomeFailed(f"the accuracy is {accuracy}, below {min_accuracy}")


def forget(
    client: Client,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    url: Url = DEFAULT_URL,
    key: Key = None,
) -> None:
    """Remove a client with all its examples and versions."""
    if not yes:
        typer.confirm(f"Remove {client} with all its examples?", abort=True)
    with connect(url, key) as handful:
        handful.forget(client)


def _summary(figures: dict[str, Any]) -> str:
    """The figures of a client as a few lines."""
    if figures.get("accuracy") is None:  # a regression, or several labels
        found = {name: value for name, value in figures.items() if isinstance(value, float)}
        return ", ".join(f"{name} {value:.4g}" for name, value in found.items())
    low, high = figures["interval"]
    lines = [f"accuracy {figures['accuracy']:.3f} ({low:.3f} to {high:.3f}), macro F1 {figures['macro_f1']:.3f}"]
    mistakes = [each for each in figures.get("confusion", []) if each["label"] != each["answer"]]
    for each in sorted(mistakes, key=lambda each: -each["count"])[:5]:
        lines.append(f"  {each['count']} of {each['label']} answered as {each['answer']}")
    return "\n".join(lines)
