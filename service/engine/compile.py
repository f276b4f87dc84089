"""torch.compile as a service can use it: before it is ready, and never while a client waits."""

import logging
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec, TypeVar

import torch

from models.native.build import compiler_path

P = ParamSpec("P")
T = TypeVar("T")
log = logging.getLogger(__name__)

SHAPES = 32
"""Of jobs, for which one model is compiled, at most."""


def per_model(function: Callable[P, T], names: Sequence[str], *, compiling: bool) -> dict[str, Callable[P, T]]:
    """The function for each model: compiled apart, since all together would soon reach torch's limit of shapes. As it
    is without a compiler on the machine."""
    if compiling and compiler_path() is None:
        log.warning("there is no C++ compiler, which HANDFUL_COMPILE needs: models run uncompiled")
        compiling = False
    if not compiling:
        return dict.fromkeys(names, function)
    options: dict[str, Any] = {"isolate_recompiles": True, "recompile_limit": SHAPES}  # not in torch's stubs yet
    return {name: torch.compile(function, **options) for name in names}


def finish_compiling() -> None:
    """From now on, in the whole process, a job of a shape that is not compiled runs uncompiled."""
    torch.compiler.set_stance("eager_on_recompile")
