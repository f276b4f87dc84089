"""Molecules: what is read, shown and refused, and that hostile ones do not stay."""

import asyncio
import sys

import numpy as np
import pytest

from models import molecules
from service.errors import Unprocessable
from service.inputs.decoder_pool import DecoderPool
from service.inputs.limits import Limits
from service.inputs.molecule import Molecule
from service.inputs.sent import Row

ASPIRIN, ETHANOL = "CC(=O)Oc1ccccc1C(=O)O", "CCO"
LIMITS = Limits(1)
KIND = Molecule(bits=256)


def decoded(*raw: object) -> np.ndarray:
    return KIND.decode(raw, [f"inputs[{i}]" for i in range(len(raw))], LIMITS).array()


def numbers(*raw: object) -> np.ndarray:
    return KIND.prepare(decoded(*raw), None)


def test_a_molecule_is_its_fingerprint_and_its_properties():
    found = numbers(ETHANOL)
    assert found.shape == (1, molecules.width(256))
    properties = dict(zip(molecules.PROPERTIES, np.expm1(np.abs(found[0, 256:])), strict=True))
    assert properties["NumHeavyAtoms"] == pytest.approx(3, abs=1e-5)
    assert properties["amw"] == pytest.approx(46.07, abs=0.01)
    assert np.expm1(found[0, :256]).sum() == pytest.approx(6, abs=1e-4)  # three atoms, three neighbourhoods


def test_the_same_molecule_written_differently_gives_the_same_numbers():
    assert (numbers("OCC") == numbers(ETHANOL)).all()
    assert not (numbers(ASPIRIN) == numbers(ETHANOL)).all()


def test_molecules_are_shown_as_they_were_sent():
    assert KIND.show(decoded("OCC", f" {ASPIRIN}\n")) == ["OCC", ASPIRIN]


def test_random_examples_are_of_the_form_of_decoded_ones():
    made = KIND.examples(3, np.random.default_rng(0))
    assert (made.shape[1:], made.dtype) == (decoded(ETHANOL).shape[1:], np.uint8)
    assert np.isfinite(KIND.prepare(made, None)).all()


def test_a_molecule_with_its_graph_has_its_numbers_first_and_says_if_it_is_cut():
    kind = Molecule(bits=256, atoms=8)
    found = kind.decode([ETHANOL, ASPIRIN], ["inputs[0]", "inputs[1]"], LIMITS)
    assert [(each.field, each.code) for each in found.warnings] == [("inputs[1]", "atoms_cut")]
    prepared = kind.prepare(found.array(), None)
    assert (prepared[:, : molecules.width(256)] == numbers(ETHANOL, ASPIRIN)).all()
    assert kind.show(found.array()) == [ETHANOL, ASPIRIN]
    made = kind.examples(3, np.random.default_rng(0))
    assert made.shape[1] == found.array().shape[1]
    assert kind.prepare(made, None).shape[1] == prepared.shape[1]


def test_a_row_of_csv_has_a_column_of_smiles():
    assert KIND.of_row(Row({"Smiles": ETHANOL, "id": "7"}, "rows[0]", False)) == ETHANOL
    with pytest.raises(Unprocessable, match="no column is called smiles"):
        KIND.of_row(Row({"a": ETHANOL, "b": "7"}, "rows[0]", False))


REFUSED = {
    "a number": (7, "takes a SMILES string; here is a number"),
    "an empty text": ("", "not a SMILES string"),
    "a name": ("acetic acid", "characters that SMILES does not have"),
    "other scripts": ("\uff23\uff23\uff2f", "characters that SMILES does not have"),
    "an open ring": ("C1CC", "RDKit cannot read it"),
    "a carbon with five bonds": ("C(C)(C)(C)(C)C", "RDKit cannot read it"),
    "a long text": ("C" * 401, "401 characters; the limit is 400"),
    "many atoms": ("C" * 201, "201 atoms; the limit is 200"),
    "many atoms in brackets": ("[H]" * 70 + "C" * 131, "201 atoms; the limit is 200"),
    "nested brackets": ("[" * 400, "RDKit cannot read it"),
    "a huge isotope": ("[99999999999999999999C]", "RDKit cannot read it"),
}


@pytest.mark.parametrize(("raw", "says"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_molecule_is_refused_by_its_field(raw, says, capfd):
    with pytest.raises(Unprocessable, match=says) as refusal:
        decoded(ETHANOL, raw)
    assert refusal.value.field == "inputs[1]"
    assert capfd.readouterr().err == ""  # RDKit would log the input


def test_a_server_without_rdkit_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "rdkit.rdBase", None)
    molecules._rdkit.cache_clear()
    with pytest.raises(Unprocessable, match=r"needs RDKit: pip install 'handful\[molecules\]'"):
        decoded(ETHANOL)


def clique(count: int) -> str:
    """Dummy atoms that are all bound to each other. The search for their rings takes minutes from twelve on."""
    bonds = [(i, j) for i in range(count) for j in range(i)]
    marks = {bond: f"%{n:02d}" if n > 9 else str(n) for n, bond in enumerate(bonds)}
    return ".".join("*" + "".join(mark for bond, mark in marks.items() if i in bond) for i in range(count))


def test_a_molecule_that_takes_too_much_processor_time_is_refused_and_the_next_is_read():
    async def test() -> None:
        pool = DecoderPool(1, 1, LIMITS, 1.0, 60)
        try:
            with pytest.raises(Unprocessable, match="the molecules take over 1 s to decode"):
                await pool.decode(KIND, [clique(12)], ["inputs[0]"], "acme")
            answer = await pool.decode(KIND, [ASPIRIN], ["inputs[0]"], "acme")
            assert KIND.show(answer.array()) == [ASPIRIN]
        finally:
            await pool.close()

    molecules.check(clique(12))
    asyncio.run(test())
