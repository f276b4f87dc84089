"""handful add, train and evaluate with data of the user's own, on tiny encoders."""

import io
import json
import sys
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from models import checkpoint
from models.encoders import text
from models.learners.any_features import SHIPPED
from service.cards import Card, Catalogue
from service.cli import main
from service.commands import calibrate, own_training
from service.commands.own_training import Gain
from service.settings import ZOO, Settings
from tests.models.model_folders import make_image_folder, make_text_folder

pytest.importorskip("transformers", reason="needs transformers: pip install 'handful[worker]'")
pytest.importorskip("pyarrow", reason="needs pyarrow: pip install 'handful[train]'")
OWN = Path("own-models")
CLASSES = ("parcel", "refund", *"bcdefgh")


def handful(command: str) -> None:
    """Run a command that succeeds."""
    sys.argv = ["handful", *command.split()]
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 0


def refused(command: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command ends with."""
    capsys.readouterr()
    sys.argv = ["handful", *command.split()]
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    [line] = [line for line in capsys.readouterr().err.splitlines() if line.startswith("handful: ")]
    return line


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Path:
    """A working folder with a tiny encoder of texts, and tickets of nine classes."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [])
    make_text_folder(tmp_path / "bert")
    texts = [(f"{a} {b} {word} {c}", word) for word, a, b, c in product(CLASSES, ("where", "i"), ("is", "want"), "?a")]
    lines = [f"{' '.join(text.split()[:2])},{' '.join(text.split()[2:])},{label}" for text, label in texts]
    (tmp_path / "tickets.csv").write_text("subject,body,queue\n" + "\n".join(lines) + "\n")
    return tmp_path


@pytest.fixture
def added(folder) -> Path:
    handful("add tickets --encoder bert --learner logistic")
    return folder


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


TRAIN = "train tickets --data tickets.csv --text subject,body --label queue --steps 2"


def forced(monkeypatch: pytest.MonkeyPatch, before: float, after: float) -> None:
    monkeypatch.setattr(own_training, "_gain", lambda *_: Gain(before, after, 0.01))


def test_trained_weights_are_kept_where_they_are_better_on_the_validation_classes(added, monkeypatch, capsys):
    forced(monkeypatch, 0.5, 0.9)
    handful(TRAIN)
    assert "Training helped" in capsys.readouterr().out
    tensors, header = checkpoint.read(OWN / "tickets.safetensors")
    assert header["spec"].encoder_options["trained_layers"] == 2
    assert any("layer" in name for name in tensors)
    card = Card.read(OWN / "tickets.json")
    assert card.training["command"] == f"handful {TRAIN} --seed 0"
    assert card.training["recipe"]["dataset_options"]["columns"] == {"text": ["subject", "body"], "label": "queue"}
    assert (OWN / "tickets.png").read_bytes().startswith(b"\x89PNG")


def test_the_model_before_the_training_is_kept_where_it_is_not_worse(added, monkeypatch, capsys):
    before, _ = checkpoint.read(OWN / "tickets.safetensors")
    forced(monkeypatch, 0.9, 0.905)
    handful(TRAIN)
    assert "did not help for sure, and the model before it is kept" in " ".join(capsys.readouterr().out.split())
    tensors, header = checkpoint.read(OWN / "tickets.safetensors")
    assert tensors.keys() == before.keys()
    assert "trained_layers" not in header["spec"].encoder_options
    assert Card.read(OWN / "tickets.json").training["recipe"]["steps"] == 0


def test_the_gain_is_measured_on_the_same_episodes(added, capsys):
    handful(TRAIN)
    said = " ".join(capsys.readouterr().out.split())
    assert "validation accuracy, 3-way 2-shot" in said
    handful(TRAIN)
    assert said.split("validation accuracy")[1] == " ".join(capsys.readouterr().out.split()).split(
        "validation accuracy")[1]  # fmt: skip


def test_evaluate_prints_a_table_over_the_shots_and_draws_confusion_and_learning_curve(added, capsys):
    handful(TRAIN)
    capsys.readouterr()
    handful("evaluate tickets --data tickets.csv --ways 20 --shots 3 --episodes 20 --json --record")
    out, err = capsys.readouterr()
    assert "--ways is lowered" in " ".join(err.split())
    assert "test: 3 classes, 24 rows" in err
    figures = json.loads(out)["figures"]
    assert {each["setting"] for each in figures} == {f"tickets.csv, test, 3-way {shots}-shot" for shots in (1, 2, 3, 5)}
    accuracy = next(each for each in figures if each["setting"].endswith("3-shot") and each["metric"] == "accuracy")
    assert 0 < accuracy["mean"] <= 1
    assert accuracy["ci95"] is not None
    assert accuracy["command"] == (
        "handful evaluate tickets --data tickets.csv --text subject,body --label queue --split test --ways 3 --shots 3 "
        "--queries 5 --episodes 20 --seed 0"
    )
    for name in ("tickets-confusion.png", "tickets-shots.png"):
        assert (OWN / name).read_bytes().startswith(b"\x89PNG")
    assert len(Card.read(OWN / "tickets.json").figures) == len(figures)


def test_the_same_seed_gives_the_same_figures(added, capsys):
    command = "evaluate tickets --data tickets.csv --label queue --episodes 10 --json --seed"
    found = []
    for seed in (1, 1, 2):
        handful(f"{command} {seed}")
        found.append(json.loads(capsys.readouterr().out)["figures"][0]["mean"])
    assert found[0] == found[1]


def test_a_shipped_model_is_measured_on_own_rows(folder, capsys):
    rng = np.random.default_rng(0)
    rows = [f"{x:.3f},{'ab'[int(x > 0)]},{'yes' if x > 0 else 'no'}" for x in rng.normal(size=60)]
    (folder / "rows.csv").write_text("size,kind,label\n" + "\n".join(rows) + "\n")
    handful("evaluate tables --data rows.csv --shots 10 --episodes 10 --json --plots pictures")
    figures = json.loads(capsys.readouterr().out)["figures"]
    assert max(each["mean"] for each in figures if each["metric"] == "accuracy") > 0.9
    assert (folder / "pictures" / "tables-confusion.png").exists()


@pytest.fixture
def prices(folder, monkeypatch) -> Path:
    """Rows whose price is a curved function of two columns; the city decides its level."""
    rng = np.random.default_rng(0)
    rows = [
        f"{a:.2f},{'xy'[i % 2]},city {i % 6},{100 + 20 * (i % 6) + a**2 + 3 * (i % 2) + rng.normal(0, 0.2):.3f}"
        for i, a in enumerate(rng.uniform(-3, 3, 300))
    ]
    (folder / "prices.csv").write_text("area,kind,city,price\n" + "\n".join(rows) + "\n")
    monkeypatch.setattr(calibrate, "REGRESSION_EPISODES", 10)
    return folder


@pytest.mark.parametrize("how", ["", " --task city"])
def test_a_regression_is_recognised_trained_calibrated_and_measured_beside_baselines(prices, capsys, how):
    handful(f"train prices --data prices.csv --label price{how} --steps 5")
    out = capsys.readouterr().out
    assert "--regression" in out
    assert "validation mse" in " ".join(out.split())
    card = Card.read(OWN / "prices.json")
    assert (card.kind, card.outputs, card.training["recipe"]["dataset"]) == ("regression", 1, "own-tables-regression")
    assert card.errors.unit == "range"
    assert (
        card.training["command"]
        == f"handful train prices --data prices.csv --label price{how} --regression --steps 5 --seed 0"
    )
    handful("evaluate prices --data prices.csv --episodes 5 --shots 16 --json --record")
    found = json.loads(capsys.readouterr().out)
    scores = {each["metric"]: each["mean"] for each in found["figures"] if each["setting"].endswith("test, K=16")}
    assert list(scores) == ["mse", "mae", "r2"]
    assert all(set(methods) == {"ridge", "random forest"} for methods in found["baselines"].values())
    assert scores["mse"] < found["baselines"]["K=16"]["ridge"]["mse"]["mean"] or how == ""
    for name in ("prices-predicted.png", "prices-shots.png"):
        assert (OWN / name).read_bytes().startswith(b"\x89PNG")
    assert len(Card.read(OWN / "prices.json").figures) == len(found["figures"])


def test_an_added_regression_is_measured_and_trained(prices, capsys):
    handful("add prices --encoder identity --regression")
    card = Card.read(OWN / "prices.json")
    assert (card.kind, card.outputs) == ("regression", 1)
    assert card.training["command"] == "handful add prices --encoder identity --learner kernels --regression"
    handful("evaluate prices --data prices.csv --label price --episodes 3")
    assert "random forest" in capsys.readouterr().out
    handful("train prices --data prices.csv --label price --steps 2")
    assert Card.read(OWN / "prices.json").errors is not None


def test_own_rows_with_classes_are_trained_too(folder, capsys):
    rows = [f"{i % 7},{'ab'[i % 2]},{'yes' if i % 7 > 3 else 'no'}" for i in range(60)]
    (folder / "rows.csv").write_text("size,kind,label\n" + "\n".join(rows) + "\n")
    handful("train customers --data rows.csv --steps 2")
    assert "validation accuracy" in " ".join(capsys.readouterr().out.split())
    assert Card.read(OWN / "customers.json").kind == "classification"


def test_own_photos_are_added_trained_and_measured(folder, capsys):
    make_image_folder(folder / "vit", "vit")
    rng = np.random.default_rng(0)
    for name in "abcdefghij":
        (folder / "photos" / name).mkdir(parents=True)
        colour = rng.integers(0, 256, 3)
        for i in range(6):
            pixels = np.clip(colour + rng.normal(0, 30, (40, 50, 3)), 0, 255).astype(np.uint8)
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, "PNG")
            (folder / "photos" / name / f"{i}.png").write_bytes(file.getvalue())
    handful("add pictures --encoder vit")
    handful("train pictures --data photos --steps 5")
    handful("evaluate pictures --data photos --shots 2 --episodes 10 --json")
    out = capsys.readouterr().out
    figures = json.loads(out[out.index("{\n") :])["figures"]
    assert next(each["mean"] for each in figures if each["metric"] == "accuracy") > 0.5
    assert torch.isfinite(next(iter(checkpoint.load(OWN / "pictures.safetensors").state_dict().values()))).all()


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("train tickets --data tickets.csv --label nothing", "no column 'nothing'; its columns are subject, body, q"),
        ("train tickets --data tickets.csv --text nothing --label queue", "has no column 'nothing'"),
        ("train texts --data tickets.csv --label queue", "texts is a recipe"),
        ("train tables2 --data rows.csv --regression", "a task needs 5 rows with different numbers"),
        ("add x --encoder bert --regression", "--regression is for rows of a table"),
        ("train tickets --data tickets.csv --label queue --regression", "tickets answers with classes"),
        ("train tickets --data one.csv", "has 1 class of two examples or more"),
        ("train tickets --data empty.csv", "empty.csv is empty"),
        ("train tickets --data header.csv", "header.csv has no rows that can be read"),
        ("train tickets --data wide.csv", "wide.csv is UTF-16"),
        ("train tickets --data tickets.xlsx", "of no known format"),
        ("train new", "no recipe is called 'new'"),
        ("evaluate nothing --data tickets.csv", "no model 'nothing'"),
        ("evaluate tickets --data tickets.csv --shots 50", "give fewer --shots, or --split all"),
        ("evaluate tickets --data tickets.csv --split holdout", "no split 'holdout'"),
        ("evaluate glyphs --data tickets.csv", "glyphs takes inputs of type drawing"),
        ("evaluate tables-regression --data rows.csv", "a task needs 5 rows with different numbers"),
        ("evaluate tables-regression --data rows.csv --classes", "tables-regression predicts numbers: leave out --cla"),
    ],
)  # fmt: skip
def test_bad_data_and_wrong_arguments_end_with_one_line(added, command, said, capsys):
    rows = "".join(f"{i},{'ab'[i % 2]}\n" for i in range(9))
    files = {
        "rows.csv": "size,label\n" + rows,
        "one.csv": "text,label\na,x\nb,x\n",
        "empty.csv": "",
        "header.csv": "text,label\n",
        "tickets.xlsx": "",
    }
    for name, content in files.items():
        (added / name).write_text(content)
    (added / "wide.csv").write_bytes("text,label\na,x\n".encode("utf-16"))
    assert said in refused(command, capsys)
