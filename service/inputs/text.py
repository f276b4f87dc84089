"""Texts: strings, or objects of strings that are joined."""

import unicodedata
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from service.arrays import Array, text_array
from service.errors import Unprocessable
from service.inputs import parts
from service.inputs.kind import Columns, Decoded, InputKind, InputWarning
from service.inputs.limits import Limits
from service.inputs.parts import Parts
from service.inputs.pixel_arrays import json_type
from service.inputs.sent import Row, joined_text

LONGEST = 100_000
"""Characters of a text that is read at all. Anything longer is a document and must be split."""
IMAGES = ("iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR", "data:image")
"""How base64 image files begin."""
SMALLEST_IMAGE = 16
"""A shorter text may begin like an image file."""
WORDS = ("order", "refund", "delivery", "broken", "thanks", "invoice", "account", "late")


class Text(InputKind):
    """A text in any language that the encoder knows, or an object of texts, which are joined line by line.

    A text over `max_characters` is cut there, with a warning. The encoder reads at most `max_tokens` tokens.
    """

    description: ClassVar = 'a text, or an object of texts such as {"title": ..., "body": ...}, joined in its order'
    json_schemas: ClassVar = [{"type": "string"}, {"type": "object", "additionalProperties": {"type": "string"}}]

    type: Literal["text"] = "text"
    max_characters: int = Field(2000, description="Characters of a text that are read.")
    max_tokens: int = Field(256, description="Tokens of a text that the encoder reads.")

    def decode(self, raw: Sequence[Any], fields: Sequence[str], limits: Limits) -> Decoded:
        """Decode to an array (n,) of strings."""
        texts = [_joined(one, field) for one, field in zip(raw, fields, strict=True)]
        long = [field for text, field in zip(texts, fields, strict=True) if len(text) > self.max_characters]
        return Decoded(
            text_array([text[: self.max_characters] for text in texts]), [self._cut(field) for field in long]
        )

    def of_row(self, row: Row) -> str:
        """The text of a row."""
        return joined_text(row)

    def preparation(self, columns: Columns | None) -> dict[str, Any]:
        """Tokens, by the tokenizer in the file."""
        return {
            "dtype": "int64",
            "shape": ["tokens"],
            "steps": [
                "Join several texts line by line, replace control characters by spaces, normalise to NFC, and strip.",
                f"Take the first {self.max_characters} characters.",
                "Encode with the tokenizer, which truncates and pads: input_ids and attention_mask.",
            ],
        }

    def parts(self, one: Array, columns: Columns | None, known: Array) -> Parts:
        """The words."""
        return parts.of_text(str(one))

    def weights_bytes(self) -> int:
        """The text once more, in JSON, and the weights."""
        return 6 * self.max_characters + 96 * parts.MOST_WORDS

    def examples(self, count: int, rng: np.random.Generator) -> Array:
        """A few words each."""
        return text_array([" ".join(rng.choice(WORDS, 4)) for _ in range(count)])

    def work(self, raw: Sequence[Any]) -> int:
        """The characters."""
        return sum(len(one) if isinstance(one, str) else 64 for one in raw)

    def _cut(self, field: str) -> InputWarning:
        detail = f"Only the first {self.max_characters} characters are read, and of these the first {self.max_tokens} "
        return InputWarning(field, "truncated", detail + "tokens.")


def _joined(raw: Any, field: str) -> str:
    """The text that was sent. Raises Unprocessable."""
    parts = list(raw.values()) if isinstance(raw, dict) else [raw]
    for i, part in enumerate(parts):
        if not isinstance(part, str):
            found = f"{list(raw)[i][:40]!r} is" if isinstance(raw, dict) else "here is"
            raise Unprocessable(
                f"{field}: takes a text, or an object whose values are texts; {found} {json_type(part)}.", field=field
            )
        if len(part) >= SMALLEST_IMAGE and part.startswith(IMAGES):
            raise Unprocessable(f"{field}: this is an image file in base64, and the model takes texts.", field=field)
    length = sum(len(part) for part in parts)
    if length > LONGEST:
        raise Unprocessable(
            f"{field}: {length} characters; the limit is {LONGEST}. Send the part that matters.", field=field
        )
    text = _clean("\n".join(parts))
    if not text:
        raise Unprocessable(f"{field}: the text is empty.", field=field)
    return text


def _clean(text: str) -> str:
    """NFC, without control characters and half characters, which no tokenizer reads."""
    kept = (each if each.isprintable() or each.isspace() or _joins(each) else " " for each in text)
    return unicodedata.normalize("NFC", "".join(kept)).strip()


def _joins(character: str) -> bool:
    """Whether a character formats others: emoji sequences and right-to-left scripts need those."""
    return unicodedata.category(character) == "Cf"
