"""Answers warn of inputs that may not be what was meant, and hostile files do not hold others up."""

import concurrent.futures

from tests.service.drawings import letters, png
from tests.service.inputs.attacks import progressive_jpeg

BLANK = [[255] * 28] * 28


def adapt(api, support):
    return api.post("/adapt", json={"client_id": "alice", "support": support})


def test_a_drawing_without_ink_is_answered_with_a_warning(api):
    learned = adapt(api, [*letters("LV", 1), {"input": BLANK, "label": "blank"}])
    assert learned.status_code == 200
    [warning] = learned.json()["warnings"]
    assert (warning["field"], warning["code"]) == ("support[2].input", "no_ink")
    answer = api.post("/predict", json={"client_id": "alice", "inputs": [png("L"), BLANK]}).json()
    assert [(each["field"], each["code"]) for each in answer["warnings"]] == [("inputs[1]", "no_ink")]


def test_there_are_no_warnings_when_all_is_well(api):
    assert "warnings" not in adapt(api, letters("LV", 1)).json()
    assert "warnings" not in api.post("/predict", json={"client_id": "alice", "inputs": [png("L")]}).json()


def test_labels_come_back_in_nfc(api):
    support = [
        dict(example, label=label) for example, label in zip(letters("LLV", 1), ["é", "e\u0301", "e"], strict=True)
    ]
    assert adapt(api, support).json()["classes"] == ["e", "é"]


def test_a_jpeg_of_many_scans_is_refused_before_it_is_decoded(api):
    answer = adapt(api, [{"input": progressive_jpeg(scans=290), "label": "a"}, *letters("L", 1)])
    assert (answer.status_code, answer.json()["field"]) == (422, "support[0].input")
    assert "over 64 scans" in answer.json()["detail"]


def test_others_are_answered_while_a_large_file_is_decoded(api):
    adapt(api, letters("LV", 1))
    large = {"client_id": "alice", "inputs": [progressive_jpeg(scans=60)]}
    with concurrent.futures.ThreadPoolExecutor(1) as other:
        decoding = other.submit(api.post, "/predict", json=large)
        answered = [api.post("/predict", json={"client_id": "alice", "inputs": [[[0, 1], [1, 0]]]}) for _ in range(3)]
        assert all(answer.status_code == 200 for answer in answered)
        assert decoding.result().status_code in (200, 422)
