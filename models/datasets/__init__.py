"""Datasets: where episodes come from."""

from models.datasets.curves import CURVES
from models.datasets.dataset import Dataset
from models.datasets.graphs import GRAPHS
from models.datasets.molecule_properties import MOLECULE_PROPERTIES
from models.datasets.molecules import MOLECULES
from models.datasets.navigation import NAVIGATION
from models.datasets.omniglot import OMNIGLOT
from models.datasets.own.dataset import OWN
from models.datasets.patients import PATIENTS
from models.datasets.photos import PHOTOS
from models.datasets.reacher import REACHER
from models.datasets.sinusoid import SINUSOID
from models.datasets.synthetic_tables import SYNTHETIC_TABLES
from models.datasets.tables import TABLES, TABLES_REGRESSION
from models.datasets.tastes import TASTES
from models.datasets.texts import TEXTS
from models.registry import Registry

__all__ = ["DATASETS", "Dataset", "dataset_of"]

DATASETS: Registry[Dataset] = Registry(
    "handful.datasets",
    {
        each.name: each
        for each in (
            CURVES,
            GRAPHS,
            MOLECULE_PROPERTIES,
            MOLECULES,
            NAVIGATION,
            OMNIGLOT,
            *OWN,
            PATIENTS,
            PHOTOS,
            REACHER,
            SINUSOID,
            SYNTHETIC_TABLES,
            TABLES,
            TABLES_REGRESSION,
            TASTES,
            TEXTS,
        )
    },
)


def dataset_of(name: str) -> Dataset:
    """The dataset of this name. Raises ValueError when there is none."""
    if name not in DATASETS:
        raise ValueError(f"no dataset is called {name!r}; there are {', '.join(DATASETS)}")
    return DATASETS[name]
