"""What input kinds do with decoded inputs before a model takes them; long texts in a thread."""

from service.arrays import TEXT, Array
from service.executor import Executor
from service.inputs.kind import Columns, InputKind, InputWarning

EXECUTOR = Executor("prepare")


async def fit(kind: InputKind, inputs: Array) -> tuple[Columns | None, list[InputWarning]]:
    """Learn from a support set what `prepare` needs. Raises Unprocessable."""
    return await EXECUTOR.run(lambda: kind.fit(inputs), _characters(inputs))


async def check(kind: InputKind, inputs: Array, columns: Columns | None) -> list[InputWarning]:
    """Compare queries with what was learned. Raises Unprocessable."""
    return await EXECUTOR.run(lambda: kind.check(inputs, columns), _characters(inputs))


async def prepare(kind: InputKind, inputs: Array, columns: Columns | None) -> Array:
    """Inputs as the model takes them."""
    return await EXECUTOR.run(lambda: kind.prepare(inputs, columns), _characters(inputs))


def _characters(inputs: Array) -> int:
    """The length of all texts; nothing is done with arrays of numbers."""
    return sum(map(len, inputs.tolist())) if inputs.dtype == TEXT else 0
