"""Forms (multipart/form-data): files and text fields, each under its label."""

import pytest

from service.api.bodies import form
from service.api.bodies.upload import Upload
from service.errors import BadRequest, Unprocessable
from tests.service.drawings import letters, png
from tests.service.uploads import drawing, field, files

TYPE = {"content-type": "multipart/form-data; boundary=x"}


def adapt(api, sent, query="client_id=alice", **headers):
    return api.post(f"/adapt?{query}", files=sent, headers=headers)


def predict(api, sent, query="client_id=alice"):
    return api.post(f"/predict?{query}", files=sent)


def refused(answer, status=422):
    assert answer.status_code == status, answer.text
    return answer.json()


def test_files_teach_what_the_same_files_in_json_teach(api):
    api.post("/adapt", json={"client_id": "json", "support": letters("LVZ")}).raise_for_status()
    taught = adapt(api, files("LVZ")).raise_for_status().json()
    assert (taught["classes"], taught["examples"], taught["model"]) == (["L", "V", "Z"], 6, "glyphs")
    expected = api.post("/predict", json={"client_id": "json", "inputs": [png("V"), png("Z")]}).json()
    answered = predict(api, [*files("V", 1), *files("Z", 1)]).raise_for_status().json()
    assert answered["predictions"] == expected["predictions"]


def test_the_options_of_json_are_query_parameters(api):
    adapt(api, files("LV"), "client_id=alice&model=glyphs&ttl_s=3600").raise_for_status()
    appended = adapt(api, files("Z"), "client_id=alice&mode=append&quality=true").raise_for_status().json()
    assert (appended["classes"], appended["expires_at"] is None) == (["L", "V", "Z"], False)
    assert "quality" in appended
    answered = predict(api, files("L", 1), "client_id=alice&top_k=2&abstain=true&version=2").raise_for_status().json()
    (answer,) = answered["predictions"]
    assert len(answer["probabilities"]) == 2
    assert "unknown" in answer
    assert "Z" in str(predict(api, files("L", 1), "client_id=alice&top_k=null").json())


@pytest.mark.parametrize(
    ("query", "where"),
    [
        ("", "client_id"),
        ("client_id=alice&ttl_s=soon", "ttl_s"),
        ("client_id=alice&mode=add", "mode"),
        ("client_id=alice&shots=2", "shots"),
        ("client_id=alice&model=a&model=b", "model"),
        ("client_id=alice&support=[]", "support"),
    ],
)
def test_a_wrong_option_is_named(api, query, where):
    assert refused(adapt(api, files("LV"), query))["field"] == where


def test_a_client_id_of_digits_stays_a_text(api):
    assert adapt(api, files("LV"), "client_id=123").json()["client_id"] == "123"


def test_text_fields_are_base64_or_numbers_for_drawings(api):
    rows = "[[0,0,255],[0,255,0],[255,0,0]]"
    sent = [field("L", png("L")), field("V", rows)]
    assert adapt(api, sent).raise_for_status().json()["examples"] == 2


def test_numbers_and_labels_of_a_regression_are_text_fields(api):
    points = [field("-2.73", "-2"), field("0", "[0]"), field("2.73", "2")]
    assert adapt(api, points, "client_id=bob&model=sinusoid").raise_for_status().json()["classes"] is None
    json = {"client_id": "bob", "inputs": [-1, 1]}
    expected = api.post("/predict", json=json).json()["predictions"]
    assert predict(api, [field("x", "-1"), field("x", "1")], "client_id=bob").json()["predictions"] == expected


def test_a_label_of_digits_is_an_integer_where_the_client_has_integers(api):
    support = [{"input": png(letter), "label": i} for i, letter in enumerate("LV")]
    api.post("/adapt", json={"client_id": "alice", "support": support}).raise_for_status()
    assert adapt(api, [("2", files("Z")[0][1])], "client_id=alice&mode=append").json()["classes"] == [0, 1, 2]
    assert adapt(api, [("two", files("Z")[0][1])], "client_id=alice&mode=append").status_code == 422


def test_a_label_may_have_any_characters(api):
    label = 'thé "noir"; 茶'
    assert adapt(api, [(label, files("L")[0][1]), *files("V")]).json()["classes"] == ["V", label]


def test_an_error_names_the_part_and_its_file(api):
    problem = refused(adapt(api, [*files("L"), ("V", ("broken.png", b"\x89PNG\r\n"))]))
    assert problem["field"] == "part 3 (V, broken.png)"
    assert problem["detail"].startswith("part 3 (V, broken.png): ")
    assert api.get("/clients/alice").status_code == 404


def test_empty_file_inputs_of_a_page_do_not_count():
    body = b'--x\r\nContent-Disposition: form-data; name="a"; filename=""\r\n\r\n\r\n--x--\r\n'
    assert form.parse(_upload(body)) == []


def test_labelled_queries_are_evaluated_from_a_form(api):
    adapt(api, files("LVZ")).raise_for_status()
    found = api.post("/clients/alice/evaluate", files=files("LVZ", 1)).raise_for_status().json()
    assert found["queries"] == 3


def test_requests_without_inputs_take_no_form(api):
    adapt(api, files("LV")).raise_for_status()
    assert refused(api.post("/clients/alice/rollback", files=files("L")), 415)["code"] == "unsupported_media_type"


def test_a_retry_with_another_boundary_gets_the_first_answer(api):
    first, again = (adapt(api, files("LV"), **{"Idempotency-Key": "k"}).raise_for_status().json() for _ in range(2))
    assert (first["version"], again["version"]) == (1, 1)
    other = adapt(api, files("LV"), "client_id=bob", **{"Idempotency-Key": "k"})
    assert refused(other)["code"] == "idempotency_key_reused"


@pytest.mark.parametrize("origin", ["https://evil.example", "null"])
@pytest.mark.parametrize("path", ["/adapt", "/predict"])
def test_a_form_of_a_foreign_page_is_refused(api, origin, path):
    """Browsers send forms to other sites without asking first."""
    answer = api.post(f"{path}?client_id=alice", files=files("LV"), headers={"origin": origin})
    assert refused(answer, 403)["code"] == "forbidden"
    assert api.get("/clients/alice").status_code == 404


def test_more_parts_than_inputs_are_refused_before_parsing(api):
    body = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 2001 + b"--x--\r\n"
    problem = refused(api.post("/adapt?client_id=alice", content=body, headers=TYPE))
    assert "2001 of them; the limit is 2000" in problem["detail"]


@pytest.mark.parametrize(
    "headers",
    [b"a: b\r\n" * 100, b"a: " + b"b" * 100_000 + b"\r\n"],
    ids=["many headers", "a long header"],
)
def test_headers_of_a_part_are_limited(headers):
    body = b'--x\r\nContent-Disposition: form-data; name="a"\r\n' + headers + b"\r\nhello\r\n--x--\r\n"
    with pytest.raises(BadRequest):
        form.parse(_upload(body))


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b"", BadRequest),
        (b"hello", BadRequest),
        (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\nhello', BadRequest),
        (b"--x\r\nContent-Disposition: form-data\r\n\r\nhello\r\n--x--\r\n", Unprocessable),
        (b"--x\r\n\r\nhello\r\n--x--\r\n", Unprocessable),
        (b'--x\r\nContent-Disposition: form-data; name="\xff"\r\n\r\nhello\r\n--x--\r\n', Unprocessable),
        (
            b'--x\r\nContent-Disposition: form-data; name="a"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
            b"aGVsbG8=\r\n--x--\r\n",
            Unprocessable,
        ),
    ],
    ids=["empty", "no form", "cut", "no name", "no headers", "not UTF-8", "base64"],
)
def test_a_malformed_form_is_refused(body, error):
    with pytest.raises(error):
        form.parse(_upload(body))


@pytest.mark.parametrize("kind", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; a=b"])
def test_a_form_needs_a_boundary(api, kind):
    answer = api.post("/adapt?client_id=alice", content=b"--x--", headers={"content-type": kind})
    assert refused(answer, 400)["code"] == "malformed"


def test_a_form_keeps_line_breaks_and_boundaries_in_its_files():
    content = b"\r\n--\r\n--xy\r\n--\r\n"
    body = b'--xyz\r\nContent-Disposition: form-data; name="a"\r\n\r\n' + content + b"\r\n--xyz--\r\n"
    (item,) = form.parse(_upload(body, boundary="xyz"))
    assert (item.label, item.input.content) == ("a", content)


def test_a_drawing_as_a_file_of_base64_is_read(api):
    assert adapt(api, [("L", ("l.txt", png("L").encode())), ("V", ("v.png", drawing("V")))]).status_code == 200


def _upload(body: bytes, boundary: str = "x") -> Upload:
    return Upload(body, f"multipart/form-data; boundary={boundary}", {}, True, 100, "support")


def test_a_form_is_parsed_in_pieces(monkeypatch):
    """Wherever a piece ends, also within a boundary, the parts are the same."""
    body = b"".join(
        b'--xyz\r\nContent-Disposition: form-data; name="%d"\r\n\r\n%b\r\n' % (i, b"\r\n--x" * i) for i in range(3)
    )
    whole = form.parse(_upload(body + b"--xyz--\r\n", boundary="xyz"))
    for size in (1, 2, 3, 7, 50):
        monkeypatch.setattr(form, "CHUNK", size)
        assert form.parse(_upload(body + b"--xyz--\r\n", boundary="xyz")) == whole
    assert [item.input.content for item in whole] == [b"", b"\r\n--x", b"\r\n--x\r\n--x"]
