"""Log lines: text or JSON, and the request that they belong to."""

import json
import logging

from service.logs import FIELDS, Console, JsonLines, RequestContext, working_on

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def record(message: str = "hello %s", *arguments: object, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("service.x", logging.INFO, "x.py", 1, message, arguments or ("you",), None)
    if fields:
        setattr(made, FIELDS, fields)
    return made


def test_a_console_line_ends_with_the_id_of_its_request():
    assert Console().format(record()) == "INFO: hello you"
    with working_on(RequestContext("r1")):
        assert Console().format(record()) == "INFO: hello you [r1]"


def test_a_json_line_has_the_request_the_trace_and_more_fields():
    with working_on(RequestContext("r1", TRACE)):
        line = json.loads(JsonLines().format(record(status=200)))
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "info", "logger": "service.x", "message": "hello you", "request_id": "r1",
        "trace_id": "0af7651916cd43dd8448eb211c80319c", "status": 200,
    }  # fmt: skip


def test_a_json_line_outside_of_requests_names_none():
    assert json.loads(JsonLines().format(record())).keys() == {"time", "level", "logger", "message"}


def test_a_traceback_is_one_field_of_one_line():
    try:
        raise ValueError("no\nway")
    except ValueError as error:
        made = record()
        made.exc_info = (ValueError, error, error.__traceback__)
    written = JsonLines().format(made)
    assert "\n" not in written
    assert "ValueError: no\nway" in json.loads(written)["exception"]
