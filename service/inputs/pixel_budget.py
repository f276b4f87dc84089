"""How many pixels a request may bring."""

from service.errors import Unprocessable


class PixelBudget:
    """What the images of one request may take together, each counted as the square that it is padded to."""

    def __init__(self, limit: int) -> None:
        self._limit, self._left = limit, limit

    def take(self, width: int, height: int, field: str) -> None:
        """Count an image, before it is decoded. Raises Unprocessable when it is too much."""
        side = max(width, height)
        self._left -= side * side
        if self._left < 0:
            raise Unprocessable(
                f"{field}: {width} x {height} takes a square of {side * side} pixels; for all images of a request the "
                f"limit is {self._limit}, and {self._left + side * side} were left. Send smaller images, or fewer.",
                field=field,
            )
