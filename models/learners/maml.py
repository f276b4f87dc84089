"""MAML: Finn, Abbeel, Levine 2017, "Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks".

arXiv:1703.03400
"""

from torch import Tensor, nn
from torch.func import functional_call

from models.descent import GradientLearner
from models.encoders import Encoder
from models.learner import Kind, State, Support


class MAML(GradientLearner):
    """The state is the whole network after `steps` of gradient descent on the support loss (algorithm 1).

    `rate` goes with a MEAN-reduced loss. The authors' code sums over N*K examples and divides by K, so that its
    0.4 (5-way) and 0.1 (20-way) are both a rate of 2.0 here.
    `first_order` drops the second derivatives from the meta-gradient (FOMAML, section 5.2).
    `steps` are taken in `train()` mode, `adapt_steps` (default: as many) in `eval()` mode.
    A task with fewer classes than the head has outputs uses the head's first rows alone, which is the same as masking
    the others with minus infinity in the inner loss and in the answer.
    """

    algorithm = "MAML"
    paper = "Finn, Abbeel, Levine 2017, arXiv:1703.03400"

    def __init__(
        self,
        encoder: Encoder,
        outputs: int,
        kind: str = Kind.CLASSIFICATION,
        rate: float = 0.01,
        steps: int = 1,
        adapt_steps: int | None = None,
        first_order: bool = False,
    ) -> None:
        super().__init__(rate, steps, adapt_steps, first_order)
        self.kind = Kind(kind)
        self.max_ways = outputs if self.kind is Kind.CLASSIFICATION else None
        self.encoder, self.head = encoder, nn.Linear(encoder.features, outputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """The network that is adapted: inputs (n, *input) to (n, outputs)."""
        answers: Tensor = self.head(self.encoder(inputs))
        return answers

    def adapt(self, support: Support) -> State:
        """Adapted weights of the encoder and of the head's rows in use, under their own names."""
        return self.inner_loop(self.support_loss(support), self.initial(support.ways))

    def predict(self, state: State, query: Tensor) -> Tensor:
        """Logits (q, ways) or values (q, outputs) of the client's own network."""
        answers: Tensor = functional_call(self, state, (query,))
        return answers

    def initial(self, ways: int) -> State:
        """The weights from which a task of so many classes is adapted, by name; 0 for regression."""
        encoder = {f"encoder.{name}": value for name, value in self.encoder.named_parameters()}
        return encoder | {f"head.{name}": value for name, value in self.head_rows(ways).items()}

    def head_rows(self, ways: int) -> State:
        """The head's weight and bias for a task of so many classes; all of it for regression."""
        return {name: value[: ways or None] for name, value in self.head.named_parameters()}
