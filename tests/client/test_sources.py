"""Inputs from files."""

import json
import zipfile
from pathlib import Path

import pytest

from handful.commands.sources import Form, Item, labelled, unlabelled

TEXT, TABLE, VECTOR = Form("text"), Form("table"), Form("vector", regression=True)


def written(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


@pytest.fixture
def folder(tmp_path) -> Path:
    written(tmp_path / "tickets/delivery/1.txt", "where is it?")
    written(tmp_path / "tickets/refund/1.txt", "my money")
    written(tmp_path / "tickets/refund/notes.docx", "not read")
    return tmp_path / "tickets"


def test_the_folders_of_a_folder_are_the_labels(folder):
    found = [(item.input, item.label) for item in labelled(folder, TEXT)]
    assert found == [("where is it?", "delivery"), ("my money", "refund")]
    assert [item.source for item in unlabelled([folder], TEXT)] == [
        f"{folder}/delivery/1.txt",
        f"{folder}/refund/1.txt",
    ]


def test_photos_are_paths_that_are_read_when_they_are_sent(tmp_path):
    photo = written(tmp_path / "cats/1.JPG", "")
    written(tmp_path / "dogs/2.png", "")
    assert next(labelled(tmp_path, Form("photo"))) == Item(str(photo), photo, "cats")


def test_a_zip_is_read_like_a_folder_also_with_a_folder_around_it(folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as packed:
        for path in folder.rglob("*.*"):
            packed.write(path, f"tickets/{path.relative_to(folder)}")
        packed.writestr("__MACOSX/tickets/refund/._1.txt", "not read")
    found = [(item.input, item.label) for item in labelled(tmp_path / "all.zip", TEXT)]
    assert found == [("where is it?", "delivery"), ("my money", "refund")]


def test_a_damaged_zip_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"all\.zip: cannot be unpacked"):
        list(labelled(written(tmp_path / "all.zip", "no zip"), TEXT))


def test_files_without_folders_of_classes_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("empty", "flat"):
        written(tmp_path / "flat/1.txt", "text")
        with pytest.raises(ValueError, match="a folder for each class"):
            list(labelled(tmp_path / name, TEXT))


def test_a_csv_file_of_texts_has_recognised_labels(tmp_path):
    path = written(tmp_path / "a.csv", '\ufefftext;Queue\n"late, again; sorry";delivery\nmoney;refund\n')
    assert list(labelled(path, TEXT)) == [
        Item(f"{path}:1", "late, again; sorry", "delivery"),
        Item(f"{path}:2", "money", "refund"),
    ]


def test_the_values_of_a_table_are_numbers_texts_and_nulls(tmp_path):
    path = written(tmp_path / "a.tsv", "age\tplan\tpaid\tlabel\n41\tpro\ttrue\tstays\n\t007x\tfalse\tleaves\n")
    assert [item.input for item in labelled(path, TABLE)] == [
        {"age": 41, "plan": "pro", "paid": True},
        {"age": None, "plan": "007x", "paid": False},
    ]


def test_the_labels_of_a_regression_are_numbers(tmp_path):
    path = written(tmp_path / "a.csv", "x,target\n1,2.5\n")
    assert list(labelled(path, VECTOR)) == [Item(f"{path}:1", [1], 2.5)]


def test_columns_are_chosen_by_name(tmp_path):
    path = written(tmp_path / "a.csv", "id,subject,body,kind\n7,late,where?,delivery\n")
    (one,) = labelled(path, Form("text", columns=("subject", "body"), label="kind"))
    assert (one.input, one.label) == ({"subject": "late", "body": "where?"}, "delivery")
    for form in (Form("text", columns=("title",), label="kind"), Form("text", label="title"), Form("text")):
        with pytest.raises(ValueError, match="it has id, subject, body, kind"):
            list(labelled(path, form))


def test_json_lines_are_inputs_or_rows(tmp_path):
    rows = [{"input": {"a": 1}, "label": "x"}, {"input": {"a": None}, "label": "y"}]
    path = written(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows)))
    assert [(item.input, item.label) for item in labelled(path, TABLE)] == [({"a": 1}, "x"), ({"a": None}, "y")]
    bare = written(tmp_path / "b.jsonl", '"late"\n\n"money"\n')
    assert [item.input for item in unlabelled([bare], TEXT)] == ["late", "money"]
    with pytest.raises(ValueError, match=r"c\.jsonl:2: is not JSON"):
        list(unlabelled([written(tmp_path / "c.jsonl", '"late"\nmoney\n')], TEXT))


def test_a_column_of_photos_is_relative_to_its_file(tmp_path):
    path = written(tmp_path / "a.csv", "file,label\nphotos/1.jpg,cat\n")
    assert next(labelled(path, Form("photo"))).input == tmp_path / "photos/1.jpg"


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "tickets/late/1.txt"])
def test_a_file_that_is_not_utf8_is_named(tmp_path, name):
    path = written(tmp_path / name, "")
    path.write_bytes('{"text": "tr\xe8s tard", "label": "late"}\n'.encode("latin-1"))
    source = tmp_path / "tickets" if name.endswith(".txt") else path
    with pytest.raises(ValueError, match=rf"{name}: is not UTF-8\. Save it as UTF-8"):
        list(labelled(source, TEXT))


def test_missing_values_of_texts_are_empty(tmp_path):
    rows = '{"title": "late", "body": null, "label": "x"}\n{"title": "lost", "label": "y"}\n'
    found = [item.input for item in labelled(written(tmp_path / "a.jsonl", rows), TEXT)]
    assert found == [{"title": "late", "body": ""}, "lost"]


def test_a_row_without_an_input_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"a\.csv:1: has no input, only label"):
        list(labelled(written(tmp_path / "a.csv", "label\nx\n"), TEXT))
    rows = written(tmp_path / "a.jsonl", '{"text": "late", "label": "x"}\n{"label": "y"}\n')
    for form in (TEXT, Form("text", columns=("text",))):
        with pytest.raises(ValueError, match=r"a\.jsonl:2: has no input, only label"):
            list(labelled(rows, form))


def test_a_row_of_more_values_than_columns_is_named(tmp_path):
    with pytest.raises(ValueError, match="line 3 has more values than the header has columns"):
        list(labelled(written(tmp_path / "a.csv", "text,label\nlate,x\nlost, again,x\n"), TEXT))


def test_numbers_beside_semicolons_may_have_a_decimal_comma(tmp_path):
    path = written(tmp_path / "a.csv", "price;plan;label\n1.234,5;a,b;x\n")
    assert [item.input for item in labelled(path, TABLE)] == [{"price": 1234.5, "plan": "a,b"}]


def test_numbers_that_are_none_are_missing_or_texts(tmp_path):
    path = written(tmp_path / "a.csv", "age,label\nNaN,x\ninf,y\n")
    assert [item.input for item in labelled(path, TABLE)] == [{"age": None}, {"age": "inf"}]
