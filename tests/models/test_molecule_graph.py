"""Messages between the atoms of a molecule: what they depend on, and what not."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from models import molecules
from models.encoders.molecule_graph import MoleculeGraph

ATOMS = 12
NETWORK = MoleculeGraph(ATOMS, 16).eval().requires_grad_(False)


def features(*smiles: str) -> torch.Tensor:
    rows = np.array([molecules.read(one, 64, ATOMS) for one in smiles])
    return NETWORK(torch.from_numpy(molecules.numbers_of(rows)[:, molecules.width(64) :]))


def test_the_order_of_atoms_does_not_matter():
    assert_allclose(features("OCC(=O)N"), features("NC(=O)CO"), atol=1e-6)


@pytest.mark.parametrize(("one", "other"), [
    ("CCO", "CCN"), ("CC=C", "CCC"), ("CCCCO", "CC(C)CO"), ("C[N+](C)(C)C", "CC(C)(C)C"), ("C1CCCCC1", "CCCCCC"),
])  # fmt: skip
def test_another_atom_bond_or_branch_gives_other_features(one, other):
    assert (features(one) - features(other)).abs().max() > 1e-4


def test_room_for_more_atoms_changes_nothing():
    wide = MoleculeGraph(2 * ATOMS, 16).eval()
    wide.load_state_dict(NETWORK.state_dict())
    rows = np.array([molecules.read("c1ccccc1O", 64, 2 * ATOMS)])
    found = wide(torch.from_numpy(molecules.numbers_of(rows)[:, molecules.width(64) :]))
    assert_allclose(found.detach(), features("c1ccccc1O"), atol=1e-6)


@pytest.mark.parametrize("smiles", ["[Na+].[Cl-]", "C", "[U]", "C" * 40, "B(O)(O)c1ccccc1"])
def test_any_molecule_has_finite_features(smiles):
    assert features(smiles).isfinite().all()


def test_of_a_large_molecule_the_first_atoms_and_their_bonds_are_read():
    row = molecules.read("C" * 40, 64, ATOMS)
    assert molecules.is_cut(row)
    assert (row["atoms"][:, 0] == 1).all()
    assert row["bonds"].max() == ATOMS
    assert not molecules.is_cut(molecules.read("C" * ATOMS, 64, ATOMS))
