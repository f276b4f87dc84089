"""GET /limits says what is accepted now."""

import pytest

from service.settings import Settings
from tests.service.drawings import letters
from tests.service.serving import serving, working


@pytest.fixture(scope="module")
def settings(zoo, redis_url) -> Settings:
    return Settings(models=zoo, redis_url=redis_url, max_examples=50, max_queries=7, quota_clients=2)


def test_without_measured_costs_the_limits_are_those_of_the_settings(api):
    shown = api.get("/limits").json()
    assert {each["model"] for each in shown["models"]} == {card["name"] for card in api.get("/models").json()}
    assert all(0 < each["examples"] <= 50 and 0 < each["inputs"] <= 7 for each in shown["models"])


def test_what_is_left_falls_with_what_is_stored(api):
    assert api.get("/limits").json()["left"] == {"clients": 2, "examples": None, "bytes": None}
    body = {"client_id": "alice", "support": letters("LV", 1)}
    api.post("/adapt", json=body).raise_for_status()
    assert api.get("/limits").json()["left"]["clients"] == 1


def test_the_limits_come_from_the_measured_costs_and_are_what_is_accepted(settings):
    costly = settings.model_copy(update={"max_job_s": 1.0})
    with working(costly) as worker, serving(costly, worker) as api:
        worker.budget.measuring = True
        for count in (2, 4, 8):
            worker.budget._adapts["glyphs"].measure((1.0, count, count, 2, 0), 0.06 * count)
            worker.budget._predicts["glyphs"].measure((1.0, count, 0, 0, 0, 0.0), 0.3 * count)
        (glyphs,) = [each for each in api.get("/limits").json()["models"] if each["model"] == "glyphs"]
        assert 14 <= glyphs["examples"] <= 17
        assert 0.8 <= glyphs["adapt_s"] <= 1
        assert glyphs["inputs"] == 3
        too_many = {"client_id": "alice", "model": "glyphs", "support": letters("LV", 10)}
        assert api.post("/adapt", json=too_many).json()["code"] == "too_costly"
