"""Decode the inputs of requests without blocking the event loop."""

from collections.abc import Sequence
from typing import Any

from service.executor import Executor
from service.inputs.decoder_pool import DecoderPool
from service.inputs.drawing import Drawing
from service.inputs.kind import Decoded, InputKind
from service.inputs.limits import Limits
from service.inputs.sent import Part, Placed, Row, size_of
from service.settings import Settings

THREADS = Executor("decode")

PROBE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg=="
"""A PNG of one pixel."""


class Decoder:
    """Decodes the inputs of requests: files and many pixels in a process, other large inputs in a thread, small ones at
    once."""

    def __init__(self, settings: Settings) -> None:
        self._limits = Limits(settings.max_image_pixels)
        share = max(1, settings.decoders - 1) if settings.several_tenants else settings.decoders
        self._pool = DecoderPool(settings.decoders, share, self._limits, settings.decode_cpu_s, settings.deadline_s)

    async def decode(self, kind: InputKind, raw: Sequence[Any], fields: Sequence[str], tenant: str) -> Decoded:
        """Decode the inputs of one request. Raises Unprocessable, Busy, DeadlineExceeded, Unavailable."""
        if size := sum(map(size_of, raw)):
            sent = raw
            raw = await THREADS.run(lambda: [_as_json(kind, one) for one in sent], size)
        if kind.is_heavy(raw):
            return await self._pool.decode(kind, raw, fields, tenant)
        return await THREADS.run(lambda: kind.decode(raw, fields, self._limits), kind.work(raw))

    async def check(self) -> None:
        """Decode a small file. Raises Busy when others use all processes, DeadlineExceeded, Unavailable."""
        await self._pool.decode(Drawing(size=1), [PROBE], ["probe"], "probe/")

    async def close(self) -> None:
        """End the processes."""
        await self._pool.close()


def _as_json(kind: InputKind, one: Any) -> Any:
    """An input as a JSON body would hold it. Raises Unprocessable."""
    if isinstance(one, Placed):
        return one.value
    if isinstance(one, Part):
        return kind.of_part(one)
    return kind.of_row(one) if isinstance(one, Row) else one
