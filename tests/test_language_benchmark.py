"""The benchmark of languages, on a few sentences and tiny encoders."""

import json

import pytest

from benchmarks import figures, languages
from models.checkpoint import Spec, build
from tests.models.model_folders import make_multilingual_folder

WORDS = {"en": ("alarm", "rain"), "de": ("wecker", "regen")}
LABELS = ("alarm/set", "weather/find")


@pytest.fixture
def data(tmp_path):
    """Two intents in two languages, and two moods in one."""
    (tmp_path / "texts").mkdir()
    sentences = [
        {"text": f"{word} {number}", "label": label, "split": split, "lang": language, "id": f"{split}{label}{number}"}
        for language, words in WORDS.items()
        for word, label in zip(words, LABELS, strict=True)
        for split in ("train", "test")
        for number in range(5)
    ]
    tweets = [
        {"text": f"{mood} {number}", "label": mood, "split": split, "lang": "hau"}
        for mood in ("positive", "negative")
        for split in ("train", "test")
        for number in range(4)
    ]
    for name, rows in {"xsid": sentences, "naijasenti": tweets}.items():
        (tmp_path / f"texts/{name}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    return tmp_path


def test_sentences_that_a_language_lacks_are_asked_in_none(data):
    path = data / "texts/xsid.jsonl"
    *rows, _ = path.read_text().splitlines()
    path.write_text("\n".join(rows) + "\n")
    assert len(languages.sentences(path, "test").labels) == 9
    assert len(languages.sentences(path, "train").labels) == 10


def test_every_language_is_measured_from_english_and_from_itself(data, tmp_path, monkeypatch):
    (tmp_path / "page.md").write_text("")
    monkeypatch.setattr(figures, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(figures, "RESULTS", tmp_path / "results.json")
    monkeypatch.setattr(languages, "TWEETS", (2,))
    folder = str(make_multilingual_folder(tmp_path / "xlm-r", [word for words in WORDS.values() for word in words]))
    tiny = build(Spec("named-logistic", "text", {}, {"name": folder})).eval().requires_grad_(False)
    monkeypatch.setattr(languages.checkpoint, "load", lambda _: tiny)
    languages.main(["--data", str(data), "--encoder", folder, "--draws", "2"])
    found = json.loads((tmp_path / "results.json").read_text())
    assert [row[0] for row in found["languages"]["rows"]] == ["English", "German"]
    assert len(found["languages"]["header"]) == 1 + 2 * 2
    german = dict(zip(found["own-language"]["header"], found["own-language"]["rows"][1], strict=True))
    assert german["characters, 4 a class"]["mean"] == 100
    assert [row[0] for row in found["tweets"]["rows"]] == ["Hausa"]
