"""BERT with fewer, larger operations than the library's: Devlin et al. 2019, arXiv:1810.04805.

The answers are the library's. Nothing but attention is computed for padding, so that texts of different lengths take
less time together. Query, key and value are one product. Weights are converted to bfloat16 once, not for each batch.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

Matrix = tuple[Tensor, Tensor]
"""The weight and the bias of a linear layer, or of a layer norm."""


class Layer(NamedTuple):
    """The weights of one transformer layer."""

    attention_in: Matrix
    attention_out: Matrix
    attention_norm: Matrix
    up: Matrix
    down: Matrix
    norm: Matrix


class FastBert:
    """Runs a BERT of the library `transformers`, without gradients.

    It keeps rearranged copies of the weights for each precision. A copy of an encoder for another thread shares them.
    """

    def __init__(self) -> None:
        self._layers: dict[torch.dtype, tuple[object, list[Layer]]] = {}
        self._watched: list[Tensor] = []

    def __deepcopy__(self, memo: object) -> "FastBert":
        copied = FastBert()
        copied._layers = self._layers
        return copied

    def hidden(self, network: Any, tokens: dict[str, Tensor]) -> Tensor:
        """The last hidden states (n, tokens, d), zeros for padding. Under autocast, linear layers are in bfloat16."""
        device = tokens["input_ids"].device
        reduced = torch.is_autocast_enabled(device.type)
        dtype = torch.get_autocast_dtype(device.type) if reduced else torch.float32
        grid = Grid(tokens["attention_mask"].bool())
        with torch.autocast(device.type, enabled=False):
            hidden: Tensor = grid.pack(network.embeddings(tokens["input_ids"], tokens.get("token_type_ids")))
            for layer in self.layers(network, dtype):
                hidden = _run(layer, hidden, grid, network.config, dtype)
            return grid.spread(hidden)

    def layers(self, network: Any, dtype: torch.dtype) -> list[Layer]:
        """The rearranged weights. They are made again after the weights were trained, loaded or moved."""
        if not self._watched:
            self._watched = list(network.encoder.parameters())
        version = self._version(network)
        known = self._layers.get(dtype)
        if known is None or known[0] != version:
            known = version, [_layer(each, dtype) for each in network.encoder.layer]
            self._layers[dtype] = known
        return known[1]

    def _version(self, network: Any) -> list[int]:
        """Changes with the weights. Those that are frozen move with the embeddings."""
        changes = [number for each in self._watched for number in (each.data_ptr(), each._version)]
        return [network.embeddings.word_embeddings.weight.data_ptr(), *changes]


def suits(network: Any) -> bool:
    """Whether a network is such a BERT: an encoder with absolute positions and GELU."""
    config = network.config
    return (
        config.model_type == "bert"
        and config.hidden_act == "gelu"
        and getattr(config, "position_embedding_type", "absolute") in ("absolute", None)
        and not getattr(config, "is_decoder", False)
    )


class Grid:
    """Where the tokens of several texts are. Only attention computes with padding; all else takes the tokens in a row.

    Args:
        mask: (n, tokens) bool: False for padding.
    """

    def __init__(self, mask: Tensor) -> None:
        self.shape, self._full = mask.shape, bool(mask.all())
        self.visible = None if self._full else mask[:, None, None, :]
        self._places = mask.flatten().nonzero().squeeze(1)

    def pack(self, padded: Tensor) -> Tensor:
        """Numbers (n, tokens, d) without the padding, (t, d)."""
        flat = padded.flatten(0, 1)
        return flat if self._full else flat[self._places]

    def spread(self, packed: Tensor) -> Tensor:
        """Numbers (t, d) with zeros as padding, (n, tokens, d)."""
        if not self._full:
            rows = packed.new_zeros(self.shape.numel(), packed.shape[1])
            packed = rows.index_copy_(0, self._places, packed)
        return packed.view(*self.shape, -1)


def _run(layer: Layer, hidden: Tensor, grid: Grid, config: Any, dtype: torch.dtype) -> Tensor:
    """One layer, of tokens (t, d). The sums of residuals and their norms stay in float32."""
    dim, heads = hidden.shape[1], config.num_attention_heads
    mixed = grid.spread(F.linear(hidden.to(dtype), *layer.attention_in))
    query, key, value = mixed.view(*grid.shape, 3, heads, dim // heads).permute(2, 0, 3, 1, 4)
    attended = F.scaled_dot_product_attention(query, key, value, grid.visible)
    attended = grid.pack(attended.transpose(1, 2).flatten(2))
    added = hidden + F.linear(attended, *layer.attention_out)
    hidden = F.layer_norm(added, (dim,), *layer.attention_norm, config.layer_norm_eps)
    inner = F.gelu(F.linear(hidden.to(dtype), *layer.up))
    return F.layer_norm(hidden + F.linear(inner, *layer.down), (dim,), *layer.norm, config.layer_norm_eps)


def _layer(module: Any, dtype: torch.dtype) -> Layer:
    own, out = module.attention.self, module.attention.output
    parts = [_matrix(each) for each in (own.query, own.key, own.value)]
    joined = torch.cat([weight for weight, _ in parts]), torch.cat([bias for _, bias in parts])
    linear = [joined, *(_matrix(each) for each in (out.dense, module.intermediate.dense, module.output.dense))]
    attention_in, attention_out, up, down = ((weight.to(dtype), bias.to(dtype)) for weight, bias in linear)
    norms = _matrix(out.LayerNorm), _matrix(module.output.LayerNorm)
    return Layer(attention_in, attention_out, norms[0], up, down, norms[1])


def _matrix(module: Any) -> Matrix:
    return module.weight.detach(), module.bias.detach()
