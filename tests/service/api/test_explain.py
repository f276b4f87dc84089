"""Why an answer is given, over HTTP: the examples that decided it, and the parts of the input."""

import base64
import io
import json
import math

import numpy as np
import pytest
from PIL import Image

from service.engine.worker import Worker
from service.settings import ZOO, Settings
from tests.service.api.test_tables import ASKED, SUPPORT
from tests.service.drawings import draw, encoded, letters, png, wave

MODELS = ("glyphs", "glyphs-matching", "glyphs-proto-maml", "glyphs-tim", "photos", "texts", "tables", "sinusoid")
TICKETS = [
    {"id": "late", "input": "my parcel has not arrived yet", "label": "delivery"},
    {"id": "where", "input": "where is the package I ordered", "label": "delivery"},
    {"id": "money", "input": "please give me my money back", "label": "refund"},
    {"id": "return", "input": "I want to return this and be repaid", "label": "refund"},
]


@pytest.fixture(scope="module")
def settings(redis_url):
    return Settings(models=ZOO, redis_url=redis_url, deadline_s=600)


@pytest.fixture(scope="module")
def worker(settings):
    worker = Worker(MODELS, settings)
    worker.start()
    yield worker
    worker.close()


def adapt(api, support, **fields):
    return api.post("/adapt", json={"client_id": "alice", "support": support} | fields).raise_for_status().json()


def predict(api, inputs, **fields):
    return api.post("/predict", json={"client_id": "alice", "inputs": inputs, "explain": True} | fields)


def explained(api, inputs, **fields):
    answer = predict(api, inputs, **fields)
    assert answer.status_code == 200, answer.text
    return answer.json()["predictions"]


def check_sums(why):
    weights = [each["weight"] for each in why["examples"] if each["weight"] is not None]
    assert sum(weights) + why["rest"] + why["base"] == pytest.approx(why["total"], abs=1e-4)
    sizes = [abs(weight) for weight in weights]
    assert sizes == sorted(sizes, reverse=True)
    assert len(why["examples"]) <= 10


def check_odds(prediction):
    """The total is the logarithm of the odds of the answer against the class after it."""
    why, probabilities = prediction["explanation"], prediction["probabilities"]
    assert why["label"] == prediction["label"]
    odds = probabilities[str(why["label"])] / probabilities[str(why["against"])]
    assert why["total"] == pytest.approx(math.log(odds), rel=1e-3, abs=1e-3)


def image_of(why):
    return Image.open(io.BytesIO(base64.b64decode(why["input"]["saliency_png"])))


def test_nothing_is_explained_unless_it_is_asked(api):
    adapt(api, letters("LVZ", 2))
    body = {"client_id": "alice", "inputs": [png("L")]}
    assert "explanation" not in api.post("/predict", json=body).json()["predictions"][0]


@pytest.mark.parametrize("model", ["glyphs", "glyphs-proto-maml", "glyphs-tim"])
def test_the_examples_of_the_answer_speak_for_it(api, model):
    ids = adapt(api, letters("LVZ", 4), model=model)["ids"]
    for letter, prediction in zip("LVZ", explained(api, [png(each, 2) for each in "LVZ"]), strict=True):
        why = prediction["explanation"]
        check_sums(why)
        check_odds(prediction)
        assert (why["label"], why["measure"]) == (letter, "log_odds")
        assert why["method"] == ("exact" if model == "glyphs" else "leave_one_out")
        assert {each["id"] for each in why["examples"]} <= set(ids)
        assert sum(each["weight"] for each in why["examples"] if each["label"] == letter) > 0


def test_matching_networks_show_votes(api):
    adapt(api, letters("LVZ", 4), model="glyphs-matching")
    [prediction] = explained(api, [png("L", 2)])
    why = prediction["explanation"]
    check_sums(why)
    assert (why["measure"], why["method"], why["base"]) == ("votes", "exact", pytest.approx(0, abs=1e-6))
    assert all((each["weight"] > 0) == (each["label"] == "L") for each in why["examples"])


def test_more_than_ten_examples_are_summed(api):
    adapt(api, letters("LV", 8))
    [prediction] = explained(api, [png("L", 2)])
    assert len(prediction["explanation"]["examples"]) == 10
    assert prediction["explanation"]["rest"] != 0
    check_sums(prediction["explanation"])


def test_the_only_example_of_a_class_cannot_be_left_out(api):
    adapt(api, letters("LVZ", 1), model="glyphs-proto-maml")
    [prediction] = explained(api, [png("L")])
    why = prediction["explanation"]
    assert {each["label"] for each in why["examples"] if each["weight"] is None} == {"L", why["against"]}
    check_sums(why)


def test_the_heat_of_a_drawing_lies_on_its_ink(api):
    adapt(api, letters("LVZ", 3))
    [prediction] = explained(api, [encoded(draw("L", side=40, width=3))])
    heat = image_of(prediction["explanation"])
    assert (heat.mode, heat.size) == ("RGBA", (40, 40))
    opacity, ink = np.asarray(heat)[..., 3].astype(float), np.asarray(draw("L", side=40, width=3)) == 0
    assert opacity[ink].mean() > 2 * opacity[~ink].mean()


def test_a_photo_is_explained_at_the_size_that_the_model_sees(api):
    def photo(colour, shift):
        image = Image.new("RGB", (300, 200), "white")
        image.paste(colour, (100 + shift, 50, 200 + shift, 150))
        return encoded(image)

    support = [{"input": photo(each, shift), "label": each} for each in ("red", "blue") for shift in (0, 9)]
    adapt(api, support, model="photos")
    [prediction] = explained(api, [photo("red", 4)])
    heat = image_of(prediction["explanation"])
    assert (heat.mode, heat.size) == ("RGBA", (224, 224))
    opacity = np.asarray(heat)[..., 3].astype(float)
    assert opacity[56:168, 56:168].mean() > 1.5 * opacity[:, :28].mean()
    check_sums(prediction["explanation"])


def test_a_text_is_explained_by_words_and_class_names_count_as_examples(api):
    adapt(api, TICKETS, model="texts")
    text = "hello, when will my parcel be here?"
    [prediction] = explained(api, [text])
    why = prediction["explanation"]
    check_sums(why)
    check_odds(prediction)
    words = why["input"]["words"]
    assert [text[word["start"] : word["end"]] for word in words] == text.split()
    assert max(words, key=lambda word: word["weight"])["text"] == "parcel"
    assert [each["label"] for each in why["examples"] if each.get("name")] != []
    assert why["examples"][0]["label"] == "delivery"
    assert {each["id"] for each in why["examples"] if "id" in each} == {"late", "where", "money", "return"}


@pytest.mark.parametrize("text", ["parcel", "parcel " * 100, "我的包裹还没有到", "🙂"])
def test_any_text_has_a_bounded_number_of_parts(api, text):
    adapt(api, TICKETS, model="texts")
    [prediction] = explained(api, [text])
    assert 1 <= len(prediction["explanation"]["input"]["words"]) <= 64


def test_a_row_is_explained_by_its_columns(api):
    adapt(api, SUPPORT, model="tables")
    for prediction in explained(api, ASKED):
        check_sums(prediction["explanation"])
        check_odds(prediction)
        columns = {each["name"]: each["weight"] for each in prediction["explanation"]["input"]["columns"]}
        assert set(columns) == {"age", "plan", "active", "spend"}
        assert columns["plan"] > abs(columns["age"])


def test_a_value_is_explained_too(api):
    adapt(api, wave(7), model="sinusoid")
    [prediction] = explained(api, [1.0])
    why = prediction["explanation"]
    check_sums(why)
    assert (why["label"], why["measure"], why["total"]) == (None, "value", pytest.approx(prediction["value"]))
    assert len(why["input"]["numbers"]) == 1


def test_answers_of_one_request_together_have_no_parts(api):
    adapt(api, letters("LVZ", 3), model="glyphs-tim")
    assert all("input" not in each["explanation"] for each in explained(api, [png(each) for each in "LVZ"]))


def test_the_explanation_belongs_to_the_version(api):
    adapt(api, letters("LV", 3))
    first = explained(api, [png("L")])
    adapt(api, letters("LVZ", 4))
    why, before = explained(api, [png("L")], version=1)[0]["explanation"], first[0]["explanation"]
    assert [each["id"] for each in why["examples"]] == [each["id"] for each in before["examples"]]
    assert why["total"] == pytest.approx(before["total"], rel=1e-3)


def test_the_explanation_is_the_same_when_the_device_has_forgotten_the_client(api, worker):
    adapt(api, TICKETS, model="texts")
    before = explained(api, ["where is it"])[0]["explanation"]
    for write in list(worker._cache._entries):
        worker.evict(write)
    after = explained(api, ["where is it"])[0]["explanation"]
    assert after["total"] == pytest.approx(before["total"], rel=1e-2)
    assert [each.get("id") for each in after["examples"]] == [each.get("id") for each in before["examples"]]


def test_too_many_inputs_are_refused_before_any_work(api, worker, monkeypatch):
    adapt(api, letters("LV", 2))
    monkeypatch.setattr(worker, "submit_predict", lambda *_: pytest.fail("the device worked"))
    answer = predict(api, [png("L")] * 1000)
    assert (answer.status_code, answer.json()["field"]) == (422, "inputs")
    assert "1000 to explain; the limit is 20 (HANDFUL_MAX_EXPLAINED). Send at most 20" in answer.json()["detail"]


def test_what_takes_too_long_is_refused_with_the_number_that_fits(api, worker, monkeypatch):
    adapt(api, letters("LV", 2))
    monkeypatch.setattr(worker.budget, "_limit_s", 1.0)
    curve = worker.budget._predicts["glyphs"]
    monkeypatch.setattr(curve, "total", lambda terms: 0.01 * terms[1])
    answer = predict(api, [png("L", shift) for shift in range(20)])
    assert (answer.status_code, answer.json()["code"]) == (422, "too_costly")
    assert "Send at most " in answer.json()["detail"]


def test_a_stream_of_any_length_is_explained_in_pieces_that_fit(api, worker, monkeypatch):
    adapt(api, letters("LV", 2))
    monkeypatch.setattr(worker.budget, "_limit_s", 1.0)
    monkeypatch.setattr(worker.budget._predicts["glyphs"], "total", lambda terms: 0.004 * terms[1])
    body = {"client_id": "alice", "inputs": [png("L", shift % 3) for shift in range(45)], "explain": True}
    answer = api.post("/predict", json=body, headers={"Accept": "application/x-ndjson"})
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert len(lines) == 45
    assert all(each["explanation"]["label"] == "L" for each in lines)


@pytest.mark.parametrize("value", [1, "yes", None])
def test_explain_is_a_boolean(api, value):
    assert predict(api, [png("L")], explain=value).status_code == 422
