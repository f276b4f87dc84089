"""The optimisers of the outer loop."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Muon, Optimizer

from models.recipes import Recipe

SCALE = 4.0
"""How much larger the learning rate of Muon is than that of AdamW. At the usual rate of AdamW, an update has about the
size that Muon has at its own usual rate of 0.02."""


class MuonAndAdamW:
    """Muon for the matrices of linear layers, and AdamW for all else, behind one interface.

    Muon: Jordan et al. 2024, https://kellerjordan.github.io/posts/muon; its updates are scaled as large as AdamW's
    (Liu et al. 2025, arXiv:2502.16982), and then by `SCALE`.
    """

    def __init__(self, learner: nn.Module, weight_decay: float) -> None:
        weights = [module.weight for module in learner.modules() if isinstance(module, nn.Linear)]
        matrices = {id(weight) for weight in weights}
        others = [each for each in learner.parameters() if id(each) not in matrices]
        muon = Muon(weights, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw")
        for group in muon.param_groups:
            group["scale"] = SCALE
        self.parts: list[Optimizer] = [muon, AdamW(others, weight_decay=0.0)]

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of both."""
        return [group for part in self.parts for group in part.param_groups]

    def zero_grad(self) -> None:
        """Forget the gradients."""
        for part in self.parts:
            part.zero_grad()

    def step(self) -> None:
        """Take a step."""
        for part in self.parts:
            part.step()

    def state_dict(self) -> dict[str, Any]:
        """The state of both, the parameters of the second numbered on."""
        first, second = (part.state_dict()["state"] for part in self.parts)
        return {"state": first | {index + self._count: state for index, state in second.items()}}

    def load_state_dict(self, saved: dict[str, Any]) -> None:
        """Take a state that `state_dict` gave."""
        for index, part in enumerate(self.parts):
            own = {k - index * self._count: v for k, v in saved["state"].items() if (k >= self._count) == bool(index)}
            part.load_state_dict(part.state_dict() | {"state": own})

    @property
    def _count(self) -> int:
        """Parameters of the first."""
        return sum(len(group["params"]) for group in self.parts[0].param_groups)


def optimiser_of(learner: nn.Module, recipe: Recipe) -> Optimizer | MuonAndAdamW:
    """The optimiser that a recipe names. Raises ValueError for an unknown one."""
    if recipe.optimiser == "muon":
        return MuonAndAdamW(learner, recipe.weight_decay)
    if recipe.optimiser == "adamw":
        return _adamw(learner, recipe)
    raise ValueError(f"no optimiser is called {recipe.optimiser!r}; there are adamw, muon")


def _adamw(learner: nn.Module, recipe: Recipe) -> AdamW:
    """AdamW with weight decay for matrices only, not for biases, norms, learned rates and scales."""
    matrices = [parameter for parameter in learner.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in learner.parameters() if parameter.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return AdamW([group for group in groups if group["params"]])


class Average:
    """A moving average of the weights of a network, which begins as their plain mean.

    Polyak and Juditsky 1992, doi:10.1137/0330046. It takes the place of a decay of the learning rate.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights: dict[str, Tensor] = {name: each.clone() for name, each in network.state_dict().items()}

    @torch.no_grad()
    def update(self, network: nn.Module, step: int) -> None:
        """Add the weights after step number `step`, which begins at 1."""
        share = 1 - min(self.decay, step / (step + 10))
        for name, value in network.state_dict().items():
            if value.is_floating_point():
                self.weights[name].lerp_(value, share)
            else:
                self.weights[name].copy_(value)
