"""Image encoders from model folders: the library's own features, from photos as clients send them."""

import base64
import io
import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image

from models.datasets.photos import Photos
from models.encoders.image import ImageEncoder
from models.encoders.kinds import encoder_of
from models.encoders.preprocessing import FILE, preprocessing
from service.inputs.limits import Limits
from service.inputs.registry import input_kind
from tests.models.model_folders import FOLDERS, make_image_folder, make_text_folder

transformers = pytest.importorskip("transformers", reason="needs transformers: pip install 'handful[worker]'")
SMALL = np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)
PHOTOS = [Image.fromarray(SMALL).resize(size, Image.Resampling.BICUBIC) for size in ((91, 60), (50, 77), (64, 64))]


def png(photo: Image.Image) -> bytes:
    file = io.BytesIO()
    photo.save(file, "PNG")
    return file.getvalue()


@pytest.fixture(scope="module", params=FOLDERS)
def made(request, tmp_path_factory):
    """A folder of each architecture, with the library's image processor."""
    path = tmp_path_factory.mktemp(request.param)
    return path, make_image_folder(path, request.param), request.param


def library_features(path, prepare, model_type: str) -> torch.Tensor:
    network = transformers.AutoModel.from_pretrained(path).eval()
    pixels = prepare(images=PHOTOS, return_tensors="pt")["pixel_values"]
    with torch.no_grad():
        if model_type in ("clip", "siglip"):
            found = network.get_image_features(pixel_values=pixels)
            return found if isinstance(found, torch.Tensor) else found.pooler_output
        output = network(pixel_values=pixels)
        return output.last_hidden_state[:, 0] if model_type == "vit" else output.pooler_output.flatten(1)


def test_features_of_a_sent_photo_are_those_of_the_library(made):
    path, prepare, model_type = made
    found = encoder_of(str(path))
    assert found.encoder == "image"
    sent = [base64.b64encode(png(photo)).decode() for photo in PHOTOS]
    decoded = input_kind(found.input).decode(sent, ["a", "b", "c"], Limits(10**7)).array()
    encoder = ImageEncoder(**found.options)
    features = encoder(torch.from_numpy(decoded).float() / 255)
    expected = library_features(path, prepare, model_type)
    assert expected.abs().max() > 1e-3
    assert F.cosine_similarity(features, expected).min() >= 0.99999
    assert features.shape == (3, encoder.feature_dim)
    assert encoder.state_dict() == {}


def test_datasets_and_service_make_the_same_square_of_a_photo(made):
    path, _, _ = made
    input = encoder_of(str(path)).input
    sent = [base64.b64encode(png(photo)).decode() for photo in PHOTOS]
    decoded = input_kind(input).decode(sent, ["a", "b", "c"], Limits(10**7)).array()
    drawn = Photos([png(photo) for photo in PHOTOS], input)(np.arange(3))
    assert (np.rint(drawn.numpy() * 255) == decoded).all()


def test_training_changes_no_statistics_of_the_network(tmp_path):
    make_image_folder(tmp_path, "resnet")
    encoder = ImageEncoder(**encoder_of(str(tmp_path)).options)
    photos = torch.rand(4, 3, 64, 64)
    before = encoder(photos)
    encoder.train()
    torch.testing.assert_close(encoder(photos), before)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"size": {"height": 32, "width": 64}}, "only squares"),
        ({"resample": 0}, "nearest is not supported"),
        ({"image_std": [0, 1, 1]}, "three numbers"),
        ({"size": {"longest_edge": 3}}, "height"),
    ],
)
def test_preprocessing_that_cannot_be_done_is_refused(tmp_path, change, said):
    make_image_folder(tmp_path, "vit")
    file = tmp_path / FILE
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(ValueError, match=said):
        preprocessing(tmp_path)


def test_the_kind_of_a_folder_is_told_by_its_files(tmp_path):
    assert encoder_of(str(make_text_folder(tmp_path / "bert"))).input == {"type": "text"}
    make_image_folder(tmp_path / "vit", "vit")
    (tmp_path / "vit" / FILE).unlink()
    with pytest.raises(ValueError, match="neither texts nor photos"):
        encoder_of(str(tmp_path / "vit"))


def test_a_folder_that_needs_code_of_its_own_is_refused(tmp_path):
    make_text_folder(tmp_path)
    config = tmp_path / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"auto_map": {"AutoModel": "evil.Model"}}))
    with pytest.raises(ValueError, match="no code of a model is run"):
        encoder_of(str(tmp_path))


def test_an_encoder_is_pinned_by_the_digest_of_its_weights(tmp_path):
    make_image_folder(tmp_path, "vit")
    options = encoder_of(str(tmp_path)).options
    weights = tmp_path / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ValueError, match="another checkpoint"):
        ImageEncoder(**options)
