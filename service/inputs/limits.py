"""Limits on the inputs of one request. They are checked before decoding."""

from typing import NamedTuple

from service.errors import Unprocessable


class Limits(NamedTuple):
    """Limits of one request."""

    image_pixels: int
    """Pixels of all images together, each counted as the square that it is padded to."""


class PixelBudget:
    """The pixels that are left for the images of one request."""

    def __init__(self, limit: int) -> None:
        self._limit, self._left = limit, limit

    def take(self, width: int, height: int, field: str) -> None:
        """Count an image before it is decoded. Raises Unprocessable if it is larger than what is left."""
        side = max(width, height)
        self._left -= side * side
        if self._left < 0:
            raise Unprocessable(
                f"{field}: {width} x {height} takes a square of {side * side} pixels; for all images of a request the "
                f"limit is {self._limit}, and {self._left + side * side} were left. Send smaller images, or fewer.",
                field=field,
            )


def check_count(count: int, limit: int, field: str) -> None:
    """Raise Unprocessable if `count` is over `limit`."""
    if count > limit:
        raise Unprocessable(f"{field}: {count} of them; the limit is {limit}.", field=field)
