"""Nodes of a graph over HTTP, with papers of Cora and the weights that ship."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from service.settings import ZOO, Settings
from tests.service.serving import working

EXAMPLES = Path(__file__).parents[3] / "examples/nodes"
TAUGHT, ASKED, LABELS = (json.loads((EXAMPLES / f"{name}.json").read_text()) for name in ("adapt", "predict", "labels"))


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("nodes")
    for path in ZOO.glob("nodes*"):
        shutil.copy(path, folder)
    return folder


@pytest.fixture(scope="module")
def settings(zoo, redis_url):
    return Settings(models=zoo, redis_url=redis_url, default_model="nodes")


@pytest.fixture(scope="module")
def worker(settings):
    with working(settings) as worker:
        yield worker


def predict(api, **fields):
    return api.post("/predict", json=ASKED | fields)


@pytest.mark.parametrize("model", ["nodes", "nodes-protonet", "nodes-gated", "nodes-maml"])
def test_five_papers_of_each_field_tell_most_others(api, model):
    adapted = api.post("/adapt", json=TAUGHT | {"model": model}).raise_for_status().json()
    assert len(adapted["classes"]) == 7
    answers = [one["label"] for one in predict(api).raise_for_status().json()["predictions"]]
    right = sum(answer == label for answer, label in zip(answers, LABELS, strict=True))
    assert right >= 11, Counter(zip(LABELS, answers, strict=True))


def test_a_paper_alone_is_an_input_too(api):
    api.post("/adapt", json=TAUGHT).raise_for_status()
    alone = [{"nodes": one["nodes"][:1]} for one in ASKED["inputs"]]
    assert len(predict(api, inputs=alone).raise_for_status().json()["predictions"]) == len(alone)


def test_examples_are_shown_as_they_were_sent(api):
    ids = api.post("/adapt", json=TAUGHT).raise_for_status().json()["ids"]
    shown = api.get(f"/clients/papers/examples/{ids[0]}?inputs=true").raise_for_status().json()
    sent = TAUGHT["support"][0]
    assert shown["label"] == sent["label"]
    assert shown["input"]["nodes"] == sent["input"]["nodes"]
    assert sorted(shown["input"]["edges"]) == sorted(sorted(pair) for pair in sent["input"]["edges"])


def test_an_answer_is_explained_by_the_papers_that_decided(api):
    api.post("/adapt", json=TAUGHT).raise_for_status()
    [answer] = predict(api, inputs=ASKED["inputs"][:1], explain=True).raise_for_status().json()["predictions"]
    assert answer["explanation"]["examples"]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        ({"nodes": [[5000]]}, "from 0 to 4095"),
        ({"nodes": [[1]] * 33}, "1 to 32 nodes; here is 33 nodes"),
        ({"nodes": [[1]], "edges": [[0, 1]]}, "edge 0"),
        ([1, 2], "takes a node and its neighbours"),
    ],
)
def test_a_bad_node_is_refused_with_its_place(api, bad, why):
    api.post("/adapt", json=TAUGHT).raise_for_status()
    answer = predict(api, inputs=[ASKED["inputs"][0], bad])
    assert (answer.status_code, answer.json()["field"]) == (422, "inputs[1]")
    assert why in answer.json()["detail"]
