"""The Python client against a real service."""

import gc
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from handful import AsyncHandful, Handful, RefusedError
from handful.inputs import plain
from tests.service.drawings import draw, letters, png

PAIRS = [(example["input"], example["label"]) for example in letters("LV")]
MASK = np.asarray(draw("V")) < 128


def test_a_client_is_adapted_asked_and_forgotten(api):
    with Handful(str(api.base_url)) as handful:
        assert handful.adapt("alice", PAIRS, model="glyphs")["classes"] == ["L", "V"]
        assert handful.predict("alice", [png("V")])[0]["label"] == "V"
        handful.forget("alice")
        with pytest.raises(RefusedError) as refused:
            handful.predict("alice", [png("V")])
    assert (refused.value.status, refused.value.code) == (404, "unknown_client")


def test_a_client_that_is_not_closed_closes_its_connections_when_it_is_gone(api):
    handful = Handful(str(api.base_url))
    handful.models()
    connections = handful._http
    del handful
    gc.collect()
    assert connections.is_closed


def test_arrays_and_numbers_are_inputs_too(api):
    with Handful(str(api.base_url)) as handful:
        handful.adapt("bob", [(np.float32(x), np.sin(x)) for x in range(5)], model="sinusoid")
        assert len(handful.predict("bob", [0.5, np.array([1.5]), np.array([True])])) == 3


def file_of(folder: Path) -> Path:
    path = folder / "v.png"
    draw("V").save(path)
    return path


def raw(folder: Path) -> bytes:
    return file_of(folder).read_bytes()


IMAGES: dict[str, Callable[[Path], Any]] = {
    "a path": file_of,
    "a path as text": lambda folder: str(file_of(folder)),
    "an open file": lambda folder: io.BytesIO(raw(folder)),
    "bytes": raw,
    "a bytearray": lambda folder: bytearray(raw(folder)),
    "a PIL image": lambda _: draw("V"),
    "a CMYK image": lambda _: draw("V").convert("CMYK"),
    "an array": lambda _: np.asarray(draw("V")),
    "a channel first": lambda _: np.asarray(draw("V"))[None],
    "a channel last": lambda _: np.asarray(draw("V"))[..., None],
    "a mask of ink": lambda _: MASK,
    "a list of rows": lambda _: np.asarray(draw("V")).tolist(),
}


@pytest.mark.parametrize("image", IMAGES.values(), ids=IMAGES)
def test_images_come_in_many_forms(api, tmp_path, image):
    with Handful(str(api.base_url)) as handful:
        handful.adapt("alice", PAIRS)
        assert handful.predict("alice", [image(tmp_path)])[0]["label"] == "V"


def test_the_client_asks_for_the_most_probable_classes(api):
    with Handful(str(api.base_url)) as handful:
        handful.adapt("alice", PAIRS)
        assert len(handful.predict("alice", [png("V")], top_k=1)[0]["probabilities"]) == 1


def test_a_client_id_cannot_reach_another_path(api):
    with Handful(str(api.base_url)) as handful:
        handful.adapt("alice", PAIRS)
        with pytest.raises(RefusedError):
            handful.forget("alice?x")
        with pytest.raises(RefusedError):
            handful.forget("")
        assert handful.predict("alice", [png("L")])


@pytest.mark.anyio
async def test_the_asynchronous_client_does_the_same(api):
    async with AsyncHandful(str(api.base_url)) as handful:
        await handful.adapt("alice", PAIRS)
        assert (await handful.predict("alice", [png("L")]))[0]["label"] == "L"
        await handful.forget("alice")
        with pytest.raises(RefusedError, match="unknown_client"):
            await handful.predict("alice", [png("L")])


@pytest.mark.parametrize("name", ["notes.txt", "png", "other.png"])
def test_a_text_is_sent_unchanged_unless_it_is_the_path_of_an_image(tmp_path, name):
    if name != "other.png":
        (tmp_path / name).touch()
    assert plain(str(tmp_path / name)) == str(tmp_path / name)


def test_examples_and_versions_have_calls_of_their_own(api, tmp_path):
    with Handful(str(api.base_url)) as handful:
        handful.adapt("alice", [(*pair, f"e{i}") for i, pair in enumerate(PAIRS)], model="glyphs")
        tag = handful.client("alice")["etag"]
        assert [each["id"] for each in handful.examples("alice", label="V")["examples"]] == ["e2", "e3"]
        assert handful.relabel("alice", "e0", "V", if_match=tag)["version"] == 2
        with pytest.raises(RefusedError) as lost:
            handful.remove("alice", "e0", if_match=tag)
        assert lost.value.status == 412
        assert handful.rename_class("alice", "V", "A/B")["classes"] == ["A/B", "L"]
        assert handful.predict("alice", [png("V")], version=1)[0]["label"] == "V"
        assert handful.remove("alice", "e0", keep_history=True)["receipt"]["examples"] == ["e0"]
        assert handful.remove_class("alice", "A/B", keep_history=True)["classes"] == ["L"]
        assert handful.rollback("alice", 1)["classes"] == ["L", "V"]
        assert [each["version"] for each in handful.versions("alice")["versions"]] == [6, 5, 4, 3, 2, 1]
        assert handful.copy("alice", "bob", version=1)["version"] == 1
        assert handful.move("bob", "glyphs-maml")["model"] == "glyphs-maml"
        assert handful.readapt("bob")["readapted"] is False
        handful.export("alice", tmp_path / "alice.safetensors")
        assert handful.restore("carol", (tmp_path / "alice.safetensors").read_bytes())["classes"] == ["L", "V"]
        assert (
            handful.example("carol", "e0", inputs=True)["input"] == handful.example("alice", "e0", inputs=True)["input"]
        )
        assert [each["client_id"] for each in handful.clients(limit=2)["clients"]] == ["alice", "bob"]
        with pytest.raises(RefusedError):
            handful.export("nobody", tmp_path / "nobody.safetensors")
    assert [each.name for each in tmp_path.iterdir()] == ["alice.safetensors"]


def test_suggest_takes_inputs_without_labels(api):
    names = ["L0", "V0", "L1", "V1", "L2"]
    pool = [png(letter, int(shift)) for letter, shift in names]
    with Handful(str(api.base_url)) as handful:
        handful.adapt("alice", [])
        found = handful.suggest("alice", pool, 2, ids=names)["suggestions"]
        assert {each["id"][0] for each in found} == {"L", "V"}
        assert [names[each["index"]] for each in found] == [each["id"] for each in found]


def test_feedback_takes_the_id_of_a_prediction(api):
    with Handful(str(api.base_url)) as handful:
        tag = handful.adapt("alice", PAIRS, keep_queries_s=60)["etag"]
        [prediction] = handful.predict("alice", [png("Z")])
        assert handful.feedback("alice", prediction["id"], "Z", if_match=tag)["classes"] == ["L", "V", "Z"]


@pytest.mark.anyio
async def test_the_client_for_event_loops_has_the_same_calls(api):
    async with AsyncHandful(str(api.base_url)) as handful:
        await handful.adapt("alice", PAIRS, keep_queries_s=60)
        [prediction] = await handful.predict("alice", [png("Z")])
        name = (await handful.feedback("alice", prediction["id"], "Z"))["ids"][0]
        await handful.remove("alice", name)
        assert len((await handful.suggest("alice", [png("N"), png("Z")]))["suggestions"]) == 2
        first = (await handful.examples("alice"))["examples"][0]["id"]
        assert (await handful.remove("alice", first))["receipt"]["examples"] == [first]
        file = await handful.export("alice")
        assert (await handful.restore("bob", file, mode="replace"))["examples"] == len(PAIRS) - 1
        with pytest.raises(RefusedError):
            await handful.export("nobody")
