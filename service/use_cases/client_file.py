"""A client as one safetensors file: its examples, labels and ids, with the model and the checkpoint that it had.

The `__metadata__` of the header. `client_id` and `model` are plain texts, all others JSON:

    client_id   the id of the client
    model       the name of its model
    file        "handful-client-1", the format
    checkpoint  the digest of the model's weights
    input       the input kind of the model, an object
    form        the dtype and the shape of one input, an object; null without examples
    classes     a list of labels; null for regression
    label_names whether the names of the classes may be learned from
    keep        the most examples of each class; 0: any number
    half_life_s the seconds in which an example loses half of its weight; 0: it never does
    ids, times  lists with one text for each example
    digest      BLAKE2b over all of the above and the tensors

The tensors: `targets`, int64 (n,) indices of classes, -1 for an example without a label, bool (n, classes) where an
example may have several labels, or
float32 (n, outputs); `inputs` (n, ...), the decoded inputs. Of
texts, `inputs` has the bytes of all in UTF-8, one behind the other, and `lengths`, int64 (n,), their bytes. There is no
state: an import adapts again.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import numpy as np
import orjson
from pydantic import AwareDatetime, BaseModel, Field, ValidationError
from safetensors.numpy import save

from service.arrays import TEXT, UNLABELLED, Array, Arrays, pack_texts, unpack_texts
from service.errors import Unprocessable
from service.inputs.label_sets import index_lists
from service.store.examples import Form, form_of
from service.store.reading import Contents, labels_of

PLAIN = ("client_id", "model")


class Header(BaseModel):
    """What a file says about its client."""

    file: Literal["handful-client-1"] = "handful-client-1"
    client_id: str
    model: str
    checkpoint: str | None
    input: dict[str, Any] | None
    form: Form | None
    classes: list[str] | list[int] | None
    label_names: bool
    keep: int = Field(default=0, ge=0)
    half_life_s: float = Field(default=0, ge=0, allow_inf_nan=False)
    ids: list[str]
    times: list[AwareDatetime]


class ClientFile(NamedTuple):
    """The contents of a file. `inputs` are None without examples; `labels` are as the client sent them."""

    header: Header
    inputs: Array | None
    targets: Array
    labels: list[Any]

    def part(self, chosen: slice) -> bytes:
        """A file of some of the examples."""
        header, inputs = self.header, None if self.inputs is None else self.inputs[chosen]
        fewer = header.model_copy(update={"ids": header.ids[chosen], "times": header.times[chosen]})
        return _written(fewer, inputs, self.targets[chosen])


def to_file(contents: Contents) -> bytes:
    """The file of a version."""
    record, support = contents.record, contents.support()
    header = Header(
        **record.model_dump(include=set(Header.model_fields) - {"file", "ids", "times"}),
        ids=[example.id for example in contents.examples],
        times=[example.created_at for example in contents.examples],
    )
    return _written(header, support.inputs if contents.examples else None, support.targets)


def _written(header: Header, inputs: Array | None, targets: Array) -> bytes:
    tensors = {"targets": np.ascontiguousarray(targets)} | ({} if inputs is None else _packed(inputs))
    fields = header.model_dump(mode="json")
    fields["digest"] = _digest(fields, tensors)
    return save(tensors, {name: _text(name, value) for name, value in fields.items()})


def from_parts(fields: Mapping[str, Any], tensors: Arrays) -> ClientFile:
    """The client of a file.

    Args:
        fields: The metadata, parsed.
        tensors: The tensors.

    Raises:
        Unprocessable: The file is damaged, or no file of a client.
    """
    known = {name: value for name, value in fields.items() if name != "digest"}
    if "file" not in fields or "targets" not in tensors:
        raise Unprocessable("The body is not the file of a client, as GET /clients/ID/export makes it.")
    try:
        whole = fields.get("digest") == _digest(known, tensors)
    except TypeError:  # a text with half a character
        whole = False
    if not whole:
        raise Unprocessable("The file is damaged: its digest does not match. Export the client again.")
    try:
        header = Header.model_validate(known)
        inputs = _unpacked(tensors) if header.ids else None
        if tensors["targets"].min(initial=0) < UNLABELLED and header.classes is not None:
            raise IndexError
        targets = tensors["targets"]
        several = header.classes is not None and targets.ndim > 1
        if several and (targets.dtype != bool or targets.shape[1:] != (len(header.classes or ()),)):
            raise ValueError
        labels = labels_of(header.classes, index_lists(targets) if several else targets.tolist())
    except (ValidationError, ValueError, KeyError, IndexError, TypeError) as error:
        raise Unprocessable(f"The file of the client is of another form: {type(error).__name__}.") from None
    sizes = {len(header.ids), len(header.times), len(labels), 0 if inputs is None else len(inputs)}
    if len(sizes) > 1 or (inputs is not None and form_of(inputs) != header.form):
        raise Unprocessable("The file of the client is of another form: its lists and tensors do not fit together.")
    return ClientFile(header, inputs, tensors["targets"], labels)


def _text(name: str, value: Any) -> str:
    return value if name in PLAIN else orjson.dumps(value).decode()


def _packed(inputs: Array) -> Arrays:
    if inputs.dtype != TEXT:
        return {"inputs": np.ascontiguousarray(inputs)}
    data, lengths = pack_texts(inputs)
    return {"inputs": data, "lengths": lengths}


def _unpacked(tensors: Arrays) -> Array:
    lengths = tensors.get("lengths")
    return tensors["inputs"] if lengths is None else unpack_texts(tensors["inputs"], lengths)


def _digest(fields: Mapping[str, Any], tensors: Arrays) -> str:
    whole = hashlib.blake2b(orjson.dumps(fields, option=orjson.OPT_SORT_KEYS), digest_size=16)
    for name, tensor in sorted(tensors.items()):
        whole.update(f"{name} {tensor.dtype} {tensor.shape}".encode())
        whole.update(tensor.tobytes())
    return whole.hexdigest()
