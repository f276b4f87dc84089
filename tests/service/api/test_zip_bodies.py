"""Zips of class folders as bodies. Zip bombs are refused before unpacking."""

import struct
import zipfile

import pytest

from service.api.bodies import zip_folders
from service.api.bodies.upload import Upload
from service.errors import BadRequest, TooLarge, Unprocessable
from tests.service.drawings import letters, png
from tests.service.uploads import ZIP, drawing, folders, packed

LIMIT = 2**20


def adapt(api, content, query="client_id=alice"):
    return api.post(f"/adapt?{query}", content=content, headers=ZIP)


def items(content: bytes, labelled: bool = True, limit: int = 10):
    return zip_folders.parse(Upload(content, "application/zip", {}, labelled, limit, "support"))


@pytest.mark.parametrize("around", ["", "drawings/"])
def test_a_zip_teaches_what_the_same_files_in_json_teach(api, around):
    api.post("/adapt", json={"client_id": "json", "support": letters("LVZ")}).raise_for_status()
    taught = adapt(api, packed(folders("LVZ", around))).raise_for_status().json()
    assert (taught["classes"], taught["examples"]) == (["L", "V", "Z"], 6)
    queries = {"1.png": drawing("V"), "more/2.png": drawing("Z")}
    expected = api.post("/predict", json={"client_id": "json", "inputs": [png("V"), png("Z")]}).json()["predictions"]
    answered = api.post("/predict?client_id=alice", content=packed(queries), headers=ZIP).raise_for_status().json()
    assert answered["predictions"] == expected


def test_what_systems_add_to_zips_is_left_out():
    members = folders("LV", shots=1) | {"L/.DS_Store": "x", "__MACOSX/L/._0.png": "x", ".git/config": "x"}
    assert [(item.label, item.input.place) for item in items(packed(members))] == [("L", "L/0.png"), ("V", "V/0.png")]


def test_a_zip_without_files_does_not_replace_the_examples(api):
    adapt(api, packed(folders("LV"))).raise_for_status()
    assert adapt(api, packed({"L/.hidden": "x"})).json()["detail"] == "support: the body holds none. Send at least one."
    assert api.get("/clients/alice").json()["classes"] == ["L", "V"]


def test_an_error_names_the_file(api):
    problem = adapt(api, packed(folders("LV") | {"Z/broken.png": b"\x89PNG\r\n"})).json()
    assert problem["field"] == "Z/broken.png"
    assert api.get("/clients/alice").status_code == 404


def test_a_file_without_a_folder_has_no_label():
    with pytest.raises(Unprocessable, match=r"a\.png: it is in no folder"):
        items(packed({"a.png": "x", "L/b.png": "x"}))


@pytest.mark.parametrize("name", ["../L/a.png", "/L/a.png", "L/../../a.png", "L\\a.png", "L/" + "a" * 2000])
def test_a_path_out_of_the_zip_and_a_long_name_are_refused(name):
    with pytest.raises(Unprocessable):
        items(packed({name: "x"}))


def test_a_zip_of_a_folder_of_more_files_than_inputs_is_refused():
    with pytest.raises(Unprocessable, match="11 of them; the limit is 10"):
        items(packed({f"L/{i}": "x" for i in range(11)}))


def test_entries_are_counted_before_the_directory_is_read():
    with pytest.raises(Unprocessable, match="entries of the zip: 200 of them; the limit is 140"):
        items(packed({f"L/{i}/": "" for i in range(200)}))


def test_a_bomb_is_refused_by_its_declared_size():
    bomb = packed({"L/a": b"\0" * (LIMIT + 1)})
    assert len(bomb) < LIMIT / 100
    with pytest.raises(TooLarge, match=f"unpacks to {LIMIT + 1} bytes; the limit is {LIMIT}"):
        zip_folders.unpacked_bytes(bomb, 10, LIMIT)


def test_a_bomb_over_http_changes_nothing(api):
    bomb = packed({"L/a": b"\0" * 2**25, "V/b": b"\0"})
    answer = adapt(api, bomb)
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert api.get("/clients/alice").status_code == 404


def test_a_file_that_unpacks_to_more_than_it_declares_is_refused():
    honest = packed({"L/a": b"\0" * 100_000})
    lying = honest.replace(struct.pack("<I", 100_000), struct.pack("<I", 10))
    assert zip_folders.unpacked_bytes(lying, 10, LIMIT) == 10
    with pytest.raises(Unprocessable, match="L/a: it cannot be unpacked"):
        items(lying)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods_than_deflate_are_refused(method):
    with pytest.raises(Unprocessable, match="another method than deflate"):
        items(packed({"L/a": "hello"}, method))


def test_an_encrypted_file_is_refused():
    content = bytearray(packed({"L/a": "hello"}))
    for signature, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        content[content.index(signature) + offset] |= 1
    with pytest.raises(Unprocessable, match="encrypted"):
        items(bytes(content))


@pytest.mark.parametrize("content", [b"", b"hello", packed(folders("L"))[:-10]], ids=["empty", "text", "cut"])
def test_what_is_no_zip_is_refused(api, content):
    with pytest.raises(BadRequest):
        items(content)
    assert adapt(api, content).status_code == 400


def test_a_damaged_file_is_refused_by_name():
    content = bytearray(packed({"L/a": "hello" * 100}, zipfile.ZIP_STORED))
    content[content.index(b"hello")] ^= 1
    with pytest.raises(Unprocessable, match="L/a: it cannot be unpacked"):
        items(bytes(content))
