"""The Python client.

    with Handful("http://localhost:8000") as handful:
        handful.adapt("alice", [(Path("fish.png"), "fish"), (Path("key.png"), "key")], model="glyphs")
        handful.predict("alice", [Path("other.png")])[0]["label"]

`AsyncHandful` has the same methods, to be awaited.

An input is a number, a vector (a list or an array), a text or an image. An image is a `Path`, an open file, bytes, a
PIL image, or rows of numbers (a list or an array). A `str` is a text or base64, unless it is the path of an image file
(.png, .jpg, .jpeg, .webp, .gif, .tif, .tiff, .bmp, .avif) that exists. Read other files through `Path`.
"""

from handful.clients import AsyncHandful, Handful
from handful.refusals import RefusedError

__all__ = ["AsyncHandful", "Handful", "RefusedError"]
