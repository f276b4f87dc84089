"""Progressive networks: Rusu et al. 2016, "Progressive Neural Networks", arXiv:1606.04671."""

import torch
import torch.nn.functional as F
from torch import Tensor

from models import native
from models.encoders import Encoder
from models.functional import class_means
from models.inner_loop import GradientLearner
from models.learner import State, Support


class Progressive(GradientLearner):
    """A frozen column, the encoder, and each client's own small column beside it: a baseline, not meta-learning.

    The client's column has a layer of 5x5 filters, averaged over the image; a layer that reads these and, through a
    lateral adapter, the frozen column's features (equation 1); and logits, which read this layer and, laterally, the
    features. The lateral weights of the logits start as Proto-MAML's head (2c and -|c|^2 of the class means c) times
    `scale`, and the logits' weights of the column at zero. The column therefore starts as the prototypes' classifier
    and takes any number of classes. The first two layers start from a fixed seed, the same for all clients. Features
    are normalised to length 1. In the paper, a few tasks have columns one after another, each as large as the first;
    here every client has the same one column before its own, and nothing is forgotten because nothing is shared.

    In `train()` mode the columns are not trained: the encoder learns as that of a prototypical network. The client's
    column reads the images too, so `encode` is the identity.

    Args:
        encoder: The frozen column.
        channels: Channels of an image.
        width: Filters of the client's column.
        scale: Scale of the initial logits.
        inner_lr: Learning rate of the client's column.
        eval_inner_steps: Steps of descent in `eval()` mode.
    """

    algorithm = "Progressive network: a frozen column and a small one of the client's own"
    paper = "Rusu et al. 2016, arXiv:1606.04671"

    filters: Tensor
    adapter: Tensor

    def __init__(
        self,
        encoder: Encoder,
        channels: int = 1,
        width: int = 16,
        scale: float = 10.0,
        inner_lr: float = 0.5,
        eval_inner_steps: int = 20,
    ) -> None:
        super().__init__(inner_lr, inner_steps=0, eval_inner_steps=eval_inner_steps, first_order=True)
        self.encoder, self.width, self.scale = encoder, width, scale
        generator = torch.Generator().manual_seed(0)
        filters, adapter = (width, channels, 5, 5), (width, encoder.feature_dim)
        self.register_buffer("filters", torch.randn(filters, generator=generator) / 5, persistent=False)
        self.register_buffer("adapter", torch.randn(adapter, generator=generator), persistent=False)

    def adapt(self, support: Support) -> State:
        """The client's column: `filters` (width, channels, 5, 5), `adapter` (width, d), `readout` (ways, width); and
        the lateral `weight` (ways, d) and `bias` (ways,) of the logits."""
        features = self.frozen(support.inputs)
        means = class_means(features, support)
        column = {
            "filters": self.filters,
            "adapter": self.adapter,
            "readout": means.new_zeros(support.ways, self.width),
            "weight": 2 * self.scale * means,
            "bias": -self.scale * means.square().sum(-1),
        }

        def loss(column: State) -> Tensor:
            return self.loss(logits(column, support.inputs, features), support.targets, support.mask)

        return self.inner_loop(loss, column)

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Logits (q, ways) of the client's column beside the frozen one."""
        return logits(state, query, self.frozen(query))

    def frozen(self, inputs: Tensor) -> Tensor:
        """Features of the frozen column (n, d), of length 1."""
        return F.normalize(native.encode(self.encoder, inputs), dim=-1)


def logits(column: State, inputs: Tensor, features: Tensor) -> Tensor:
    """Logits (n, ways) of inputs (n, channels, h, w) and their features (n, d) in the frozen column."""
    with torch.autocast(features.device.type, enabled=False):
        filtered = F.conv2d(inputs, column["filters"], stride=2, padding=2).relu().mean((-2, -1))
        hidden = (filtered + features @ column["adapter"].T).relu()
        return hidden @ column["readout"].T + F.linear(features, column["weight"], column["bias"])
