"""Write docs/methods.md, its plot and the README's short form from the cards of the zoo. `make table` measures first.

python -m benchmarks.methods
"""

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from matplotlib.figure import Figure as Picture

from benchmarks.measure import EPISODES
from benchmarks.options import section as options_section
from benchmarks.published import NONE, PUBLISHED, REMARKS, Published
from service.cards import Card, Catalogue
from service.settings import ZOO

ROOT = Path(__file__).parents[1]
PAGE, PLOT, README = ROOT / "docs/methods.md", ROOT / "docs/methods.png", ROOT / "README.md"
HEADINGS = ("5-way 1-shot", "5-way 5-shot", "20-way 1-shot", "20-way 5-shot")
WAVES = tuple(f"K={shots}, inner steps {steps}" for shots in (5, 10) for steps in (1, 5, 10))


def main() -> None:
    """Write the page, the plot and the README's tables."""
    catalogue = Catalogue(ZOO)
    PAGE.write_text(page(catalogue, PAGE.read_text()))
    README.write_text(readme(catalogue, README.read_text()))
    plot(drawings_of(catalogue))


def page(catalogue: Catalogue, text: str) -> str:
    """docs/methods.md with the figures of the cards."""
    waves = [card for card in catalogue.values() if card.kind == "regression"]
    drawings = drawing_table(drawings_of(catalogue))
    parts = {"drawings": drawings, "waves": wave_table(waves), "alphabets": alphabet_table(catalogue)}
    return filled(text, parts | {"options": options_section()})


def readme(catalogue: Catalogue, text: str) -> str:
    """The README with the short form of the tables."""
    return filled(text, {"methods": short_table(drawings_of(catalogue)), "alphabets": alphabet_table(catalogue)})


def drawings_of(catalogue: Catalogue) -> list[Card]:
    """The models of the Vinyals split."""
    return [card for card in catalogue.values() if card.training["recipe"]["training_split"].startswith("vinyals")]


def filled(text: str, parts: dict[str, str]) -> str:
    """The text with each part between its markers, `<!-- name -->` and `<!-- /name -->`."""
    for name, part in parts.items():
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
        text = marked.sub(lambda found, part=part: f"{found[1]}{part}{found[2]}", text)
    return text


def drawing_table(cards: Sequence[Card]) -> str:
    """Accuracy of every model of drawings beside the published one, calibration error, and a line where it is short."""
    header = ["model", *HEADINGS, "calibration error, 20-way 1-shot", "published", "source"]
    rows = [[f"`{card.name}`", *accuracies(card), *error(card), *published(card)] for card in best_first(cards)]
    remarks = [f"- `{card.name}`: {REMARKS[card.name]}" for card in best_first(cards) if card.name in REMARKS]
    return table(header, rows) + "\n" + "\n".join(remarks) + "\n"


def wave_table(cards: Sequence[Card]) -> str:
    """MSE of every model of waves, by points and inner steps."""
    header = ["model", *(title.replace("inner steps", "steps") for title in WAVES)]
    return table(header, [[f"`{card.name}`", *map(partial(wave_cell, card), WAVES)] for card in cards])


def wave_cell(card: Card, title: str) -> str:
    """MSE after so many steps; that of a learner without steps stands where others have taken one."""
    points, _, steps = title.partition(", ")
    without = number(card, points, "mse", 1, "{:.3f}") if steps == "inner steps 1" else ""
    return number(card, title, "mse", 1, "{:.3f}") or without


def alphabet_table(catalogue: Catalogue) -> str:
    """Accuracy within one alphabet, of the models that were trained for it."""
    cards = [card for card in catalogue.values() if card.training["recipe"]["training_split"].startswith("alphabets")]
    titles = [f"alphabets-test, within one alphabet, {heading}" for heading in HEADINGS]
    rows = [[f"`{card.name}`", *(number(card, title, "accuracy", 100, "{:.2f}") for title in titles)] for card in cards]
    return table(["model", *HEADINGS], rows)


def short_table(cards: Sequence[Card]) -> str:
    """The README's form: model, algorithm, accuracies."""
    rows = [[f"`{card.name}`", card.algorithm, *accuracies(card)] for card in best_first(cards)]
    return table(["model", "algorithm", *HEADINGS], rows)


def best_first(cards: Sequence[Card]) -> list[Card]:
    """By the hardest setting of the table."""
    return sorted(cards, key=lambda card: -(mean(card, "vinyals-test, 20-way 1-shot", "accuracy") or 0))


def accuracies(card: Card) -> list[str]:
    """In %, with the interval."""
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
    """A figure as text, or nothing."""
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
    """The error of each model beside the published one, 20-way 1-shot."""
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
