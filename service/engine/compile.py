"""torch.compile as a service can use it: all compiling is done before requests are let in."""

import logging
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import torch

from models.native.build import compiler_path

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)

SHAPES = 32
"""Most shapes of jobs that each model is compiled for."""


def per_model(function: Callable[P, T], names: Sequence[str], *, compiling: bool) -> dict[str, Callable[P, T]]:
    """A compiled copy of the function for each model; the function itself if there is no compiler on the machine.

    The models do not share a copy, since together they would soon reach torch's limit of shapes.
    """
    if compiling and compiler_path() is None:
        log.warning("there is no C++ compiler, which HANDFUL_COMPILE needs: models run uncompiled")
        compiling = False
    if not compiling:
        return dict.fromkeys(names, function)
    options: dict[str, Any] = {"isolate_recompiles": True, "recompile_limit": SHAPES}  # not in torch's stubs yet
    return {name: torch.compile(function, **options) for name in names}


def finish_compiling() -> None:
    """Stop compiling in this process: from now on, jobs of other shapes run uncompiled."""
    torch.compiler.set_stance("eager_on_recompile")
