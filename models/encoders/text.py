"""A pre-trained text encoder: Reimers, Gurevych 2019, "Sentence-BERT", arXiv:1908.10084, for its pooling."""

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.encoders import bert
from models.encoders.base import Encoder
from models.encoders.model_folder import folder_of

BATCH_TEXTS = 32
"""Texts of about one length that are encoded as one batch."""
MOST_TOKENS = 512
"""Tokens of a text where a model folder does not say how many it takes."""


class TextEncoder(Encoder):
    """Texts to feature vectors of length 1, with a transformer from a Hugging Face model folder.

    A text longer than the model takes is truncated. Pooling and normalisation are those of a sentence-transformers
    folder (`modules.json`); without one, the mean over the tokens. The last `trained_layers` layers are meta-trained
    and belong to the checkpoint. All other weights are read from the folder and stay out of `state_dict()`.

    Args:
        name: A local folder or a name on the hub.
        revision: The commit on the hub.
        sha256: Digest of the folder's `model.safetensors`, which pins the weights.
        trained_layers: Number of layers, from the last, that are meta-trained.
    """

    def __init__(
        self, name: str, revision: str | None = None, sha256: str | None = None, trained_layers: int = 0
    ) -> None:
        super().__init__()
        folder = folder_of(name, revision, sha256)
        self.network, self.tokenize = _network(folder), partial(_tokenizer(folder), truncation=True)
        self.feature_dim: int = self.network.config.hidden_size
        self._fast = bert.FastBert() if bert.suits(self.network) else None
        self.max_tokens, self.pooling = _max_tokens(folder, self.network.config), _pooling(folder)
        _freeze(self.network, trained_layers)

    def forward(self, texts: Sequence[str]) -> Tensor:
        """Encode n texts as features (n, feature_dim) of length 1."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        batches = [order[start : start + BATCH_TEXTS] for start in range(0, len(order), BATCH_TEXTS)]
        features = torch.cat([self._encode([texts[i] for i in batch]) for batch in batches])
        return features[torch.tensor(order, device=features.device).argsort()]

    def _encode(self, texts: list[str]) -> Tensor:
        tokens = self.tokenize(texts, padding=True, max_length=self.max_tokens, return_tensors="pt")
        tokens = tokens.to(next(self.network.buffers()).device)
        hidden = self._hidden(tokens).float()
        mask = tokens["attention_mask"].unsqueeze(-1)
        pooled = hidden[:, 0] if self.pooling == "cls" else (hidden * mask).sum(1) / mask.sum(1)
        return F.normalize(pooled, dim=-1)

    def _hidden(self, tokens: Any) -> Tensor:
        if self._fast is None or torch.is_grad_enabled():
            hidden: Tensor = self.network(**tokens).last_hidden_state
            return hidden
        return self._fast.hidden(self.network, tokens)


def _network(folder: Path) -> Any:
    """The transformer in float32, without dropout in either mode. Needs the library `transformers`."""
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


def _tokenizer(folder: Path) -> Any:
    from transformers import AutoTokenizer  # noqa: PLC0415

    return AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)


def _freeze(network: nn.Module, trained_layers: int) -> None:
    """Turn all parameters but those of the last layers into buffers that `state_dict()` leaves out."""
    layers = list(network.encoder.layer)  # type: ignore[union-attr,arg-type]
    trained = {id(each) for layer in layers[len(layers) - trained_layers :] for each in layer.parameters()}
    for module in list(network.modules()):
        for name, parameter in list(module.named_parameters(recurse=False)):
            if id(parameter) not in trained:
                delattr(module, name)
                module.register_buffer(name, parameter.detach(), persistent=False)
        for name in module._buffers:
            module._non_persistent_buffers_set.add(name)


def _max_tokens(folder: Path, config: Any) -> int:
    known = _json(folder / "sentence_bert_config.json").get("max_seq_length")
    return int(known or min(getattr(config, "max_position_embeddings", MOST_TOKENS), MOST_TOKENS))


def _pooling(folder: Path) -> str:
    """`cls` or `mean`, as the folder's pooling module says. Raises ValueError for another."""
    config = _json(folder / "1_Pooling" / "config.json")
    if config.get("pooling_mode_cls_token"):
        return "cls"
    others = [name for name, on in config.items() if name.startswith("pooling_mode") and on is True]
    if others not in ([], ["pooling_mode_mean_tokens"]):
        raise ValueError(f"{folder} pools by {', '.join(others)}; only the mean and the first token are supported")
    return "mean"


def _json(path: Path) -> dict[str, Any]:
    values: dict[str, Any] = json.loads(path.read_text()) if path.is_file() else {}
    return values
