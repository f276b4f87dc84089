"""The formats of own data: what is read, and how each bad row is reported."""

import datetime
import io
import json
import zipfile
from decimal import Decimal
from pathlib import Path

import pytest
from PIL import Image

from models.datasets.own import class_folders, json_lines
from models.datasets.own.read import records
from models.datasets.own.records import Record, Rejects

pa = pytest.importorskip("pyarrow", reason="needs pyarrow: pip install 'handful[train]'")
parquet = pytest.importorskip("pyarrow.parquet")


def read(path: Path) -> tuple[list[Record], list[str]]:
    rejects = Rejects()
    return list(records(path, rejects)), rejects.lines()


def csv(folder: Path, content: str | bytes, name: str = "data.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def png(colour: int = 0) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (8, 8), (colour, 0, 0)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_csv_rows_have_their_lines_also_after_quoted_line_breaks_and_empty_lines(tmp_path, end, delimiter):
    lines = [["text", "label"], [f'"two{end}lines"', "a"], [], ["three", "b"]]
    path = csv(tmp_path, "\ufeff" + "".join(delimiter.join(line) + end for line in lines))
    found, rejected = read(path)
    assert found == [
        Record("line 2", {"text": f"two{end}lines", "label": "a"}),
        Record("line 5", {"text": "three", "label": "b"}),
    ]
    assert rejected == []


def test_ragged_rows_and_rows_that_are_not_utf8_are_reported_by_line_and_the_others_read(tmp_path):
    content = "text,label\none,a\ntwo\nthree,c,c\ncafé,d\n\nfive,e\n".encode("latin-1")
    found, rejected = read(csv(tmp_path, content))
    assert [each.place for each in found] == ["line 2", "line 7"]
    assert rejected == [
        "line 3: 1 values for 2 columns",
        "line 4: 3 values for 2 columns",
        "line 5: not UTF-8",
    ]


@pytest.mark.parametrize(
    ("content", "line", "values"),
    [
        ("sep=;\r\ntext;label\r\na;b\r\n", 3, {"text": "a", "label": "b"}),
        ("text,label\ra,b\r", 2, {"text": "a", "label": "b"}),
        ('"long\nname",label\na,b\n', 3, {"long name": "a", "label": "b"}),
        (",text,label,,\n0,a,b,,\n", 2, {"text": "a", "label": "b"}),
        ("size;price\n12,5;1.234,50\n", 2, {"size": "12.5", "price": "1234.50"}),
        ('size,price\n"12,5",x\n', 2, {"size": "12,5", "price": "x"}),
    ],
    ids=["Excel's separator", "old Mac", "name of two lines", "columns without a name", "decimal comma", "comma"],
)
def test_csv_files_as_other_programs_write_them_are_read(tmp_path, content, line, values):
    assert read(csv(tmp_path, content)) == ([Record(f"line {line}", values)], [])


def test_a_quote_that_is_not_closed_is_hinted_at(tmp_path):
    found, rejected = read(csv(tmp_path, 'text,label\none,a\n"two,b\nthree,c\n'))
    assert [each.place for each in found] == ["line 2"]
    assert rejected == ["line 3: 1 values for 2 columns; a quote may not be closed"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ("text,text\na,b\n", "two columns called 'text'"),
        ("text,label\na,b\n".encode("utf-16"), "UTF-16: save it as CSV in UTF-8"),
        ("tëxt,label\na,b\n".encode("latin-1"), "the header of .* is not UTF-8"),
        (b"PK\x03\x04\x14\x00", "a workbook or a zip, by its content: save it as CSV"),
    ],
)
def test_a_csv_file_that_cannot_be_read_is_refused(tmp_path, content, said):
    with pytest.raises(ValueError, match=said):
        read(csv(tmp_path, content))


def test_names_of_columns_may_be_quoted(tmp_path):
    found, _ = read(csv(tmp_path, '"text, as sent","label"\none,a\n'))
    assert found[0].values == {"text, as sent": "one", "label": "a"}


def test_a_csv_file_of_a_header_alone_has_no_rows(tmp_path):
    assert read(csv(tmp_path, "text,label\n")) == ([], [])


def test_bad_lines_of_json_lines_are_reported_and_the_others_read(tmp_path):
    lines = [b'{"text": "one", "label": 1}', b"{", b"[1]", b"", b'{"text": "caf\xe9"}', b'{"text": "two", "label": 2}']
    found, rejected = read(csv(tmp_path, b"\n".join(lines), "data.jsonl"))
    assert found == [
        Record("line 1", {"text": "one", "label": 1}),
        Record("line 6", {"text": "two", "label": 2}),
    ]
    assert rejected == ["line 2: not JSON", "line 3: not a JSON object", "line 5: not UTF-8"]


@pytest.mark.parametrize("name", ["data.json", "data.jsonl"])
@pytest.mark.parametrize("indent", [None, 1])
def test_the_objects_of_a_json_array_are_read(tmp_path, name, indent):
    path = csv(tmp_path, json.dumps([{"text": "a"}, 3, {"text": "b"}], indent=indent), name)
    assert read(path) == (
        [Record("item 1", {"text": "a"}), Record("item 3", {"text": "b"})],
        ["item 2: not a JSON object"],
    )


def test_a_json_array_that_is_cut_or_large_is_refused(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="a JSON array that cannot be read"):
        read(csv(tmp_path, '[{"text": "a"},', "data.json"))
    monkeypatch.setattr(json_lines, "ARRAY_BYTES", 10)
    with pytest.raises(ValueError, match="write one object a line"):
        read(csv(tmp_path, '[{"text": "a"}]', "data.json"))


def test_parquet_rows_keep_their_types(tmp_path):
    from pyarrow import parquet  # noqa: PLC0415

    path = tmp_path / "data.parquet"
    parquet.write_table(pa.table({"text": ["one", None], "label": [1, 2], "spend": [0.5, None]}), path)
    found, _ = read(path)
    assert [each.values for each in found] == [
        {"text": "one", "label": 1, "spend": 0.5},
        {"text": None, "label": 2, "spend": None},
    ]


def test_what_is_no_parquet_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match="cannot be read as Parquet"):
        read(csv(tmp_path, b"not parquet", "data.parquet"))


def test_a_file_of_another_format_is_refused_with_those_that_are_read(tmp_path):
    with pytest.raises(ValueError, match=r"no known format: give CSV, JSON Lines"):
        read(csv(tmp_path, b"x", "data.xlsx"))


def folder_of(path: Path, *names: str) -> Path:
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(png())
    return path


def test_a_folder_gives_its_photos_and_texts_with_their_class_and_hidden_files_are_none(tmp_path):
    folder_of(tmp_path, "cat/1.png", "cat/more/2.JPG", "dog/3.webp", ".hidden/4.png", "dog/.5.png", "6.png")
    csv(tmp_path / "dog", b"data", "notes.pdf")
    found, rejected = read(tmp_path)
    assert [(each.place, each.values["label"]) for each in found] == [
        ("cat/1.png", "cat"), ("cat/more/2.JPG", "cat"), ("dog/3.webp", "dog"),
    ]  # fmt: skip
    assert [line.split(":")[0] for line in rejected] == ["6.png", "dog/notes.pdf"]


def test_folders_called_train_and_test_are_splits(tmp_path):
    folder_of(tmp_path, "train/cat/1.png", "train/dog/2.png", "valid/cat/3.png", "test/dog/4.png")
    found, _ = read(tmp_path)
    assert {(each.values["split"], each.values["label"]) for each in found} == {
        ("train", "cat"), ("train", "dog"), ("valid", "cat"), ("test", "dog"),
    }  # fmt: skip


def zip_of(path: Path, *members: tuple[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members:
            file.writestr(name, content)
    return path


@pytest.mark.parametrize("around", ["", "photos/"])
def test_a_zip_is_read_as_its_folder_with_or_without_a_folder_around(tmp_path, around):
    members = [(f"{around}{name}", png()) for name in ("cat/1.png", "dog/2.png")]
    found, rejected = read(zip_of(tmp_path / "data.zip", *members, ("__MACOSX/cat/._1.png", b"")))
    assert [(each.values["label"], each.values["image"].read()) for each in found] == [("cat", png()), ("dog", png())]
    assert rejected == []


def test_members_whose_path_leads_out_of_the_zip_are_reported_and_nothing_is_written(tmp_path):
    inside = tmp_path / "inside"
    inside.mkdir()
    bad = ("../evil.png", "/etc/evil.png", "cat/../../evil.png", "cat\\..\\evil.png")
    path = zip_of(inside / "data.zip", *[(name, png()) for name in (*bad, "cat/1.png")])
    found, rejected = read(path)
    assert [each.place for each in found] == ["cat/1.png"]
    assert len(rejected) == len(bad)
    assert all(line.endswith("a path that leads out of the zip") for line in rejected)
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == [path]


def test_a_zip_that_unpacks_to_far_more_than_it_holds_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(class_folders, "BOMB_BYTES", 2**20)
    path = zip_of(tmp_path / "bomb.zip", ("cat/1.png", bytes(2**22)))
    with pytest.raises(ValueError, match="over 100 times its size: it is not read"):
        read(path)


def test_a_member_over_the_limit_of_a_file_is_not_read_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(class_folders, "FILE_BYTES", 1000)
    found, _ = read(zip_of(tmp_path / "data.zip", ("cat/1.png", bytes(2000))))
    with pytest.raises(ValueError, match="over 1000 bytes"):
        found[0].values["image"].read()


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x03\x04 and no more"])
def test_what_is_no_zip_is_refused(tmp_path, content):
    with pytest.raises(ValueError, match="cannot be read as a zip"):
        read(csv(tmp_path, content, "data.zip"))


def test_parquet_decimals_become_numbers_and_dates_texts(tmp_path):
    columns = {
        "amount": pa.array([Decimal("1.25"), None], pa.decimal128(8, 2)),
        "day": [datetime.date(2024, 5, 1), None],
        "when": pa.array([datetime.datetime(2024, 5, 1, 12), None], pa.timestamp("us")),
        "took": pa.array([datetime.timedelta(minutes=2), None], pa.duration("us")),
    }
    parquet.write_table(pa.table(columns), tmp_path / "data.parquet")
    first, second = read(tmp_path / "data.parquet")[0]
    assert first.values == {"amount": 1.25, "day": "2024-05-01", "when": "2024-05-01T12:00:00", "took": 120.0}
    assert set(second.values.values()) == {None}


def test_a_folder_around_the_folders_of_classes_does_not_count(tmp_path):
    for name in ("data/cat/1.png", "data/dog/deep/er/1.png", "__MACOSX/data/cat/._1.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(png())
    assert [each.values["label"] for each in read(tmp_path)[0]] == ["cat", "dog"]
