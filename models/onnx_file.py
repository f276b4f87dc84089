"""An adapted learner as one ONNX file, for runtimes without torch: encoder and head, or a client's whole network."""

import warnings
from collections.abc import Mapping
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models import one_vs_rest
from models.encoders.text import TextEncoder
from models.learner import Learner, State

Output = Literal["probabilities", "independent", "values"]
"""What the network answers: class probabilities that sum to 1, probabilities of each label, or values."""
INPUTS = "inputs"
"""The name of the only input of networks that take arrays. Networks that take texts have one for each array of the
tokenizer."""


class NotExportable(ValueError):
    """The network cannot be written as ONNX. The message says why."""


class ClientNetwork(nn.Module):
    """A learner with the state of one client, from inputs to what `Output` says.

    Each input is answered alone, also by a learner whose answers depend on the other queries of a request.

    Args:
        learner: The learner, in `eval()` mode.
        state: The state of the client.
        output: What is answered.
        temperature: Divides the logits of class probabilities.
    """

    def __init__(self, learner: Learner, state: State, output: Output, temperature: float = 1.0) -> None:
        super().__init__()
        self.learner, self.output, self.temperature = learner.requires_grad_(False), output, temperature
        self.names = list(state)
        for number, value in enumerate(state.values()):
            self.register_buffer(f"state_{number}", value)

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """The answers (n, ways or outputs); of a regression with `deviations`, and the standard deviation of each.

        Args:
            *inputs: Pixels of 0 to 255 or numbers (n, *input); or the token ids and the mask (n, tokens) of texts.
        """
        answers = self._answers(self.learner.encode(_taken(inputs)))
        if self.output == "values":
            return answers.chunk(len(self.outputs()), -1)
        return (answers.sigmoid() if self.output == "independent" else F.softmax(answers / self.temperature, -1),)

    def outputs(self) -> list[str]:
        """The names of the answers."""
        if self.output != "values":
            return ["probabilities"]
        return ["values", "deviations"] if self.learner.deviations else ["values"]

    def _answers(self, features: Tensor) -> Tensor:
        state = {name: self.get_buffer(f"state_{number}") for number, name in enumerate(self.names)}
        if one_vs_rest.WEIGHTS in state:
            return one_vs_rest.predict(state, features)
        if not self.learner.transductive:
            return self.learner.predict(state, features)
        alone = torch.vmap(lambda one: self.learner.predict(state, one.unsqueeze(0)).squeeze(0))
        answers: Tensor = alone(features)
        return answers


def _taken(inputs: tuple[Tensor, ...]) -> Any:
    """Inputs as learners take them."""
    if len(inputs) > 1:
        return {"input_ids": inputs[0], "attention_mask": inputs[1]}
    return inputs[0].float() / 255 if inputs[0].dtype is torch.uint8 else inputs[0]


def arrays_of(learner: Learner, example: Any) -> dict[str, Tensor]:
    """The inputs of the network by name, for example inputs: an array (n, *input), or n texts."""
    if isinstance(example, Tensor):
        return {INPUTS: example}
    encoder = text_encoder_of(learner)
    if encoder is None:
        raise NotExportable(f"{learner.algorithm} takes inputs that are neither arrays nor texts")
    tokens = encoder.tokens(list(example))
    return {name: tokens[name] for name in ("input_ids", "attention_mask")}


def text_encoder_of(learner: Learner) -> TextEncoder | None:
    """The text encoder of a learner, if it has one."""
    encoder = getattr(learner, "encoder", None)
    return encoder if isinstance(encoder, TextEncoder) else None


@torch.no_grad()
def to_onnx(network: ClientNetwork, example: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """Write a network as an ONNX file that takes any number of inputs.

    Args:
        network: The network.
        example: Two or more inputs, by the name of each array. The network is traced with them.
        metadata: Texts for the `metadata_props` of the file.

    Raises:
        NotExportable: An operation is unknown to ONNX, or the number of inputs is fixed.
    """
    axes = {0: torch.export.Dim("n"), 1: torch.export.Dim("tokens")}
    dynamic = {0: axes[0]} if INPUTS in example else axes
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch uses what it has deprecated
            program = torch.onnx.export(
                network.eval(),
                tuple(example.values()),
                input_names=list(example),
                output_names=network.outputs(),
                dynamic_shapes={"inputs": (dynamic,) * len(example)},
                dynamo=True,
                verbose=False,
            )
    except torch.onnx.errors.OnnxExporterError as error:
        raise NotExportable(f"{network.learner.algorithm} cannot be written as ONNX: {_cause(error)}") from error
    shape = None if program is None else program.model.graph.inputs[0].shape
    if program is None or shape is None or isinstance(shape[0], int):
        raise NotExportable(f"{network.learner.algorithm} cannot be written as ONNX for any number of inputs")
    program.model.metadata_props.update(metadata)
    file: bytes = program.model_proto.SerializeToString()
    return file


def _cause(error: BaseException) -> str:
    while error.__cause__ is not None:
        error = error.__cause__
    lines = str(error).strip().splitlines()
    return lines[0][:300] if lines else type(error).__name__
