"""Records: rows whose columns are fixed by the model."""

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from models import columns as table_columns
from models.columns import Column, RowError
from service.arrays import Array
from service.inputs.kind import Columns, InputWarning
from service.inputs.table import Table, misfit, row_array, rows_of, warning


class KnownColumn(BaseModel):
    """A column that the model knows."""

    model_config = ConfigDict(frozen=True)

    name: str
    type: Literal["number", "boolean", "text"]
    values: tuple[str, ...] = Field((), description="The categories of a text column.")
    usual: float = Field(0.0, description="The usual value of a number.")

    def column(self) -> Column:
        """As the functions of tables take it."""
        return Column(name=self.name, type=self.type, values=list(self.values), ignored=None)


SCHEMA = {"type": "array", "items": {"type": "object"}, "description": "The columns: name, type, values, usual."}
"""Written out, since the schema of a card cannot refer to other schemas."""


class Record(Table):
    """A row whose columns the model knows: it was trained on rows of other clients that have them too."""

    description: ClassVar = "a row with the columns of the model's card, as an object"

    whose: ClassVar = "model"

    type: Literal["record"] = "record"  # type: ignore[assignment]  # another kind, which reads rows as tables do
    columns: Annotated[tuple[KnownColumn, ...], WithJsonSchema(SCHEMA)]

    def fit(self, inputs: Array, fields: Sequence[str] = ()) -> tuple[Columns, list[InputWarning]]:
        """The columns of the model, and what the rows lack of them or have beyond."""
        columns = [column.column() for column in self.columns]
        try:
            found = table_columns.differences(rows_of(inputs), columns, self.whose)
        except RowError as error:
            raise misfit(error, fields) from None
        return list(columns), [warning("support", each, self.whose) for each in found]

    def examples(self, count: int, rng: np.random.Generator) -> Array:
        """Rows around the usual values."""
        return row_array([{each.name: _example(each, rng) for each in self.columns} for _ in range(count)])


def _example(column: KnownColumn, rng: np.random.Generator) -> Any:
    if column.type == "number":
        return column.usual + float(rng.normal())
    return bool(rng.integers(2)) if column.type == "boolean" else str(rng.choice(column.values))
