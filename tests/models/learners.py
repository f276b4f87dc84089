"""The learners that the laws are tested on, and random data for each."""

from collections import OrderedDict
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from models.checkpoint import Spec, build
from models.learner import Kind, Learner, Support
from models.learners import LEARNERS
from models.learners.tables_in_context import Layer
from models.testing.case import Case

IMAGE = (1, 28, 28)
POOLED = {"width": 16}
STRIDED = {"width": 16, "reduction": "stride", "norm": "group"}
VECTOR = {"inputs": 1, "widths": [40, 40]}
SHALLOW = {"inputs": 1, "widths": [40]}
HEAD = {"outputs": 5, "inner_lr": 0.5, "inner_steps": 2, "eval_inner_steps": 5}
ANY_WAYS = {"inner_lr": 0.5, "inner_steps": 2}
WAVE = {"outputs": 1, "kind": "regression", "inner_lr": 0.02, "inner_steps": 3, "eval_inner_steps": 5}
TOKENS = {"outputs": 5, "layers": 2, "heads": 2, "width": 32}
IN_CONTEXT = {"layers": 2, "heads": 2, "width": 32}
GATES = {"forget_bias": [7.0, 7.0], "input_bias": [1.0, 1.0]}

LITE = {"stages": [[1, 3, 1, 1, 8], [2, 3, 2, 2, 12]], "stem": 8, "head": 16, "channels": 1}

POLICIES = ("policy-gradient", "recurrent-policy")

TABLE = {
    "protonet-pool-batch": Spec("protonet", "conv4", {}, POOLED),
    "protonet-stride-group": Spec("protonet", "conv4", {}, STRIDED),
    "cosine": Spec("cosine", "conv4", {}, STRIDED),
    "cosine-test-time-augmentation": Spec("cosine", "conv4", {"test_time_augmentation": 3}, STRIDED),
    "cosine-resnet-batch": Spec("cosine", "resnet", {}, {"widths": [8, 16]}),
    "maml": Spec("maml", "conv4", HEAD, STRIDED),
    "maml-any-ways": Spec("maml", "conv4", ANY_WAYS, STRIDED),
    "maml-first-order": Spec("maml", "conv4", HEAD | {"first_order": True}, STRIDED),
    "maml-sinusoid": Spec("maml", "mlp", WAVE, VECTOR),
    "alpaca": Spec("alpaca", "mlp", {"features": 40}, VECTOR),
    "any-features": Spec("any-features", "conv4", {}, STRIDED),
    "anil": Spec("anil", "conv4", HEAD, STRIDED),
    "anil-any-ways": Spec("anil", "conv4", ANY_WAYS, STRIDED),
    "anil-pool-batch": Spec("anil", "conv4", HEAD, POOLED),
    "anil-sinusoid": Spec("anil", "mlp", WAVE, VECTOR),
    "proto-maml": Spec("proto-maml", "conv4", {"inner_lr": 0.05, "inner_steps": 2, "eval_inner_steps": 5}, STRIDED),
    "meta-sgd": Spec("meta-sgd", "conv4", HEAD, STRIDED),
    "meta-sgd-any-ways": Spec("meta-sgd", "conv4", ANY_WAYS, STRIDED),
    "meta-sgd-sinusoid": Spec("meta-sgd", "mlp", WAVE | {"inner_steps": 1, "eval_inner_steps": 1}, VECTOR),
    "reptile": Spec("reptile", "conv4", HEAD | {"inner_steps": 5}, STRIDED),
    "reptile-any-ways": Spec("reptile", "conv4", ANY_WAYS | {"inner_lr": 0.2, "inner_steps": 5}, STRIDED),
    "reptile-sinusoid": Spec("reptile", "mlp", WAVE | {"inner_steps": 10, "eval_inner_steps": 20}, VECTOR),
    "maml++": Spec("maml++", "conv4", HEAD | {"eval_inner_steps": 2}, STRIDED),
    "maml++-any-ways": Spec("maml++", "conv4", ANY_WAYS, STRIDED),
    "maml++-sinusoid": Spec("maml++", "mlp", WAVE | {"eval_inner_steps": 2, "inner_steps": 2}, VECTOR),
    "cavia": Spec("cavia", "conv4", HEAD | {"head_lr": 1.0, "inner_steps": 4, "eval_inner_steps": 4}, STRIDED),
    "cavia-sinusoid": Spec("cavia", "mlp", WAVE | {"inner_lr": 1.0, "context": 4}, VECTOR | {"inputs": 1 + 4}),
    "lstm": Spec("lstm", "conv4", {"outputs": 5, "inner_steps": 2, "eval_inner_steps": 5, "units": 8} | GATES, STRIDED),
    "lstm-sinusoid": Spec("lstm", "mlp", {"outputs": 1, "kind": "regression", "units": 8}, VECTOR),
    "alfa": Spec("alfa", "conv4", HEAD | {"eval_inner_steps": 2}, STRIDED),
    "alfa-any-ways": Spec("alfa", "conv4", ANY_WAYS, STRIDED),
    "alfa-sinusoid": Spec("alfa", "mlp", WAVE | {"eval_inner_steps": 3}, VECTOR),
    "named-logistic": Spec("named-logistic", "conv4", {}, STRIDED),
    "matching": Spec("matching", "conv4", {}, STRIDED),
    "matching-pool-batch": Spec("matching", "conv4", {}, POOLED),
    "matching-full-context": Spec("matching", "conv4", {"full_context": True, "attention_steps": 2}, STRIDED),
    "ridge": Spec("ridge", "conv4", {"scale": 10.0}, STRIDED),
    "ridge-pool-batch": Spec("ridge", "conv4", {"scale": 10.0, "normalised": True}, POOLED),
    "ridge-sinusoid": Spec("ridge", "mlp", {"kind": "regression"}, VECTOR),
    "relation": Spec("relation", "conv4", {}, STRIDED),
    "relation-pool-batch": Spec("relation", "conv4", {}, POOLED),
    "relation-sum": Spec("relation", "conv4", {"pooling": "sum"}, STRIDED),
    "conditional-neural-process": Spec("conditional-neural-process", "mlp", {"width": 64}, SHALLOW),
    "attentive-neural-process": Spec("attentive-neural-process", "mlp", {"width": 64}, SHALLOW),
    "policy-gradient": Spec("policy-gradient", "mlp", {"outputs": 1, "deviation": 0.5, "inner_lr": 0.02}, VECTOR),
    "recurrent-policy": Spec("recurrent-policy", "mlp", {"outputs": 1, "width": 16}, VECTOR),
    "kernels": Spec("kernels", "identity"),
    "kernels-regression": Spec("kernels", "identity", {"kind": "regression"}),
    "mixed-kernels": Spec("mixed-kernels", "efficientnet-lite", {"kernels": ["cosine", "rbf"]}, LITE),
    "mixed-kernels-conv4": Spec("mixed-kernels", "conv4", {"kernels": ["tanimoto"]}, STRIDED),
    "mixed-kernels-sinusoid": Spec("mixed-kernels", "mlp", {"kernels": ["rbf"], "kind": "regression"}, VECTOR),
    "tables-in-context": Spec("tables-in-context", "identity", IN_CONTEXT),
    "tables-in-context-chosen": Spec("tables-in-context", "identity", IN_CONTEXT | {"columns": 4}),
    "logistic": Spec("logistic", "conv4", {"iterations": 30}, STRIDED),
    "logistic-pool-batch": Spec("logistic", "conv4", {"iterations": 30}, POOLED),
    "transformer": Spec("transformer", "conv4", TOKENS, STRIDED),
    "transformer-pool-batch": Spec("transformer", "conv4", TOKENS, POOLED),
    "gnn": Spec("gnn", "conv4", {"outputs": 5, "width": 16}, STRIDED),
    "gnn-pool-batch": Spec("gnn", "conv4", {"outputs": 5, "width": 16}, POOLED),
    "tim": Spec("tim", "conv4", {"eval_inner_steps": 5}, STRIDED),
    "tim-alpha-pool-batch": Spec("tim", "conv4", {"eval_inner_steps": 5, "alpha": 5.0}, POOLED),
    "pmf": Spec("pmf", "conv4", {"copies": 2, "eval_inner_steps": 2}, STRIDED),
    "pmf-pool-batch": Spec("pmf", "conv4", {"copies": 1, "eval_inner_steps": 2}, POOLED),
    "gated-ridge": Spec("gated-ridge", "efficientnet-lite", {"classes": 3, "rank": 4}, LITE),
    "gated-ridge-layout": Spec("gated-ridge", "efficientnet-lite", {"classes": 3, "rank": 4}, LITE | {"layout": 2}),
    "gated-ridge-conv4": Spec("gated-ridge", "conv4", {"classes": 3, "rank": 4}, STRIDED),
    "progressive": Spec("progressive", "conv4", {"eval_inner_steps": 5}, STRIDED),
    "progressive-pool-batch": Spec("progressive", "conv4", {"eval_inner_steps": 5}, POOLED),
}


def fresh(spec: Spec, dtype: torch.dtype = torch.float32) -> Learner:
    """A learner as it is served: frozen, in eval mode, its running statistics as if it had been trained."""
    torch.manual_seed(0)
    learner = build(spec).to(dtype)
    for module in learner.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.2, 2.0)
        if isinstance(module, Layer):  # parts of which start as zero
            for part in (module.gather.ask, module.think_cells[-1], module.think_rows[-1]):
                nn.init.normal_(part.weight, std=0.3)
    return learner.eval().requires_grad_(False)


def network_of(learner: Learner) -> nn.Sequential:
    """The encoder and the learned head as a plain network. Its weights have the names of a state."""
    return nn.Sequential(OrderedDict(encoder=learner.encoder, head=learner.head))


def input_shape(spec: Spec) -> tuple[int, ...]:
    if spec.encoder == "identity":
        return (6,)
    if spec.encoder != "mlp":
        return IMAGE
    context = spec.learner_options["context"] if spec.learner == "cavia" else 0  # which CAVIA adds to each vector
    worth = spec.learner in POLICIES  # the last number of an input, which the policy does not read
    return (spec.encoder_options["inputs"] - context + worth,)


def support(spec: Spec, shots: Sequence[int], seed: int = 0, dtype: torch.dtype = torch.float32) -> Support:
    """`shots[c]` random examples of each class c; for regression, as many random points in all."""
    generator = torch.Generator().manual_seed(seed)
    n = sum(shots)
    inputs = torch.randn(n, *input_shape(spec), generator=generator, dtype=dtype)
    if is_regression(spec):
        return Support(inputs, torch.randn(n, 1, generator=generator, dtype=dtype), torch.ones(n, dtype=torch.bool), 0)
    targets = torch.arange(len(shots)).repeat_interleave(torch.tensor(shots))
    return Support(inputs, targets, torch.ones(n, dtype=torch.bool), len(shots))


def query(spec: Spec, count: int, seed: int = 1, dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, *input_shape(spec), generator=generator, dtype=dtype)


def is_regression(spec: Spec) -> bool:
    return Kind.REGRESSION in (spec.learner_options.get("kind"), LEARNERS[spec.learner].kind)


def case_of(spec: Spec) -> Case:
    """For `models.testing.laws`."""
    shape = input_shape(spec)
    return Case(lambda: fresh(spec), lambda count, generator: torch.randn(count, *shape, generator=generator))
