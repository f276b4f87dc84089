"""Any bytes and any arrays are decoded or refused, and the work of each is counted before it is done."""

import base64

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from service.errors import Unprocessable
from service.inputs import drawing
from service.inputs.drawing import Drawing
from service.inputs.kind import Decoded
from service.inputs.limits import Limits
from service.inputs.normalize import Drawings
from tests.service.drawings import draw, encoded

MAX_PIXELS = 100_000
KINDS = ("PNG", "JPEG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")
FILES = [base64.b64decode(encoded(draw("L", side=20, width=2), kind)) for kind in KINDS]
FUZZ = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture(autouse=True)
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The pixels that each drawing was made from; more than the limit are never worked on."""
    pixels: list[int] = []
    original = drawing.drawings

    def counting(grey: np.ndarray, size: int) -> Drawings:
        pixels.append(grey.size)
        assert grey.size <= MAX_PIXELS
        return original(grey, size)

    monkeypatch.setattr(drawing, "drawings", counting)
    return pixels


def decode(raw: object) -> Decoded | None:
    """The drawing, or None when it is refused; nothing else may happen."""
    try:
        decoded = Drawing(size=28).decode([raw], ["inputs[0]"], Limits(MAX_PIXELS))
    except Unprocessable as refusal:
        refused = refusal
        decoded = None
    if decoded is None:
        assert (refused.field, refused.detail[:11]) == ("inputs[0]", "inputs[0]: ")
        return None
    assert (decoded.array().shape, decoded.array().dtype) == ((1, 1, 28, 28), np.uint8)
    assert bool(decoded.warnings) == (not decoded.array().any())
    return decoded


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@FUZZ
@given(st.sampled_from(FILES), st.data())
def test_a_damaged_file_of_any_format_is_decoded_or_refused(file, data):
    damaged = bytearray(file)
    for _ in range(data.draw(st.integers(1, 6))):
        damaged[data.draw(st.integers(0, min(200, len(file) - 1)))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(file)) | st.just(len(file)))
    decode(base64.b64encode(damaged[:cut]).decode())


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@FUZZ
@given(st.sampled_from([file[:n] for file in FILES for n in (4, 12, 40)]), st.binary(max_size=300))
def test_any_bytes_behind_a_header_are_decoded_or_refused(start, rest):
    decode(base64.b64encode(start + rest).decode())


@FUZZ
@given(st.text(max_size=60) | st.text("AZaz09+/=-_ \n,:;%", max_size=60).map(lambda text: "data:" + text))
def test_any_text_is_decoded_or_refused(text):
    decode(text)


SIDES = st.integers(1, 60)
SHAPES = st.lists(st.integers(0, 40), max_size=3).map(tuple)
TYPES = st.sampled_from([np.uint8, np.int8, np.uint16, np.int64, np.float16, np.float32, np.float64, np.bool_])


@FUZZ
@given(st.data())
def test_any_array_is_decoded_or_refused(data):
    decode(data.draw(arrays(data.draw(TYPES), data.draw(SHAPES))))


@FUZZ
@given(
    arrays(
        np.uint8, st.tuples(st.integers(1, 60), st.integers(1, 60)), elements=st.sampled_from([0, 1, 90, 127, 128, 255])
    )
)
def test_any_drawing_of_few_shades_gives_finite_ink_or_a_warning(sheet):
    assert decode(sheet) is not None


@FUZZ
@given(arrays(np.float64, (20, 20), elements=st.floats(0, 1) | st.floats(0, 1e-300)))
def test_any_fractions_are_decoded(sheet):
    assert decode(sheet) is not None
