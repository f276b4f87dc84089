"""A query parameter that a call does not take is refused, and the call changes nothing."""

import pytest

from tests.service.drawings import letters

SUPPORT = [each | {"id": str(i)} for i, each in enumerate(letters("LV"))]
ALICE = {"client_id": "alice", "support": SUPPORT}


@pytest.fixture
def alice(api):
    api.post("/adapt", json=ALICE).raise_for_status()
    return api


def refused(answer, field: str, says: str) -> None:
    assert (answer.status_code, answer.json()["code"], answer.json()["field"]) == (422, "invalid", field)
    assert says in answer.json()["detail"]


def test_a_misspelt_option_of_a_removal_removes_nothing(alice):
    answer = alice.delete("/clients/alice/examples/0", params={"keep-history": "true"})
    refused(answer, "keep-history", "only keep_history")
    assert alice.get("/clients/alice").json()["version"] == 1


def test_a_misspelt_filter_is_refused(alice):
    refused(alice.get("/clients/alice/examples", params={"labels": "L"}), "labels", "cursor, inputs, label, limit")


def test_a_call_without_a_query_names_none(alice):
    refused(alice.get("/clients/alice", params={"verbose": "1"}), "verbose", "none")


def test_a_mode_beside_a_json_body_does_not_replace_the_examples(alice):
    answer = alice.post("/adapt?mode=append", json=ALICE | {"support": letters("Z")})
    refused(answer, "mode", "in the body")
    assert alice.get("/clients/alice").json()["examples"] == len(SUPPORT)


def test_an_import_takes_a_mode_only(alice):
    file = alice.get("/clients/alice/export")
    kind = {"content-type": file.headers["content-type"]}
    refused(alice.post("/clients/alice/import?mod=append", content=file.content, headers=kind), "mod", "only mode")
    assert alice.post("/clients/alice/import?mode=append", content=file.content, headers=kind).is_success
