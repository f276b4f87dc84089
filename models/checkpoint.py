"""Checkpoints: safetensors with a JSON header, so that nothing is ever unpickled."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from models.encoders import ENCODERS
from models.learner import Learner
from models.learners import LEARNERS

FORMAT = "handful-1"
HEADER = "handful"

Entry = TypeVar("Entry")


@dataclass(frozen=True)
class Spec:
    """A learner and its encoder: their registry names and the options of their constructors."""

    learner: str
    encoder: str
    learner_options: dict[str, Any] = field(default_factory=dict)
    encoder_options: dict[str, Any] = field(default_factory=dict)


def build(spec: Spec) -> Learner:
    """A learner with fresh weights. Raises ValueError for an unknown name, or options that do not fit."""
    encoder_of = _entry("encoder", ENCODERS, spec.encoder)
    learner_of = _entry("learner", LEARNERS, spec.learner)
    try:
        return learner_of(encoder_of(**spec.encoder_options), **spec.learner_options)
    except TypeError as error:
        raise ValueError(f"{spec.learner!r} on {spec.encoder!r} cannot be built: {error}") from error


def save(path: Path, spec: Spec, tensors: dict[str, Tensor], **header: Any) -> None:
    """Write tensors, their spec and further JSON values to `path`, atomically.

    All values share one name of the safetensors header, because safetensors writes several names in any order. The
    same weights thus give the same bytes and the same digest.
    """
    values = json.dumps({"format": FORMAT, "spec": asdict(spec)} | header, sort_keys=True)
    partial = path.with_suffix(".partial")
    save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, partial, {HEADER: values})
    partial.replace(path)


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a checkpoint and the values of its header, with `spec` as a Spec.

    Raises:
        ValueError: The file is no checkpoint of Handful, or names a learner or an encoder that is not installed.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = json.loads((file.metadata() or {}).get(HEADER, "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except SafetensorError as error:
        raise ValueError(f"{path} is not a safetensors file: {error}") from error
    if header.pop("format", None) != FORMAT:
        raise ValueError(f"{path} is not a Handful checkpoint: its header does not name the format {FORMAT!r}")
    return tensors, header | {"spec": _spec(path, header.get("spec"))}


def _spec(path: Path, values: Any) -> Spec:
    try:
        spec = Spec(**values)
    except TypeError as error:
        raise ValueError(f"{path} has no usable spec: {error}") from error
    try:
        _known("learner", LEARNERS, spec.learner)
        _known("encoder", ENCODERS, spec.encoder)
    except ValueError as error:
        raise ValueError(f"{path} cannot be loaded: {error}") from error
    return spec


def _entry(what: str, registry: Mapping[str, Entry], name: str) -> Entry:
    """The registry's entry. Raises ValueError with the known names."""
    _known(what, registry, name)
    return registry[name]


def _known(what: str, registry: Mapping[str, Any], name: str) -> None:
    if name not in registry:
        raise ValueError(
            f"there is no {what} {name!r} here, only {', '.join(registry)}. If another package provides it, install "
            "that package"
        )


def load(path: Path) -> Learner:
    """The learner of a checkpoint, in `eval()` mode, its weights frozen."""
    tensors, header = read(path)
    learner = build(header["spec"])
    learner.load_state_dict(tensors)
    return learner.eval().requires_grad_(False)


def digest(path: Path) -> str:
    """The first 16 hex digits of the file's SHA-256. A state names the checkpoint that it was made by."""
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
