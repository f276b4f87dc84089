"""Ink is found on paper of any brightness, and clean drawings become what the model was trained on."""

import base64
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from models import checkpoint
from models.learner import Support, full_mask
from service.inputs import normalize
from service.inputs.drawing import Drawing, decode_images
from service.inputs.limits import Limits, PixelBudget
from service.inputs.normalize import drawings
from service.inputs.paper import uneven_paper
from service.settings import ZOO
from tests.service.drawings import encoded

DRAWING, LIMITS = Drawing(size=28), Limits(10_000_000)
EXAMPLES = Path(__file__).parents[3] / "examples"
SYMBOLS = ("fish", "house", "key", "snail", "umbrella")
ACROSS, DOWN = np.meshgrid(np.linspace(0, 1, 105), np.linspace(0, 1, 105))


def decode(*raw: object) -> np.ndarray:
    return DRAWING.decode(raw, [f"inputs[{i}]" for i in range(len(raw))], LIMITS).array()


def symbol(name: str, hand: int) -> np.ndarray:
    """Whether there is ink (105, 105)."""
    return ~np.asarray(Image.open(EXAMPLES / f"{name}-{hand}.png").convert("1"))


def page(ink: np.ndarray, paper: float, shade: float) -> np.ndarray:
    return np.where(ink, float(shade), float(paper))


def png8(page: np.ndarray) -> str:
    return encoded(Image.fromarray(page.round().clip(0, 255).astype(np.uint8)))


def png16(page: np.ndarray) -> str:
    return encoded(Image.fromarray(page.astype(np.uint16)))


def noisy(page: np.ndarray, deviation: float) -> np.ndarray:
    return page + np.random.default_rng(0).normal(0, deviation, page.shape)


Photograph = Callable[[np.ndarray], object]
SHEETS: dict[str, Photograph] = {
    "clean": lambda ink: png8(page(ink, 255, 0)),
    "ink 20 on paper 128": lambda ink: png8(page(ink, 128, 20)),
    "ink 20 on paper 127": lambda ink: png8(page(ink, 127, 20)),
    "ink 0 on paper 60": lambda ink: png8(page(ink, 60, 0)),
    "light ink 230 on grey 180": lambda ink: png8(page(ink, 180, 230)),
    "light ink 255 on grey 128": lambda ink: png8(page(ink, 128, 255)),
    "light ink 120 on dark 100": lambda ink: png8(page(ink, 100, 120)),
    "pencil": lambda ink: png8(page(ink, 240, 200)),
    "10 bits in 16": lambda ink: png16(page(ink, 1023, 0)),
    "12 bits in 16": lambda ink: png16(page(ink, 4095, 300)),
    "12 bits in 16, light on dark": lambda ink: png16(page(ink, 100, 4000)),
    "floats 0 to 0.3": lambda ink: page(ink, 0.3, 0).tolist(),
    "floats 0 to 0.3, light on dark": lambda ink: page(ink, 0, 0.3).tolist(),
    "whole numbers 0 to 30": lambda ink: page(ink, 30, 0).astype(int).tolist(),
    "lit unevenly across": lambda ink: png8(page(ink, 255, 0) * (1 - ACROSS * 75 / 255)),
    "lit unevenly, dark corner": lambda ink: png8(page(ink, 255, 40) * (1 - (ACROSS + DOWN) / 4)),
    "lit from the middle": lambda ink: png8(page(ink, 240, 30) * (1 - (ACROSS - 0.5) ** 2 - (DOWN - 0.5) ** 2)),
    "lit unevenly, light ink": lambda ink: png8(page(ink, 110, 240) * (1 - ACROSS * 0.3)),
    "noisy": lambda ink: png8(noisy(page(ink, 220, 40), 8)),
    "noisy pencil": lambda ink: png8(noisy(page(ink, 230, 170), 5)),
    "noisy and lit unevenly": lambda ink: png8(noisy(page(ink, 240, 60) * (1 - ACROSS * 75 / 255), 8)),
    "JPEG, lit unevenly": lambda ink: encoded(
        Image.fromarray((page(ink, 250, 40) * (1 - ACROSS * 75 / 255)).astype(np.uint8)), "JPEG"
    ),
}


@cache
def taught() -> tuple[torch.nn.Module, dict[str, torch.Tensor]]:
    """The model that ships, taught one clean drawing of each symbol."""
    learner = checkpoint.load(ZOO / "glyphs.safetensors").eval()
    inputs = decode(*(SHEETS["clean"](symbol(name, 1)) for name in SYMBOLS))
    targets = torch.arange(len(SYMBOLS))
    support = Support(features(learner, inputs), targets, full_mask(targets), len(SYMBOLS))
    with torch.no_grad():
        return learner, learner.adapt(support)


def features(learner: torch.nn.Module, inputs: np.ndarray) -> torch.Tensor:
    with torch.no_grad():
        return learner.encode(torch.tensor(inputs).float() / 255)


@pytest.mark.parametrize("photograph", SHEETS.values(), ids=SHEETS.keys())
def test_the_shipped_model_answers_drawings_on_any_paper_as_clean_ones(photograph):
    learner, state = taught()
    for hand in (2, 3):
        inputs = decode(*(photograph(symbol(name, hand)) for name in SYMBOLS))
        with torch.no_grad():
            answers = learner.predict(state, features(learner, inputs)).argmax(-1)
        assert answers.tolist() == list(range(len(SYMBOLS)))


def by_definition(page: np.ndarray) -> np.ndarray:
    """What the training data was made with: ink in parts of 255, the mean of each area."""
    paper = np.median(np.concatenate([page[0], page[-1], page[:, 0], page[:, -1]]))
    ink = (page - paper) / (-paper if paper > 127 else 255 - paper)
    whole = Image.fromarray(np.rint(ink.clip(0, 1) * 255).astype(np.uint8))
    return np.asarray(whole.resize((28, 28), Image.Resampling.BOX))


CLEAN = [symbol(name, hand) for name in SYMBOLS for hand in (1, 2, 3)]


@pytest.mark.parametrize(("paper", "shade"), [(255, 0), (0, 255), (250, 10)])
def test_clean_drawings_become_exactly_the_training_data(paper, shade):
    pages = np.stack([page(ink, paper, shade) for ink in CLEAN]).astype(np.float32)
    np.testing.assert_array_equal(drawings(pages, 28).ink, np.stack([by_definition(each) for each in pages]))


def test_clean_drawings_of_the_model_s_size_stay_as_they_are():
    shrunk = np.stack([by_definition(page(ink, 255, 0)) for ink in CLEAN])
    np.testing.assert_array_equal(drawings(shrunk.astype(np.float32), 28).ink, shrunk)


def blank_jpeg() -> str:
    noise = np.random.default_rng(0).integers(252, 256, (84, 84), dtype=np.uint8)
    return encoded(Image.fromarray(noise), "JPEG")


NO_INK = np.zeros((105, 105), bool)
BLANK = {
    "white": png8(page(NO_INK, 255, 0)),
    "black": png8(page(NO_INK, 0, 0)),
    "grey": png8(page(NO_INK, 128, 0)),
    "transparent": encoded(Image.new("RGBA", (40, 40), (0, 0, 0, 0))),
    "black, 16 bits": png16(page(NO_INK, 0, 0)),
    "JPEG noise": blank_jpeg(),
    "noise": png8(noisy(page(NO_INK, 200, 0), 6)),
    "lit unevenly": png8(page(NO_INK, 255, 0) * (1 - ACROSS * 75 / 255)),
    "zeros": np.zeros((28, 28)).tolist(),
    "ones": np.ones((28, 28)).tolist(),
    "one pixel": [[7]],
}


@pytest.mark.parametrize("blank", BLANK.values(), ids=BLANK.keys())
def test_an_image_without_ink_is_warned_of(blank):
    decoded = DRAWING.decode([SHEETS["clean"](symbol("key", 1)), blank], ["inputs[0]", "inputs[1]"], LIMITS)
    [warning] = decoded.warnings
    assert (warning.field, warning.code) == ("inputs[1]", "no_ink")
    assert not decoded.array()[1].any()


@pytest.mark.parametrize("photograph", SHEETS.values(), ids=SHEETS.keys())
def test_a_drawing_is_not_warned_of(photograph):
    assert not DRAWING.decode([photograph(symbol("house", 1))], ["inputs[0]"], LIMITS).warnings


def test_the_examples_of_the_readme_are_not_warned_of():
    sent = json.loads((EXAMPLES / "adapt.json").read_text())["support"]
    inputs = [each["input"] for each in sent]
    assert all(base64.b64decode(each) for each in inputs)
    assert not DRAWING.decode(inputs, inputs, LIMITS).warnings


def test_large_sheets_of_numbers_take_memory_in_proportion(monkeypatch):
    """The light on a sheet is fitted at the size that a model has use for, however large the sheet is."""
    fitted = []
    monkeypatch.setattr(normalize, "uneven_paper", lambda grey: fitted.append(grey.shape) or uneven_paper(grey))
    noise = np.random.default_rng(0).integers(0, 256, (3, 2000, 1500), dtype=np.uint8)
    decode_images(list(noise), 28, PixelBudget(10**8), ["inputs[0]"] * 3)
    assert {shape[1:] for shape in fitted} == {(667, 500)}


def test_many_sheets_are_decoded_as_each_alone():
    sheets = np.random.default_rng(0).integers(0, 256, (5, 400, 600), dtype=np.uint8)
    fields = [f"inputs[{i}]" for i in range(5)]
    alone = [decode_images([sheet], 28, PixelBudget(10**7), ["inputs[0]"]).ink[0] for sheet in sheets]
    assert np.array_equal(decode_images(list(sheets), 28, PixelBudget(10**7), fields).ink, alone)


def test_a_dot_that_vanishes_on_a_large_sheet_is_warned_of():
    sheet = np.full((700, 700), 255, np.uint8)
    sheet[350, 350] = 250
    decoded = DRAWING.decode([sheet], ["inputs[0]"], LIMITS)
    assert bool(decoded.warnings) == (not decoded.array().any())
