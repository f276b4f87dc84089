"""What the peers for texts and photos do: a pre-trained encoder, and scikit-learn's logistic regression per client."""

import base64
import io
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from pydantic import BaseModel
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from models import checkpoint
from models.encoders.model_folder import folder_of
from models.recipes.texts import MINILM
from service.settings import ZOO

TEXTS, PHOTOS = "texts", "photos"
SIZE = 224

Features = NDArray[np.float32]


class Example(BaseModel):
    """A text, or a photo in base64, and its class."""

    input: str
    label: str


class AdaptBody(BaseModel):
    """POST /adapt."""

    client_id: str
    model: str
    support: list[Example]


class PredictBody(BaseModel):
    """POST /predict."""

    client_id: str
    inputs: list[str]


class Encoders:
    """MiniLM by `transformers`, and EfficientNet-Lite0, in float32 and one thread."""

    def __init__(self) -> None:
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        from transformers import AutoModel, AutoTokenizer  # noqa: PLC0415 (takes seconds)

        torch.set_num_threads(1)
        folder = folder_of(MINILM["name"], sha256=MINILM["sha256"])
        self.tokenizer, self.bert = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
        self.efficientnet = checkpoint.load(ZOO / "photos.safetensors").get_submodule("encoder")

    def __call__(self, model: str, inputs: Sequence[str]) -> Features:
        """Features (n, d) of length 1."""
        with torch.inference_mode():
            encoded = self._texts(inputs) if model == TEXTS else self.efficientnet(photos(inputs))
            return F.normalize(encoded, dim=-1).numpy()

    def _texts(self, texts: Sequence[str]) -> Tensor:
        tokens = self.tokenizer(list(texts), padding=True, truncation=True, max_length=256, return_tensors="pt")
        hidden, mask = self.bert(**tokens).last_hidden_state, tokens["attention_mask"].unsqueeze(-1)
        pooled: Tensor = (hidden * mask).sum(1) / mask.sum(1)
        return pooled


def photos(encoded: Sequence[str]) -> Tensor:
    """Photos in base64 as (n, 3, size, size), from 0 to 1."""
    opened = (Image.open(io.BytesIO(base64.b64decode(each))).convert("RGB") for each in encoded)
    pixels = np.stack([np.asarray(each.resize((SIZE, SIZE), Image.Resampling.BICUBIC)) for each in opened])
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255


def fit(features: Features, labels: Sequence[str]) -> LogisticRegression:
    """A client's head."""
    return LogisticRegression(C=20.0, max_iter=1000).fit(features, labels)


def answer(head: LogisticRegression, features: Features) -> dict[str, Any]:
    """The answer of /predict."""
    probabilities = head.predict_proba(features)
    rows = [dict(zip(head.classes_.tolist(), row.tolist(), strict=True)) for row in probabilities]
    return {"predictions": [{"label": max(row, key=row.__getitem__), "probabilities": row} for row in rows]}
