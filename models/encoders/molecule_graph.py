"""A small network of messages between the atoms of a molecule.

Messages with bonds: Hu et al. 2020, "Strategies for Pre-training Graph Neural Networks" (GIN with edges),
arXiv:1905.12265; Gilmer et al. 2017, arXiv:1704.01212.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.molecules import ATOM_CODES, BOND_ENDS, BOND_TYPES, bonds_of

DROPOUT = 0.2
USUAL_ATOMS = 8
"""Divides the sum over atoms, which is read beside the mean."""


class MoleculeGraph(nn.Module):
    """Atoms with codes, which send messages along bonds, and features of the whole from their mean and sum.

    Args:
        atoms: Rows of atoms of an input. Rows without an atom are zeros.
        features: Length of the features.
        width: Length of the vector of an atom.
        layers: Rounds of messages.
    """

    def __init__(self, atoms: int, features: int, width: int = 64, layers: int = 3) -> None:
        super().__init__()
        self.atoms, self.bonds = atoms, bonds_of(atoms)
        self.look = nn.ModuleList(nn.Embedding(codes, width) for codes in ATOM_CODES)
        self.of_bond = nn.ModuleList(nn.Embedding(BOND_TYPES + 1, width) for _ in range(layers))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.think = nn.ModuleList(
            nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width)) for _ in range(layers)
        )
        self.drop, self.out = nn.Dropout(DROPOUT), nn.Linear(2 * width, features)

    def forward(self, inputs: Tensor) -> Tensor:
        """Graphs (n, atoms * codes + bonds * 3), as in `models.molecules`, to features (n, features) of length 1."""
        size = self.atoms * len(ATOM_CODES)
        codes = inputs[:, :size].reshape(-1, self.atoms, len(ATOM_CODES)).long()
        bonds = inputs[:, size:].reshape(-1, self.bonds, BOND_ENDS + 1).long()
        there = (codes[..., :1] > 0).to(self.out.weight.dtype)
        vectors = sum((look(codes[..., i]) for i, look in enumerate(self.look)), torch.zeros_like(there)) * there
        for of_bond, norm, think in zip(self.of_bond, self.norms, self.think, strict=True):
            vectors = vectors + self.drop(think(norm(vectors + _received(vectors, bonds, of_bond(bonds[..., -1])))))
        total = (vectors.relu() * there).sum(1)
        whole = torch.cat([total / there.sum(1).clamp(min=1), total / USUAL_ATOMS], -1)
        return F.normalize(self.drop(self.out(whole).relu()), dim=-1)


def _received(vectors: Tensor, bonds: Tensor, of_bond: Tensor) -> Tensor:
    """The sum of the messages that each atom gets, (n, atoms, width). Both ends of a bond send one."""
    first, second = bonds[..., 0], bonds[..., 1]
    sent, got = torch.cat([first, second], -1), torch.cat([second, first], -1)
    exist = (sent > 0).unsqueeze(-1)
    ends = [(each - 1).clamp(min=0).unsqueeze(-1).expand(*each.shape, vectors.shape[-1]) for each in (sent, got)]
    messages = (vectors.gather(1, ends[0]) + torch.cat([of_bond, of_bond], 1)).relu() * exist
    return torch.zeros_like(vectors).scatter_add(1, ends[1], messages)
