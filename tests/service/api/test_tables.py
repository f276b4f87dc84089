"""Rows of tables over HTTP: adapt, predict, append, restart, and what is refused."""

import json
import math

import numpy as np
import pytest
from safetensors.numpy import save

from models.recipes import RECIPES
from service.settings import Settings
from tests.service.serving import serving, working
from tests.service.zoo import make_model

AGES = (22, 35, 47, 51, 29, 63, 38, 44)
ROWS = [
    {"age": age, "plan": ("free", "pro")[i % 2], "active": i % 2 == 0, "spend": None if i == 3 else 10.5 * (i % 2)}
    for i, age in enumerate(AGES)
]
SUPPORT = [{"input": row, "label": "stays" if row["plan"] == "pro" else "leaves"} for row in ROWS]
ASKED = [
    {"age": 30, "plan": "pro", "active": False, "spend": 9},
    {"age": 30, "plan": "free", "active": True, "spend": 0},
]


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tables")
    for name in ("tables", "tables-regression"):
        make_model(folder, name, RECIPES[name])
    return folder


@pytest.fixture(scope="module")
def settings(zoo, redis_url):
    return Settings(models=zoo, redis_url=redis_url, default_model="tables")


@pytest.fixture(scope="module")
def worker(settings):
    with working(settings) as worker:
        yield worker


def adapt(api, support=SUPPORT, **fields):
    return api.post("/adapt", json={"client_id": "acme", "support": support} | fields)


def predict(api, inputs=ASKED):
    return api.post("/predict", json={"client_id": "acme", "inputs": inputs})


def labels(answer):
    assert answer.status_code == 200, answer.text
    return [one["label"] for one in answer.json()["predictions"]]


def codes(answer):
    return {(one["code"], one["detail"].split("'")[1]) for one in answer.json().get("warnings", [])}


def test_a_client_learns_from_rows_and_answers_rows(api):
    adapted = adapt(api)
    assert adapted.status_code == 200, adapted.text
    assert "warnings" not in adapted.json()
    answer = predict(api)
    assert labels(answer) == ["stays", "leaves"]
    assert "warnings" not in answer.json()


def test_the_order_of_the_columns_does_not_matter(api):
    adapt(api)
    first = predict(api).json()["predictions"]
    assert predict(api, [dict(reversed(row.items())) for row in ASKED]).json()["predictions"] == first


def test_lists_are_rows_too(api):
    adapt(api, [{"input": list(row.values()), "label": "ab"[i % 2]} for i, row in enumerate(ROWS)])
    assert labels(predict(api, [[30, "pro", False, 9], [30, "free", True, None]])) == ["b", "a"]


def test_arrays_of_numbers_are_rows_too(api):
    rows = np.array([[i, 10 * (i % 2)] for i in range(8)], np.float32)
    body = save({"inputs": rows}, {"client_id": "acme", "labels": json.dumps([i % 2 for i in range(8)])})
    sent = api.post("/adapt", content=body, headers={"content-type": "application/safetensors"})
    assert sent.status_code == 200, sent.text
    assert labels(predict(api, [[3, 9.5], [3, 0.5]])) == [1, 0]


def test_appended_rows_bring_new_columns_and_categories(api):
    adapt(api)
    new = [{"input": row | {"plan": "team", "seats": 5 + i}, "label": "grows"} for i, row in enumerate(ROWS[:3])]
    appended = adapt(api, new, mode="append")
    assert appended.status_code == 200, appended.text
    assert (appended.json()["version"], appended.json()["examples"]) == (2, 11)
    answer = predict(api, [ASKED[0], {"age": 30, "plan": "team", "active": True, "spend": 9, "seats": 6}])
    assert labels(answer) == ["stays", "grows"]
    assert codes(answer) == {("missing_column", "seats")}


def test_a_restart_changes_no_answer(api, settings, redis):
    adapt(api)
    before = predict(api).json()["predictions"]
    with working(settings) as other, serving(settings, other) as again:
        assert predict(again).json()["predictions"] == before


def test_a_state_that_is_lost_is_made_again_from_the_rows(api, settings, redis):
    adapt(api)
    before = predict(api).json()["predictions"]
    lost = [key for key in redis.keys("*") if b"state" in key]
    assert lost
    redis.delete(*lost)
    with working(settings) as other, serving(settings, other) as again:
        assert predict(again).json()["predictions"] == before


def test_new_categories_and_columns_that_are_missing_or_unknown_are_reported(api):
    adapt(api)
    answer = predict(api, [{"age": 30, "plan": "gold", "active": None, "shoe": 42}, {"plan": "pro"}])
    assert answer.status_code == 200, answer.text
    expected = {("unseen_category", "plan"), ("unknown_column", "shoe"), ("missing_column", "spend")}
    assert codes(answer) == expected | {("missing_column", "age"), ("missing_column", "active")}


def test_columns_that_are_constant_or_like_texts_are_reported_and_not_used(api):
    support = [
        {"input": one["input"] | {"name": f"Customer {i}", "country": "FR", "fax": None}, "label": one["label"]}
        for i, one in enumerate(SUPPORT)
    ]
    adapted = adapt(api, support)
    assert codes(adapted) == {("text_column", "name"), ("constant_column", "country"), ("constant_column", "fax")}
    answer = predict(api, [row | {"name": "Another", "country": "DE", "fax": "7"} for row in ASKED])
    assert labels(answer) == ["stays", "leaves"]
    assert codes(answer) == set()


def test_numbers_are_learned_from_rows(api):
    support = [{"input": {"x": x, "kind": "ab"[x % 2]}, "label": 3.0 * x + 10 * (x % 2)} for x in range(20)]
    assert adapt(api, support, model="tables-regression").status_code == 200
    [one] = predict(api, [{"x": 9, "kind": "b"}]).json()["predictions"]
    assert one["value"] == pytest.approx(37, abs=3)


def row(**values):
    return [*SUPPORT, {"input": values, "label": "stays"}]


REFUSED = {
    "a list inside a row": (row(age=[1, 2]), "column 'age': takes a number, a text, true, false or null"),
    "an object inside a row": (row(age={"years": 1}), "takes a number, a text, true, false or null"),
    "a text for a number": (row(age="old"), "the column 'age' has a text, 'old'; rows before it have a number"),
    "a number for a text": (row(plan=3), "the column 'plan' has a number; rows before it have a text"),
    "a number for a boolean": (row(active=3), "the column 'active' has a number; rows before it have a boolean"),
    "too many columns in a row": (row(**{f"c{i}": i for i in range(10_000)}), "10000 columns; a row has 1 to 500"),
    "a row without columns": (row(), "0 columns; a row has 1 to 500"),
    "a long name of a column": (row(**{"c" * 300: 1}), "a column's name has 1 to 256 characters"),
    "a long text": (row(plan="x" * 5000), "a text has at most 4096 characters"),
    "a huge number": (row(age=1e31), "holds NaN, an infinite number, or one beyond 1e\\+30"),
    "a text instead of a row": ([*SUPPORT, {"input": "age: 3", "label": "stays"}], "takes a row, an object or a list"),
    "null instead of a row": ([*SUPPORT, {"input": None, "label": "stays"}], "takes a row, an object or a list"),
    "rows with other columns": (
        [{"input": {f"c{i}x{j}": j for j in range(400)}, "label": i} for i in range(2)],
        "support: 800 columns; the limit is 500",
    ),
    "a column of many texts": (
        [{"input": {"city": f"city {i}"}, "label": i % 2} for i in range(300)],
        "the column 'city' has 300 different texts; the limit is 256",
    ),
    "many categories in all": (
        [{"input": {f"c{j}": f"v{i % 200}" for j in range(6)} | {"n": i}, "label": i % 2} for i in range(500)],
        "support: 1201 numbers and categories in all columns; the limit is 1024",
    ),
}


@pytest.mark.parametrize(("support", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_bad_rows_are_refused_and_change_nothing(api, support, says):
    adapt(api)
    answer = adapt(api, support)
    assert answer.status_code == 422, answer.text
    with pytest.raises(AssertionError, match=says):
        raise AssertionError(answer.json()["detail"])
    assert api.get("/clients/acme").json()["version"] == 1


def test_a_row_that_does_not_fit_is_named_by_its_place_in_the_request(api):
    adapt(api)
    answer = adapt(api, row(age="old")[-2:], mode="append")
    assert answer.json()["field"] == "support[1].input"
    asked = {"client_id": "acme", "inputs": [{"age": 30}, {"age": "old"}]}
    assert api.post("/predict", json=asked).json()["field"] == "inputs[1]"


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_none_are_refused(api, number):
    body = json.dumps({"client_id": "acme", "support": row(age=number)})
    answer = api.post("/adapt", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert "support[8].input: column 'age': holds NaN" in answer.json()["detail"]
    assert "Send null" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (
            {"shoe": 42},
            "inputs[0]: it has none of the client's columns, which are 'active', 'age', 'plan', 'spend'",
        ),
        ([30, "pro", True, 1], "it has none of the client's columns"),
        ({"age": "thirty"}, "the column 'age' has a text, 'thirty'; the client's examples have a number"),
        ({"age": [30]}, "takes a number"),
        ("age 30", "takes a row"),
    ],
)
def test_queries_that_do_not_fit_the_client_are_refused(api, asked, says):
    adapt(api)
    answer = predict(api, [asked])
    assert answer.status_code == 422, answer.text
    assert says in answer.json()["detail"]


def test_a_row_of_more_columns_than_a_request_has_fields_is_answered(api):
    wide = [{f"c{i:02}": i * (j % 2) + j for i in range(80)} for j in range(6)]
    adapted = adapt(api, [{"input": one, "label": j % 2} for j, one in enumerate(wide)])
    assert adapted.status_code == 200, adapted.text
    assert labels(predict(api, wide[:2])) == [0, 1]


def test_rows_are_shown_as_objects_and_moved_as_a_file(api):
    adapt(api)
    shown = api.get("/clients/acme/examples", params={"inputs": True}).json()["examples"]
    assert [each["input"] for each in shown] == ROWS
    file = api.get("/clients/acme/export").content
    answer = api.post("/clients/copy/import", content=file, headers={"content-type": "application/safetensors"})
    assert answer.status_code == 200, answer.text
    copied = api.get("/clients/copy/examples", params={"inputs": True}).json()["examples"]
    assert copied == shown
    assert labels(api.post("/predict", json={"client_id": "copy", "inputs": ASKED})) == labels(predict(api))


def test_columns_of_removed_rows_are_forgotten(api):
    adapt(api)
    more = [{"input": ROWS[0] | {"secret": "x"}, "label": "stays", "id": "secret"}]
    adapt(api, more, mode="append")
    asked = [ASKED[0] | {"secret": "y"}]
    assert ("unknown_column", "secret") not in codes(predict(api, asked))
    api.delete("/clients/acme/examples/secret").raise_for_status()
    assert ("unknown_column", "secret") in codes(predict(api, asked))
