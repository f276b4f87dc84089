"""What the benchmarks of texts and photos compute, as far as it does not depend on time."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import encoder_serving, report_encoders
from benchmarks.encoder_bodies import LABELS, SHOTS, WAYS, adapt_body, inputs, predict_body
from benchmarks.encoder_serving import Scene, scenes
from benchmarks.features import stored
from benchmarks.methods import head_table
from benchmarks.peers.encoders import PHOTOS, TEXTS, photos


def test_ratios_are_left_empty_where_a_service_was_not_measured():
    found = {"a": {"handful": {"per_cpu": 85.0}, "limit": {"per_cpu": 100.0}, "by-hand": {"per_cpu": 50.0}}}
    assert report_encoders.ratios(found).splitlines()[2] == "| a | 85% |  | 1.7 |  |  |  |"
    assert report_encoders.rates(found).splitlines()[2] == "| a | 85 |  | 50 |  | 100 |  |"


def test_each_figure_is_written_at_once_beside_those_of_other_services(monkeypatch):
    kept: dict = {"encoders": {"texts predict, 1-query, 16 clients": {"lit": {"per_cpu": 1.0}}}}
    monkeypatch.setattr(encoder_serving, "read", lambda: json.loads(json.dumps(kept)))
    monkeypatch.setattr(encoder_serving, "keep", kept.update)
    encoder_serving.record(Scene(TEXTS, "predict", 1, 16), "handful", {"per_cpu": 2.0})
    assert kept["encoders"] == {
        "texts predict, 1-query, 16 clients": {"lit": {"per_cpu": 1.0}, "handful": {"per_cpu": 2.0}}
    }


def test_a_service_that_fails_costs_no_others(monkeypatch):
    measured = []

    def measure(name: str, kinds: list[str], factor: float) -> None:
        if name == "lit":
            raise RuntimeError("it has ended")
        measured.append(name)

    monkeypatch.setattr(encoder_serving, "measure_service", measure)
    monkeypatch.setattr(encoder_serving, "find_spec", lambda name: True)
    monkeypatch.setattr("sys.argv", ["encoder_serving", "lit", "handful"])
    encoder_serving.main()
    assert measured == ["handful"]


def test_scenes_have_titles_of_their_own():
    titles = [scene.title() for scene in scenes([TEXTS, PHOTOS])]
    assert len(set(titles)) == len(titles) == 14


@pytest.mark.parametrize("kind", [TEXTS, PHOTOS])
def test_clients_send_different_inputs_and_the_same_each_time(kind):
    assert inputs(kind, 3, 0) == inputs(kind, 3, 0)
    assert not set(inputs(kind, 3, 0)) & set(inputs(kind, 3, 1))
    body = json.loads(adapt_body(kind, 0))
    assert len(body["support"]) == WAYS * SHOTS
    assert {each["label"] for each in body["support"]} == set(LABELS)
    assert not {each["input"] for each in body["support"]} & set(json.loads(predict_body(kind, 0, 2))["inputs"])


def test_peers_decode_photos_to_what_the_encoder_takes():
    pixels = photos(inputs(PHOTOS, 2, 0))
    assert pixels.shape == (2, 3, 224, 224)
    assert 0 <= pixels.min() < pixels.max() <= 1


def test_features_are_encoded_once_and_then_read(tmp_path: Path):
    calls = []

    def encode(indices: np.ndarray) -> torch.Tensor:
        calls.append(len(indices))
        return torch.from_numpy(indices).float().unsqueeze(1)

    first = stored(tmp_path / "a.npy", 600, encode)
    assert torch.equal(stored(tmp_path / "a.npy", 600, encode), first)
    assert first.flatten().tolist() == list(range(600))
    assert sum(calls) == 600


@pytest.mark.parametrize("kind", [TEXTS, PHOTOS])
def test_the_table_of_learners_has_the_baseline_on_top_and_the_model_at_the_end(kind):
    rows = head_table(kind).splitlines()[2:]
    assert rows[0].startswith("| baseline: scikit-learn, LogisticRegression |")
    assert rows[-1].startswith(f"| the model `{kind}` |")
