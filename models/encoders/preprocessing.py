"""How an image encoder wants its photos, from the `preprocessor_config.json` of its model folder."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from models.encoders.model_folder import json_of
from models.photo_pixels import FILTERS

FILE = "preprocessor_config.json"
CONVNEXT_STRETCHES_FROM = 384
"""ConvNeXt models of this size or more take the whole photo."""


class Preprocessing(NamedTuple):
    """The `input` of a model's card, and what becomes of its pixels of 0 to 255: factor, then minus mean over std."""

    input: dict[str, Any]
    factor: float
    mean: tuple[float, ...]
    std: tuple[float, ...]


def preprocessing(folder: Path) -> Preprocessing:
    """Read the preprocessing of a model folder. Raises ValueError when it cannot be done here."""
    path = folder / FILE
    values = json_of(path)
    if not values:
        raise ValueError(f"{folder} has no {FILE}, which says how photos are resized and scaled")
    try:
        return Preprocessing(_input(values), *_scaling(values))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error


def _scaling(values: Mapping[str, Any]) -> tuple[float, tuple[float, ...], tuple[float, ...]]:
    factor = float(values.get("rescale_factor", 1 / 255)) if values.get("do_rescale", True) else 1.0
    if not values.get("do_normalize", True):
        return factor, (0.0,) * 3, (1.0,) * 3
    mean, std = (tuple(map(float, values[name])) for name in ("image_mean", "image_std"))
    if len(mean) != 3 or len(std) != 3 or min(std) <= 0:
        raise ValueError("image_mean and image_std must have three numbers")
    return factor, mean, std


def _input(values: Mapping[str, Any]) -> dict[str, Any]:
    """The input kind of the photos."""
    resample = Image.Resampling(values.get("resample", Image.Resampling.BICUBIC)).name.lower()
    if resample not in FILTERS:
        raise ValueError(f"the filter {resample} is not supported; known are {', '.join(FILTERS)}")
    photo = {"type": "photo", "resample": resample}
    size = values["size"]
    if isinstance(size, int):  # files of earlier versions of the library
        size = {"shortest_edge": size} if values.get("do_center_crop") else {"height": size, "width": size}
    if "shortest_edge" not in size:
        return photo | {"size": _side(size), "stretch": True}
    shortest = int(size["shortest_edge"])
    if "crop_pct" in values:  # ConvNeXt
        if shortest >= CONVNEXT_STRETCHES_FROM:
            return photo | {"size": shortest, "stretch": True}
        return photo | {"size": shortest, "shortest": int(shortest / values["crop_pct"])}
    crop = values.get("crop_size", shortest) if values.get("do_center_crop") else shortest
    return photo | {"size": crop if isinstance(crop, int) else _side(crop), "shortest": shortest}


def _side(size: Mapping[str, Any]) -> int:
    if size["height"] != size["width"]:
        raise ValueError(f"photos of {size['height']} x {size['width']} are not supported, only squares")
    return int(size["height"])
