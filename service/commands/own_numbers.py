"""Measure a regression on rows of the user's own, beside ridge regression and a random forest."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table

from models.datasets.episode import Shape, rng_of, to_device
from models.datasets.own.rows import DrawnRows, ValueEpisodes, episode_of
from models.gaussian import parted
from models.training import evaluation, plots
from service.arrays import Array
from service.cards import Figure
from service.commands.measured import Measured
from service.commands.progress import progress_bar

ROWS, QUERIES = 32, 20
"""The default setting."""
CURVE = (8, 16, 32, 64, 128)
"""Rows of the learning curve, as far as the data has enough."""
OUR_NAME = "this model"


@dataclass(frozen=True)
class Answered:
    """The answers of each method to the queries of one episode."""

    drawn: DrawnRows
    answers: Mapping[str, Array]

    def scores(self, method: str) -> dict[str, float]:
        """MSE and MAE in units of the numbers, and R2: 1 - MSE / the variance of the task's numbers."""
        error = self.answers[method] - self.drawn.answers.numpy()
        mse = float((error**2).mean())
        return {"mse": mse, "mae": float(abs(error).mean()), "r2": 1 - mse / max(self.drawn.spread, 1e-12)}


Summary = dict[str, dict[str, float]]


def evaluate_numbers(
    measured: Measured, rows: int | None, queries: int | None, folder: Path, *, as_json: bool
) -> tuple[list[Figure], list[Path]]:
    """Print a table over numbers of rows and draw the pictures. Returns the figures of the model and the pictures."""
    shape, answered = _shape(measured, rows, queries), {}
    for each in _shapes(measured, shape):
        answered[each] = list(progress_bar(_answers(measured, each), measured.episodes, 0, lambda _: shape.title()))
    summaries = {each: _summaries(found) for each, found in answered.items()}
    figures = [one for each, found in summaries.items() for one in measured.as_figures(each, found[OUR_NAME])]
    if as_json:
        others = {each.title(): {n: s for n, s in found.items() if n != OUR_NAME} for each, found in summaries.items()}
        dumped = [one.model_dump() for one in figures]
        said = {"model": measured.name, "data": measured.own.path.name, "figures": dumped, "baselines": others}
        print(json.dumps(said, indent=2))
    else:
        _print(measured, summaries)
    return figures, _draw(measured, shape, answered[shape], summaries, folder)


def _answers(measured: Measured, shape: Shape) -> Iterator[Answered]:
    """The answers to all episodes, the model's and those of the baselines that are installed."""
    sampler, device = measured.sampler, torch.device(measured.device)
    assert isinstance(sampler, ValueEpisodes)
    for number in range(measured.episodes):
        drawn = sampler.draw(rng_of(measured.seed, number), shape)
        with torch.no_grad():
            found = evaluation.predict_episode(measured.learner, to_device(episode_of(drawn), device))
        answers = parted(found.answers, 1)[0].cpu().double().numpy()[:, 0]
        yield Answered(drawn, {OUR_NAME: answers} | _baselines(drawn))


def _baselines(drawn: DrawnRows) -> dict[str, Array]:
    if find_spec("sklearn") is None:
        return {}
    from models.training.table_baselines import REGRESSORS, regressed  # noqa: PLC0415 (an extra, and slow to import)

    return {name: regressed(name, drawn.rows, drawn.values.numpy(), drawn.queries) for name in REGRESSORS}


def _summaries(answered: Sequence[Answered]) -> dict[str, Summary]:
    """The mean and the interval of each score of each method."""
    return {method: evaluation.summarise([each.scores(method) for each in answered]) for method in answered[0].answers}


def _shape(measured: Measured, rows: int | None, queries: int | None) -> Shape:
    """The shape that the data has rows for. Raises ValueError when it has too few."""
    tried = [rows] if rows else [ROWS, *(each for each in reversed(CURVE) if each < ROWS), 4]
    return measured.first_fitting([Shape(0, each, queries or QUERIES) for each in tried], f"{tried[-1]} rows")


def _shapes(measured: Measured, shape: Shape) -> list[Shape]:
    """The shape with each number of rows of the learning curve, as far as there are enough."""
    wanted = sorted({*CURVE, shape.shots})
    return [each for rows in wanted if (each := measured.sampler.fitting(shape._replace(shots=rows)))]


def _print(measured: Measured, summaries: Mapping[Shape, Mapping[str, Summary]]) -> None:
    title = f"{measured.name} on {measured.own.path.name}, {measured.split}"
    table = Table("rows", "method", "MSE", "MAE", "R2", title=title)
    for shape, found in summaries.items():
        for place, (method, scores) in enumerate(found.items()):
            table.add_row("" if place else str(shape.shots), method, *(_value(each) for each in scores.values()))
    Console().print(table)
    if len(next(iter(summaries.values()))) == 1:
        Console().print("With scikit-learn (pip install 'handful[train]'), ridge and a forest are measured beside it.")


def _value(score: Mapping[str, float]) -> str:
    return f"{score['mean']:.4g} ± {score['ci95']:.2g}"


def _draw(
    measured: Measured,
    shape: Shape,
    answered: Sequence[Answered],
    summaries: Mapping[Shape, Mapping[str, Summary]],
    folder: Path,
) -> list[Path]:
    """Draw the two pictures. Returns their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    predicted, curve = (folder / f"{measured.name}-{what}.png" for what in ("predicted", "shots"))
    truth = torch.cat([each.drawn.answers for each in answered]).numpy()
    own = torch.cat([torch.from_numpy(each.answers[OUR_NAME]) for each in answered]).numpy()
    plots.draw_predicted(truth, own, f"{measured.name}: {measured.title(shape)}", predicted)
    lines = {
        method: [
            (each.shots, found[method]["r2"]["mean"], found[method]["r2"]["ci95"]) for each, found in summaries.items()
        ]
        for method in summaries[shape]
    }
    plots.draw_lines(lines, f"{measured.name}: {measured.own.path.name}", "rows", "R2", curve)
    return [predicted, curve]
