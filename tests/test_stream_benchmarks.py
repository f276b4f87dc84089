"""The benchmarks of docs/streams.md run small, on made features."""

from functools import partial

import pytest
import torch

from benchmarks import unlabelled
from benchmarks.streams import __main__ as streams
from benchmarks.streams import page as written
from benchmarks.streams.memories import MEMORIES
from models.checkpoint import Spec, build
from models.learner import Learner

GROUPS, MEMBERS, EXAMPLES, LENGTH = 3, 4, 24, 8


def made(*shape: int) -> tuple[Learner, torch.Tensor]:
    """A learner of features, and features around a centre for each class."""
    generator = torch.Generator().manual_seed(0)
    centres = 3 * torch.randn(*shape, 1, LENGTH, generator=generator)
    learner = build(Spec("ridge", "identity", {}, {})).eval().requires_grad_(False)
    return learner, centres + torch.randn(*shape, EXAMPLES, LENGTH, generator=generator)


@pytest.fixture
def page(tmp_path, monkeypatch):
    """The page and the picture that are written, in place of docs/."""
    names = ("new classes", "new meanings", "drifting classes", "unlabelled", "bounds")
    file = tmp_path / "page.md"
    file.write_text("".join(f"<!-- {name} -->\n<!-- /{name} -->\n" for name in names))
    for module in (streams, unlabelled):
        monkeypatch.setattr(module, "PAGE", file)
    monkeypatch.setattr(written, "PICTURE", tmp_path / "picture.png")
    return file


def options(folder):
    return ["--data", str(folder), "--features", str(folder)]


def test_streams_compare_what_a_client_keeps(page, tmp_path, monkeypatch):
    monkeypatch.setattr(streams, "SEEDS", 2)
    monkeypatch.setattr(streams, "SOURCES", dict.fromkeys(streams.SOURCES, lambda *_: made(GROUPS, MEMBERS)))
    streams.main(options(tmp_path))
    text = page.read_text()
    for memory in MEMORIES:
        assert f"| CLINC150 | {memory} |" in text
    assert (tmp_path / "picture.png").exists()
    found = list(tmp_path.glob("streams-*.jsonl"))
    before = [file.read_text() for file in found]
    streams.main(options(tmp_path))  # reads what is known
    assert [file.read_text() for file in found] == before


def test_the_bound_of_unlabelled_inputs_is_chosen_on_other_classes_than_it_is_measured_on(page, tmp_path, monkeypatch):
    monkeypatch.setattr(unlabelled, "EPISODES", 2)
    source = lambda *_: unlabelled.Pair(*made(12))  # noqa: E731
    monkeypatch.setattr(unlabelled, "TEST", {"tested": source})
    monkeypatch.setattr(unlabelled, "VALIDATION", {"validated": source})
    unlabelled.main(options(tmp_path))
    text = page.read_text()
    assert text.count("| tested |") == 4
    assert "| validated |" in text
    assert "| mean |" in text


def test_a_bound_of_nothing_changes_no_answer():
    pair = unlabelled.Pair(*made(12))
    measured = partial(unlabelled.scores_of, pair, 1, 0, others=True)
    before, after = measured(most=0.0)
    assert before == after
