"""A residual encoder for drawings."""

from torch import Tensor, nn

from models.encoders.base import Encoder


class ResNet(Encoder):
    """A strided 5x5 stem and one residual block (He et al. 2016) for each width. All blocks but the first halve the
    image.

    Widths 64, 128, 256 give 28-14-14-7-4 pixels, averaged to 256 features: 1.2 M weights and 40 M multiplications a
    drawing. The ResNet-12 of the few-shot literature has four blocks of three convolutions at full resolution, which
    costs far more. Batch normalisation writes its running statistics in `train()` mode only.

    Args:
        channels: Channels of an image.
        widths: Output channels of each block.
    """

    def __init__(self, channels: int = 1, widths: tuple[int, ...] = (64, 128, 256)) -> None:
        super().__init__()
        self.feature_dim = widths[-1]
        stem = nn.Conv2d(channels, widths[0], 5, stride=2, padding=2, bias=False)
        self.stem = nn.Sequential(stem, nn.BatchNorm2d(widths[0]), nn.ReLU())
        inputs = (widths[0], *widths)
        self.blocks = nn.Sequential(*(Block(inputs[i], width, 1 + (i > 0)) for i, width in enumerate(widths)))

    def forward(self, inputs: Tensor) -> Tensor:
        """Images (n, channels, h, w), ink 1 and paper 0, to features (n, widths[-1])."""
        maps: Tensor = self.blocks(self.stem(inputs))
        return maps.mean((-2, -1))


class Block(nn.Module):
    """Two 3x3 convolutions and a shortcut around them."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        projection = (nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False), nn.BatchNorm2d(outputs))
        self.shortcut = nn.Identity() if inputs == outputs and stride == 1 else nn.Sequential(*projection)
        self.activation = nn.ReLU()

    def forward(self, images: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, outputs, h / stride, w / stride), rounded up."""
        activated: Tensor = self.activation(self.branch(images) + self.shortcut(images))
        return activated
