"""The versions of a client over HTTP: kept, asked, gone back to, copied and moved."""

import pytest

from service.settings import Settings
from tests.service.drawings import letters, png, wave
from tests.service.serving import serving, working
from tests.service.zoo import make_zoo


def adapt(api, support, **fields):
    body = {"client_id": "alice", "support": support} | fields
    return api.post("/adapt", json=body).raise_for_status().json()


def append(api, support, **fields):
    return adapt(api, support, mode="append", **fields)


def predictions(api, who="alice", **fields) -> list[dict]:
    body = {"client_id": who, "inputs": [png("V"), png("L")]} | fields
    return api.post("/predict", json=body).raise_for_status().json()["predictions"]


def close(found: list[dict], expected: list[dict]) -> bool:
    pairs = zip(found, expected, strict=True)
    return all(one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5) for one, other in pairs)


def versions(api, who="alice") -> list[dict]:
    return api.get(f"/clients/{who}/versions").raise_for_status().json()["versions"]


def test_the_kept_versions_are_listed_latest_first(api):
    adapt(api, letters("LV"))
    append(api, letters("Z"))
    api.patch("/clients/alice/classes/Z", json={"label": "N"})
    found = versions(api)
    assert [(each["version"], each["change"], each["examples"]) for each in found] == [
        (3, "rename", 6), (2, "append", 6), (1, "replace", 4),
    ]  # fmt: skip
    assert [each["classes"] for each in found] == [["L", "N", "V"], ["L", "V", "Z"], ["L", "V"]]


def test_a_removed_version_is_listed_with_its_receipt(api):
    first = adapt(api, letters("LV"))
    receipt = api.delete(f"/clients/alice/examples/{first['ids'][0]}").json()["receipt"]
    now, gone = versions(api)
    assert (now["receipt"], gone["gone"], gone["version"]) == (receipt, receipt, 1)


def test_every_kept_version_answers_as_it_did(api):
    adapt(api, letters("LV"))
    first = predictions(api)
    append(api, letters("Z"))
    second = predictions(api)
    append(api, letters("N"))
    for _ in range(2):
        assert close(predictions(api, version=1), first)
        assert close(predictions(api, version=2), second)
    assert len(predictions(api, version=3)[0]["probabilities"]) == 4


@pytest.mark.parametrize("version", [4, 10**9])
def test_a_version_that_was_never_there_is_unknown(api, version):
    adapt(api, letters("LV"))
    answer = api.post("/predict", json={"client_id": "alice", "inputs": [png("V")], "version": version})
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_version")


def test_only_the_last_versions_are_kept(settings, worker, api, redis):
    with serving(settings.model_copy(update={"versions": 3}), worker) as few:
        for number in range(5):
            adapt(few, [{"input": number, "label": 1}, {"input": number + 0.5, "label": 2}], model="sinusoid")
        assert [each["version"] for each in versions(few)] == [5, 4, 3]
        [inputs] = redis.keys("*:inputs")
        assert redis.hlen(inputs) == 6
        assert few.post("/predict", json={"client_id": "alice", "inputs": [1], "version": 2}).status_code == 404


def test_a_rollback_is_a_new_version_with_the_old_examples(api):
    adapt(api, letters("LV"))
    first, shown = predictions(api), api.get("/clients/alice/examples").json()["examples"]
    adapt(api, letters("ZN"))
    answer = api.post("/clients/alice/rollback", json={"version": 1}).json()
    assert (answer["version"], answer["classes"]) == (3, ["L", "V"])
    assert close(predictions(api), first)
    assert api.get("/clients/alice/examples").json()["examples"] == shown
    assert versions(api)[0]["change"] == "rollback"


def test_a_rollback_goes_back_to_another_model_too(api):
    adapt(api, letters("LV"))
    adapt(api, wave(), model="sinusoid")
    assert api.post("/clients/alice/rollback", json={"version": 1}).json()["model"] == "glyphs"
    assert predictions(api)[0]["label"] == "V"


def test_a_rollback_to_a_version_that_is_gone_is_refused_with_the_receipt(api):
    first = adapt(api, letters("LV"))
    api.delete(f"/clients/alice/examples/{first['ids'][0]}")
    answer = api.post("/clients/alice/rollback", json={"version": 1})
    assert (answer.status_code, answer.json()["receipt"]["to_version"]) == (410, 2)
    assert api.post("/clients/alice/rollback", json={"version": 9}).status_code == 404


def test_a_rollback_after_another_change_is_refused(api):
    adapt(api, letters("LV"))
    tag = api.get("/clients/alice").headers["etag"]
    append(api, letters("Z"))
    answer = api.post("/clients/alice/rollback", json={"version": 1}, headers={"If-Match": tag})
    assert (answer.status_code, answer.json()["code"]) == (412, "precondition_failed")
    assert versions(api)[0]["version"] == 2


def test_a_copy_is_a_client_of_its_own(api):
    adapt(api, letters("LV"))
    append(api, letters("Z"))
    assert api.post("/clients/alice/copy", json={"client_id": "bob", "version": 1}).json()["version"] == 1
    assert close(predictions(api, "bob"), predictions(api, version=1))
    api.delete("/clients/alice")
    assert len(predictions(api, "bob")) == 2
    assert [each["label"] for each in api.get("/clients/bob/examples").json()["examples"]] == ["L", "L", "V", "V"]


def test_a_copy_does_not_replace_a_client(api):
    adapt(api, letters("LV"))
    answer = api.post("/clients/alice/copy", json={"client_id": "alice"})
    assert (answer.status_code, answer.json()["field"]) == (409, "client_id")
    assert versions(api)[0]["version"] == 1


def test_a_client_moves_to_a_model_of_the_same_inputs(api):
    adapt(api, letters("LV"))
    before = api.get("/clients/alice/examples").json()["examples"]
    assert api.post("/clients/alice/model", json={"model": "glyphs-maml"}).json()["model"] == "glyphs-maml"
    adapt(api, letters("LV"), client_id="other", model="glyphs-maml")
    assert close(predictions(api), predictions(api, "other"))
    assert api.get("/clients/alice/examples").json()["examples"] == before


@pytest.mark.parametrize(("model", "status"), [("sinusoid", 409), ("nothing", 404)])
def test_a_move_to_a_model_of_other_inputs_is_refused(api, model, status):
    adapt(api, letters("LV"))
    assert api.post("/clients/alice/model", json={"model": model}).status_code == status
    assert versions(api)[0]["version"] == 1


def test_a_client_of_an_old_checkpoint_is_adapted_again_on_demand(api, settings, tmp_path):
    adapt(api, letters("LV"))
    assert api.post("/clients/alice/readapt").json()["readapted"] is False
    newer = settings.model_copy(update={"models": make_zoo(tmp_path / "newer", seed=1)})
    with working(newer) as worker, serving(newer, worker) as renewed:
        assert renewed.post("/clients/alice/readapt").json() == {
            "client_id": "alice", "model": "glyphs", "version": 1, "readapted": True,
        }  # fmt: skip
        assert renewed.post("/clients/alice/readapt").json()["readapted"] is False
        found = predictions(renewed)
        adapt(renewed, letters("LV"), client_id="other")
        assert close(found, predictions(renewed, "other"))


def test_versions_of_an_unknown_client_are_unknown(api):
    assert api.get("/clients/nobody/versions").status_code == 404
    for call, body in (("rollback", {"version": 1}), ("copy", {"client_id": "new"}), ("model", {"model": "glyphs"})):
        assert api.post(f"/clients/nobody/{call}", json=body).json()["code"] == "unknown_client"
    assert api.post("/clients/nobody/readapt").status_code == 404


def test_the_setting_is_at_least_one():
    with pytest.raises(ValueError, match="versions"):
        Settings(versions=0)
