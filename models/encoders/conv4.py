"""The four-block convolutional encoder of the few-shot literature."""

from typing import Literal

from torch import Tensor, nn

from models import native
from models.learner import State

Reduction = Literal["pool", "stride"]
Norm = Literal["batch", "group"]


class Conv4(nn.Module):
    """Four blocks of 3x3 convolution, norm, ReLU and a halving of the image; 64 features from a 28x28 drawing.

    `reduction="pool"`: 2x2 max-pooling, 28-14-7-3-1, flattened (Snell et al. 2017; Vinyals et al. 2016).
    `reduction="stride"`: strided convolution, 28-14-7-4-2, averaged (Finn et al. 2017, appendix A.1).
    `norm="batch"`: batch normalisation. Its running statistics are written in `train()` mode only; in `eval()` mode
    they are frozen, so that no answer depends on a neighbour.
    `norm="group"`: group normalisation, within one example in either mode: for inner loops, which cannot keep
    running statistics. The published MAML normalises by the query batch, which a service must not do.
    `dropout` leaves out that share of the features in `train()` mode.
    `centred`: features have mean 0 and standard deviation `scale`, so all one length. One gradient step from a head of
    zeros then makes the classifier of nearest prototypes, which is where an inner loop is best begun. That step
    turns with the square of `scale`, but the encoder's part in the next ones does not: a large scale with a small
    inner rate fits the head well and moves the encoder gently.
    """

    def __init__(
        self,
        channels: int = 1,
        width: int = 64,
        reduction: Reduction = "pool",
        norm: Norm = "batch",
        dropout: float = 0.0,
        centred: bool = False,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        self.features, self.scale, self.dropout = width, scale, nn.Dropout(dropout)
        self.centred, self.grouped_strides = centred, (reduction, norm) == ("stride", "group")
        self.last = nn.LayerNorm(width, elementwise_affine=False) if centred else nn.Identity()
        self.blocks = nn.Sequential(
            _block(channels, width, reduction, norm), *(_block(width, width, reduction, norm) for _ in range(3))
        )
        self.names = tuple(name for name, _ in self.named_parameters())
        paths = [name.rpartition(".") for name in self.names]
        self._owners = [(self.get_submodule(module), attribute) for module, _, attribute in paths]

    def forward(self, images: Tensor) -> Tensor:
        """Images (n, channels, 28, 28), ink 1 and paper 0, to features (n, width). By the native kernel if it can."""
        weights = self.weights()
        if native.takes(self, weights, [images]):
            return native.features(self, weights, images)
        features: Tensor = self.dropout(self.scale * self.last(self.blocks(images).mean((-2, -1))))
        return features

    def weights(self) -> State:
        """The parameters by name; `named_parameters()` would search all modules for them each time."""
        return {name: getattr(*owner) for name, owner in zip(self.names, self._owners, strict=True)}

    def maps(self, images: Tensor) -> Tensor:
        """Images to feature maps (n, width, 3, 3), or 4 x 4 when strided: what the last block is given."""
        maps = images
        for block in list(self.blocks)[:-1]:
            maps = block(maps)
        return maps


def _block(inputs: int, outputs: int, reduction: Reduction, norm: Norm) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, stride=2 if reduction == "stride" else 1)
    normalise = nn.BatchNorm2d(outputs) if norm == "batch" else nn.GroupNorm(8, outputs)
    halve = [nn.MaxPool2d(2)] if reduction == "pool" else []
    return nn.Sequential(convolution, normalise, nn.ReLU(), *halve)
