"""The Python client.

    with Handful("http://localhost:8000") as handful:
        handful.adapt("alice", {"fish": [Path("fish.png")], "key": [Path("key.png")]}, model="glyphs")
        handful.predict("alice", [Path("other.png")])[0]["label"]

`AsyncHandful` has the same methods, to be awaited.

An input is a number, a vector, a text, an image or a row of a table:

- An image is a `Path`, an open file, bytes, a PIL image, or an array or tensor of pixels.
- A `str` is a text or base64, unless it is the path of an image file (.png, .jpg, .jpeg, .webp, .gif, .tif, .tiff,
  .bmp, .avif) that exists. Read other files through `Path`. `Text` is never a path.
- A row is a dictionary, a list or a `Series` of pandas. A data frame is a list of rows. NaN is a missing value.
"""

from handful.batches import Predictions
from handful.blocking import Handful
from handful.event_loop import AsyncHandful
from handful.inputs import Text
from handful.refusals import RefusedError

__all__ = ["AsyncHandful", "Handful", "Predictions", "RefusedError", "Text"]
