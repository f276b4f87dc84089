"""The contract of an input kind: it decodes what clients send for a model."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from pydantic.dataclasses import dataclass

from service.arrays import Array
from service.errors import Unprocessable
from service.inputs.limits import Limits
from service.inputs.parts import Parts
from service.inputs.sent import Part, Row, text_of
from service.inputs.shown import shown

Inputs = Array | list[str]
"""Decoded inputs: an array (n, ...), or n texts."""
Columns = list[Any]
"""What a kind learns of the inputs of one client, as JSON values."""


@dataclass(frozen=True)
class InputWarning:
    """An accepted input that may not be what the client meant."""

    field: Annotated[str, Field(description="The place in the request.", examples=["inputs[0]"])]
    code: Annotated[str, Field(description="Stable.", examples=["no_ink"])]
    detail: str


class Decoded(NamedTuple):
    """Decoded inputs, and what the client should know about them."""

    inputs: Inputs
    warnings: list[InputWarning]

    def array(self) -> Array:
        """The inputs as an array. Raises TypeError for texts."""
        if isinstance(self.inputs, list):
            raise TypeError("the engine takes arrays, not texts")
        return self.inputs


class InputKind(BaseModel, ABC):
    """A kind of input. An instance is the `input` of a model's card. Its fields are fixed by the model, such as a size.

    A kind declares `type: Literal["its-name"]` and its fields, sets `description` and `json_schemas`, and implements
    `decode` and `examples`. One line in `INPUT_KINDS`, or an entry point in the group `handful.inputs`, adds it.
    """

    model_config = ConfigDict(frozen=True)

    description: ClassVar[str]
    """What a client sends, for the API's documentation: a noun phrase."""
    json_schemas: ClassVar[Sequence[dict[str, Any]]]
    """The JSON Schemas of what a client may send."""
    plural: ClassVar[str] = "inputs"
    """What inputs are called in errors of decoder processes."""

    @abstractmethod
    def decode(self, raw: Sequence[Any], fields: Sequence[str], limits: Limits) -> Decoded:
        """Decode the inputs of one request.

        Args:
            raw: n inputs as they were sent: JSON values, or numpy arrays from a safetensors body.
            fields: The place of each in the request, for error messages.
            limits: Limits of the request.

        Raises:
            Unprocessable: An input is invalid or over a limit. The error names its field.
        """

    def of_part(self, part: Part) -> Any:
        """A file or a form field as the JSON value of an input. By default a text. Raises Unprocessable."""
        return text_of(part.content, part.place)

    def of_row(self, row: Row) -> Any:
        """A row of a CSV file as the JSON value of an input. Raises Unprocessable; by default always."""
        detail = f"{row.place}: CSV holds no inputs of this model. It takes {self.description}."
        raise Unprocessable(detail, field=row.place)

    def fit(self, inputs: Array, fields: Sequence[str] = ()) -> tuple[Columns | None, list[InputWarning]]:
        """Learn from all decoded inputs of a client's support set what `prepare` needs. By default nothing.

        Args:
            inputs: The inputs.
            fields: The place of each in the request, for error messages, or its name if it was not sent with it.

        Raises:
            Unprocessable: The inputs do not fit together.
        """
        return None, []

    def check(self, inputs: Array, columns: Columns | None, fields: Sequence[str]) -> list[InputWarning]:
        """Compare decoded queries with what was learned from the support set.

        Args:
            inputs: The queries.
            columns: What was learned.
            fields: The place of each in the request, for error messages.

        Raises:
            Unprocessable: A query does not fit to the support set.
        """
        return []

    def prepare(self, inputs: Array, columns: Columns | None) -> Array:
        """Decoded inputs as the model takes them. Redis keeps them as they were decoded."""
        return inputs

    def preparation(self, columns: Columns | None) -> dict[str, Any]:
        """How an input becomes the array that the network takes, for those who run the network elsewhere: the `dtype`
        and the `shape` of one input, `steps`, and what they need. By default nothing is known."""
        return {}

    def takes(self, known: dict[str, Any]) -> bool:
        """Whether this kind takes, in `prepare`, inputs that were decoded for a model whose card has this `input`."""
        return known == self.model_dump(mode="json")

    def like(self, inputs: Array, shape: Sequence[int]) -> Array:
        """Decoded inputs (n, *input) in the shape of others of this kind. By default unchanged.

        A new checkpoint of a model may take images of another size. A client keeps the examples that it has.
        """
        return inputs

    def show(self, inputs: Array) -> list[Any]:
        """Decoded inputs as JSON values, for clients that ask for their examples."""
        return shown(inputs)

    def parts(self, one: Array, columns: Columns | None, known: Array) -> Parts | None:
        """The parts of an input that can be hidden, to explain answers. By default there are none.

        Args:
            one: The input (*input), as the model takes it.
            columns: What was learned from the support set.
            known: The inputs (n, *input) of the support set, as the model takes them.
        """
        return None

    def weights_bytes(self) -> int:
        """The most bytes that an answer has for the weights of parts, as JSON."""
        return 2**12

    @abstractmethod
    def examples(self, count: int, rng: np.random.Generator) -> Inputs:
        """Make `count` random decoded inputs, to warm up a model."""

    def cost(self, inputs: Inputs) -> int:
        """The cost of decoded inputs in the queue of the device: examples, or tokens for texts."""
        return len(inputs)

    def work(self, raw: Sequence[Any]) -> int:
        """The approximate count of numbers or characters to decode. Small work is done on the event loop."""
        return sum(len(one) if isinstance(one, (str, list)) else 1 for one in raw)

    def is_heavy(self, raw: Sequence[Any]) -> bool:
        """Whether decoding may take long: files, such as images, or many pixels. It is then done in a process that can
        be killed. A kind for which this may be true decodes to an array."""
        return False
