"""What input kinds do with decoded inputs before a model takes them; large ones in a thread."""

from collections.abc import Sequence

from service.arrays import TEXT, Array
from service.executor import Executor
from service.inputs.kind import Columns, InputKind, InputWarning

EXECUTOR = Executor("prepare")


async def fit(kind: InputKind, inputs: Array, fields: Sequence[str] = ()) -> tuple[Columns | None, list[InputWarning]]:
    """Learn from a support set what `prepare` needs. Raises Unprocessable."""
    return await EXECUTOR.run(lambda: kind.fit(inputs, fields), _characters(inputs))


async def check(kind: InputKind, inputs: Array, columns: Columns | None, fields: Sequence[str]) -> list[InputWarning]:
    """Compare queries with what was learned. Raises Unprocessable."""
    return await EXECUTOR.run(lambda: kind.check(inputs, columns, fields), _characters(inputs))


async def prepare(kind: InputKind, inputs: Array, columns: Columns | None) -> Array:
    """Inputs as the model takes them."""
    return await EXECUTOR.run(lambda: kind.prepare(inputs, columns), inputs.size + _characters(inputs))


async def like(kind: InputKind, inputs: Array, shape: Sequence[int]) -> Array:
    """Inputs in the shape of others of their kind."""
    return await EXECUTOR.run(lambda: kind.like(inputs, shape), inputs.size)


def _characters(inputs: Array) -> int:
    """The length of all texts."""
    return sum(map(len, inputs.tolist())) if inputs.dtype == TEXT else 0
