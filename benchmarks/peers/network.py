"""The networks that every service in the benchmark runs, with the same weights, and plain functions of them."""

from collections.abc import Mapping
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from models import checkpoint
from models.checkpoint import Spec

MAML, PROTONET = "maml", "protonet"
STEPS, RATE = 5, 0.01
STRIDED = {"reduction": "stride", "norm": "group"}
SPECS = {
    MAML: Spec("maml", "conv4", {"outputs": 5, "inner_lr": RATE, "inner_steps": STEPS}, STRIDED),
    PROTONET: Spec("protonet", "conv4", {}, STRIDED),
}
"""MAML is 5-way, with 5 steps of 112 k weights; both are Conv4-64, strided."""

State = dict[str, Tensor]


def save_weights(folder: Path, specs: Mapping[str, Spec] = SPECS) -> None:
    """Checkpoints of fresh weights, always the same."""
    torch.manual_seed(0)
    for name, spec in specs.items():
        checkpoint.save(folder / f"{name}.safetensors", spec, checkpoint.build(spec).state_dict())


def load(folder: Path) -> tuple[nn.Module, nn.Module]:
    """MAML's network, encoder and head in sequence, and the prototypical encoder."""
    maml, protonet = (checkpoint.load(folder / f"{name}.safetensors") for name in (MAML, PROTONET))
    return nn.Sequential(maml.get_submodule("encoder"), maml.get_submodule("head")), protonet.get_submodule("encoder")


def adapt_maml(network: nn.Module, inputs: Tensor, targets: Tensor) -> State:
    """Gradient descent on the support, as the tutorials have it."""
    weights = {name: value.detach().requires_grad_() for name, value in network.named_parameters()}
    for _ in range(STEPS):
        loss = F.cross_entropy(functional_call(network, weights, (inputs,)), targets)
        gradients = torch.autograd.grad(loss, list(weights.values()))
        descended = zip(weights.items(), gradients, strict=True)
        weights = {name: (value - RATE * gradient).detach().requires_grad_() for (name, value), gradient in descended}
    return {name: value.detach() for name, value in weights.items()}


def adapt_protonet(encoder: nn.Module, inputs: Tensor, targets: Tensor) -> State:
    """The mean feature of each class."""
    features = encoder(inputs)
    return {"prototypes": torch.stack([features[targets == way].mean(0) for way in range(int(targets.max()) + 1)])}


def predict_maml(network: nn.Module, state: State, queries: Tensor) -> Tensor:
    """Probabilities (q, ways)."""
    logits: Tensor = functional_call(network, state, (queries,))
    return logits.softmax(-1)


def predict_protonet(encoder: nn.Module, state: State, queries: Tensor) -> Tensor:
    """Probabilities (q, ways)."""
    return (-torch.cdist(encoder(queries), state["prototypes"]).square()).softmax(-1)
