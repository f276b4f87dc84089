"""Answers of several labels in files."""

import csv
import json

from handful.commands.answers import Answers
from handful.commands.sources import Item


def test_a_csv_file_has_the_labels_as_a_list(tmp_path):
    path = tmp_path / "answers.csv"
    with Answers(path) as answers:
        answers.write([(Item("a", "a text"), {"labels": ["billing", "urgent"], "probabilities": {}})], 1)
    [row] = csv.DictReader(path.read_text().splitlines())
    assert json.loads(row["label"]) == ["billing", "urgent"]
