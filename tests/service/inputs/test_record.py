"""Records: rows whose columns are those of the model's card."""

import numpy as np
import pytest

from service.errors import Unprocessable
from service.inputs.limits import Limits
from service.inputs.record import Record

KIND = Record.model_validate(
    {
        "columns": [
            {"name": "age", "type": "number", "usual": 50},
            {"name": "male", "type": "boolean"},
            {"name": "pain", "type": "text", "values": ["none", "some"]},
        ]
    }
)


def decoded(*rows: object) -> np.ndarray:
    return KIND.decode(rows, [f"inputs[{i}]" for i in range(len(rows))], Limits(1)).array()


def test_a_row_has_the_places_of_the_card_whatever_the_examples_have():
    rows = decoded({"pain": "some", "male": True, "age": 61})
    columns, warnings = KIND.fit(rows)
    assert KIND.prepare(rows, columns).tolist() == [[61, 1, 0, 1]]
    assert warnings == []


def test_what_is_missing_or_null_is_not_a_number():
    rows = decoded({"age": None, "male": False})
    columns, warnings = KIND.fit(rows)
    assert np.isnan(KIND.prepare(rows, columns)[0, 0])
    assert [(one.code, "'pain'" in one.detail) for one in warnings] == [("missing_column", True)]


def test_a_column_that_the_model_does_not_know_is_reported():
    rows = decoded({"age": 50, "male": True, "pain": "much", "shoe": 42})
    _, warnings = KIND.fit(rows)
    assert {one.code for one in warnings} == {"unknown_column", "unseen_category"}


@pytest.mark.parametrize(
    ("row", "says"),
    [
        ({"age": "old"}, "the column 'age' has a text"),
        ({"shoe": 42}, "it has none of the"),
        ([50], "it has none of the"),
    ],
)
def test_rows_of_another_type_or_without_known_columns_are_refused(row, says):
    with pytest.raises(Unprocessable, match=says) as refusal:
        KIND.fit(decoded(row))
    assert refusal.value.field == "support[0].input"


def test_examples_and_shown_rows_are_rows():
    made = KIND.examples(3, np.random.default_rng(0))
    assert KIND.fit(made)[1] == []
    assert set(KIND.show(made)[0]) == {"age", "male", "pain"}
