"""Encoders by name: which one a name stands for, and what inputs a model with it takes."""

from typing import Any, NamedTuple

from models.encoders.model_folder import folder_of, json_of, pin
from models.encoders.preprocessing import FILE, preprocessing

TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "spiece.model", "sentencepiece.bpe.model")


class Found(NamedTuple):
    """The registry name of an encoder, its options, and the `input` of a card."""

    encoder: str
    options: dict[str, Any]
    input: dict[str, Any]


def encoder_of(name: str, revision: str | None = None, prefix: str = "") -> Found:
    """The encoder that a name stands for: "identity" for rows of a table, a model folder, or a name on the hub.

    Args:
        name: The name.
        revision: The commit on the hub.
        prefix: What goes before each text.

    Raises:
        ValueError: There is no such model, it is neither one of texts nor of photos, or a prefix goes before no text.
    """
    found = _found(name, revision)
    if not prefix:
        return found
    if found.encoder != "text":
        raise ValueError(f"a prefix goes before texts, and {name} is no encoder of texts")
    return found._replace(options=found.options | {"prefix": prefix})


def _found(name: str, revision: str | None) -> Found:
    if name == "identity":
        return Found(name, {}, {"type": "table"})
    options = pin(name, revision)
    folder = folder_of(**options)
    config = json_of(folder / "config.json")
    if not config:
        raise ValueError(f"{folder} has no config.json: it is no model folder")
    if "auto_map" in config:
        raise ValueError(f"{name} needs code of its own (auto_map in config.json), and no code of a model is run")
    if (folder / FILE).is_file():
        return Found("image", options, preprocessing(folder).input)
    if any((folder / file).is_file() for file in TOKENIZERS):
        return Found("text", options, {"type": "text"})
    raise ValueError(f"{folder} has neither a tokenizer nor {FILE}: it is a model of neither texts nor photos")
