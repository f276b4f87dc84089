"""Own data: columns, what is left out and counted, and splits."""

import io
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.datasets.own.columns import Columns, found
from models.datasets.own.opening import type_of
from tests.models.own_files import NONE, jsonl, own, rows


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["text", "label"], Columns(("text",), None, "label")),
        (["Subject", "Body", "Queue", "id"], Columns(("Subject", "Body"), None, "Queue")),
        (["utterance", "intent", "split", "task"], Columns(("utterance",), None, "intent", "task", "split")),
        (["image", "class"], Columns((), "image", "class")),
        (["age", "plan", "target"], Columns((), None, "target")),
    ],
)
def test_columns_are_recognised_by_their_names(names, expected):
    assert found(NONE, names, "f") == expected


def test_columns_that_are_named_count_before_those_recognised():
    names = ["text", "comment", "label", "team"]
    assert found(Columns(("comment",), None, "team"), names, "f") == Columns(("comment",), None, "team")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (Columns(label="queue"), "no column 'queue'; its columns are text, id"),
        (Columns(text=("body",), label="id"), "no column 'body'"),
        (NONE, "Name it with --label; the columns are text, id"),
    ],
)
def test_a_missing_column_is_named_with_those_there(given, said):
    with pytest.raises(ValueError, match=said):
        found(given, ["text", "id"], "f")


def test_the_type_of_input_follows_from_the_columns(tmp_path):
    assert type_of(jsonl(tmp_path, rows(2, 2)), NONE) == ("text", False)
    assert type_of(jsonl(tmp_path, [{"age": 1, "label": "a"}]), NONE) == ("table", False)
    assert type_of(jsonl(tmp_path, [{"photo": "1.png", "label": "a"}]), NONE) == ("photo", False)


def test_rows_without_text_or_label_are_reported_by_line(tmp_path):
    bad = [{"text": " ", "label": "x"}, {"label": "x"}, {"text": "t"}, {"text": "t", "label": ["x"]}]
    read = own(jsonl(tmp_path, rows(2, 3) + bad))
    assert len(read.examples) == 6
    assert read.rejects.lines() == [
        "line 7: no text in the column text",
        "line 8: no text in the column text",
        "line 9: nothing in the column 'label'",
        "line 10: the column 'label' holds a list or an object, not a name",
    ]


def test_repeated_texts_are_left_out_and_two_labels_of_one_text_counted(tmp_path):
    more = [{"text": "TEXT 0  0", "label": f"class {c}", "split": "train"} for c in range(2)]
    more.append({"text": "another", "label": "class 0", "split": "val"})
    read = own(jsonl(tmp_path, rows(2, 3, split="train") + more))
    assert (read.rows, len(read.examples), read.duplicates, read.conflicts) == (9, 8, 1, 1)


def test_a_class_of_one_example_is_left_out(tmp_path):
    read = own(jsonl(tmp_path, [*rows(2, 3), {"text": "lone", "label": "alone"}]))
    assert read.lone == ["alone"]
    assert {each.label for each in read.examples} == {"class 0", "class 1"}


@pytest.mark.parametrize("made", [rows(1, 5), rows(5, 1)])
def test_data_without_two_classes_is_refused(tmp_path, made):
    with pytest.raises(ValueError, match="a task needs two"):
        own(jsonl(tmp_path, made))


def test_an_empty_file_is_refused_with_what_was_wrong(tmp_path):
    path = tmp_path / "data.jsonl"
    path.write_text("{\n")
    with pytest.raises(ValueError, match="no rows that can be read; line 1: not JSON"):
        own(path)


@pytest.mark.parametrize(("label", "name"), [(3, "3"), (3.0, "3"), (True, "True"), (0.5, "0.5"), (" a  b ", "a b")])
def test_labels_become_names(tmp_path, label, name):
    read = own(jsonl(tmp_path, [{"text": f"t{i}", "label": label} for i in range(2)] + rows(1, 2)))
    assert read.examples[0].label == name


def test_many_classes_are_divided_so_that_tested_classes_are_new(tmp_path):
    read = own(jsonl(tmp_path, rows(20, 3)))
    by_split = {split: {e.label for e in read.examples if e.split == split} for split in ("train", "val", "test")}
    assert [len(by_split[split]) for split in ("train", "val", "test")] == [12, 4, 4]
    assert len(set.union(*by_split.values())) == 20
    assert read.divided == "classes"


def test_the_examples_of_few_classes_are_divided(tmp_path):
    read = own(jsonl(tmp_path, rows(3, 10)))
    assert Counter((e.label, e.split) for e in read.examples) == {
        (f"class {c}", split): count for c in range(3) for split, count in (("train", 6), ("val", 2), ("test", 2))
    }
    assert read.divided == "examples"


def test_whole_tasks_are_divided_and_each_is_a_label_space(tmp_path):
    made = [
        {"text": f"{t} {c} {i}", "label": f"{c}", "task": f"customer {t}"}
        for t in range(10)
        for c in "ab"
        for i in "12"
    ]
    read = own(jsonl(tmp_path, made))
    assert read.divided == "tasks"
    by_split = {split: {e.task for e in read.examples if e.split == split} for split in ("train", "val", "test")}
    assert [len(tasks) for tasks in by_split.values()] == [6, 2, 2]
    assert len(set.union(*by_split.values())) == 10


def test_the_seed_alone_decides_the_division(tmp_path):
    path = jsonl(tmp_path, rows(20, 3))
    first, again, other = (own(path, seed=seed).examples for seed in (1, 1, 2))
    assert first == again != other


def test_a_column_of_splits_is_followed_under_its_usual_names(tmp_path):
    splits = ("train", "Training", "dev", "validation", "test", "holdout")
    made = [{"text": f"{split} {c}", "label": c, "split": split} for split in splits for c in ("a", "b")]
    read = own(jsonl(tmp_path, made))
    assert Counter(each.split for each in read.examples) == {"train": 4, "val": 4, "test": 2}
    assert read.divided == "split"
    assert read.rejects.lines()[0] == "line 11: 'holdout' in the column 'split'; it takes train, val and test"


def test_validation_is_held_out_of_training_where_the_column_of_splits_has_none(tmp_path):
    made = rows(20, 3, split="train") + [
        {"text": f"new {c}", "label": f"class {c}", "split": "test"} for c in range(20)
    ]
    read = own(jsonl(tmp_path, made))
    by_split = {split: {e.label for e in read.examples if e.split == split} for split in ("train", "val", "test")}
    assert [len(classes) for classes in by_split.values()] == [16, 4, 20]
    assert not by_split["train"] & by_split["val"]
    assert read.divided == "split; of the training split, classes are held out for validation"


def test_an_input_in_two_splits_stays_in_the_later_one_only(tmp_path):
    made = [*rows(2, 3, split="train"), {"text": "text 0 0", "label": "class 1", "split": "test"}]
    read = own(jsonl(tmp_path, made))
    assert read.leaks == 1
    assert [each.split for each in read.examples if each.input == "text 0 0"] == ["test"]


def test_the_summary_counts_what_was_read_and_left_out(tmp_path):
    read = own(jsonl(tmp_path, [*rows(3, 10), rows(1, 1)[0], {"text": "t"}]))
    text = "\n".join(read.summary())
    for part in (
        "32 rows, 30 examples; columns --text text --label label",
        "left out, line 32: nothing in the column 'label'",
        "1 duplicates left out",
        "train: 3 classes, 18 rows, 6 to 6 examples of a class",
        "Splits are by examples.",
    ):
        assert part in text


def photo(colour: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (16, 16), (colour, 0, 0)).save(file, "JPEG")
    return file.getvalue()


@pytest.fixture
def folder(tmp_path) -> Path:
    """Three photos of each of two classes, one of them twice, and files that are no photos."""
    for name in ("cat", "dog"):
        (tmp_path / name).mkdir()
        for i in range(3):
            (tmp_path / name / f"{i}.jpg").write_bytes(photo(40 * i + (20 if name == "dog" else 0)))
    (tmp_path / "cat" / "again.jpg").write_bytes(photo(0))
    (tmp_path / "cat" / "text.jpg").write_bytes(b"no photo")
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(noise).save(file, "JPEG")
    (tmp_path / "cat" / "half.jpg").write_bytes(file.getvalue()[:900])
    return tmp_path


def test_photos_that_cannot_be_decoded_are_reported_by_their_path(folder):
    read = own(folder, "photo")
    assert (len(read.examples), read.duplicates) == (6, 1)
    assert sorted(read.rejects.lines()) == [
        "cat/half.jpg: not an image, or a damaged one",
        "cat/text.jpg: not an image, or a damaged one",
    ]


def test_photos_stay_in_their_files(folder):
    example = own(folder, "photo").examples[0]
    assert len(repr(example.input)) < 500
    assert example.input.read() == photo(0)


def test_a_csv_file_can_name_the_photos(folder):
    (folder / "list.csv").write_text("photo,label\n" + "".join(
        f"{name}/{i}.jpg,{name}\n" for name in ("cat", "dog") for i in range(3)) + "cat/9.jpg,cat\n")  # fmt: skip
    read = own(folder / "list.csv", "photo")
    assert len(read.examples) == 6
    assert read.rejects.lines() == ["line 8: cannot be read: No such file or directory"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"label\na\nb\na\nb\n", "no column of numbers or texts beside the label"),
        ("text,label\né,a\né,b\n".encode("latin-1"), "data.csv is not UTF-8: save it as UTF-8"),
        (b"text,label\na,1\nb,2\nc,3\n", "0 classes of two examples or more in the column 'label'.*3 labels have one"),
    ],
)
def test_files_without_anything_to_learn_are_refused_with_the_reason(tmp_path, content, said):
    path = tmp_path / "data.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=said):
        own(path, type_of(path, NONE)[0])
