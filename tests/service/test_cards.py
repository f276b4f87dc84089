"""The models of a folder with other files in it."""

import shutil
from pathlib import Path

import pytest

from service.cards import Calibration, Card, Catalogue, TaskCalibration
from service.settings import ZOO


@pytest.fixture
def models(zoo: Path, tmp_path: Path) -> Path:
    for name in ("glyphs", "sinusoid"):
        for kind in ("json", "safetensors"):
            shutil.copy(zoo / f"{name}.{kind}", tmp_path)
    return tmp_path


def test_every_card_of_the_folder_is_served(models):
    assert set(Catalogue(models)) == {"glyphs", "sinusoid"}


def test_own_models_are_served_too_and_cannot_take_the_name_of_another(models, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    for name, source in (("tickets", "sinusoid"), ("glyphs", "sinusoid")):
        for kind in ("json", "safetensors"):
            shutil.copy(models / f"{source}.{kind}", own / f"{name}.{kind}")
    served = Catalogue(models, "*", own)
    assert set(served) == {"glyphs", "sinusoid", "tickets"}
    assert served["glyphs"].kind == "classification"
    assert set(Catalogue(models, "tick*", own)) == {"tickets"}
    assert set(Catalogue(models, "*", tmp_path / "nowhere")) == {"glyphs", "sinusoid"}


def test_hidden_files_are_ignored_without_a_log_message(models, caplog):
    (models / "._glyphs.json").write_bytes(b"\x00\x05\x16\x07 what macOS writes")
    (models / ".hidden.json").write_text("{}")
    assert set(Catalogue(models)) == {"glyphs", "sinusoid"}
    assert not caplog.records


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"name": "broken"}', b'{"input": {"type": "smell"}}']
)
def test_a_broken_card_is_named_and_the_others_are_served(models, caplog, content):
    (models / "broken.json").write_bytes(content)
    shutil.copy(models / "glyphs.safetensors", models / "broken.safetensors")
    assert set(Catalogue(models)) == {"glyphs", "sinusoid"}
    [record] = caplog.records
    assert str(models / "broken.json") in record.getMessage()


def test_a_card_without_weights_is_named_and_the_others_are_served(models, caplog):
    (models / "sinusoid.safetensors").unlink()
    assert set(Catalogue(models)) == {"glyphs"}
    assert "sinusoid.json" in caplog.text
    assert "sinusoid.safetensors" in caplog.text


def test_a_folder_without_a_readable_card_is_refused(models):
    for path in models.glob("*.json"):
        path.write_text("{")
    with pytest.raises(FileNotFoundError, match="no readable card"):
        Catalogue(models)


def test_a_card_is_written_as_it_was_read(models):
    card = Card.read(models / "glyphs.json")
    card.write(models / "copy.json")
    assert Card.read(models / "copy.json") == card


@pytest.mark.parametrize(
    ("serve", "served"), [("*", {"glyphs", "sinusoid"}), ("sin*", {"sinusoid"}), ("glyphs, other*", {"glyphs"})]
)
def test_only_the_selected_models_are_served(models, serve, served):
    assert set(Catalogue(models, serve)) == served


def test_a_selection_of_nothing_is_an_error_that_names_it(models):
    with pytest.raises(FileNotFoundError, match="HANDFUL_SERVE=none"):
        Catalogue(models, "none")


def calibrated(card: Card) -> Card:
    def task(ways: int, shots: int, temperature: float) -> TaskCalibration:
        return TaskCalibration(
            ways=ways, shots=shots, temperature=temperature, calibration_error=0.01, familiar=[0.8, 0.4]
        )

    tasks = [task(2, 1, 1.0), task(2, 5, 2.0), task(10, 1, 3.0)]
    return card.model_copy(update={"calibration": Calibration(split="val", coverages=(0.5, 0.9), tasks=tasks)})


def test_the_temperature_is_that_of_the_largest_task_that_is_not_larger():
    card = calibrated(Catalogue(ZOO)["glyphs"])
    temperatures = {(2, 1): 1.0, (2, 4): 1.0, (2, 7): 2.0, (9, 5): 2.0, (10, 9): 3.0, (500, 1): 3.0}
    for (ways, shots), temperature in temperatures.items():
        assert card.for_task(ways, ways * shots).temperature == temperature


def test_the_familiarity_lies_between_those_of_the_measured_shares():
    card = calibrated(Catalogue(ZOO)["glyphs"])
    assert card.familiar_at(2, 2, 0.7) == pytest.approx(0.6)


def test_a_card_without_calibration_keeps_its_temperature():
    card = Catalogue(ZOO)["tables"]
    assert card.for_task(5, 25) is card
    assert card.familiar_at(5, 25, 0.9) is None
