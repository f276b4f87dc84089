"""Molecules over HTTP: adapt to measured ones, rank others, refuse what is none. They are of Tox21 (SR-MMP)."""

import csv
import shutil
from pathlib import Path

import pytest

from service.settings import ZOO, Settings
from tests.service.serving import working

SAMPLE = Path(__file__).parents[3] / "examples/mitochondria.csv"
ROWS = list(csv.DictReader(SAMPLE.read_text().splitlines()))
SUPPORT = [{"input": row["smiles"], "label": row["label"]} for row in ROWS[:40]]
ASKED = [row["smiles"] for row in ROWS[40:]]


@pytest.fixture(scope="module")
def settings(redis_url, tmp_path_factory):
    folder = tmp_path_factory.mktemp("zoo")
    for path in ZOO.glob("molecules*"):
        shutil.copy(path, folder)
    return Settings(models=folder, redis_url=redis_url, default_model="molecules")


@pytest.fixture(scope="module")
def worker(settings):
    with working(settings) as worker:
        yield worker


def adapt(api, support=SUPPORT):
    return api.post("/adapt", json={"client_id": "lab", "support": support})


def test_a_client_learns_an_assay_and_ranks_other_molecules(api):
    adapted = adapt(api)
    assert adapted.status_code == 200, adapted.text
    assert (adapted.json()["classes"], adapted.json()["examples"]) == (["disrupts", "harmless"], 40)
    answer = api.post("/predict", json={"client_id": "lab", "inputs": ASKED})
    assert answer.status_code == 200, answer.text
    right = [one["label"] == row["label"] for one, row in zip(answer.json()["predictions"], ROWS[40:], strict=True)]
    assert sum(right) / len(right) > 0.6


def test_examples_are_listed_as_they_were_sent(api):
    adapt(api, SUPPORT[:4])
    listed = api.get("/clients/lab/examples", params={"inputs": True}).json()["examples"]
    assert [one["input"] for one in listed] == [one["input"] for one in SUPPORT[:4]]


def test_molecules_come_as_csv(api):
    sent = api.post(
        "/adapt", params={"client_id": "lab"}, content=SAMPLE.read_bytes(), headers={"content-type": "text/csv"}
    )
    assert sent.status_code == 200, sent.text
    assert sent.json()["examples"] == 80


def test_what_is_no_molecule_is_refused_and_changes_nothing(api):
    adapt(api)
    for wrong, says in (
        ("C1CC", "RDKit cannot read it"),
        ("acetic acid", "not a SMILES string"),
        ("C" * 500, "the limit is 400"),
    ):
        refused = adapt(api, [*SUPPORT, {"input": wrong, "label": "harmless"}])
        assert refused.status_code == 422
        assert refused.json()["field"] == "support[40].input"
        assert says in refused.json()["detail"]
    assert api.get("/clients/lab").json()["version"] == 1


SOLUBILITY = {
    "CCCCCC": -3.84, "CCCCCCC": -4.53, "CCCCCCCC": -5.24, "CCO": 1.1, "CCCO": 0.62, "CCCCO": 0.0, "CCCCCO": -0.6,
    "CCCCCCO": -1.24, "c1ccccc1": -1.64, "Cc1ccccc1": -2.21, "c1ccc2ccccc2c1": -3.6, "Oc1ccccc1": 0.0,
}  # fmt: skip


def test_a_client_learns_a_number_with_intervals(api):
    support = [{"input": smiles, "label": value} for smiles, value in SOLUBILITY.items()]
    adapted = api.post("/adapt", json={"client_id": "water", "model": "molecules-regression", "support": support})
    assert adapted.status_code == 200, adapted.text
    asked = {"client_id": "water", "inputs": ["CCCCCCCCC", "CC(C)O"], "interval": 0.8}
    answer = api.post("/predict", json=asked)
    assert answer.status_code == 200, answer.text
    oily, watery = answer.json()["predictions"]
    assert oily["value"] < -3 < watery["value"]
    assert all(one["interval"][0] < one["value"] < one["interval"][1] for one in (oily, watery))
    widths = [one["interval"][1] - one["interval"][0] for one in (oily, watery)]
    assert widths[0] != pytest.approx(widths[1])
