"""torch.compile for a service: everything is compiled before the first request."""

import logging
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import torch

from models.native.build import compiler_path

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)

SHAPES = 32
"""Maximum shapes that each model is compiled for."""


def per_model(function: Callable[P, T], names: Sequence[str], *, compiling: bool) -> dict[str, Callable[P, T]]:
    """A compiled copy of the function for each model; without a compiler, the function itself.

    Each model has its own copy, because all models together would soon reach torch's limit of shapes.
    """
    if compiling and compiler_path() is None:
        log.warning("HANDFUL_COMPILE needs a C++ compiler and found none: models run uncompiled")
        compiling = False
    if not compiling:
        return dict.fromkeys(names, function)
    options: dict[str, Any] = {"isolate_recompiles": True, "recompile_limit": SHAPES}  # not in torch's stubs yet
    return {name: torch.compile(function, **options) for name in names}


def finish_compiling() -> None:
    """Stop compiling in this process. Jobs of new shapes then run uncompiled."""
    torch.compiler.set_stance("eager_on_recompile")
