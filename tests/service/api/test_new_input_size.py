"""A new checkpoint of a model that takes images of another size serves the clients of the old one."""

from dataclasses import replace

import numpy as np
import pytest

from models.recipes import RECIPES
from service.inputs.resizing import resized
from tests.service.drawings import letters, png
from tests.service.serving import serving, working
from tests.service.zoo import make_model, make_zoo

FILE = {"content-type": "application/safetensors"}


@pytest.fixture
def larger(settings, tmp_path):
    """The settings of a service whose drawings have 40 pixels a side, in place of 28."""
    folder = make_zoo(tmp_path / "larger")
    make_model(folder, "glyphs", replace(RECIPES["glyphs-protonet"], input={"type": "drawing", "size": 40}))
    return settings.model_copy(update={"models": folder})


def adapt(api, support, who="alice", **fields):
    return api.post("/adapt", json={"client_id": who, "support": support} | fields).raise_for_status().json()


def labels(api, who="alice") -> list[str]:
    body = {"client_id": who, "inputs": [png("V"), png("L")]}
    return [each["label"] for each in api.post("/predict", json=body).raise_for_status().json()["predictions"]]


def test_clients_of_smaller_images_are_served_appended_to_and_imported(api, larger):
    adapt(api, letters("LV"))
    file = api.get("/clients/alice/export").raise_for_status().content
    with working(larger) as worker, serving(larger, worker) as renewed:
        assert labels(renewed) == ["V", "L"]
        assert adapt(renewed, letters("Z"), mode="append")["classes"] == ["L", "V", "Z"]
        assert labels(renewed) == ["V", "L"]
        renewed.post("/clients/bob/import", content=file, headers=FILE).raise_for_status()
        assert labels(renewed, "bob") == ["V", "L"]


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 28, 28), (2,)])
def test_what_needs_no_resizing_or_has_none_is_unchanged(shape):
    images = np.zeros((2, 1, 28, 28), np.uint8)
    assert resized(images, shape) is images
    assert resized(np.zeros((0, 1, 20, 20), np.uint8), shape).shape == (0, 1, 20, 20)


def test_a_resized_image_shows_the_same():
    image = np.zeros((1, 1, 28, 28), np.uint8)
    image[..., 7:21, 7:21] = 255
    large = resized(image, (1, 56, 56))
    assert large.shape == (1, 1, 56, 56)
    assert (large[0, 0, 18:38, 18:38] > 250).all()
    assert (large[0, 0, :10] < 5).all()


def test_a_client_moves_between_models_of_different_image_sizes(api, settings, tmp_path):
    folder = make_zoo(tmp_path / "two")
    make_model(folder, "large", replace(RECIPES["glyphs-protonet"], input={"type": "drawing", "size": 40}))
    both = settings.model_copy(update={"models": folder})
    with working(both) as worker, serving(both, worker) as moving:
        adapt(moving, letters("LV"))
        for model in ("large", "glyphs"):
            moving.post("/clients/alice/model", json={"model": model}).raise_for_status()
            assert labels(moving) == ["V", "L"]
