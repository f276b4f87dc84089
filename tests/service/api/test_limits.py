"""Limits of a model, which its card has."""

import pytest

from models.recipes import RECIPES
from service.settings import Settings
from tests.service.drawings import letters
from tests.service.serving import serving, working
from tests.service.zoo import make_model

TOO_MANY = letters("LV", 51)


@pytest.fixture
def api(tmp_path, redis_url, redis):
    make_model(tmp_path, "graphs", RECIPES["glyphs-gnn"])
    settings = Settings(models=tmp_path, default_model="graphs", redis_url=redis_url)
    with working(settings) as worker, serving(settings, worker) as api:
        yield api


@pytest.mark.parametrize("parts", [[TOO_MANY], [TOO_MANY[:100], TOO_MANY[100:]]], ids=["at once", "appended"])
def test_more_examples_than_a_model_takes_are_refused_with_its_limit(api, parts):
    for part in parts:
        mode = "replace" if part is parts[0] else "append"
        answer = api.post("/adapt", json={"client_id": "alice", "support": part, "mode": mode})
    assert (answer.status_code, answer.json()["field"]) == (422, "support")
    assert "102 examples; graphs takes at most 100" in answer.json()["detail"]
