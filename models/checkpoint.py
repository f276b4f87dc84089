"""Checkpoints: safetensors with a header of strings, so that nothing is ever unpickled."""

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from models.encoders import ENCODERS
from models.learner import Learner
from models.learners import LEARNERS

FORMAT = "handful-1"
HEADER = "handful"


@dataclass(frozen=True)
class Spec:
    """What to build: a learner and its encoder, each by name, with the arguments of its constructor."""

    learner: str
    encoder: str
    learner_options: dict[str, Any] = field(default_factory=dict)
    encoder_options: dict[str, Any] = field(default_factory=dict)


def build(spec: Spec) -> Learner:
    """A learner with fresh weights."""
    encoder = ENCODERS[spec.encoder](**spec.encoder_options)
    return LEARNERS[spec.learner](encoder, **spec.learner_options)


def save(path: Path, spec: Spec, tensors: dict[str, Tensor], **header: Any) -> None:
    """Write tensors, the spec that they belong to and further values (JSON) to `path`, whole or not at all.

    All values stand under one name of the header, since safetensors writes several in an order of its own: so the same
    weights are the same bytes, and have the same digest.
    """
    values = json.dumps({"format": FORMAT, "spec": asdict(spec)} | header, sort_keys=True)
    partial = path.with_suffix(".partial")
    save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, partial, {HEADER: values})
    partial.replace(path)


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a checkpoint and the values of its header, with `spec` as a Spec.

    Raises ValueError when it is none of ours.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get(HEADER, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file: {error}") from error
    if header.pop("format", None) != FORMAT:
        raise ValueError(f"{path} is not a Handful checkpoint: its header names no format {FORMAT!r}")
    return tensors, header | {"spec": _spec(path, header.get("spec"))}


def _spec(path: Path, values: Any) -> Spec:
    try:
        spec = Spec(**values)
    except TypeError as error:
        raise ValueError(f"{path} has no usable spec: {error}") from error
    if spec.learner not in LEARNERS or spec.encoder not in ENCODERS:
        raise ValueError(
            f"{path} needs the learner {spec.learner!r} and the encoder {spec.encoder!r}; one is unknown here"
        )
    return spec


def load(path: Path) -> Learner:
    """The learner of a checkpoint, in `eval()` mode, its weights frozen."""
    tensors, header = read(path)
    learner = build(header["spec"])
    learner.load_state_dict(tensors)
    return learner.eval().requires_grad_(False)


def digest(path: Path) -> str:
    """What a state must name to be of this checkpoint: the first 16 hex digits of the file's SHA-256."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
