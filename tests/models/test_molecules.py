"""Episodes of assays of molecules."""

import gzip

import numpy as np
import pytest
import torch

from models.datasets import dataset_of, molecules
from models.datasets.episode import Shape, rng_of
from models.datasets.molecule_properties import properties_of

BITS = {"type": "molecule", "bits": 64}
SMILES = ["C" * n + tail for n in range(1, 31) for tail in ("O", "N", "Cl", "S")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Assays of alkanes with an end: active are alcohols, or chlorides."""
    path = tmp_path_factory.mktemp("molecules")
    (path / "molecules").mkdir()
    for name, (first, second) in {
        "tox21.csv.gz": ("NR-AR", "SR-p53"),
        "molecules/muv6500.csv.gz": ("MUV-1", "MUV-2"),
        "molecules/bbbp.csv.gz": ("penetrates", "other"),
        "molecules/esol.csv.gz": ("log_solubility", "other"),
        "molecules/lipophilicity.csv.gz": ("logD", "other"),
    }.items():
        lines = [f"{one},{int(one[-1] == 'O')},{'' if i % 5 else int('Cl' in one)}" for i, one in enumerate(SMILES)]
        text = "\n".join([f"smiles,{first},{second}", *lines, "C1CC,0,0"])
        (path / name).write_bytes(gzip.compress(text.encode()))
    return path


def assays(folder, split):
    return {each.name: each for group in molecules.groups_of(folder, split, 64) for each in group}


def test_molecules_that_were_not_measured_or_cannot_be_read_are_left_out(folder):
    file = molecules.read(folder / "tox21.csv.gz", 64)
    assert len(file.inputs) == len(SMILES)
    both = [file.assays(["SR-p53"], held_out=held_out)[0] for held_out in (True, False)]
    assert sum(len(each.active) for each in both) == len(SMILES) / 5


def test_no_split_has_a_molecule_or_a_test_assay_of_the_training(folder):
    trained = assays(folder, "train")
    assert set(trained) == {"NR-AR", "MUV-1", "MUV-2"}
    assert set(assays(folder, "tox21-test")) == {"SR-p53"}
    seen = {row.tobytes() for row in trained["NR-AR"].inputs}
    for split in ("held-out-molecules", "tox21-test", "bbbp"):
        assert not seen & {row.tobytes() for each in assays(folder, split).values() for row in each.inputs}


def test_episodes_have_one_shape_also_of_an_assay_with_few_molecules(folder):
    sampler = dataset_of("molecules").episodes(folder, "train", BITS)
    shape = Shape(2, 8, 12)
    for episode in (sampler.episode(rng_of(0, i), shape) for i in range(8)):
        assert episode.support.targets.bincount().tolist() == [8, 8]
        assert episode.targets.bincount().tolist() == [12, 12]
        learned, asked = ({row.numpy().tobytes() for row in rows} for rows in (episode.support.inputs, episode.query))
        assert not learned & asked


def test_episodes_have_graphs_if_the_model_reads_them(folder):
    shape = Shape(2, 2, 2)
    plain, graphs = (
        dataset_of("molecules").episodes(folder, "train", BITS | more).episode(rng_of(0, 0), shape)
        for more in ({}, {"atoms": 8})
    )
    width = plain.query.shape[1]
    assert torch.equal(graphs.query[:, :width], plain.query)
    assert (graphs.query[:, width:].sum(1) > 0).all()


def test_without_a_number_of_queries_all_others_are_queries(folder):
    [assay] = molecules.read(folder / "tox21.csv.gz", 64).assays(["NR-AR"], held_out=False)
    episode = molecules.draw(assay, np.random.default_rng(0), 5, None)
    assert len(episode.support.targets) + len(episode.targets) == len(assay.active)
    assert (episode.targets == 1).sum() == assay.active.sum() - 5


def test_properties_are_chosen_on_other_molecules_than_those_that_are_reported(folder):
    chosen = {each.name: each for each in properties_of(folder, "choice", 64)}
    assert set(chosen) == {"esol", "lipophilicity"}
    [reported] = properties_of(folder, "esol", 64)
    rows = [{row.tobytes() for row in each.inputs} for each in (chosen["esol"], reported)]
    assert not rows[0] & rows[1]
    assert sum(map(len, rows)) == len(SMILES)


def test_episodes_of_properties_have_numbers(folder):
    sampler = dataset_of("molecule-properties").episodes(folder, "choice", BITS)
    episode = sampler.episode(rng_of(0, 0), Shape(0, 8, 12))
    assert (episode.support.ways, tuple(episode.support.targets.shape), tuple(episode.targets.shape)) == (
        0,
        (8, 1),
        (12, 1),
    )
    learned, asked = ({row.numpy().tobytes() for row in rows} for rows in (episode.support.inputs, episode.query))
    assert not learned & asked
