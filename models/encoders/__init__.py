"""Encoders: from an input to a feature vector. Each has `features`, the length of what it returns."""

from models.encoders.conv4 import Conv4
from models.encoders.mlp import MLP
from models.encoders.resnet import ResNet
from models.registry import Registry

Encoder = Conv4 | MLP | ResNet

ENCODERS: Registry[type[Encoder]] = Registry("handful.encoders", {"conv4": Conv4, "mlp": MLP, "resnet": ResNet})
