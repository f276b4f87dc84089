"""What the protocol says about models."""

from service.api.inference_protocol.schemas import ModelMetadata, TensorMetadata
from service.cards import Card
from service.inputs.kind import InputKind
from service.inputs.vector import Vector

PLATFORM = "handful"
EXTENSIONS = ["binary_tensor_data"]


def metadata_of(card: Card) -> ModelMetadata:
    """The tensors of a model."""
    outputs = _regressed(card) if card.kind == "regression" else _classified()
    return ModelMetadata(name=card.name, platform=PLATFORM, inputs=[_input(card.input)], outputs=outputs)


def _input(kind: InputKind) -> TensorMetadata:
    if isinstance(kind, Vector):
        return TensorMetadata(name="input", datatype="FP32", shape=[-1, kind.length])
    return TensorMetadata(name="input", datatype="BYTES", shape=[-1])


def _classified() -> list[TensorMetadata]:
    shapes = {"label": ("BYTES", [-1]), "probability": ("FP32", [-1])}
    shapes |= {"classes": ("BYTES", [-1, -1]), "probabilities": ("FP32", [-1, -1])}
    return [TensorMetadata(name=name, datatype=kind, shape=shape) for name, (kind, shape) in shapes.items()]


def _regressed(card: Card) -> list[TensorMetadata]:
    return [TensorMetadata(name="value", datatype="FP32", shape=[-1, card.outputs or 1])]
