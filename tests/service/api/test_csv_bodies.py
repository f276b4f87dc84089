"""CSV files as bodies: rows of texts, tables and vectors."""

import pytest

from models.recipes import RECIPES
from service.api.bodies import csv_file
from service.api.bodies.upload import Upload
from service.errors import BadRequest, Unprocessable
from service.inputs.sent import Row
from service.inputs.text import Text
from service.settings import Settings
from tests.service.serving import serving, working
from tests.service.uploads import CSV
from tests.service.zoo import make_model

TABLE = """age,plan,spend,label
22,free,0,leaves
35,pro,10.5,stays
47,free,,leaves
51,pro,9,stays
"""
ROWS = [
    {"age": 22, "plan": "free", "spend": 0},
    {"age": 35, "plan": "pro", "spend": 10.5},
    {"age": 47, "plan": "free", "spend": None},
    {"age": 51, "plan": "pro", "spend": 9},
]
SUPPORT = [{"input": row, "label": label} for row, label in zip(ROWS, ["leaves", "stays"] * 2, strict=True)]
ASKED = "age,plan,spend\n30,pro,8\n30,free,\n"


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("csv")
    for name in ("tables", "tables-regression", "sinusoid", "glyphs-protonet"):
        make_model(folder, name.removesuffix("-protonet"), RECIPES[name])
    return folder


@pytest.fixture(scope="module")
def settings(zoo, redis_url):
    return Settings(models=zoo, redis_url=redis_url, default_model="tables")


@pytest.fixture(scope="module")
def worker(settings):
    with working(settings) as worker:
        yield worker


@pytest.fixture(scope="module")
def served(settings, worker):
    with serving(settings, worker) as client:
        yield client


def adapt(api, text, query="client_id=acme"):
    return api.post(f"/adapt?{query}", content=text, headers=CSV)


def predict(api, text, query="client_id=acme"):
    return api.post(f"/predict?{query}", content=text, headers=CSV)


def items(text: str | bytes, /, labelled: bool = True, **columns: str):
    body = text if isinstance(text, bytes) else text.encode()
    return csv_file.parse(Upload(body, "text/csv", columns, labelled, 5, "support"))


def test_a_table_teaches_what_the_same_rows_in_json_teach(api):
    api.post("/adapt", json={"client_id": "json", "support": SUPPORT}).raise_for_status()
    taught = adapt(api, TABLE).raise_for_status().json()
    assert (taught["classes"], taught["examples"]) == (["leaves", "stays"], 4)
    inputs = [{"age": 30, "plan": "pro", "spend": 8}, {"age": 30, "plan": "free", "spend": None}]
    expected = api.post("/predict", json={"client_id": "json", "inputs": inputs}).json()["predictions"]
    assert predict(api, ASKED).raise_for_status().json()["predictions"] == expected


def test_booleans_in_csv_are_those_of_json(api):
    assert adapt(api, "member,label\ntrue,stays\nFalse,leaves\nTRUE,stays\n").status_code == 200
    asked = api.post("/predict", json={"client_id": "acme", "inputs": [{"member": True}, {"member": False}]})
    assert [one["label"] for one in asked.json()["predictions"]] == ["stays", "leaves"]
    assert "warnings" not in asked.json()


def test_a_label_column_of_queries_is_left_out_if_it_is_named(api):
    adapt(api, TABLE).raise_for_status()
    assert "warnings" not in predict(api, TABLE, "client_id=acme&label=label").json()
    assert predict(api, TABLE).json()["warnings"][0]["code"] == "unknown_column"


def test_labels_of_a_regression_are_numbers(api):
    taught = adapt(api, TABLE.replace("leaves", "1.5").replace("stays", "2"), "client_id=r&model=tables-regression")
    assert taught.json()["classes"] is None
    answers = predict(api, ASKED, "client_id=r").raise_for_status().json()["predictions"]
    assert all("value" in answer for answer in answers)


def test_rows_of_numbers_are_vectors(api):
    points = "x,y\n-2,-2.73\n0,0\n2,2.73\n"
    assert adapt(api, points, "client_id=v&model=sinusoid&label=y").raise_for_status().json()["examples"] == 3
    assert len(predict(api, "x\n-1\n1\n", "client_id=v").raise_for_status().json()["predictions"]) == 2


def test_the_column_of_ids_is_named_by_the_query(api):
    named = TABLE.replace("age,", "key,age,").replace("\n2", "\na,2").replace("\n3", "\nb,3")
    named = named.replace("\n4", "\nc,4").replace("\n5", "\nd,5")
    assert adapt(api, named, "client_id=acme&id=key").raise_for_status().json()["ids"] == ["a", "b", "c", "d"]


def test_labelled_queries_are_evaluated_from_csv(api):
    adapt(api, TABLE).raise_for_status()
    assert api.post("/clients/acme/evaluate", content=TABLE, headers=CSV).raise_for_status().json()["queries"] == 4


def test_a_model_of_drawings_says_what_it_takes(api):
    problem = adapt(api, TABLE, "client_id=acme&model=glyphs").json()
    assert (problem["field"], problem["code"]) == ("line 2", "invalid")
    assert "It takes a drawing" in problem["detail"]


def test_an_error_names_the_line(api):
    text = TABLE.replace("47,free,,", "47,free,1e99,")
    assert adapt(api, text).json()["field"] == "line 4"


def test_an_error_on_a_row_or_a_label_names_the_line(api):
    adapt(api, TABLE).raise_for_status()
    more = "age,plan,spend,label\n30,free,1,stays\n\nold,free,1,stays\n"
    answer = adapt(api, more, "client_id=acme&mode=append").json()
    assert (answer["field"], "line 4: the column 'age' has a text, 'old'" in answer["detail"]) == ("line 4", True)
    assert predict(api, ASKED + "x,pro,\n").json()["field"] == "line 4"
    problem = adapt(api, TABLE.replace(",stays", ",", 1)).json()
    assert problem["detail"] == "line 3, label: a label has 1 to 256 characters; this one has 0."
    problem = adapt(api, TABLE, "client_id=r&model=tables-regression").json()
    assert (problem["field"], problem["detail"]) == ("line 2", "line 2, label: takes only a number.")


def test_warnings_name_the_line(api):
    adapted = adapt(api, TABLE + "51,pro,9,stays\n").raise_for_status().json()
    assert (adapted["warnings"][0]["code"], adapted["warnings"][0]["field"]) == ("duplicate", "line 6")
    warned = predict(api, ASKED + "30,new,\n").raise_for_status().json()["warnings"]
    assert [(each["code"], each["field"]) for each in warned] == [("unseen_category", "line 4")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_that_of_the_header(delimiter):
    assert items(TABLE.replace(",", delimiter))[1].input.values == {"age": "35", "plan": "pro", "spend": "10.5"}


@pytest.mark.parametrize(
    ("delimiter", "shown"), [(";", ["10.5", "1234.5", "1,2,3"]), ("|", ["10,5", "1.234,5", "1,2,3"])]
)
def test_numbers_beside_semicolons_may_have_a_decimal_comma(delimiter, shown):
    (item,) = items(delimiter.join("abc") + f"{delimiter}label\n" + delimiter.join(["10,5", "1.234,5", "1,2,3", "x"]))
    assert list(item.input.values.values()) == shown


def test_each_system_s_line_breaks_are_read():
    for end in ("\n", "\r\n", "\r"):
        assert [item.label for item in items(f"a,label{end}1,2{end}3,4{end}")] == ["2", "4"]


def test_cells_may_have_quotes_and_line_breaks():
    found = items('text,label\r\n"one\r\n""two"", three",a\r\n\r\n four ,b\r\n')
    assert [(item.input.values["text"], item.label, item.input.place) for item in found] == [
        ('one\n"two", three', "a", "line 2"),
        (" four ", "b", "line 5"),
    ]


@pytest.mark.parametrize(
    ("header", "columns", "text"),
    [
        ("subject,body,other,label", {}, "1\n2"),
        ("subject,body,other,label", {"text": "other"}, "3"),
        ("subject,body,other,label", {"text": "other,subject"}, "3\n1"),
        ("a,b,c,Category", {"text": "a"}, "1"),
        ("a,b,c,d", {"text": "b,c", "label": "d"}, "2\n3"),
    ],
)
def test_columns_of_texts_are_named_or_recognised(header, columns, text):
    (item,) = items(f"{header}\n1,2,3,4\n", **columns)
    assert isinstance(item.input, Row)
    assert (Text().of_row(item.input), item.label) == (text, "4")


def test_the_only_other_column_is_the_text():
    (item,) = items("phrase,label\nhello,a\n")
    assert Text().of_row(item.input) == "hello"


def test_texts_in_no_known_column_need_a_name():
    (item,) = items("a,b,label\n1,2,3\n")
    with pytest.raises(Unprocessable, match=r"\?text=COLUMN; the columns are a, b"):
        Text().of_row(item.input)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("", "header"),
        ("\n1,2\n", "header"),
        ("a,a,label\n1,2,3\n", "header"),
        ("a,b\n1,2\n", "label"),
        ("a,label\n1,2\n1,2,3\n", "line 3"),
        ('a,label\n1,2\n"1,2\n3,4\n', "line 3"),
        ("a,label\n" + "1,2\n" * 6, "support"),
        ("a" + ",b" * 2000 + "\n", "columns"),
        ("a,label\n" + "," * 2_000_001, "values"),
        ("a,label\n1," + "2" * 2**21, "line 2"),
        ('a,label\n1,"2"3\n', "line 2"),
        ('a,"label\n1,2\n', "line 1"),
    ],
    ids=[
        "empty",
        "no header",
        "twice",
        "no label",
        "ragged",
        "open quote",
        "rows",
        "columns",
        "values",
        "long cell",
        "quote",
        "quote in header",
    ],
)
def test_a_malformed_file_is_refused_with_its_place(text, where):
    with pytest.raises(Unprocessable) as refusal:
        items(text)
    assert refusal.value.field == where


def test_other_encodings_than_utf8_are_refused():
    with pytest.raises(BadRequest, match="UTF-8"):
        items("a,label\né,b\n".encode("latin-1"))
    assert items("a,label\né,b\n".encode("utf-8-sig"))[0].input.values == {"a": "é"}


def test_columns_without_a_name_are_left_out():
    assert items(",a,,label\n0,1,,x\n")[0].input.values == {"a": "1"}


@pytest.mark.parametrize("columns", [{"text": "a", "label": "a"}, {"text": "label"}, {"id": "label"}, {"text": "a,a"}])
def test_a_column_is_used_for_one_thing(columns):
    with pytest.raises(Unprocessable, match="cannot be two of text, label and id"):
        items("a,label\n1,2\n", **columns)


def test_a_file_without_rows_does_not_replace_the_examples(api):
    api.post("/adapt", json={"client_id": "gym", "support": SUPPORT}).raise_for_status()
    answer = api.post("/adapt?client_id=gym", content="age,plan,spend,label\n", headers=CSV)
    assert (answer.status_code, answer.json()["field"]) == (422, "support")
    assert api.get("/clients/gym").json()["examples"] == len(SUPPORT)


def test_a_table_of_labels_alone_has_no_columns(api):
    answer = api.post("/adapt?client_id=gym", content="label\nstays\n", headers=CSV)
    assert answer.json()["detail"] == "line 2: 0 columns; a row has 1 to 500."


@pytest.mark.parametrize("columns", [{"text": "c"}, {"label": "c"}, {"id": "c"}])
def test_a_named_column_must_be_there(columns):
    with pytest.raises(Unprocessable, match="no column 'c'"):
        items("a,label\n1,2\n", **columns)
