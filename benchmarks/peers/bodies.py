"""The bodies that every service takes, as pydantic models, and their arrays."""

import argparse
from pathlib import Path

import torch
from pydantic import BaseModel
from torch import Tensor


class Example(BaseModel):
    """A drawing, rows of 0 to 255, and its class."""

    input: list[list[float]]
    label: int


class AdaptBody(BaseModel):
    """POST /adapt."""

    client_id: str
    model: str
    support: list[Example]


class PredictBody(BaseModel):
    """POST /predict."""

    client_id: str
    inputs: list[list[list[float]]]


def images(rows: list[list[list[float]]]) -> Tensor:
    """(n, 1, 28, 28), ink 0 to 1."""
    return torch.tensor(rows).unsqueeze(1) / 255


def labels(support: list[Example]) -> Tensor:
    """(n,)"""
    return torch.tensor([example.label for example in support])


def answer(probabilities: Tensor) -> dict[str, object]:
    """The answer of /predict."""
    return {"predictions": [{"label": int(row.argmax()), "probabilities": row.tolist()} for row in probabilities]}


def arguments() -> argparse.Namespace:
    """The options of every peer: its port, its Redis and the folder of the weights."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--redis", required=True)
    parser.add_argument("--weights", type=Path, required=True)
    return parser.parse_args()
