"""MAML for reinforcement learning: Finn, Abbeel, Levine 2017, arXiv:1703.03400, section 4.2 and algorithm 3."""

import torch
from torch import Tensor

from models.encoders import Encoder
from models.inner_loop import Loss
from models.learner import Kind, State, Support
from models.learners.maml import MAML
from models.learners.ridge import ridge_regression

LEAST_SPREAD = 1e-6
RIDGE = torch.tensor(1e-3)
"""Of the baseline."""


class PolicyMAML(MAML):
    """The state is a policy network after steps of the policy gradient on a client's trajectories.

    An example is a step of a trajectory: its input is the state and, as last number, what the action was worth (the
    reward, or the sum of rewards to come); its target is the action. The advantage of an action is what it was worth
    more than a linear function of the state predicts (the paper's baseline), over its standard deviation. The policy is
    normal around the network's answer. The last number of a query is not read.

    Meta-training is by reinforcement on new trajectories of the adapted policy (`models/training/reinforcement.py`), or
    by imitation of the best actions, which are known in training: guided meta-policy search (Mendonca et al. 2019,
    arXiv:1904.00956).

    Args:
        encoder: The initial weights of the policy, of states.
        outputs: Numbers in an action.
        deviation: Standard deviation of the actions around the policy.
        inner_lr: Learning rate of the inner loop.
        inner_steps: Steps in `train()` mode.
        eval_inner_steps: Steps in `eval()` mode; None: as many as in `train()` mode.
    """

    algorithm = "MAML with policy gradients"
    paper = "Finn, Abbeel, Levine 2017, arXiv:1703.03400; Mendonca et al. 2019, arXiv:1904.00956"
    kind = Kind.REGRESSION

    def __init__(
        self,
        encoder: Encoder,
        outputs: int,
        deviation: float,
        inner_lr: float,
        inner_steps: int = 1,
        eval_inner_steps: int | None = None,
    ) -> None:
        super().__init__(encoder, outputs, Kind.REGRESSION, inner_lr, inner_steps, eval_inner_steps)
        self.deviation = deviation

    def predict(self, state: State, query: Tensor) -> Tensor:
        """The actions (q, outputs) of a client's policy for states with any last number."""
        return super().predict(state, query[..., :-1])

    def support_loss(self, support: Support) -> Loss:
        """Minus the mean of the log-likelihood of the actions, times their advantage."""
        advantages = advantages_of(support)
        weights = advantages * support.mask / support.mask.sum()

        def loss(state: State) -> Tensor:
            misses = (self.predict(state, support.inputs) - support.targets) / self.deviation
            return (weights * 0.5 * misses.square().sum(-1)).sum()

        return loss


def advantages_of(support: Support) -> Tensor:
    """How much more than usual in such a state each action was worth, in standard deviations, (n,); 0 for padding."""
    mask = support.mask.to(support.inputs.dtype)
    states, worth = support.inputs[:, :-1], support.inputs[:, -1]
    features = torch.cat([states, states.square(), torch.ones_like(states[:, :1])], -1) * mask.unsqueeze(-1)
    rest = (worth - features @ ridge_regression(features, (worth * mask).unsqueeze(-1), RIDGE).squeeze(-1)) * mask
    spread = (rest.square().sum() / mask.sum()).sqrt()
    return rest / (spread + LEAST_SPREAD)
