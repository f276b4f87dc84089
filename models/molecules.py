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
SMILES = re.compile(r"[A-Za-z0-9@+\-\[\]()=#$:.%/\\*~]+")
ATOM = re.compile(r"\[[^\]]*\]|Br|Cl|[BCNOPSFIbcnops*]")


def row_type(bits: int) -> np.dtype[np.void]:
    """The bytes of a molecule: its SMILES, its fingerprint and its properties."""
    fields = [("smiles", f"S{LONGEST}"), ("counts", "u1", (bits,)), ("properties", "<f4", (len(PROPERTIES),))]
    return np.dtype(fields)


def width(bits: int) -> int:
    """Numbers of a molecule as a model takes it."""
    return bits + len(PROPERTIES)


def read(smiles: str, bits: int) -> NDArray[np.void]:
    """A molecule, of `row_type`.

    Raises:
        ValueError: The text is too long, too large a molecule, or no SMILES string; or RDKit is not installed.
    """
    check(smiles)
    molecule, generator, properties = _molecule(smiles), _generator(bits), _properties()
    row = np.zeros((), row_type(bits))
    row["smiles"] = smiles.encode()
    row["counts"] = np.minimum(generator.GetCountFingerprintAsNumPy(molecule), 255)
    numbers = np.nan_to_num(properties.ComputeProperties(molecule), nan=0.0, posinf=LARGEST, neginf=-LARGEST)
    row["properties"] = numbers.clip(-LARGEST, LARGEST)
    return row


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
    sign."""
    numbers = np.concatenate([rows["counts"].astype(np.float32), rows["properties"]], 1)
    scaled: NDArray[np.float32] = np.sign(numbers) * np.log1p(np.abs(numbers))
    return scaled


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
