"""Molecules as numbers: a SMILES string to a count fingerprint and physico-chemical properties.

Rogers, Hahn 2010, "Extended-Connectivity Fingerprints", doi:10.1021/ci100050t. RDKit reads the SMILES. It is optional,
so it is imported with the first molecule. Needs no torch, so that the API can use it.
"""

import re
from functools import cache
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

LONGEST = 400
"""Characters of a SMILES string."""
MOST_ATOMS = 200
"""Atoms of a molecule, without hydrogen."""
RADIUS = 2
PROPERTIES = (
    "amw", "NumHBD", "NumHBA", "NumRotatableBonds", "NumHeavyAtoms", "NumHeteroatoms", "NumAmideBonds", "FractionCSP3",
    "NumRings", "NumAromaticRings", "NumAliphaticRings", "NumHeterocycles", "NumAromaticHeterocycles", "NumSpiroAtoms",
    "NumBridgeheadAtoms", "NumAtomStereoCenters", "labuteASA", "tpsa", "CrippenClogP", "CrippenMR", "chi1v", "chi4v",
    "hallKierAlpha", "kappa1", "kappa2", "kappa3",
)  # fmt: skip
"""Properties by their names in RDKit."""
CENTRES = (
    5.64, 0.6, 1.49, 1.49, 3, 1.78, 0.327, 0.307, 1.09, 0.856, 0.392, 0.604, 0.373, 0.0105, 0.0321, 0.307, 4.76, 3.92,
    1.15, 4.32, 2.07, 1.24, -0.968, 2.71, 1.96, 1.51,
)  # fmt: skip
SCALES = (
    0.448, 0.52, 0.517, 0.662, 0.45, 0.516, 0.448, 0.194, 0.528, 0.512, 0.493, 0.515, 0.45, 0.0873, 0.207, 0.568, 0.443,
    0.961, 0.643, 0.474, 0.417, 0.494, 0.484, 0.409, 0.429, 0.524,
)  # fmt: skip
"""Mean and standard deviation of each property as a model takes it, over the molecules of the training."""
LARGEST = 1e6
ELEMENTS = (6, 7, 8, 16, 9, 17, 35, 53, 15, 14, 5)
"""Atomic numbers that have a code of their own; all others share one."""
ATOM_CODES = (len(ELEMENTS) + 2, 6, 3, 5, 2, 2)
"""How many values the codes of an atom have: its element, with 0 for no atom; its neighbours, the sign of its charge,
its hydrogens, and whether it is aromatic and in a ring."""
BOND_ENDS, BOND_TYPES = 2, 4
"""A bond has the numbers of its ends, from 1 on, and its type, from 1 on: single or other, double, triple, aromatic."""
SMILES = re.compile(r"[A-Za-z0-9@+\-\[\]()=#$:.%/\\*~]+")
ATOM = re.compile(r"\[[^\]]*\]|Br|Cl|[BCNOPSFIbcnops*]")


def row_type(bits: int, atoms: int = 0) -> np.dtype[np.void]:
    """The bytes of a molecule: its SMILES, its fingerprint and its properties; with `atoms`, also its graph."""
    fields: list[Any] = [
        ("smiles", f"S{LONGEST}"),
        ("counts", "u1", (bits,)),
        ("properties", "<f4", (len(PROPERTIES),)),
    ]
    graph = [("atoms", "u1", (atoms, len(ATOM_CODES))), ("bonds", "u1", (bonds_of(atoms), BOND_ENDS + 1))]
    return np.dtype(fields + graph if atoms else fields)


def bonds_of(atoms: int) -> int:
    """Most bonds of a graph of so many atoms. Others are left out."""
    return atoms + atoms // 4


def width(bits: int) -> int:
    """Numbers of a molecule as a model takes it, without its graph."""
    return bits + len(PROPERTIES)


def read(smiles: str, bits: int, atoms: int = 0) -> NDArray[np.void]:
    """A molecule, of `row_type`. Of a graph, the first atoms are kept.

    Raises:
        ValueError: The text is too long, too large a molecule, or no SMILES string; or RDKit is not installed.
    """
    check(smiles)
    molecule, generator, properties = _molecule(smiles), _generator(bits), _properties()
    row = np.zeros((), row_type(bits, atoms))
    row["smiles"] = smiles.encode()
    row["counts"] = np.minimum(generator.GetCountFingerprintAsNumPy(molecule), 255)
    numbers = np.nan_to_num(properties.ComputeProperties(molecule), nan=0.0, posinf=LARGEST, neginf=-LARGEST)
    row["properties"] = numbers.clip(-LARGEST, LARGEST)
    if atoms:
        codes = [_codes(atom) for atom in list(molecule.GetAtoms())[:atoms]]
        row["atoms"][: len(codes)] = codes
        bonds = [each for each in map(_bond, molecule.GetBonds()) if max(each[:BOND_ENDS]) <= atoms][: bonds_of(atoms)]
        row["bonds"][: len(bonds)] = np.array(bonds, np.uint8).reshape(-1, BOND_ENDS + 1)
    return row


def is_cut(row: NDArray[np.void]) -> bool:
    """Whether the graph of a molecule has no room for all of its atoms."""
    return bool(row["properties"][PROPERTIES.index("NumHeavyAtoms")] > len(row["atoms"]))


def _codes(atom: Any) -> tuple[int, ...]:
    number, charge = atom.GetAtomicNum(), atom.GetFormalCharge()
    element = ELEMENTS.index(number) + 1 if number in ELEMENTS else len(ELEMENTS) + 1
    sign = (charge > 0) - (charge < 0) + 1
    near = min(atom.GetDegree(), 5), sign, min(atom.GetTotalNumHs(), 4)
    return element, *near, int(atom.GetIsAromatic()), int(atom.IsInRing())


def _bond(bond: Any) -> tuple[int, int, int]:
    kinds = ("SINGLE", "DOUBLE", "TRIPLE", "AROMATIC")
    kind = bond.GetBondType().name
    return bond.GetBeginAtomIdx() + 1, bond.GetEndAtomIdx() + 1, kinds.index(kind) + 1 if kind in kinds else 1


def check(smiles: str) -> None:
    """Refuse a text that is no SMILES string at first sight. Raises ValueError.

    What it costs to read a SMILES string grows with its length and atoms, so they are limited before RDKit sees it.
    """
    if len(smiles) > LONGEST:
        raise ValueError(f"{len(smiles)} characters; the limit is {LONGEST}")
    if not SMILES.fullmatch(smiles):
        raise ValueError("not a SMILES string: it is empty, or has characters that SMILES does not have")
    if (atoms := len(ATOM.findall(smiles))) > MOST_ATOMS:
        raise ValueError(f"{atoms} atoms; the limit is {MOST_ATOMS}")


def numbers_of(rows: NDArray[np.void]) -> NDArray[np.float32]:
    """Molecules (n,) as a model takes them, (n, width): counts and properties on a logarithmic scale, with their
    sign; then the codes of atoms and bonds, if there are any."""
    numbers = np.concatenate([rows["counts"].astype(np.float32), rows["properties"]], 1)
    scaled: NDArray[np.float32] = np.sign(numbers) * np.log1p(np.abs(numbers))
    if "atoms" not in (rows.dtype.names or ()):
        return scaled
    graphs = [rows[name].reshape(len(rows), -1).astype(np.float32) for name in ("atoms", "bonds")]
    return np.concatenate([scaled, *graphs], 1)


def _molecule(smiles: str) -> Any:
    chem = _rdkit()
    molecule = chem.MolFromSmiles(smiles)
    if molecule is None or not molecule.GetNumAtoms():
        raise ValueError("not a molecule: RDKit cannot read it. Check its rings, brackets and valences")
    return molecule


@cache
def _rdkit() -> Any:
    try:
        import_module("rdkit.rdBase").DisableLog("rdApp.*")  # it would write inputs to the log
    except ImportError:
        raise ValueError("reading molecules needs RDKit: pip install 'handful[molecules]' on the server") from None
    return import_module("rdkit.Chem")


@cache
def _generator(bits: int) -> Any:
    return import_module("rdkit.Chem.rdFingerprintGenerator").GetMorganGenerator(radius=RADIUS, fpSize=bits)


@cache
def _properties() -> Any:
    return import_module("rdkit.Chem.rdMolDescriptors").Properties(PROPERTIES)
