"""Progressive networks: Rusu et al. 2016, "Progressive Neural Networks", arXiv:1606.04671."""

import torch
import torch.nn.functional as F
from torch import Tensor

from models.encoders import Encoder
from models.functional import class_means
from models.inner_loop import GradientLearner
from models.learner import State, Support
from models.losses import at_least_float32


class Progressive(GradientLearner):
    """A frozen column, the encoder, and a small column of each client's own beside it: a baseline, not meta-learning.

    The client's column has a layer of `width` filters of 5 x 5, averaged over the image; a layer that is given these
    and, through a lateral adapter, the frozen column's features (equation 1); and logits, which are given both this
    layer and, laterally, the features. The lateral weights of the logits begin as Proto-MAML's head (2c and -|c|^2 of
    the class means c) times `scale`, and those of the column at zero: so it begins as the prototypes' classifier, takes
    any number of classes, and is what `adapt_steps` of descent on the support make of that.
    The first two layers begin as drawn from a fixed seed, alike for all clients; features are taken at length 1.
    The paper has columns for a few tasks in a row, each as large as the first; here every client has the same one
    column before it, and forgets nothing because nothing is shared.
    In `train()` mode the columns are not trained: the encoder learns as that of a prototypical network.
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
        rate: float = 0.5,
        adapt_steps: int = 20,
    ) -> None:
        super().__init__(rate, steps=0, adapt_steps=adapt_steps, first_order=True)
        self.encoder, self.width, self.scale = encoder, width, scale
        generator = torch.Generator().manual_seed(0)
        filters, adapter = ((width, channels, 5, 5), (width, encoder.features))
        self.register_buffer("filters", torch.randn(filters, generator=generator) / 5, persistent=False)
        self.register_buffer("adapter", torch.randn(adapter, generator=generator), persistent=False)

    def adapt(self, support: Support) -> State:
        """The client's column: `filters` (width, channels, 5, 5), `adapter` (width, d), `readout` (ways, width); and
        the lateral `weight` (ways, d) and `bias` (ways,) of the logits."""
        features = self.features(support.inputs)
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
        return logits(state, query, self.features(query))

    def features(self, inputs: Tensor) -> Tensor:
        """What the frozen column gives, (n, d), of length 1."""
        return F.normalize(at_least_float32(self.encoder(inputs)), dim=-1)


def logits(column: State, inputs: Tensor, features: Tensor) -> Tensor:
    """Of inputs (n, channels, h, w) and their features (n, d) in the frozen column: (n, ways)."""
    with torch.autocast(features.device.type, enabled=False):
        seen = F.conv2d(inputs, column["filters"], stride=2, padding=2).relu().mean((-2, -1))
        hidden = (seen + features @ column["adapter"].T).relu()
        return hidden @ column["readout"].T + F.linear(features, column["weight"], column["bias"])
