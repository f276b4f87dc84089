"""A pre-trained image encoder from a Hugging Face model folder: DINOv2, ViT, ConvNeXt, ResNet, MobileNet, CLIP, ..."""

from typing import Any

import torch
from torch import Tensor, nn

from models.chunks import in_chunks
from models.encoders.base import Encoder
from models.encoders.model_folder import folder_of, freeze, load_network
from models.encoders.preprocessing import preprocessing

CHUNK, GPU_CHUNK = 8, 64
"""Photos that pass through the network at once."""


class ImageEncoder(Encoder):
    """Photos to feature vectors. All weights are read from the folder and stay out of `state_dict()`.

    The features are the network's own pooled output: the image's place in the common space for CLIP and SigLIP, the
    first token for ViT and DINOv2, and the mean over the last maps for convolutional networks.

    Args:
        name: A local folder or a name on the hub.
        revision: The commit on the hub.
        sha256: Digest of the folder's `model.safetensors`, which pins the weights.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, revision: str | None = None, sha256: str | None = None) -> None:
        super().__init__()
        folder = folder_of(name, revision, sha256)
        wanted = preprocessing(folder)
        self.network, self.factor = _vision(load_network(folder)), wanted.factor
        freeze(self.network)
        self.network.eval()
        for part in ("mean", "std"):
            self.register_buffer(part, torch.tensor(getattr(wanted, part)).reshape(3, 1, 1), persistent=False)
        with torch.no_grad():
            size = wanted.input["size"]
            self.feature_dim = self._features(torch.zeros(1, 3, size, size)).shape[1]

    def train(self, mode: bool = True) -> "ImageEncoder":
        """Statistics of a frozen network never change."""
        super().train(mode)
        self.network.eval()
        return self

    def forward(self, inputs: Tensor) -> Tensor:
        """Photos (n, 3, size, size), from 0 to 1, to features (n, feature_dim)."""
        chunk = CHUNK if inputs.device.type == "cpu" else GPU_CHUNK
        return in_chunks(self._features, inputs, chunk)

    def _features(self, photos: Tensor) -> Tensor:
        pixels = (photos * (255 * self.factor) - self.mean) / self.std
        if hasattr(self.network, "get_image_features"):
            found = self.network.get_image_features(pixel_values=pixels)
            return _pooled(found) if not isinstance(found, Tensor) else found
        output = self.network(pixel_values=pixels)
        if _trained_pooler(self.network) or getattr(output, "pooler_output", None) is None:
            first: Tensor = output.last_hidden_state[:, 0]
            return first
        return _pooled(output)


def _pooled(output: Any) -> Tensor:
    pooled: Tensor = output.pooler_output.flatten(1)
    return pooled


def _trained_pooler(network: nn.Module) -> bool:
    """Whether the pooler has weights of its own, which are for one training task and often missing, as in ViT."""
    return hasattr(getattr(network, "pooler", None), "dense")


def _vision(network: Any) -> Any:
    """The network without its text tower."""
    if hasattr(network, "get_image_features"):
        network.text_model = nn.Identity()
    return network
