"""Datasets: where episodes come from."""

from models.datasets.curves import CURVES
from models.datasets.dataset import Dataset
from models.datasets.graphs import GRAPHS
from models.datasets.navigation import NAVIGATION
from models.datasets.omniglot import OMNIGLOT
from models.datasets.own.dataset import OWN
from models.datasets.photos import PHOTOS
from models.datasets.sinusoid import SINUSOID
from models.datasets.tables import TABLES, TABLES_REGRESSION
from models.datasets.texts import TEXTS
from models.registry import Registry

__all__ = ["DATASETS", "Dataset", "dataset_of"]

DATASETS: Registry[Dataset] = Registry(
    "handful.datasets",
    {
        each.name: each
        for each in (CURVES, GRAPHS, NAVIGATION, OMNIGLOT, *OWN, PHOTOS, SINUSOID, TABLES, TABLES_REGRESSION, TEXTS)
    },
)


def dataset_of(name: str) -> Dataset:
    """The dataset of this name. Raises ValueError when there is none."""
    if name not in DATASETS:
        raise ValueError(f"no dataset is called {name!r}; there are {', '.join(DATASETS)}")
    return DATASETS[name]
