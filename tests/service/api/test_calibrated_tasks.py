"""Temperatures and thresholds of the card by number of classes and examples, over HTTP."""

import pytest

from service.cards import Card
from service.settings import Settings
from tests.service.drawings import letters, png
from tests.service.serving import serving

COVERAGES = [0.5, 0.999]


@pytest.fixture
def calibrated(settings: Settings, worker, zoo, tmp_path):
    """The service with a card whose temperature of three classes is ten times that of two."""
    for path in zoo.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    tasks = [
        {"ways": 2, "shots": 1, "temperature": 1.0, "calibration_error": 0.0, "familiar": [-100.0, -100.0]},
        {"ways": 3, "shots": 1, "temperature": 10.0, "calibration_error": 0.0, "familiar": [100.0, 100.0]},
        {"ways": 3, "shots": 2, "temperature": 7.0, "calibration_error": 0.0, "familiar": [100.0, 100.0]},
    ]
    card = Card.read(zoo / "glyphs.json").model_dump()
    card["calibration"] = {"split": "val", "coverages": COVERAGES, "tasks": tasks}
    Card.model_validate(card).write(tmp_path / "glyphs.json")
    with serving(settings.model_copy(update={"models": tmp_path}), worker) as api:
        yield api


def predict(api, names: str, **fields):
    api.post("/adapt", json={"client_id": names, "support": letters(names, 1)}).raise_for_status()
    answer = api.post("/predict", json={"client_id": names, "inputs": [png("L", 3)]} | fields)
    return answer.raise_for_status().json()


def test_few_examples_take_the_threshold_of_the_card(calibrated):
    few, more = (predict(calibrated, names, abstain=True) for names in ("LV", "LVZ"))
    assert few["threshold"] == {"score": "familiarity", "at_least": -100.0, "source": "model"}
    assert [each["unknown"] for each in few["predictions"]] == [False]
    assert [each["unknown"] for each in more["predictions"]] == [True]


def test_a_task_has_the_temperature_of_its_size(calibrated, api):
    """A higher temperature brings the probabilities closer together."""
    plain, flat = (predict(each, "LVZ")["predictions"][0] for each in (api, calibrated))
    assert flat["label"] == plain["label"]
    assert 1 / 3 < flat["probability"] < plain["probability"]


def test_an_exported_network_has_the_temperature_of_the_labelled_examples(calibrated):
    """With its unlabelled ones the client would have two examples of each class, a task of its own."""
    onnxruntime = pytest.importorskip("onnxruntime")
    predict(calibrated, "LVZ")
    calibrated.post("/clients/LVZ/unlabelled", json={"inputs": [png(each, 4) for each in "LVZ"]}).raise_for_status()
    file = calibrated.get("/clients/LVZ/model.onnx").raise_for_status().content
    about = onnxruntime.InferenceSession(file).get_modelmeta().custom_metadata_map
    assert about["temperature"] == "10.0"
