"""The computation of a batching peer for jobs of one shape: torch.vmap over clients."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap

from benchmarks.peers.network import MAML, RATE, STEPS, State, adapt_protonet, predict_maml, predict_protonet


def adapt_all(network: nn.Module, model: str, inputs: list[Tensor], targets: list[Tensor]) -> list[State]:
    """The state of each client."""
    if model != MAML:
        with torch.no_grad():
            return [adapt_protonet(network, one, own) for one, own in zip(inputs, targets, strict=True)]
    weights = {name: value.detach() for name, value in network.named_parameters()}

    def adapt(some: Tensor, own: Tensor) -> State:
        state = weights
        for _ in range(STEPS):
            gradients = grad(lambda now: F.cross_entropy(functional_call(network, now, (some,)), own))(state)
            state = {name: value - RATE * gradients[name] for name, value in state.items()}
        return state

    states = vmap(adapt)(torch.stack(inputs), torch.stack(targets))
    return [{name: value[i].clone() for name, value in states.items()} for i in range(len(inputs))]


def predict_all(network: nn.Module, model: str, states: list[State], queries: list[Tensor]) -> list[Tensor]:
    """The probabilities for each client."""
    predict = predict_maml if model == MAML else predict_protonet
    stacked = {name: torch.stack([state[name] for state in states]) for name in states[0]}
    with torch.no_grad():
        return list(vmap(lambda state, some: predict(network, state, some))(stacked, torch.stack(queries)))
