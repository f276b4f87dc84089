"""Bad requests and their refusals."""

import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.service.drawings import draw, encoded, letters, png, wave
from tests.service.inputs.test_image_files_refused import nested, png_claiming

LIMIT = 65536
GOOD = letters("LV", 1)


class Mistake(NamedTuple):
    """A request, and the `status`, the `code`, the `field` and words of the `detail` of its refusal."""

    path: str
    sent: Callable[[], dict[str, Any]]
    status: int
    code: str
    field: str | None = None
    says: str = ""


def body(path: str, status: int, code: str, field: str | None = None, says: str = "", **fields: Any) -> Mistake:
    """A JSON body, with NaN, Infinity and lone surrogates as Python writes them."""
    content = json.dumps(fields)
    return Mistake(path, lambda: {"content": content, "headers": JSON}, status, code, field, says)


def raw(content: bytes | str, status: int, code: str, says: str = "") -> Mistake:
    return Mistake("/adapt", lambda: {"content": content, "headers": JSON}, status, code, None, says)


def deep(body: str) -> Mistake:
    return raw(body % ("[" * 1000 + "]" * 1000), 422, "invalid")


def adapt(field: str | None, says: str = "", status: int = 422, code: str = "invalid", **fields: Any) -> Mistake:
    return body("/adapt", status, code, field, says, **({"client_id": "new", "support": GOOD} | fields))


def learning(label: Any = "V", image: Any = GOOD[1]["input"], **fields: Any) -> dict[str, Any]:
    """A support set with the mistake in its second example."""
    return {"support": [GOOD[0], {"input": image, "label": label}], **fields}


def waves(x: Any = 1, y: Any = 2) -> dict[str, Any]:
    return {"model": "sinusoid", "support": [*wave(2), {"input": x, "label": y}]}


def predict(field: str | None, inputs: Any, who: str = "alice", status: int = 422, code: str = "invalid") -> Mistake:
    return body("/predict", status, code, field, client_id=who, inputs=inputs)


def chunks(size: int) -> Iterator[bytes]:
    yield from (b" " * 1024 for _ in range(size // 1024))


JSON = {"content-type": "application/json"}
GZIP, ODD_TYPE = JSON | {"content-encoding": "gzip"}, "unsupported_media_type"
INPUT, LABEL = "support[1].input", "support[1].label"

SUPPORTS = {
    "support left out": body("/adapt", 422, "invalid", "support", client_id="new"),
    "support that is no list": adapt("support", support={"L": png("L")}),
    "an id that is no name": adapt("support[0].id", "takes 1 to 128 letters", support=[GOOD[0] | {"id": "a b"}]),
    "an id of two examples": body(
        "/adapt", 409, "conflict", "support[1].id", client_id="new", support=[each | {"id": "a"} for each in GOOD[:2]]
    ),
    "an example without an input": adapt("support[1].input", "it is missing", support=[GOOD[0], {"label": "V"}]),
    "an example without a label": adapt("support[1].label", support=[GOOD[0], {"input": png("V")}]),
    "mixed labels": adapt(LABEL, **learning(3)),
    "a label that is true": adapt(LABEL, **learning(True)),
    "a label that is null": adapt(LABEL, **learning(None)),
    "a label with a fraction": adapt(LABEL, **learning(1.5)),
    "a label that is empty": adapt(LABEL, **learning("")),
    "a label that is a list": adapt(LABEL, **learning(["V"])),
    "a label of half a character": adapt(None, "", 400, "malformed", **learning("\ud800")),
    "an integer label beyond JSON": adapt(LABEL, support=[{"input": png("L"), "label": n} for n in (1, 10**30)]),
    "too many classes": adapt(
        "support", "glyphs", 422, "too_many_ways", model="glyphs-maml", support=letters("LVZINO", 1)
    ),
    "too many examples": adapt("support", "the limit is 20", support=letters("LVZ", 7)),
    "text for an image model": adapt(INPUT, "PNG", **learning(image="the letter V")),
    "a PPM": adapt(INPUT, "PNG", **learning(image=encoded(draw("V"), "PPM"))),
    "a truncated PNG": adapt(INPUT, **learning(image=png("V")[:100])),
    "a decompression bomb": adapt(INPUT, "the limit is", **learning(image=png_claiming(50_000, 50_000))),
    "a long bomb": adapt(INPUT, "the limit is", **learning(image=png_claiming(1, 1_000_000))),
    "a number for an image": adapt(INPUT, **learning(image=3)),
    "ragged rows": adapt(INPUT, **learning(image=[[0, 1], [1]])),
    "a long text among many numbers": adapt(INPUT, "a string", **learning(image=[["x" * 7000, *[0] * 7000]])),
    "rows of rows": adapt(INPUT, "an array", **learning(image=[[[0], [1]], [[1], [0]]])),
    "rows with NaN": adapt(INPUT, "NaN", **learning(image=[[0, float("nan")], [1, 0]])),
    "deeply nested rows": adapt(INPUT, **learning(image=nested(100))),
    "an image for a vector model": adapt("support[2].input", **waves(x=png("L"))),
    "a vector of the wrong length": adapt("support[2].input", "a number", **waves(x=[1, 2])),
    "NaN": adapt("support[2].input", "NaN", **waves(x=float("nan"))),
    "infinity": adapt("support[2].input", **waves(x=float("inf"))),
    "a huge integer": adapt("support[2].input", **waves(x=10**400)),
    "a target that is infinite": adapt("support[2].label", **waves(y=float("-inf"))),
    "a target that is a text": adapt("support[2].label", **waves(y="2")),
    "numbers that no rate of learning survives": adapt(None, "", 422, "diverged", **waves(1e20, 1e20)),
}

REQUESTS = {
    "a model without a name": adapt(None, "sinusoid", 404, "unknown_model", model=""),
    "an unknown model": adapt(None, "sinusoid", 404, "unknown_model", model="glyphz"),
    "an unknown field": adapt("sport", "no such field", sport=[]),
    "an unknown field of half a character": adapt(None, "", 400, "malformed", **{"\ud800": 1}),
    "an unknown field of an example": adapt("support[0].weight", support=[GOOD[0] | {"weight": 2}, GOOD[1]]),
    "an unknown mode": adapt("mode", mode="prepend"),
    "no time to live": adapt("ttl_s", ttl_s=0),
    "a truth for a time to live": adapt("ttl_s", "integer", ttl_s=True),
    "text for a time to live": adapt("ttl_s", "integer", ttl_s="5"),
    "NaN seconds to live": adapt("ttl_s", ttl_s=float("nan")),
    "a huge time to live": adapt("ttl_s", ttl_s=10**30),
    "appending to nobody": adapt(None, "POST its first examples without `mode`", 404, "unknown_client", mode="append"),
    "appending for another model": adapt(
        None, "glyphs", 409, "conflict", client_id="alice", mode="append", model="sinusoid"
    ),
    "appending other labels": adapt(
        "support[0].label", client_id="alice", mode="append", support=[GOOD[0] | {"label": 3}]
    ),
    "appending no image": adapt(
        "support[0].input", client_id="alice", mode="append", support=[GOOD[0] | {"input": "V"}]
    ),
    "appending too many": adapt("support", client_id="alice", mode="append", support=letters("LVZ", 6)),
    "not JSON": raw("client_id=alice", 400, "malformed"),
    "half of JSON": raw('{"client_id": "new", "supp', 400, "malformed"),
    "not UTF-8": raw(b'{"client_id": "\xff\xfe"}', 400, "malformed"),
    "bottomless JSON": raw("[" * 20_000, 400, "malformed"),
    "rows a thousand deep": deep(
        '{"client_id": "new", "support": [{"input": %s, "label": 1}, {"input": 1, "label": 2}]}'
    ),
    "a label a thousand deep": deep('{"client_id": "new", "support": [{"input": 1, "label": %s}]}'),
    "a client id a thousand deep": deep('{"client_id": %s, "support": []}'),
    "a vector a thousand deep": deep(
        '{"client_id": "new", "model": "sinusoid", "support": [{"input": %s, "label": 1}]}'
    ),
    "an integer of 5000 digits": raw('{"client_id": ' + "9" * 5000 + "}", 400, "malformed"),
    "a list": raw("[]", 422, "invalid", "a JSON object"),
    "twenty thousand numbers for examples": adapt("support", "the limit is 20", support=[1] * 20_000),
    "five hundred fields": adapt(None, "32 fields", **{f"field {i}": i for i in range(500)}),
    "five hundred fields of an example": adapt(None, "32 fields", support=[dict.fromkeys(map(str, range(500)))]),
    "a field of thirty thousand letters": adapt("x" * 80, **{"x" * 30_000: 1}),
    "a body that is compressed": Mistake(
        "/adapt", lambda: {"content": b"", "headers": GZIP}, 415, "unsupported_media_type", None, "gzip"
    ),
    "nothing": raw("", 400, "malformed"),
    "too long a body": Mistake("/adapt", lambda: {"content": b" " * (LIMIT + 1)}, 413, "too_large", None, str(LIMIT)),
    "too long a body in chunks": Mistake("/adapt", lambda: {"content": chunks(LIMIT + 1024)}, 413, "too_large"),
    "queries before adapt": predict(None, [png("L")], "new", 404, "unknown_client"),
    "no queries": predict("inputs", []),
    "too many queries": predict("inputs", [png("L")] * 11),
    "a query that is no image": predict("inputs[1]", [png("L"), "L"]),
    "a query that is NaN": predict("inputs[0]", [float("nan")], "bob"),
    "a query that is a huge integer": predict("inputs[1]", [1, -(10**400)], "bob"),
    "a query of the wrong length": predict("inputs[0]", [[1, 2]], "bob"),
    "a query that is true": predict("inputs[0]", [True], "bob"),
}

ODD_IDS = ["", " ", "a b", "a/b", "../x", ".x", "-x", "a\n", "a\x00", "ä", "{a}", "a*", "a" * 129, 7, None, ["a"]]
IDS = {
    f"{path} by {str(odd)[:8]!a}": body(path, 422, "invalid", "client_id", client_id=odd, support=GOOD)
    if path == "/adapt"
    else body(path, 422, "invalid", "client_id", client_id=odd, inputs=[png("L")])
    for path in ("/adapt", "/predict")
    for odd in ODD_IDS
}

MISTAKES = SUPPORTS | REQUESTS | IDS
