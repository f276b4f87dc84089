"""Molecules: SMILES strings."""

from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from models import molecules
from service.arrays import Array
from service.errors import Unprocessable
from service.inputs.kind import Columns, Decoded, InputKind, InputWarning
from service.inputs.limits import Limits
from service.inputs.pixel_arrays import json_type
from service.inputs.sent import Row


class Molecule(InputKind):
    """A molecule as a SMILES string. RDKit reads it, which is installed with `handful[molecules]`.

    It is decoded to bytes: the string, the fingerprint and the properties. Redis keeps them, so the molecule is read
    once.
    """

    description: ClassVar = 'a molecule as a SMILES string, such as "CC(=O)Oc1ccccc1C(=O)O"'
    json_schemas: ClassVar = [{"type": "string"}]
    plural: ClassVar = "molecules"

    type: Literal["molecule"] = "molecule"
    bits: int = Field(1024, ge=64, le=4096, description="Length of the fingerprint.")
    atoms: int = Field(
        0, ge=0, le=molecules.MOST_ATOMS, description="Atoms that are read one by one, with their bonds; 0: none."
    )

    def decode(self, raw: Sequence[Any], fields: Sequence[str], limits: Limits) -> Decoded:
        """Decode to uint8 (n, bytes of a molecule)."""
        rows = np.array([self._read(one, field) for one, field in zip(raw, fields, strict=True)])
        cut = [field for row, field in zip(rows, fields, strict=True) if self.atoms and molecules.is_cut(row)]
        return Decoded(_bytes(rows), [self._cut(field) for field in cut])

    def _cut(self, field: str) -> InputWarning:
        return InputWarning(
            field, "atoms_cut", f"{field}: over {self.atoms} atoms; only the first ones and their bonds are read."
        )

    def of_row(self, row: Row) -> str:
        """The column `smiles`, or the only one."""
        names = [name for name in row.values if len(row.values) == 1 or name.lower() == "smiles"]
        if not names:
            raise Unprocessable(f"{row.place}: no column is called smiles. Name it so.", field=row.place)
        return row.values[names[0]]

    def prepare(self, inputs: Array, columns: Columns | None) -> NDArray[np.float32]:
        """Numbers (n, bits and properties)."""
        return molecules.numbers_of(self._rows(inputs))

    def show(self, inputs: Array) -> list[Any]:
        """The SMILES strings."""
        return [bytes(one).decode() for one in self._rows(inputs)["smiles"]]

    def examples(self, count: int, rng: np.random.Generator) -> Array:
        """Random fingerprints, and the graph of ethane."""
        rows = np.zeros(count, molecules.row_type(self.bits, self.atoms))
        rows["smiles"] = b"C"
        rows["counts"] = rng.binomial(2, 0.02, (count, self.bits))
        rows["properties"] = rng.uniform(0, 10, (count, len(molecules.PROPERTIES)))
        if self.atoms:
            rows["atoms"][:, :2, 0], rows["bonds"][:, 0] = 1, (1, 2, 1)
        return _bytes(rows)

    def is_heavy(self, raw: Sequence[Any]) -> bool:
        """Always: how long RDKit takes cannot be known in advance."""
        return True

    def _rows(self, inputs: Array) -> NDArray[np.void]:
        return np.ascontiguousarray(inputs).view(molecules.row_type(self.bits, self.atoms))[:, 0]

    def _read(self, raw: Any, field: str) -> NDArray[np.void]:
        if not isinstance(raw, str):
            raise Unprocessable(f"{field}: takes a SMILES string; here is {json_type(raw)}.", field=field)
        try:
            return molecules.read(raw.strip(), self.bits, self.atoms)
        except RuntimeError:
            raise Unprocessable(f"{field}: RDKit fails at this molecule.", field=field) from None
        except ValueError as error:
            raise Unprocessable(f"{field}: {error}.", field=field) from None


def _bytes(rows: NDArray[np.void]) -> Array:
    return rows.view(np.uint8).reshape(len(rows), -1)
