"""Converting 4-bit weights to a model folder."""

import struct

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from models.encoders.text import TextEncoder
from scripts.convert_e5 import MAGIC, convert, numbers_of

pytest.importorskip("transformers", reason="needs transformers: pip install 'handful[worker]'")
PIECES = ["<s>", "<pad>", "</s>", "<unk>", "\u2581", "a", "b", "<mask>"]
HIDDEN, LAYERS, INNER = 32, 1, 64
SHAPES = {"q": (HIDDEN, HIDDEN), "k": (HIDDEN, HIDDEN), "v": (HIDDEN, HIDDEN), "ao": (HIDDEN, HIDDEN),
          "fi": (INNER, HIDDEN), "fo": (HIDDEN, INNER)}  # fmt: skip


def blocks(rng: np.random.Generator, count: int) -> bytes:
    """Random numbers in blocks of 32, with a scale of 1/8."""
    whole = rng.integers(0, 256, (count // 32, 16), dtype=np.uint8)
    return b"".join(struct.pack("<e", 0.125) + row.tobytes() for row in whole)


def file() -> bytes:
    """A tiny file of the package's kind."""
    rng = np.random.default_rng(0)
    tensors = {"emb.word": blocks(rng, 8 * HIDDEN)}
    plain = {"emb.pos": 16 * HIDDEN, "emb.type": 2 * HIDDEN, "emb.ln.w": HIDDEN, "emb.ln.b": HIDDEN}
    for name, (rows, columns) in SHAPES.items():
        tensors[f"l0.{name}.w"] = blocks(rng, rows * columns)
        plain[f"l0.{name}.b"] = rows
    plain |= {f"l0.{name}.{part}": HIDDEN for name in ("aln", "oln") for part in "wb"}
    tensors |= {name: rng.normal(size=count).astype("<f4").tobytes() for name, count in plain.items()}
    text = "".join(PIECES).encode()
    places = np.cumsum([0, *(len(each.encode()) for each in PIECES)]).astype("<u4")
    head = MAGIC + struct.pack("<I7ifi", 1, HIDDEN, LAYERS, 2, INNER, 8, 16, 2, 1e-12, 32)
    head += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, len(text)) + places.tobytes()
    head += np.array([0, 0, 0, 0, -3, -2, -2, 0], "<f4").tobytes() + text + struct.pack("<iI", 0, 0)
    size = len(head) + 4 + sum(2 + len(name) + 1 + 4 + 8 + 8 for name in tensors)
    entries = b""
    for name, data in tensors.items():
        count = len(data) // 18 * 32 if name in ("emb.word", *(f"l0.{each}.w" for each in SHAPES)) else len(data) // 4
        entries += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", 0, count, size, len(data))
        size += len(data)
    return head + struct.pack("<i", len(tensors)) + entries + b"".join(tensors.values())


def test_the_halves_of_a_byte_are_numbers_of_the_two_halves_of_a_block():
    block = struct.pack("<e", 0.5) + bytes([0x9A, *[0x88] * 15])
    assert_close(numbers_of(block, 32), torch.tensor([1.0, *[0.0] * 15, 0.5, *[0.0] * 15]))


def test_the_folder_is_one_that_a_text_encoder_reads(tmp_path):
    convert(file(), tmp_path)
    encoder = TextEncoder(str(tmp_path), prefix="b").eval()
    assert encoder.max_tokens == 16
    tokens = encoder.tokens(["a\u3000 a"])["input_ids"].tolist()
    assert tokens == [[0, 4, 6, 5, 4, 5, 2]]  # the wide space is one like others
    features = encoder(["a", "ab", "aab"])
    assert features.shape == (3, HIDDEN)
    assert features.isfinite().all()


def test_another_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match="another version"):
        convert(b"PK", tmp_path)
