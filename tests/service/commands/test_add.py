"""handful add and calibrate, on tiny encoders."""

import pytest
import torch
from safetensors.torch import load_file

from models import checkpoint
from models.encoders import text
from models.learners.any_features import SHIPPED
from service.cards import Card, Catalogue
from service.settings import ZOO, Settings
from tests.models.model_folders import make_image_folder
from tests.service.commands.own import OWN, handful, refused

pytest.importorskip("transformers", reason="needs transformers: pip install 'handful[worker]'")
pytest.importorskip("pyarrow", reason="needs pyarrow: pip install 'handful[train]'")


def test_add_takes_a_learner_whose_weights_ship(folder):
    handful("add tickets --encoder bert --learner any-features")
    learner = checkpoint.load(OWN / "tickets.safetensors")
    assert learner.algorithm == Card.read(OWN / "tickets.json").algorithm
    torch.testing.assert_close(learner.read.weight, load_file(SHIPPED)["read.weight"])


@pytest.mark.parametrize(("least", "centred"), [(0.0, True), (1.1, False)])
def test_add_centres_features_that_are_much_alike(folder, monkeypatch, least, centred):
    monkeypatch.setattr(text, "NARROW", least)
    handful("add tickets --encoder bert")
    assert checkpoint.read(OWN / "tickets.safetensors")[1]["spec"].encoder_options.get("centred", False) is centred
    assert (checkpoint.load(OWN / "tickets.safetensors").encoder.mean is not None) is centred


def test_add_loads_the_encoder_once(folder, monkeypatch):
    loaded, load_network = [], text.load_network
    monkeypatch.setattr(text, "NARROW", 0.0)
    monkeypatch.setattr(text, "load_network", lambda path: loaded.append(path) or load_network(path))
    handful("add tickets --encoder bert")
    assert len(loaded) == 1


def test_an_added_model_has_a_card_and_is_served_beside_the_shipped_ones(added):
    card = Card.read(OWN / "tickets.json")
    assert card.training["command"] == "handful add tickets --encoder bert --learner logistic"
    assert card.input.model_dump() == {"type": "text", "max_tokens": 16, "max_characters": 128}
    settings = Settings()
    served = Catalogue(settings.models, settings.serve, settings.own_models)
    assert {"tickets", "texts"} <= set(served)
    assert checkpoint.load(settings.weights("tickets")).encode(["where is my parcel ?"]).shape == (1, 32)
    assert settings.weights("texts") == ZOO / "texts.safetensors"


def test_a_prefix_of_texts_belongs_to_the_model(folder):
    handful("add words --encoder bert --prefix query:")
    assert "--prefix query:" in Card.read(OWN / "words.json").training["command"]
    assert checkpoint.read(OWN / "words.safetensors")[1]["spec"].encoder_options["prefix"] == "query:"


def test_the_learner_of_a_kind_of_input_is_chosen_where_none_is_named(folder):
    handful("add words --encoder bert")
    make_image_folder(folder / "vit", "vit")
    handful("add pictures --encoder vit")
    handful("add rows --encoder identity")
    algorithms = {name: Card.read(OWN / f"{name}.json").algorithm for name in ("words", "pictures", "rows")}
    assert [each.split()[0] for each in algorithms.values()] == ["Logistic", "Ridge", "Averaged"]
    assert Card.read(OWN / "pictures.json").input.model_dump()["stretch"] is True


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("add tickets --encoder bert", "own-models/tickets.json exists: choose another name, or give --replace"),
        ("add texts --encoder bert", "texts is the name of a model"),
        ("add glyphs-strided --encoder bert", "or of a recipe"),
        ("add ../x --encoder bert", "letters, digits"),
        ("add x --encoder bert --learner relation", "relation must be meta-trained"),
        ("add x --encoder bert --learner maml", "maml must be meta-trained"),
        ("add x --encoder bert --learner nothing", "there is no learner 'nothing'"),
        ("add x --encoder bert --learner cosine", "does not work on this encoder"),
        ("add x --encoder nobody/nothing", "neither a folder nor in the hub's cache, and cannot be fetched"),
        ("add x --encoder own-models", "holds no model.safetensors"),
    ],
)
def test_a_model_that_cannot_be_added_is_refused_and_nothing_is_written(added, command, said, capsys, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert said in refused(command, capsys)
    assert {path.stem for path in OWN.iterdir()} == {"tickets"}


@pytest.mark.parametrize(("learner", "calibrated"), [("logistic", True), ("ridge", True), ("named-logistic", False)])
def test_an_added_learner_starts_with_the_calibration_of_its_kind_of_input(folder, learner, calibrated):
    handful(f"add words --encoder bert --learner {learner}")
    card = Card.read(OWN / "words.json")
    assert (card.temperature != 1.0) == (card.calibration is not None) == calibrated
    if calibrated:
        assert card.for_task(5, 25).temperature != card.for_task(20, 20).temperature
        assert card.familiar_at(5, 25, 0.95) is None


def test_an_added_model_is_calibrated_on_own_data_without_a_training(added, capsys):
    before = Card.read(OWN / "tickets.json")
    handful("calibrate tickets --data tickets.csv --text subject,body --label queue")
    assert "fitted on all examples of tickets.csv" in " ".join(capsys.readouterr().out.split())
    card = Card.read(OWN / "tickets.json")
    assert card.calibration.split == "all examples of tickets.csv"
    assert card.temperature != before.temperature
    assert {each.ways for each in card.calibration.tasks} == {2, 5}


def test_an_added_regression_is_calibrated_on_own_rows(prices, capsys):
    handful("add prices --encoder identity --regression")
    handful("calibrate prices --data prices.csv --label price")
    assert Card.read(OWN / "prices.json").errors.examples[0] == 3


def test_an_added_model_without_data_cannot_be_calibrated(added, capsys):
    assert "tickets has no validation split" in refused("calibrate tickets", capsys)


def test_a_model_is_replaced_on_demand(added):
    handful("add tickets --encoder bert --learner ridge --replace")
    assert Card.read(OWN / "tickets.json").algorithm.startswith("Ridge")
