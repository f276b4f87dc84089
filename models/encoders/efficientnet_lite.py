"""EfficientNet-Lite0: Tan and Le 2019, arXiv:1905.11946, in the form for mobile devices (Liu 2020).

No squeeze-and-excitation, and ReLU6 as the activation. Batch normalisation is folded into the convolutions, so the
network has no statistics that training could change.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.chunks import in_chunks
from models.encoders.base import Encoder


class Stage(NamedTuple):
    """Blocks of one resolution. The first block has the stride."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    channels: int


CHUNK, GPU_CHUNK = 8, 64
"""Photos that pass through the network at once: larger chunks take more time for each photo, and more memory."""
STEM, HEAD = 32, 1280
LAYOUT_STAGES = 4
"""The last stages, whose maps make the layout."""
LITE0 = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)


class EfficientNetLite(Encoder):
    """Photos to the means of the last feature maps, followed by the means of the maps at the end of each stage.

    Args:
        stages: Stages as (blocks, kernel, stride, expansion, channels). The default is Lite0: 1280 + 784 features.
        stem: Channels of the first convolution.
        head: Channels of the last convolution.
        channels: Channels of a photo.
        stage_features: Whether the means at the end of the stages are part of the features.
        layout: Cells on a side of a grid. The means of the last stages' maps in each cell are the layout, at the end of
            the features. 0: no layout.
    """

    def __init__(
        self,
        stages: tuple[tuple[int, ...], ...] = LITE0,
        stem: int = STEM,
        head: int = HEAD,
        channels: int = 3,
        *,
        stage_features: bool = True,
        layout: int = 0,
    ) -> None:
        super().__init__()
        self.stem = SameConv(channels, stem, 3, stride=2)
        channels, self.stages = stem, nn.ModuleList()
        for stage in map(Stage._make, stages):
            self.stages.append(_blocks(channels, stage))
            channels = stage.channels
        self.head = nn.Conv2d(channels, head, 1)
        self._parts = (head, sum(stage[-1] for stage in stages)) if stage_features else (head,)
        self.layout = layout
        self.layout_dim = layout**2 * sum(stage[-1] for stage in stages[-LAYOUT_STAGES:])
        self.feature_dim = sum(self._parts) + self.layout_dim

    @property
    def parts(self) -> tuple[int, ...]:
        """Numbers of features of the head, and of the stages."""
        return self._parts

    def forward(self, inputs: Tensor) -> Tensor:
        """Photos (n, channels, size, size), from 0 to 1, to features (n, feature_dim)."""
        chunk = CHUNK if inputs.device.type == "cpu" else GPU_CHUNK
        return in_chunks(self._features, inputs, chunk)

    def _features(self, photos: Tensor) -> Tensor:
        if not self.training:  # half of the time, on CPUs; vmap does not know it
            photos = photos.contiguous(memory_format=torch.channels_last)
        maps, means, grids = F.relu6(self.stem((photos * 255 - 127) / 128), inplace=True), [], []
        for left, stage in zip(reversed(range(len(self.stages))), self.stages, strict=True):
            maps = stage(maps)
            means.append(_mean(maps))
            if left < LAYOUT_STAGES:
                grids.append(_grid(maps, self.layout))
        features = torch.cat([_mean(F.relu6(self.head(maps), inplace=True)), *means], 1)[:, : sum(self._parts)]
        return torch.cat([features, _layout(grids)], 1)


class SameConv(nn.Conv2d):
    """A convolution with the padding of TensorFlow's SAME: at stride 2 the right and bottom get the odd pixel."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(inputs, outputs, kernel, stride, groups=groups)

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (n, inputs, h, w) to maps (n, outputs, ceil(h / stride), ceil(w / stride))."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        missing = [max((-(-side // stride) - 1) * stride + kernel - side, 0) for side in maps.shape[-2:]]
        height, width = missing
        if height % 2 == width % 2 == 0:
            return F.conv2d(maps, self.weight, self.bias, stride, (height // 2, width // 2), groups=self.groups)
        padded = F.pad(maps, (width // 2, width - width // 2, height // 2, height - height // 2))
        return F.conv2d(padded, self.weight, self.bias, stride, groups=self.groups)


class Block(nn.Module):
    """An inverted bottleneck: expand, convolve each channel, project. Adds its input where the shapes agree."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self.expand = nn.Conv2d(inputs, inner, 1) if expansion > 1 else None
        self.depthwise = SameConv(inner, inner, kernel, stride, groups=inner)
        self.project = nn.Conv2d(inner, outputs, 1)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, maps: Tensor) -> Tensor:
        """Maps (n, inputs, h, w) to maps (n, outputs, h / stride, w / stride)."""
        inner = F.relu6(self.expand(maps), inplace=True) if self.expand is not None else maps
        projected: Tensor = self.project(F.relu6(self.depthwise(inner), inplace=True))
        return maps + projected if self.residual else projected


def _blocks(inputs: int, stage: Stage) -> nn.Sequential:
    first = Block(inputs, stage.channels, stage.kernel, stage.stride, stage.expansion)
    others = (Block(stage.channels, stage.channels, stage.kernel, 1, stage.expansion) for _ in range(stage.blocks - 1))
    return nn.Sequential(first, *others)


def _mean(maps: Tensor) -> Tensor:
    """The mean of each channel (n, channels), summed in 32 bits at least."""
    return maps.flatten(2).mean(2, dtype=torch.promote_types(maps.dtype, torch.float32))


def _grid(maps: Tensor, side: int) -> Tensor:
    """The mean of each channel in each cell of a grid, (n, side * side * channels). Cells may overlap by a pixel."""
    cells = [
        _mean(maps[..., rows, columns])
        for rows in _slices(maps.shape[-2], side)
        for columns in _slices(maps.shape[-1], side)
    ]
    return torch.cat(cells, 1) if cells else _mean(maps)[:, :0]


def _slices(length: int, count: int) -> list[slice]:
    """`count` slices of about one length that cover `length` pixels."""
    return [slice(i * length // count, -(-(i + 1) * length // count)) for i in range(count)]


def _layout(grids: list[Tensor]) -> Tensor:
    """The grids, each scaled to one length, which is 1 for all together."""
    return torch.cat([F.normalize(grid, dim=1) for grid in grids], 1) / math.sqrt(len(grids))
