"""A pre-trained text encoder: Reimers, Gurevych 2019, "Sentence-BERT", arXiv:1908.10084, for its pooling."""

import json
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.encoders import bert
from models.encoders.base import Encoder
from models.encoders.everyday import NARROW, SENTENCES
from models.encoders.model_folder import folder_of, freeze, json_of, load_network

BATCH_TEXTS = 32
"""Texts of about one length that are encoded as one batch."""
MOST_TOKENS = 512
"""Tokens of a text where a model folder does not say how many it takes."""

MODULES = {"Transformer", "Pooling", "Normalize"}
"""Modules of a sentence-transformers folder that are supported."""


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
        prefix: What goes before each text, for encoders that were trained with it, such as "query: ".
        centred: Whether the mean of everyday sentences, encoded with the weights of the folder, is subtracted.
    """

    mean: Tensor | None

    def __init__(
        self,
        name: str,
        revision: str | None = None,
        sha256: str | None = None,
        trained_layers: int = 0,
        prefix: str = "",
        centred: bool = False,
    ) -> None:
        super().__init__()
        folder = folder_of(name, revision, sha256)
        self.network, self.tokenize = load_network(folder), partial(_tokenizer(folder, prefix), truncation=True)
        self.feature_dim: int = self.network.config.hidden_size
        self._fast = bert.FastBert() if bert.suits(self.network) else None
        self.max_tokens, self.pooling = _max_tokens(folder, self.network), _pooling(folder)
        freeze(self.network, _last_layers(self.network, trained_layers))
        self.register_buffer("mean", None, persistent=False)
        if centred:
            self.mean = self.everyday_mean()

    def forward(self, texts: Sequence[str] | Mapping[str, Tensor]) -> Tensor:
        """Encode n texts, or their tokens, as features (n, feature_dim) of length 1."""
        if isinstance(texts, Mapping):
            return self._pooled(texts, self.network(**texts).last_hidden_state)
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        batches = [order[start : start + BATCH_TEXTS] for start in range(0, len(order), BATCH_TEXTS)]
        features = torch.cat([self._encode([texts[i] for i in batch]) for batch in batches])
        return features[torch.tensor(order, device=features.device).argsort()]

    @torch.no_grad()
    def everyday_mean(self) -> Tensor:
        """The mean feature (feature_dim,) of everyday sentences. Its squared length is their mean cosine."""
        mean: Tensor = self(SENTENCES).mean(0)
        return mean

    def centre_if_narrow(self) -> bool:
        """Centre the features if those of unrelated texts are much alike. Returns whether they are."""
        mean = self.everyday_mean()
        narrow = bool(mean.square().sum() > NARROW)
        if narrow:
            self.mean = mean
        return narrow

    def tokens(self, texts: list[str]) -> Any:
        """The arrays (n, tokens) of the tokenizer, by name: `input_ids`, `attention_mask` and others."""
        tokens = self.tokenize(texts, padding=True, max_length=self.max_tokens, return_tensors="pt")
        return tokens.to(next(self.network.buffers()).device)

    def tokenizer_json(self) -> str | None:
        """The tokenizer as the library `tokenizers` reads it, which truncates and pads as `tokens`; None if it is
        another kind of tokenizer."""
        whole: Any = self.tokenize.func
        if (known := getattr(whole, "backend_tokenizer", None)) is None:
            return None
        tokenizer = type(known).from_str(known.to_str())
        tokenizer.enable_truncation(self.max_tokens)
        tokenizer.enable_padding(pad_id=whole.pad_token_id, pad_token=whole.pad_token)
        return str(tokenizer.to_str())

    def _encode(self, texts: list[str]) -> Tensor:
        tokens = self.tokens(texts)
        return self._pooled(tokens, self._hidden(tokens).float())

    def _pooled(self, tokens: Mapping[str, Tensor], hidden: Tensor) -> Tensor:
        """Features (n, feature_dim) from the last hidden states (n, tokens, d)."""
        mask = tokens["attention_mask"].unsqueeze(-1)
        pooled = hidden[:, 0] if self.pooling == "cls" else (hidden * mask).sum(1) / mask.sum(1)
        features = F.normalize(pooled, dim=-1)
        return features if self.mean is None else F.normalize(features - self.mean, dim=-1)

    def _hidden(self, tokens: Any) -> Tensor:
        if self._fast is None or torch.is_grad_enabled():
            hidden: Tensor = self.network(**tokens).last_hidden_state
            return hidden
        return self._fast.hidden(self.network, tokens)


def _tokenizer(folder: Path, prefix: str) -> Any:
    """The tokenizer of a folder, which puts the prefix before each text, so that an exported one does too."""
    from transformers import AutoTokenizer  # noqa: PLC0415

    whole = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    if prefix:
        _prepend(whole, prefix)
    return whole


def _prepend(whole: Any, prefix: str) -> None:
    """Raises ValueError for a tokenizer that is not one of the library `tokenizers`."""
    from tokenizers.normalizers import Prepend, Sequence  # noqa: PLC0415

    if (own := getattr(whole, "backend_tokenizer", None)) is None:
        raise ValueError(f"{type(whole).__name__} takes no prefix: the folder has no tokenizer.json")
    own.normalizer = Sequence([Prepend(prefix), *([own.normalizer] if own.normalizer else [])])


def _last_layers(network: Any, count: int) -> list[nn.Module]:
    """The last layers of a transformer. Raises ValueError when they cannot be told."""
    if not count:
        return []
    depth = network.config.num_hidden_layers
    stacks = [each for each in network.modules() if isinstance(each, nn.ModuleList) and len(each) == depth]
    if len(stacks) != 1:
        raise ValueError(f"the layers of {type(network).__name__} cannot be told, so that none can be trained")
    return list(stacks[0])[depth - count :]


def _max_tokens(folder: Path, network: Any) -> int:
    """As the folder says, else as many as there are positions. XLM-R and its relatives begin after that of padding."""
    known = json_of(folder / "sentence_bert_config.json").get("max_seq_length")
    places = getattr(network.config, "max_position_embeddings", MOST_TOKENS)
    table = getattr(getattr(network, "embeddings", None), "position_embeddings", None)
    padding = getattr(table, "padding_idx", None)
    return int(known or min(places if padding is None else places - padding - 1, MOST_TOKENS))


def _check_modules(folder: Path) -> None:
    """Raise ValueError for a sentence-transformers folder with a module that is not supported."""
    path = folder / "modules.json"
    modules = json.loads(path.read_text()) if path.is_file() else []
    others = {str(each["type"]).rpartition(".")[2] for each in modules} - MODULES
    if others:
        raise ValueError(f"{folder} has the module {', '.join(sorted(others))}; supported are {', '.join(MODULES)}")


def _pooling(folder: Path) -> str:
    """`cls` or `mean`, as the folder's pooling module says. Raises ValueError for another."""
    _check_modules(folder)
    config = json_of(folder / "1_Pooling" / "config.json")
    if config.get("pooling_mode_cls_token"):
        return "cls"
    others = [name for name, on in config.items() if name.startswith("pooling_mode") and on is True]
    if others not in ([], ["pooling_mode_mean_tokens"]):
        raise ValueError(f"{folder} pools by {', '.join(others)}; only the mean and the first token are supported")
    return "mean"
