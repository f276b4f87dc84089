"""Patients over HTTP: rows as objects, a prior of other hospitals, and abstaining. The rows are of the file's form."""

import shutil

import pytest

from service.settings import ZOO, Settings
from tests.service.serving import working

HEALTHY = {
    "age": 41, "male": False, "chest pain": "atypical angina", "blood pressure": 118, "cholesterol": 210,
    "fasting sugar over 120": False, "resting ECG": "normal", "highest heart rate": 172, "angina in exercise": False,
    "ST depression": 0.0, "ST slope": None, "vessels": None, "thallium scan": None,
}  # fmt: skip
ILL = HEALTHY | {
    "age": 63, "male": True, "chest pain": "none", "highest heart rate": 112, "angina in exercise": True,
    "ST depression": 2.5, "ST slope": "flat",
}  # fmt: skip


def support(well: str = "no disease", ill: str = "disease") -> list[dict]:
    """Three patients of each class."""
    changed = [{"age": 45 + 7 * i, "cholesterol": 200 + 20 * i} for i in range(3)]
    rows = [(HEALTHY | change, well) for change in changed] + [(ILL | change, ill) for change in changed]
    return [{"input": row, "label": label} for row, label in rows]


@pytest.fixture(scope="module")
def settings(redis_url, tmp_path_factory):
    folder = tmp_path_factory.mktemp("zoo")
    for path in ZOO.glob("patients.*"):
        shutil.copy(path, folder)
    return Settings(models=folder, redis_url=redis_url, default_model="patients")


@pytest.fixture(scope="module")
def worker(settings):
    with working(settings) as worker:
        yield worker


def adapt(api, examples):
    return api.post("/adapt", json={"client_id": "ward", "support": examples})


def predict(api, *rows, **fields):
    return api.post("/predict", json={"client_id": "ward", "inputs": rows} | fields).json()


def test_a_hospital_learns_from_six_patients(api):
    adapted = adapt(api, support())
    assert adapted.status_code == 200, adapted.text
    assert "warnings" not in adapted.json()
    ill, well = predict(api, ILL | {"age": 70}, HEALTHY | {"age": 35})["predictions"]
    assert (ill["label"], well["label"]) == ("disease", "no disease")


def test_labels_may_have_any_names(api):
    adapt(api, support("zero", "one"))
    before = predict(api, ILL)["predictions"][0]["probabilities"]["one"]
    adapt(api, support("b", "a"))
    assert predict(api, ILL)["predictions"][0]["probabilities"]["a"] == pytest.approx(before, abs=1e-5)


def test_a_column_that_no_example_has_is_used(api):
    adapt(api, support())
    with_scan, without = predict(api, ILL | {"thallium scan": "reversible defect"}, ILL)["predictions"]
    assert with_scan["probabilities"]["disease"] > without["probabilities"]["disease"]


def test_rows_with_unknown_or_missing_columns_are_answered_with_warnings(api):
    adapt(api, support())
    answer = predict(api, {"age": 60, "male": True, "shoe size": 42})
    assert {one["code"] for one in answer["warnings"]} == {"missing_column", "unknown_column"}


def test_uncertain_answers_are_unknown_if_the_client_asks(api):
    adapt(api, support())
    middle = HEALTHY | {"age": 55, "male": True, "chest pain": "none", "highest heart rate": 140}
    [one] = predict(api, middle, abstain=True, min_probability=0.999)["predictions"]
    assert one["unknown"]


def test_errors_and_warnings_speak_of_the_columns_of_the_model(api):
    wrong = api.post("/adapt", json={"client_id": "v", "support": [{"input": {"age": "old"}, "label": "a"}]})
    assert wrong.json()["field"] == "support[0].input"
    assert "the column 'age' has a text, 'old'; the model takes a number." in wrong.json()["detail"]
    adapted = api.post("/adapt", json={"client_id": "v", "support": support()}).raise_for_status().json()
    assert adapted["version"] == 1
    asked = api.post("/predict", json={"client_id": "v", "inputs": [HEALTHY | {"shoes": 44, "ST slope": "steep"}]})
    said = [each["detail"] for each in asked.raise_for_status().json()["warnings"]]
    assert said == [
        "column 'ST slope': the model takes no 'steep' in this column; it counts as null.",
        "column 'shoes': the model takes no such column; it is ignored.",
    ]
