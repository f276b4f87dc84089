"""The four-block convolutional encoder of the few-shot literature."""

from typing import Literal

from torch import Tensor, nn

from models.encoders.base import Encoder
from models.learner import State

Reduction = Literal["pool", "stride"]
Norm = Literal["batch", "group"]


class Conv4(Encoder):
    """Four blocks of 3x3 convolution, norm, ReLU and halving of the image: 64 features from a 28x28 drawing.

    Learners run it through `models.native`, which has a CPU kernel for strided blocks with group normalisation.

    Args:
        channels: Channels of an image.
        width: Channels of each block, and the length of a feature vector.
        reduction: "pool" halves by 2x2 max-pooling, 28-14-7-3-1 (Snell et al. 2017; Vinyals et al. 2016). "stride"
            halves by strided convolution, 28-14-7-4-2, and averages at the end (Finn et al. 2017, appendix A.1).
        norm: "batch" is batch normalisation. Its running statistics are written in `train()` mode only and frozen in
            `eval()` mode, so that no answer depends on other queries. "group" is group normalisation, within one
            example in both modes, for inner loops, which cannot keep running statistics. The published MAML
            normalises by the query batch, which a service must not do.
        dropout: Share of the features that is left out in `train()` mode.
        centred: Normalise the features of an example to mean 0 and standard deviation `scale`, and so to one length.
            One gradient step from a head of zeros then gives the nearest-prototype classifier, a good start for an
            inner loop. This step grows with the square of `scale`, but the encoder's part in the next steps does not:
            a large scale with a small inner learning rate fits the head well and moves the encoder gently.
        scale: The factor of the features.
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
        self.feature_dim, self.scale, self.dropout = width, scale, nn.Dropout(dropout)
        self.centred, self.has_kernel = centred, (reduction, norm) == ("stride", "group")
        self.last = nn.LayerNorm(width, elementwise_affine=False) if centred else nn.Identity()
        self.blocks = nn.Sequential(
            _block(channels, width, reduction, norm), *(_block(width, width, reduction, norm) for _ in range(3))
        )
        self.names = tuple(name for name, _ in self.named_parameters())
        paths = [name.rpartition(".") for name in self.names]
        self._owners = [(self.get_submodule(module), attribute) for module, _, attribute in paths]

    def forward(self, inputs: Tensor) -> Tensor:
        """Images (n, channels, 28, 28), ink 1 and paper 0, to features (n, width)."""
        features: Tensor = self.dropout(self.scale * self.last(self.blocks(inputs).mean((-2, -1))))
        return features

    def weights(self) -> State:
        """The parameters by name, faster than `named_parameters()`, which searches all modules each time."""
        return {name: getattr(*owner) for name, owner in zip(self.names, self._owners, strict=True)}

    def maps(self, images: Tensor) -> Tensor:
        """Images to feature maps (n, width, 3, 3), or 4 x 4 when strided: the input of the last block."""
        maps = images
        for block in list(self.blocks)[:-1]:
            maps = block(maps)
        return maps


def _block(inputs: int, outputs: int, reduction: Reduction, norm: Norm) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, stride=2 if reduction == "stride" else 1)
    normalise = nn.BatchNorm2d(outputs) if norm == "batch" else nn.GroupNorm(8, outputs)
    halve = [nn.MaxPool2d(2)] if reduction == "pool" else []
    return nn.Sequential(convolution, normalise, nn.ReLU(), *halve)
