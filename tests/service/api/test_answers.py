"""The size of answers: how many probabilities they hold, and a limit that is checked before any work."""

import json

import pytest

from service.api.answers import shape_of
from service.api.predict_schemas import PredictRequest
from service.errors import AnswerTooLarge
from tests.service.drawings import letters, png
from tests.service.serving import serving

QUERY = png("L")


def teach(api, classes: int) -> None:
    support = [{"input": one["input"], "label": f"class {i}"} for i, one in enumerate(letters("LVZ", 1) * classes)]
    api.post("/adapt", json={"client_id": "alice", "support": support[:classes]}).raise_for_status()


def ask(api, **options) -> dict:
    answer = api.post("/predict", json={"client_id": "alice", "inputs": [QUERY]} | options)
    assert answer.status_code == 200, answer.text
    return answer.json()["predictions"][0]


@pytest.mark.parametrize(
    ("classes", "options", "kept"),
    [
        (20, {}, 20),
        (21, {}, 5),
        (21, {"top_k": None}, 21),
        (21, {"top_k": 3}, 3),
        (3, {"top_k": 1}, 1),
        (3, {"top_k": 100}, 3),
    ],
)
def test_an_answer_holds_as_many_probabilities_as_asked(api, classes, options, kept):
    teach(api, classes)
    assert len(ask(api, **options)["probabilities"]) == kept


def test_the_most_probable_classes_are_kept_in_their_order(api):
    teach(api, 21)
    every, three = ask(api, top_k=None), ask(api, top_k=3)
    assert (three["label"], three["probability"]) == (every["label"], every["probability"])
    ranked = sorted(every["probabilities"].items(), key=lambda item: -item[1])
    assert list(three["probabilities"].values()) == [value for _, value in ranked[:3]]
    assert three["probabilities"].items() <= every["probabilities"].items()


@pytest.mark.parametrize("top_k", [0, -1, 1.5, "3", True, [1]])
def test_an_odd_top_k_is_refused(api, top_k):
    teach(api, 3)
    refusal = api.post("/predict", json={"client_id": "alice", "inputs": [QUERY], "top_k": top_k})
    assert (refusal.status_code, refusal.json()["field"]) == (422, "top_k")


class Idle:
    """An engine that fails the test when it has to answer."""

    def __init__(self, engine) -> None:
        self._engine = engine

    def __getattr__(self, name: str):
        return getattr(self._engine, name)

    async def predict(self, *_) -> None:
        raise AssertionError("work was done for an answer that is too large")


def test_a_too_large_answer_is_refused_before_work_and_the_error_names_the_limit(settings, worker, redis):
    with serving(settings.model_copy(update={"max_answer_bytes": 100_000}), Idle(worker)) as api:
        teach(api, 21)
        body = {"client_id": "alice", "inputs": [QUERY] * 200, "top_k": None}
        refusal = api.post("/predict", json=body)
    assert (refusal.status_code, refusal.json()["code"], refusal.json()["field"]) == (422, "answer_too_large", "inputs")
    assert "100000 bytes in all" in refusal.json()["detail"]
    assert "Send at most 1" in refusal.json()["detail"]


@pytest.mark.parametrize("label", ["a", "ü" * 256, '"\\' * 128, "\U0001f600" * 256, "\x01" * 10])
@pytest.mark.parametrize("top_k", [1, 4])
def test_the_estimate_is_never_below_the_answer(api, label, top_k):
    support = [{"input": one["input"], "label": f"{label[:-1]}{i}"} for i, one in enumerate(letters("LVZI", 1))]
    taught = api.post("/adapt", json={"client_id": "alice", "support": support})
    if taught.status_code == 422:
        pytest.skip("the label is refused")
    asked = {"client_id": "alice", "inputs": [QUERY, png("V")], "top_k": top_k}
    answer = api.post("/predict", json=asked).json()
    size = len(json.dumps(answer["predictions"], ensure_ascii=False, separators=(",", ":")).encode())
    estimate = shape_of(PredictRequest(**asked), taught.json()["classes"], 1, 10**9).size
    assert size <= estimate <= 3 * size


def test_the_estimate_of_a_regression_counts_its_outputs():
    asked = PredictRequest(client_id="bob", inputs=[1.0] * 10)
    shape_of(asked, None, 1, 1200)
    with pytest.raises(AnswerTooLarge):
        shape_of(asked, None, 10, 1200)


def test_a_large_answer_arrives_whole(api):
    teach(api, 200)
    body = {"client_id": "alice", "inputs": [QUERY] * 300, "top_k": None}
    answer = api.post("/predict", json=body)
    assert len(answer.content) > 2**20
    assert len(answer.json()["predictions"]) == 300


def test_a_page_of_clients_ends_where_it_would_be_too_large(settings, worker, redis):
    redis.flushall()
    with serving(settings.model_copy(update={"max_answer_bytes": 20_000}), worker) as api:
        support = [{"input": one["input"], "label": f"{i}" + "x" * 250} for i, one in enumerate(letters("LVZI", 1))]
        for i in range(60):
            api.post("/adapt", json={"client_id": f"{i:03d}", "support": support}).raise_for_status()
        found, page = [], api.get("/clients", params={"limit": 1000})
        while len(page.json()["clients"]) and page.json()["next_cursor"]:
            assert len(page.json()["clients"]) == 25
            found += page.json()["clients"]
            page = api.get("/clients", params={"limit": 1000, "cursor": page.json()["next_cursor"]})
        found += page.json()["clients"]
    assert [one["client_id"] for one in found] == [f"{i:03d}" for i in range(60)]
