"""The training loop: it learns, continues after an interruption, and keeps the best weights."""

import itertools
from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from models import checkpoint
from models.checkpoint import Spec
from models.datasets.episode import EpisodeSampler, Shape, rng_of, stack
from models.datasets.sinusoid import Sinusoid
from models.datasets.synthetic_tables import SyntheticTables
from models.learner import Episode, Kind
from models.training import meta_training
from models.training.distributed import mean_loss
from models.training.meta_training import Run
from models.training.optimisers import Average, MuonAndAdamW
from models.training.progress import Progress
from models.training.schedule import learning_rate_at
from tests.models.learners import TABLE, is_regression, query, support
from tests.models.trainings import Blobs, Training

WAVES = Training(TABLE["maml-sinusoid"], tasks=3, episode=Shape(0, 5, 5))
GLYPHS = Training(TABLE["protonet-pool-batch"])
READERS = Training(TABLE["tables-in-context"], tasks=2, optimiser="muon", constant=True, averaging=0.9)
INTERRUPTED = [(WAVES, Sinusoid()), (GLYPHS, Blobs()), (READERS, SyntheticTables(6))]
over_trainings = pytest.mark.parametrize(
    ("small", "tasks"), INTERRUPTED, ids=["maml waves", "protonet blobs", "averaged tables"]
)


class Watched(EpisodeSampler):
    """Tasks that record the shapes of their episodes."""

    kind = Kind.CLASSIFICATION

    def __init__(self, tasks, seen: list[Shape]) -> None:
        self._tasks, self._seen = tasks, seen

    def episode(self, rng, shape: Shape) -> Episode:
        self._seen.append(shape)
        return self._tasks.episode(rng, shape)


@pytest.fixture(autouse=True)
def few_validation_episodes(monkeypatch):
    monkeypatch.setattr(meta_training, "VALIDATION_EPISODES", 3)


def weights(run: Run) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in run.learner.state_dict().items()}


def finish(run: Run, tasks, validation=None, every: int = 4) -> list[Progress]:
    return [replace(progress) for progress in run.train(tasks, validation, every=every)]


def interrupt(run: Run, tasks, after: int, every: int = 4) -> None:
    steps = run.train(tasks, None, every=every)
    for _ in itertools.islice(steps, after):
        pass
    steps.close()


@over_trainings
@pytest.mark.parametrize("after", [1, 4, 7])
def test_an_interrupted_run_ends_with_the_same_bits(small, tasks, after, tmp_path):
    whole = small.run(tmp_path / "whole")
    finish(whole, tasks)
    interrupt(small.run(tmp_path / "parts"), tasks, after)
    resumed = small.run(tmp_path / "parts")
    assert resumed.progress.step == after
    finish(resumed, tasks)
    assert_close(weights(resumed), weights(whole), rtol=0, atol=0)
    assert_close(*(checkpoint.read(run.weights_path)[0] for run in (resumed, whole)), rtol=0, atol=0)
    assert resumed.progress.loss == whole.progress.loss
    assert [tuple(point) for point in resumed.progress.losses] == whole.progress.losses


def test_validation_does_not_disturb_the_training(tmp_path):
    looked, blind = GLYPHS.run(tmp_path / "looked"), GLYPHS.run(tmp_path / "blind")
    finish(looked, Blobs(), Blobs(seed=1), every=1)
    finish(blind, Blobs(), None, every=100)
    assert_close(weights(looked), weights(blind), rtol=0, atol=0)


def test_a_finished_run_trains_no_more_steps(tmp_path):
    finish(WAVES.run(tmp_path), Sinusoid())
    assert finish(WAVES.run(tmp_path), Sinusoid()) == []


@pytest.mark.parametrize(("name", "headline", "scores", "best"), [
    ("protonet-stride-group", "accuracy", [0.2, 0.9, 0.5, 0.4], 2),
    ("maml-sinusoid", "mse", [3.0, 2.0, 0.5, 0.9], 3),
])  # fmt: skip
def test_the_best_weights_on_validation_are_kept(name, headline, scores, best, monkeypatch, tmp_path):
    scripted = iter(scores)
    monkeypatch.setattr(meta_training, "evaluate", lambda *_: iter([{headline: next(scripted)}]))
    tasks = Sinusoid() if headline == "mse" else Blobs()
    small = Training(TABLE[name], steps=4, episode=Shape(0, 5, 5) if headline == "mse" else Shape(3, 1, 1))
    run = small.run(tmp_path)
    seen = [weights(run) for _ in run.train(tasks, tasks, every=1)]
    assert_close(checkpoint.read(run.weights_path)[0], seen[best - 1], rtol=0, atol=0)
    assert run.progress.scores == list(enumerate(scores, 1))


def test_the_last_weights_are_kept_when_there_is_no_validation(tmp_path):
    run = WAVES.run(tmp_path)
    finish(run, Sinusoid())
    assert_close(dict(checkpoint.load(run.weights_path).state_dict()), weights(run), rtol=0, atol=0)


def test_a_finished_training_with_a_constant_rate_goes_on_with_more_steps(tmp_path):
    recipe = replace(WAVES.recipe(), constant=True, steps=6)
    whole = Run(recipe, tmp_path / "whole", "test")
    finish(whole, Sinusoid())
    finish(Run(replace(recipe, steps=4), tmp_path / "parts", "test"), Sinusoid())
    longer = Run(recipe, tmp_path / "parts", "test")
    assert longer.progress.step == 4
    finish(longer, Sinusoid())
    assert_close(weights(longer), weights(whole), rtol=0, atol=0)


def test_a_training_whose_rate_falls_does_not_go_on_with_more_steps(tmp_path):
    finish(WAVES.run(tmp_path), Sinusoid())
    with pytest.raises(ValueError, match="recipe"):
        replace(WAVES, steps=WAVES.steps + 2).run(tmp_path)


def test_another_seed_is_refused_on_resume(tmp_path):
    interrupt(WAVES.run(tmp_path), Sinusoid(), 2)
    with pytest.raises(ValueError, match="seed"):
        WAVES.run(tmp_path, seed=1)


def test_another_learner_is_refused_on_resume(tmp_path):
    interrupt(WAVES.run(tmp_path), Sinusoid(), 2)
    with pytest.raises(ValueError, match="recipe"):
        replace(WAVES, spec=TABLE["anil-sinusoid"]).run(tmp_path)


def test_a_training_goes_on_after_a_later_version_added_a_field_to_recipes(tmp_path):
    interrupt(WAVES.run(tmp_path), Sinusoid(), 2)
    path = WAVES.run(tmp_path).resume_path
    tensors, header = checkpoint.read(path)
    del header["run"]["clip"]
    checkpoint.save(path, header.pop("spec"), tensors, **header)
    assert WAVES.run(tmp_path).progress.step == 2
    with pytest.raises(ValueError, match="recipe"):
        Run(replace(WAVES.recipe(), clip=1.0), tmp_path, "test")


def test_the_seed_determines_the_initial_weights(tmp_path):
    first, same, other = (WAVES.run(tmp_path / str(i), seed=seed) for i, seed in enumerate((0, 0, 1)))
    assert_close(weights(first), weights(same), rtol=0, atol=0)
    assert not torch.equal(weights(first)["head.weight"], weights(other)["head.weight"])


@pytest.mark.parametrize(("name", "tasks", "shape"), [
    ("maml-sinusoid", Sinusoid(), Shape(0, 5, 10)),
    ("protonet-pool-batch", Blobs(5), Shape(5, 1, 3)),
])  # fmt: skip
def test_the_loss_goes_down(name, tasks, shape, tmp_path):
    small = Training(TABLE[name], steps=40, tasks=1 if "batch" in name else 8, lr=1e-2, episode=shape)
    losses = [progress.loss for progress in finish(small.run(tmp_path), tasks)]
    assert losses[-1] < 0.9 * losses[0]


class Diverging(Sinusoid):
    """Sine waves, of which one has a value beyond all numbers."""

    def __init__(self, bad: int) -> None:
        self._left = bad

    def episode(self, rng, shape: Shape) -> Episode:
        episode, self._left = super().episode(rng, shape), self._left - 1
        return episode._replace(targets=episode.targets * torch.inf) if self._left == 0 else episode


def test_a_step_without_a_finite_gradient_is_left_out(tmp_path):
    recipe = replace(WAVES.recipe(), clip=1.0, tasks_per_step=1)
    run = Run(recipe, tmp_path, "test")
    before = [weights(run)]
    for progress in run.train(Diverging(3), None, every=8):
        before.append(weights(run))
        assert progress.loss < torch.inf
    assert_close(before[3], before[2], rtol=0, atol=0)
    assert all(torch.isfinite(value).all() for value in before[-1].values())
    assert not torch.equal(before[-1]["head.weight"], before[3]["head.weight"])


def test_clipping_bounds_the_step_of_a_huge_gradient_and_leaves_small_ones(tmp_path):
    moments = {}
    for clip in (None, 1e9, 1e-3):
        run = Run(replace(WAVES.recipe(), clip=clip, steps=1), tmp_path / str(clip), "test")
        finish(run, Sinusoid())
        first = [state["exp_avg"] for state in run.optimiser.state.values()]
        moments[clip] = torch.cat([each.flatten() for each in first]).norm().item() / 0.1  # (1 - beta) x gradient
    assert moments[1e9] == moments[None] > 1e-3
    assert moments[1e-3] == pytest.approx(1e-3, rel=1e-3)


def episode_of(spec: Spec, number: int) -> Episode:
    if is_regression(spec):
        return Episode(support(spec, [5], number), query(spec, 5, number), torch.randn(5, 1))
    return Blobs().episode(rng_of(0, number), Shape(3, 2, 2))


@pytest.mark.parametrize("name", [name for name in TABLE if "batch" not in name])
def test_the_mean_loss_of_stacked_episodes_is_the_mean_of_each(name):
    spec = TABLE[name]
    torch.manual_seed(0)
    learner = checkpoint.build(spec)
    episodes = [episode_of(spec, i) for i in range(3)]
    together = mean_loss(learner, stack(episodes), 0.0)
    apart = torch.stack([learner.outer_loss(episode, 0.0) for episode in episodes]).mean()
    assert_close(together, apart)
    parameters = [each for each in learner.parameters() if each.requires_grad]
    gradients = [torch.autograd.grad(loss, parameters, materialize_grads=True) for loss in (together, apart)]
    assert_close(*gradients, rtol=1e-3, atol=1e-5)


def test_a_training_may_start_from_a_trained_encoder(tmp_path):
    start = Training(TABLE["protonet-stride-group"], steps=2).run(tmp_path / "start")
    finish(start, Blobs())
    run = Run(Training(TABLE["maml"]).recipe(), tmp_path, "test", starts=[start.weights_path])
    assert_close(dict(run.learner.encoder.state_dict()), dict(start.learner.encoder.state_dict()), rtol=0, atol=0)


def test_the_learning_rate_falls_to_zero_before_a_restart_and_at_the_end(tmp_path):
    recipe = replace(Training(TABLE["protonet-stride-group"], steps=20).recipe(), restarts=(12,))
    run = Run(recipe, tmp_path, "test")
    rates = [run.optimiser.param_groups[0]["lr"] for _ in run.train(Blobs(), None, every=100)]
    for cycle in (rates[:12], rates[12:]):
        assert cycle[0] == recipe.lr
        assert cycle == sorted(cycle, reverse=True)
        assert cycle[-1] < 0.05 * recipe.lr


def test_a_recipe_without_steps_saves_the_weights_it_starts_from(tmp_path):
    start = Training(TABLE["protonet-stride-group"], steps=2).run(tmp_path / "start")
    finish(start, Blobs())
    run = Run(Training(TABLE["ridge"], steps=0).recipe(), tmp_path, "test", starts=[start.weights_path])
    assert finish(run, Blobs()) == []
    made = checkpoint.load(run.weights_path)
    assert_close(dict(made.encoder.state_dict()), dict(start.learner.encoder.state_dict()), rtol=0, atol=0)


def test_a_curriculum_goes_from_its_shape_to_that_of_the_recipe(tmp_path):
    recipe = replace(GLYPHS.recipe(), curriculum=Shape(2, 5, 3), episode=Shape(6, 5, 3), steps=4)
    for steps, ways in ((None, [2, 4, 6, 6]), (4, [2, 3, 4, 5])):
        run, seen = Run(replace(recipe, curriculum_steps=steps), tmp_path / str(steps), "test"), []
        for _ in run.train(Watched(Blobs(), seen), None, every=100):
            pass
        assert [shape.ways for shape in seen] == ways


def test_the_shapes_of_a_recipe_alternate(tmp_path):
    recipe = replace(GLYPHS.recipe(), episode=Shape(6, 1, 3), alternating=(Shape(3, 5, 3), Shape(2, 2, 3)), steps=4)
    run, seen = Run(recipe, tmp_path, "test"), []
    for _ in run.train(Watched(Blobs(), seen), None, every=100):
        pass
    assert seen == [Shape(6, 1, 3), Shape(3, 5, 3), Shape(2, 2, 3), Shape(6, 1, 3)]


def test_a_constant_rate_stays_after_its_warm_up():
    recipe = replace(READERS.recipe(), steps=1_000)
    assert learning_rate_at(recipe, 0) == pytest.approx(recipe.lr / 200)
    assert {learning_rate_at(recipe, step) for step in (199, 500, 999)} == {recipe.lr}


def test_the_average_of_the_weights_is_saved_and_validated(monkeypatch, tmp_path):
    run, validated = READERS.run(tmp_path), []

    def watched(learner, *_):
        validated.append({name: value.clone() for name, value in learner.state_dict().items()})
        return iter([{"accuracy": 0.5}])

    monkeypatch.setattr(meta_training, "evaluate", watched)
    finish(run, SyntheticTables(6), SyntheticTables(6), every=READERS.steps)
    assert_close(validated[-1], run.average.weights)
    assert_close(checkpoint.read(run.weights_path)[0], run.average.weights)
    assert not torch.equal(run.average.weights["look.weight"], run.learner.look.weight)


def test_an_average_begins_as_the_plain_mean():
    network = torch.nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        network.weight.fill_(0.0)
        average = Average(network, 0.999)
        for step in (1, 2, 3):
            network.weight.fill_(float(step))
            average.update(network, step)
    assert 1.0 < average.weights["weight"].item() < 3.0


def test_muon_takes_the_matrices_and_adamw_all_else():
    learner = checkpoint.build(READERS.spec)
    muon, adamw = MuonAndAdamW(learner, 0.0).parts
    shapes = [[weight.ndim for group in part.param_groups for weight in group["params"]] for part in (muon, adamw)]
    assert set(shapes[0]) == {2}
    assert sum(map(len, shapes)) == len(list(learner.parameters()))


def test_an_unknown_optimiser_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no optimiser is called 'sgd'; there are adamw, muon"):
        Training(TABLE["maml-sinusoid"], optimiser="sgd").run(tmp_path)
