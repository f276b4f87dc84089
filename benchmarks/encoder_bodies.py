"""Made-up texts and photos, and requests with them. The speed depends on lengths and sizes, not on meanings."""

import base64
import io
import json

import numpy as np
from PIL import Image

from benchmarks.peers.encoders import PHOTOS, TEXTS

WAYS, SHOTS = 5, 5
SIDE = 256
"""Pixels of each side of a photo."""
LABELS = ("delivery", "refund", "account", "opening hours", "complaint")
WORDS = """
where is my parcel the order has not arrived yet please send it again i want money back for broken lamp cannot log in
how do change password when are you open on sunday this was very bad service nobody answers phone and card account
number wrong address street city can help me with invoice from last month thank
"""


def text(rng: np.random.Generator) -> str:
    """A sentence of 3 to 20 words, 9 on average."""
    return " ".join(rng.choice(WORDS.split(), min(20, 3 + rng.poisson(6))))


def photo(rng: np.random.Generator) -> str:
    """A JPEG of coloured spots, in base64, about as large as that of a real scene."""
    coarse = Image.fromarray(rng.integers(0, 256, (24, 24, 3), dtype=np.uint8))
    encoded = io.BytesIO()
    coarse.resize((SIDE, SIDE), Image.Resampling.BICUBIC).save(encoded, "JPEG", quality=88)
    return base64.b64encode(encoded.getvalue()).decode()


def inputs(kind: str, count: int, seed: int) -> list[str]:
    """Texts or photos, different ones for each seed."""
    rng = np.random.default_rng([seed, kind == PHOTOS])
    return [(text if kind == TEXTS else photo)(rng) for _ in range(count)]


def adapt_body(kind: str, client: int) -> bytes:
    """One client's support set: five examples of five classes."""
    examples = zip(inputs(kind, WAYS * SHOTS, client), LABELS * SHOTS, strict=True)
    support = [{"input": one, "label": label} for one, label in examples]
    return _json({"client_id": f"{kind}-{client}", "model": kind, "support": support})


def predict_body(kind: str, client: int, queries: int) -> bytes:
    """One client's queries."""
    return _json({"client_id": f"{kind}-{client}", "inputs": inputs(kind, queries, client + 10_000)})


def _json(body: object) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()
