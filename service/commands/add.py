"""handful add: a model of a pre-trained encoder and a learner, without any training."""

import dataclasses
import shlex
from datetime import UTC, datetime
from typing import Any

import torch
from rich.console import Console

from models import checkpoint
from models.checkpoint import Spec
from models.encoders.kinds import Found, encoder_of
from models.encoders.text import TextEncoder
from models.learner import Learner, Support, full_mask
from service.arrays import TEXT
from service.cards import Card
from service.commands.added import default_of
from service.commands.new_card import new_card
from service.commands.own_models import check_name, serve_hint
from service.engine.warmup import random_support
from service.settings import Settings

DEFAULTS = {"text": "named-logistic", "photo": "ridge", "table": "kernels"}
"""The learner of each kind of input."""
OPTIONS: dict[str, dict[str, Any]] = {
    "logistic": {"penalty": 0.05},
    "ridge": {"normalised": True, "scale": 10.0},
    "any-features": {"trained": True},
}
"""Options of learners that suit features of length 1 without training."""
CHARACTERS_PER_TOKEN = 8
"""Characters of a text that are read, for each token."""


def add(
    name: str,
    encoder: str,
    learner: str | None,
    revision: str | None,
    *,
    replace: bool,
    settings: Settings,
    regression: bool = False,
    prefix: str = "",
) -> None:
    """Write the checkpoint and the card of a model into the folder of own models.

    Raises:
        ValueError: The name is taken, the encoder cannot be found or loaded, or the learner needs training.
    """
    check_name(name, settings)
    path = settings.own_models / f"{name}.json"
    if path.exists() and not replace:
        raise ValueError(f"{path} exists: choose another name, or give --replace")
    found = encoder_of(encoder, revision, prefix)
    learner = learner or DEFAULTS[found.input["type"]]
    spec, built = build(found, learner, _options(learner, found, regression=regression))
    command = _command(name, encoder, spec, regression=regression)
    training = {"command": command, "added": spec.__dict__, "finished": datetime.now(UTC).date().isoformat()}
    title, outputs = f"{built.algorithm}, on {encoder}", 1 if regression else None
    card = new_card(name, title, built, input=_input(found, built), training=training, outputs=outputs)
    if default := default_of(found.input["type"], learner):
        card = card.model_copy(update=dict(default))
    _try(card, built)
    settings.own_models.mkdir(parents=True, exist_ok=True)
    for old in settings.own_models.glob(f"{name}.resume.safetensors"):
        old.unlink()
    checkpoint.save(path.with_suffix(".safetensors"), spec, built.state_dict())
    card.write(path)
    Console().print(f"Added {name}: {learner} on {encoder}. {serve_hint(name)}", soft_wrap=True, highlight=False)


def build(found: Found, learner: str, options: dict[str, Any]) -> tuple[Spec, Learner]:
    """A learner on an encoder, and its spec. An encoder of texts whose features are much alike is centred.

    Raises ValueError for a learner that needs training.
    """
    spec = Spec(learner, found.encoder, options, found.options)
    built = checkpoint.build(spec).eval().requires_grad_(False)
    _check(learner, built)
    encoder = getattr(built, "encoder", None)
    if isinstance(encoder, TextEncoder) and encoder.centre_if_narrow():
        spec = dataclasses.replace(spec, encoder_options=found.options | {"centred": True})
    return spec, built


def _command(name: str, encoder: str, spec: Spec, *, regression: bool) -> str:
    """The command that adds the same model, with the commit of its encoder on the hub."""
    options = spec.encoder_options
    command = f"handful add {name} --encoder {shlex.quote(encoder)} --learner {spec.learner}"
    command += f" --revision {options['revision']}" if "revision" in options else ""
    command += " --regression" if regression else ""
    return command + (f" --prefix {shlex.quote(options['prefix'])}" if "prefix" in options else "")


def _options(learner: str, found: Found, *, regression: bool) -> dict[str, Any]:
    """The options of the learner. Raises ValueError for a regression that is not of rows of a table."""
    if not regression:
        return OPTIONS.get(learner, {})
    if (learner, found.input["type"]) != ("kernels", "table"):
        raise ValueError(
            "--regression is for rows of a table: give --encoder identity, and no other learner than kernels"
        )
    return {"kind": "regression"}


def _input(found: Found, learner: Learner) -> dict[str, Any]:
    """The input of the card; a text encoder says how many tokens it reads."""
    tokens = getattr(getattr(learner, "encoder", None), "max_tokens", None)
    return found.input | ({"max_tokens": tokens, "max_characters": CHARACTERS_PER_TOKEN * tokens} if tokens else {})


def _check(name: str, learner: Learner) -> None:
    """Raise ValueError for a learner that does not share an encoder, or has weights of its own to train."""
    own = [each for part, each in learner.named_parameters() if not part.startswith("encoder.") and each.numel() > 1]
    untrained = own and not getattr(learner, "trained", False)
    if untrained or type(learner).encode is Learner.encode:
        raise ValueError(f"{name} must be meta-trained: add a model with ridge, logistic or protonet, say")


def _try(card: Card, learner: Learner) -> None:
    """Adapt to random examples and answer some. Raises ValueError when the learner does not take such inputs."""
    made = random_support(card, 2, 2)
    inputs: Any = made.inputs.tolist() if made.inputs.dtype == TEXT else torch.from_numpy(made.inputs)
    if isinstance(inputs, torch.Tensor) and inputs.dtype is torch.uint8:
        inputs = inputs.float() / 255
    targets = torch.from_numpy(made.targets)
    try:
        answers = learner.answer(Support(inputs, targets, full_mask(targets), made.ways), inputs)
    except (AttributeError, RuntimeError, TypeError) as error:
        raise ValueError(f"{card.algorithm} does not work on this encoder: {error}") from error
    if not answers.isfinite().all():
        raise ValueError(f"{card.algorithm} on this encoder answers with numbers that are not finite")
