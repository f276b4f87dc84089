"""Encoders: networks from an input to a feature vector, shared by all clients or adapted by each."""

from models.encoders.base import Encoder as Encoder
from models.encoders.conv4 import Conv4
from models.encoders.efficientnet_lite import EfficientNetLite
from models.encoders.ensemble import Ensemble
from models.encoders.gated_graph import GatedGraph
from models.encoders.identity import Identity
from models.encoders.image import ImageEncoder
from models.encoders.mlp import MLP
from models.encoders.molecule import MoleculeEncoder
from models.encoders.prior import Prior
from models.encoders.propagation import Propagation
from models.encoders.resnet import ResNet
from models.encoders.text import TextEncoder
from models.registry import Registry

ENCODERS: Registry[type[Encoder]] = Registry(
    "handful.encoders",
    {
        "conv4": Conv4,
        "efficientnet-lite": EfficientNetLite,
        "ensemble": Ensemble,
        "gated-graph": GatedGraph,
        "identity": Identity,
        "image": ImageEncoder,
        "mlp": MLP,
        "molecule": MoleculeEncoder,
        "prior": Prior,
        "propagation": Propagation,
        "resnet": ResNet,
        "text": TextEncoder,
    },
)
