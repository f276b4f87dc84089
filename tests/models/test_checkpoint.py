"""Checkpoints: what is written is read again, and a hostile file is refused before anything of it runs."""

import json
import pickle
import struct
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch.testing import assert_close

from models import checkpoint
from models.checkpoint import Spec
from tests.models.learners import TABLE, fresh, query, support

over_all = pytest.mark.parametrize("spec", TABLE.values(), ids=TABLE.keys())
REFUSAL = (SafetensorError, ValueError)
SMALL = TABLE["anil-sinusoid"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "model.safetensors"
    checkpoint.save(file, SMALL, fresh(SMALL).state_dict())
    return file


@over_all
def test_a_learner_answers_the_same_after_a_roundtrip(spec, tmp_path):
    learner, file = fresh(spec), tmp_path / "model.safetensors"
    checkpoint.save(file, spec, learner.state_dict())
    again, full, asked = checkpoint.load(file), support(spec, [1, 2]), query(spec, 3)
    expected = learner.answer(full, asked)
    assert_close(again.answer(full, asked), expected, rtol=0, atol=0)


def test_a_loaded_learner_is_frozen_and_in_eval_mode(path):
    learner = checkpoint.load(path)
    assert not learner.training
    assert not any(parameter.requires_grad for parameter in learner.parameters())


def test_the_header_is_read_back_unchanged(path):
    header = {"seed": 3, "notes": ["a", {"b": None}], "loss": 0.5}
    checkpoint.save(path, SMALL, {"x": torch.ones(2)}, **header)
    tensors, found = checkpoint.read(path)
    assert_close(tensors, {"x": torch.ones(2)})
    assert found.pop("spec") == SMALL
    assert found == header


def test_tensors_that_are_views_are_saved_as_they_look(path):
    view = torch.arange(6.0).view(2, 3).T
    checkpoint.save(path, SMALL, {"view": view})
    assert_close(checkpoint.read(path)[0]["view"], view)


def test_saving_leaves_no_other_file_and_replaces_the_old_one(path):
    checkpoint.save(path, SMALL, {"x": torch.zeros(1)})
    assert list(path.parent.iterdir()) == [path]
    assert set(checkpoint.read(path)[0]) == {"x"}


def test_a_save_that_fails_leaves_the_old_file(path):
    before = path.read_bytes()
    with pytest.raises(TypeError):
        checkpoint.save(path, SMALL, {"x": torch.zeros(1)}, header=object())
    assert path.read_bytes() == before


def test_the_digest_names_the_content(path):
    first = checkpoint.digest(path)
    copy = path.with_name("copy.safetensors")
    copy.write_bytes(path.read_bytes())
    assert checkpoint.digest(copy) == first
    assert len(first) == 16
    weights = fresh(SMALL).state_dict()
    weights["head.bias"] += 1e-3
    checkpoint.save(path, SMALL, weights)
    assert checkpoint.digest(path) != first


def test_another_format_is_refused_by_name(tmp_path):
    for metadata in (None, {"format": "pt"}, {"format": "handful-0"}):
        file = tmp_path / "other.safetensors"
        save_file({"x": torch.zeros(1)}, file, metadata)
        with pytest.raises(ValueError, match=r"other\.safetensors.*handful-1"):
            checkpoint.load(file)


@pytest.mark.parametrize("spec", [Spec("my-learner", "conv4"), Spec("maml", "my-encoder")], ids=["learner", "encoder"])
def test_an_unknown_name_is_refused_with_the_known_names_and_a_hint(spec, path):
    unknown = r"'my-\w+' here, only .*(protonet|conv4).* package"
    with pytest.raises(ValueError, match=unknown):
        checkpoint.build(spec)
    checkpoint.save(path, spec, {"x": torch.zeros(1)})
    with pytest.raises(ValueError, match=rf"model\.safetensors cannot be loaded: .*{unknown}"):
        checkpoint.read(path)


def test_unknown_options_are_refused(path):
    with pytest.raises(ValueError, match=r"'maml' on 'conv4' cannot be built: .*'momentum'"):
        checkpoint.build(Spec("maml", "conv4", {"momentum": 0.9}))


def test_weights_of_another_architecture_are_refused(path):
    checkpoint.save(path, SMALL, fresh(TABLE["anil"]).state_dict())
    with pytest.raises(RuntimeError, match="state_dict"):
        checkpoint.load(path)


class Bomb:
    """Touches a file when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self):
        return (Path.touch, (self.mark,))


def hostile_files(good: bytes, mark: Path) -> dict[str, bytes]:
    header = json.dumps({"__metadata__": {"format": checkpoint.FORMAT}, "x": "not a tensor"}).encode()
    beyond = {"x": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 2**42]}}
    outside = json.dumps({"__metadata__": {"format": checkpoint.FORMAT}} | beyond).encode()
    return {
        "empty": b"",
        "truncated": good[: len(good) // 2],
        "one byte short": good[:-1],
        "huge header": struct.pack("<Q", 2**62) + good[8:],
        "header beyond the file": struct.pack("<Q", len(good) + 1) + good[8:],
        "not json": struct.pack("<Q", 8) + b"\xff" * 64,
        "not a tensor": struct.pack("<Q", len(header)) + header,
        "tensor beyond the file": struct.pack("<Q", len(outside)) + outside,
        "pickle": pickle.dumps(Bomb(mark)),
    }


@pytest.mark.parametrize("name", hostile_files(b"good", Path()))
def test_a_hostile_file_is_refused_and_nothing_is_unpickled(name, path):
    mark = path.with_name("exploded")
    path.write_bytes(hostile_files(path.read_bytes(), mark)[name])
    with pytest.raises(REFUSAL):
        checkpoint.load(path)
    assert not mark.exists()


def test_a_torch_pickle_is_refused_and_not_unpickled(path):
    mark = path.with_name("exploded")
    torch.save(Bomb(mark), path)
    with pytest.raises(REFUSAL):
        checkpoint.load(path)
    assert not mark.exists()
