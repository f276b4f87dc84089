"""A learned optimiser: a small network computes the update of each weight from its gradients.

Andrychowicz et al. 2016, "Learning to Learn by Gradient Descent by Gradient Descent", arXiv:1606.04474, share one
network among all coordinates. Metz et al. 2019, arXiv:1810.10180, replace its memory by momenta of several lengths.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from models.learner import State

SHIPPED = Path(__file__).parent / "update_rule.safetensors"
"""The weights that ship: `python -m benchmarks.learned_optimiser`."""
DECAYS, SQUARES = (0.5, 0.9, 0.99), 0.99
"""Of the momenta, and of the mean squares."""
HORIZONS = (1.0, 3.0, 10.0, 30.0)
"""Steps in which the time features saturate."""
RATES = (0.01, 0.01)
"""What both rates are before training: of the gradient, and of the momentum over its size, as in Adam."""
WIDEST = 4.0
"""The network changes a rate by at most this factor's logarithm."""
LEAST = 1e-12
FEATURES = 2 + len(DECAYS) + 2 + len(HORIZONS)


class Memory(NamedTuple):
    """Of one weight: the means of its gradients by decay, and of their squares, in its shape."""

    momenta: tuple[Tensor, ...]
    squares: Tensor


class UpdateRule(nn.Module):
    """One network for all coordinates of all weights. An update is `-(a * gradient + b * momentum / size)`.

    The network reads each coordinate's gradient, momenta and weight relative to their sizes, the sizes of the gradient
    and of the weight, and the number of the step; it returns log a and log b. At first it returns the rates of `RATES`.

    Args:
        width: Units of both hidden layers.
    """

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        last = nn.Linear(width, 2)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.network = nn.Sequential(
            nn.Linear(FEATURES, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), last
        )  # fmt: skip
        self.log_rates = nn.Parameter(torch.tensor(RATES).log())

    def trajectory(self, gradients: Callable[[State], State], params: State) -> Iterator[State]:
        """The weights after each step, without end. `params` are not changed."""
        memories = {name: Memory((0 * value,) * len(DECAYS), 0 * value) for name, value in params.items()}
        number = 0
        while True:
            number += 1
            found = gradients(params)
            memories = {name: remembered(memory, found[name]) for name, memory in memories.items()}
            params = {
                name: value - self.update(number, value, found[name], memories[name]) for name, value in params.items()
            }
            yield params

    def update(self, number: int, weight: Tensor, gradient: Tensor, memory: Memory) -> Tensor:
        """What step `number`, from 1, takes from a weight. What the network reads is constant to the meta-gradient."""
        weight = weight.detach()
        momenta = [each / (1 - decay**number) for each, decay in zip(memory.momenta, DECAYS, strict=True)]
        size = (memory.squares / (1 - SQUARES**number) + LEAST).sqrt()
        sizes = [rms(gradient), rms(weight)]
        own = [gradient / sizes[0], *(each / size for each in momenta), weight / sizes[1]]
        shared = [each.log() / 10 for each in sizes] + [
            torch.tanh(weight.new_tensor(number / horizon)) for horizon in HORIZONS
        ]
        features = torch.stack([*own, *(each.expand_as(weight) for each in shared)], -1)
        log_rates = self.log_rates + WIDEST * torch.tanh(self.network(features) / WIDEST)
        by_gradient, by_momentum = log_rates.exp().unbind(-1)
        return by_gradient * gradient + by_momentum * momenta[1] / size


def remembered(memory: Memory, gradient: Tensor) -> Memory:
    """The memory after one more gradient."""
    momenta = tuple(decay * each + (1 - decay) * gradient for each, decay in zip(memory.momenta, DECAYS, strict=True))
    return Memory(momenta, SQUARES * memory.squares + (1 - SQUARES) * gradient.square())


def rms(values: Tensor) -> Tensor:
    """The root mean square of all values."""
    return (values.square().mean() + LEAST).sqrt()


def shipped() -> State:
    """The weights of the rule that ships."""
    weights: State = load_file(SHIPPED)
    return weights


def save(rule: UpdateRule, file: Path = SHIPPED) -> None:
    """Write a rule's weights."""
    save_file(rule.state_dict(), file)
