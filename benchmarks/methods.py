"""Write docs/methods.md and its pictures from the cards of the zoo. `make table` measures first.

python -m benchmarks.methods
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure as Picture

from benchmarks.measure import EPISODES
from benchmarks.options import section as options_section
from benchmarks.published import NONE, PUBLISHED, REMARKS, Published
from benchmarks.trainings import HEADER, draw_curves, trainings
from service.cards import Card, Catalogue
from service.inputs.photo import Photo
from service.settings import ZOO

ROOT = Path(__file__).parents[1]
PAGE, PLOT, HEADS = ROOT / "docs/methods.md", ROOT / "docs/methods.png", ROOT / "docs/heads.json"
HEADINGS = ("5-way 1-shot", "5-way 5-shot", "20-way 1-shot", "20-way 5-shot")
WAVES = tuple(f"K={shots}, inner steps {steps}" for shots in (5, 10) for steps in (1, 5, 10))


def main() -> None:
    """Write the page and its pictures."""
    catalogue = Catalogue(ZOO)
    PAGE.write_text(page(catalogue, PAGE.read_text()))
    plot(drawings_of(catalogue))
    draw_curves(drawings_of(catalogue), ROOT / "docs/trainings.png")


def page(catalogue: Catalogue, text: str) -> str:
    """docs/methods.md with the figures of the cards."""
    waves = [card for card in catalogue.values() if card.training["recipe"]["dataset"] == "sinusoid"]
    drawings = drawing_table(drawings_of(catalogue))
    photos = photo_table([card for card in catalogue.values() if isinstance(card.input, Photo)])
    parts = {"photos": photos, "drawings": drawings, "waves": wave_table(waves), "alphabets": alphabet_table(catalogue)}
    on_features = {f"{kind}-heads": head_table(kind) for kind in ("texts", "photos", "drawings")}
    trained = {"trainings": table(HEADER, trainings(list(catalogue.values())))}
    return filled(text, parts | {"options": options_section()} | on_features | trained)


def drawings_of(catalogue: Catalogue) -> list[Card]:
    """The models of the Vinyals split."""
    return [card for card in catalogue.values() if card.training["recipe"]["training_split"].startswith("vinyals")]


def filled(text: str, parts: dict[str, str]) -> str:
    """The text with each part between its markers, `<!-- name -->` and `<!-- /name -->`."""
    for name, part in parts.items():
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text = marked.sub(partial(_between, part), text)
    return text


def _between(part: str, found: re.Match[str]) -> str:
    return f"{found[1]}{part}{found[2]}"


def drawing_table(cards: Sequence[Card]) -> str:
    """Accuracy of each model of drawings, its calibration error, the published accuracy, and remarks."""
    header = ["model", "method", *HEADINGS, "calibration error, 20-way 1-shot", "published", "source"]
    rows = [_drawing_row(card) for card in best_first(cards)]
    remarks = [f"- `{card.name}`: {REMARKS[card.name]}" for card in best_first(cards) if card.name in REMARKS]
    return table(header, rows) + "\n" + "\n".join(remarks) + "\n"


def _drawing_row(card: Card) -> list[str]:
    return [f"`{card.name}`", card.algorithm, *accuracies(card), *error(card), *published(card)]


def wave_table(cards: Sequence[Card]) -> str:
    """MSE of every model of waves, by points and inner steps."""
    header = ["model", *(title.replace("inner steps", "steps") for title in WAVES)]
    return table(header, [[f"`{card.name}`", *map(partial(wave_cell, card), WAVES)] for card in cards])


def wave_cell(card: Card, title: str) -> str:
    """MSE after so many inner steps. A learner without inner steps has its one figure in the first column."""
    points, _, steps = title.partition(", ")
    without = number(card, points, "mse", 1, "{:.3f}") if steps == "inner steps 1" else ""
    return number(card, title, "mse", 1, "{:.3f}") or without


def photo_table(cards: Sequence[Card]) -> str:
    """Accuracy of each model of photos on each kind of photos."""
    settings = list(dict.fromkeys(f.setting for card in cards for f in card.figures if f.metric == "accuracy"))
    rows = [[setting, *(number(card, setting, "accuracy", 100, "{:.2f}") for card in cards)] for setting in settings]
    return table(["setting", *(f"`{card.name}`" for card in cards)], rows)


def head_table(kind: str) -> str:
    """Accuracy and calibration error of each learner on the features of a frozen encoder, in every setting."""
    rows: dict[str, Any] = json.loads(HEADS.read_text()).get(kind, {}) if HEADS.exists() else {}
    settings = list(dict.fromkeys(setting for row in rows.values() for setting in row["settings"]))
    header = ["learner", *(setting.replace("-way ", "w ").replace("-shot", "s") for setting in settings)]
    ordered = sorted(rows.items(), key=lambda each: each[0].startswith("the model"))
    return table(
        header, [[title, *(_head_cell(row["settings"].get(each)) for each in settings)] for title, row in ordered]
    )


def _head_cell(figures: Mapping[str, float] | None) -> str:
    if figures is None:
        return "-"
    accuracy, interval, error = (100 * figures[name] for name in ("mean", "ci95", "calibration_error"))
    return f"{accuracy:.1f} ± {interval:.1f}; {error:.0f}"


def alphabet_table(catalogue: Catalogue) -> str:
    """Accuracy within one alphabet, of the models that were trained for it."""
    cards = [card for card in catalogue.values() if card.training["recipe"]["training_split"].startswith("alphabets")]
    titles = [f"alphabets-test, within one alphabet, {heading}" for heading in HEADINGS]
    rows = [[f"`{card.name}`", *(number(card, title, "accuracy", 100, "{:.2f}") for title in titles)] for card in cards]
    return table(["model", *HEADINGS], rows)


def best_first(cards: Sequence[Card]) -> list[Card]:
    """Sorted by accuracy at 20-way 1-shot, best first."""
    return sorted(cards, key=lambda card: -(mean(card, "vinyals-test, 20-way 1-shot", "accuracy") or 0))


def accuracies(card: Card) -> list[str]:
    """Accuracies in %, each with its interval."""
    return [number(card, f"vinyals-test, {heading}", "accuracy", 100, "{:.2f}") for heading in HEADINGS]


def error(card: Card) -> list[str]:
    """The expected calibration error, in %."""
    return [number(card, "vinyals-test, 20-way 1-shot", "calibration_error", 100, "{:.2f}")]


def published(card: Card) -> list[str]:
    """The published figures and their source."""
    found: Published = PUBLISHED.get(card.name, NONE)
    figures = " / ".join("-" if figure is None else f"{figure:g}" for figure in found.figures)
    return [figures if any(found.figures) else "", found.source + (", transductive" if found.transductive else "")]


def number(card: Card, title: str, metric: str, scale: float, form: str) -> str:
    """A figure as text; empty if it was not measured."""
    for figure in card.figures:
        if (figure.setting, figure.metric) == (title, metric):
            interval = f" ± {form.format(figure.ci95 * scale)}" if figure.ci95 is not None else ""
            fewer = f" ({figure.episodes})" if figure.episodes < EPISODES[0] else ""
            return form.format(figure.mean * scale) + interval + fewer
    return ""


def mean(card: Card, title: str, metric: str) -> float | None:
    """A figure's mean, if it was measured."""
    return next((f.mean for f in card.figures if (f.setting, f.metric) == (title, metric)), None)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def plot(cards: Sequence[Card]) -> None:
    """Plot the error of each model beside the published one, at 20-way 1-shot."""
    title, ordered = "vinyals-test, 20-way 1-shot", best_first(cards)[::-1]
    picture = Picture(figsize=(8, 0.32 * len(ordered) + 1.2), layout="constrained")
    axes = picture.subplots()
    for row, card in enumerate(ordered):
        if (ours := mean(card, title, "accuracy")) is not None:
            axes.plot(100 - 100 * ours, row, "o", color="tab:blue")
        found = PUBLISHED.get(card.name, NONE)
        if (theirs := found.figures[2]) is not None:
            axes.plot(100 - theirs, row, "x" if found.transductive else "D", color="tab:gray", markerfacecolor="none")
    axes.set(xscale="log", xlabel="error, %: 20-way 1-shot, Vinyals test classes")
    axes.set_yticks(range(len(ordered)), [card.name for card in ordered])
    axes.plot([], [], "o", color="tab:blue", label="here, inductive unless the model says so")
    axes.plot([], [], "D", color="tab:gray", markerfacecolor="none", label="published, inductive")
    axes.plot([], [], "x", color="tab:gray", label="published, transductive")
    axes.grid(axis="x", which="both", alpha=0.3)
    picture.legend(loc="outside lower center", ncols=3, frameon=False)
    picture.savefig(PLOT, dpi=120)


if __name__ == "__main__":
    main()
