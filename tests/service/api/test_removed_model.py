"""A client with a model that is no longer served: it gets 409, and can be adapted again or removed."""

import shutil

import pytest

from service.settings import Settings
from tests.service.drawings import letters, png
from tests.service.serving import serving, working

LV = letters("LV")


@pytest.fixture
def api(zoo, redis_url, redis, worker, tmp_path):
    redis.flushall()
    with serving(Settings(models=zoo, redis_url=redis_url), worker) as before:
        before.post("/adapt", json={"client_id": "alice", "model": "glyphs-maml", "support": LV}).raise_for_status()
    models = shutil.copytree(zoo, tmp_path / "models")
    for suffix in (".json", ".safetensors"):
        (models / f"glyphs-maml{suffix}").unlink()
    settings = Settings(models=models, redis_url=redis_url)
    with working(settings) as remaining, serving(settings, remaining) as api:
        yield api


def test_predict_and_append_are_409_with_the_way_out(api):
    refusals = [
        api.post("/predict", json={"client_id": "alice", "inputs": [png("L")]}),
        api.post("/adapt", json={"client_id": "alice", "mode": "append", "support": LV}),
        api.post("/adapt", json={"client_id": "alice", "mode": "append", "model": "glyphs-maml", "support": LV}),
    ]
    assert [refusal.status_code for refusal in refusals] == [409] * 3
    assert all("Adapt the client with another model" in refusal.json()["detail"] for refusal in refusals)
    assert all("glyphs-maml" in refusal.json()["detail"] for refusal in refusals)


def test_it_can_be_moved_to_another_model(api):
    moved = api.post("/clients/alice/model", json={"model": "glyphs"}).json()
    assert (moved["model"], moved["version"], moved["classes"]) == ("glyphs", 2, ["L", "V"])
    assert api.post("/predict", json={"client_id": "alice", "inputs": [png("L")]}).status_code == 200
    asked = api.post("/predict", json={"client_id": "alice", "inputs": [png("L")], "version": 1})
    assert (asked.status_code, asked.json()["code"]) == (409, "conflict")


def test_it_can_be_listed_adapted_again_and_removed(api):
    assert api.get("/clients").json()["clients"][0]["model"] == "glyphs-maml"
    assert api.get("/clients/alice").status_code == 200
    assert api.post("/adapt", json={"client_id": "alice", "support": LV}).json()["version"] == 2
    assert api.delete("/clients/alice").status_code == 204
