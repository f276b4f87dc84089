"""The temperature: fitted on validation classes, kept in the card, and what probabilities are made with."""

import pytest

from models import checkpoint
from models.datasets import DATASETS, Dataset
from models.learner import Kind
from models.recipes import RECIPES
from service.cards import Card
from service.commands import calibrate as command
from service.commands.calibrate import calibrate
from tests.models.learners import TABLE
from tests.models.trainings import Blobs, Training, trained

SPEC = TABLE["protonet-stride-group"]
BLOBS = Dataset(
    name="blobs",
    kind=Kind.CLASSIFICATION,
    input_type="drawing",
    splits={"val": None},
    test_split="val",
    open=lambda path, split, input, *, seed: Blobs(100, seed=seed),
)


@pytest.fixture
def card_path(tmp_path, monkeypatch):
    """A model that has learned a little, and the card that its training left."""
    monkeypatch.setattr(command, "EPISODES", 5)
    monkeypatch.setitem(DATASETS._own, "blobs", BLOBS)
    learner = trained(Training(SPEC, steps=5), Blobs(), tmp_path)
    checkpoint.save(tmp_path / "small.safetensors", SPEC, learner.state_dict())
    write_card(tmp_path / "small.json", validation_split="val")
    return tmp_path / "small.json"


def write_card(path, validation_split: str | None) -> None:
    recipe = {"dataset": "blobs", "validation_split": validation_split, "validation_options": {"seed": 1}}
    card = {"name": "small", "title": "", "algorithm": "", "paper": "", "kind": "classification"}
    Card.model_validate(card | {"input": RECIPES["glyphs"].input, "training": {"recipe": recipe}}).write(path)


def test_the_card_has_the_temperature(card_path):
    calibrate(card_path, None, device="cpu", threads=1)
    assert Card.read(card_path).temperature not in (1.0, 0.0)


def test_the_same_episodes_give_the_same_temperature(card_path):
    temperatures = []
    for _ in range(2):
        calibrate(card_path, None, device="cpu", threads=1)
        temperatures.append(Card.read(card_path).temperature)
    assert temperatures[0] == temperatures[1]


def test_a_model_without_a_validation_split_is_refused(card_path):
    write_card(card_path, validation_split=None)
    with pytest.raises(ValueError, match="small has no validation split"):
        calibrate(card_path, None, device="cpu", threads=1)
