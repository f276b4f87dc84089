"""Proto-MAML: Triantafillou et al. 2020, "Meta-Dataset: A Dataset of Datasets for Learning to Learn from Few Examples".

arXiv:1903.03096
"""

import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from models.descent import GradientLearner
from models.encoders import Encoder
from models.functional import class_means
from models.learner import State, Support


class ProtoMAML(GradientLearner):
    """MAML whose head begins as a prototypical network (section 3.2), so that it takes any number of classes.

    With c the mean feature of a class, its row of the head begins at weight 2c and bias -|c|^2: the logits are then
    minus the squared distances to the means, plus |feature|^2, which is the same for every class. The meta-gradient
    goes through the means. No head is learned: the encoder is all there is.
    The authors use the first-order gradient, which is `first_order` here and not the default, and leave the norms'
    scale and shift out of the inner loop, which we adapt with the rest.
    """

    algorithm = "Proto-MAML"
    paper = "Triantafillou, Zhu, Dumoulin, Lamblin et al. 2020, arXiv:1903.03096"

    def __init__(
        self,
        encoder: Encoder,
        rate: float = 0.01,
        steps: int = 1,
        adapt_steps: int | None = None,
        first_order: bool = False,
    ) -> None:
        super().__init__(rate, steps, adapt_steps, first_order)
        self.encoder = encoder

    def adapt(self, support: Support) -> State:
        """Adapted weights of the encoder under their own names, and `head.weight` (ways, d), `head.bias` (ways,)."""
        means = class_means(self.encoder(support.inputs), support)
        head = {"head.weight": 2 * means, "head.bias": -means.square().sum(-1)}
        encoder = {f"encoder.{name}": value for name, value in self.encoder.named_parameters()}
        return self.inner_loop(self.support_loss(support), encoder | head)

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Logits (q, ways) of the client's own encoder and head."""
        encoder = {name.removeprefix("encoder."): value for name, value in state.items() if name.startswith("encoder.")}
        features = functional_call(self.encoder, encoder, (query,))
        return F.linear(features, state["head.weight"], state["head.bias"])
