"""handful train and evaluate with data of the user's own, on tiny encoders."""

import io
import json

import numpy as np
import pytest
import torch
from PIL import Image

from models import checkpoint
from service.cards import Card
from service.commands import own_training
from service.commands.own_training import Gain
from tests.models.model_folders import make_image_folder
from tests.service.commands.own import OWN, handful, refused

pytest.importorskip("transformers", reason="needs transformers: pip install 'handful[worker]'")
pytest.importorskip("pyarrow", reason="needs pyarrow: pip install 'handful[train]'")

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
