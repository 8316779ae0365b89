"""The columns of the LargeMix and UltraLarge tables, for look-alikes: names, types and what stands in the cells."""

from dataclasses import dataclass
from typing import Literal

import pyarrow as pa

Content = Literal["row", "text", "constant", "empty", "smiles", "assay", "gene", "property", "count", "atoms"]
"""row: the row's number; text: the column's prefix and the row's number; constant: the prefix alone; empty: nothing;
smiles: the molecule. Labels: assay: 0, 1 or missing; gene: a class; property: a number; count: a whole number; atoms: a
list of numbers."""

Name = Literal["pcba_1328", "l1000_vcap", "l1000_mcf7", "pcqm4m", "pm6_83m"]


@dataclass(frozen=True)
class Column:
    """A column of a look-alike.

    Attributes:
        name: in the table.
        content: what stands in its cells.
        type: of the cells.
        prefix: what a text begins with.
        hidden: whether its cells are missing in those rows where a whole calculation is missing.
    """

    name: str
    content: Content
    type: pa.DataType
    prefix: str = ""
    hidden: bool = False


@dataclass(frozen=True)
class Schema:
    """The columns of a table.

    Attributes:
        columns: in their order.
        shuffled: whether the SMILES are written in a random order of the atoms, which a canonical order is not.
        restricted: whether some SMILES are the word ``restricted``.
    """

    columns: tuple[Column, ...]
    shuffled: bool = False
    restricted: bool = False

    def names(self, *contents: Content) -> list[str]:
        """Return the names of the columns with these contents."""
        return [column.name for column in self.columns if column.content in contents]


def _pcba() -> Schema:
    assays = sorted(f"assayID-{2 * number + 1}" for number in range(1328))
    return Schema(
        (
            Column("Unnamed: 0", "row", pa.int64()),
            Column("SMILES", "smiles", pa.string()),
            *(Column(name, "assay", pa.float64()) for name in assays),
            Column("CID", "row", pa.int64()),
            Column("SID", "row", pa.int64()),
        )
    )


def _l1000(cell: str) -> Schema:
    genes = sorted(f"geneID-{10 * number + 9}" for number in range(978))
    return Schema(
        (
            Column("full_id", "text", pa.string(), f"LOOK.{cell}:"),
            Column("pert_id", "text", pa.string(), "LOOK-"),
            Column("cell_iname", "constant", pa.string(), cell),
            Column("SMILES", "smiles", pa.string()),
            Column("inchi_key", "empty", pa.string()),
            Column("compound_aliases", "empty", pa.string()),
            *(Column(name, "gene", pa.int64()) for name in genes),
        ),
        restricted=True,
    )


_PCQM4M_PROPERTIES = """
graph_alpha_homo graph_alpha_gap graph_beta_homo graph_beta_gap graph_energy_total graph_principal_length_a
graph_principal_length_b graph_principal_length_c graph_inertia_mass_a graph_inertia_mass_b graph_inertia_mass_c
graph_inertia_valence_a graph_inertia_valence_b graph_inertia_valence_c graph_inertia_charges_mulliken_a
graph_inertia_charges_mullkien_b graph_inertia_charges_mulliken_c graph_inertia_charges_lowdin_a
graph_inertia_charges_lowdin_b graph_inertia_charges_lowdin_c graph_spherocity graph_plane_best_fit
graph_tddft_alpha_gap graph_tddft_energy_beta_gap graph_tddft_energy_total
"""
_PCQM4M_ATOMS = "node_charges_mulliken node_charges_lowdin node_tddft_charges_mulliken node_tddft_charges_lowdin"


def _pcqm4m() -> Schema:
    atoms = pa.list_(pa.float64())
    return Schema(
        (
            Column("ordered_cxsmiles_3d", "empty", pa.string()),
            Column("ordered_smiles", "smiles", pa.string()),
            *(_calculated(name, "property", pa.float64()) for name in _PCQM4M_PROPERTIES.split()),
            *(_calculated(name, "atoms", atoms) for name in _PCQM4M_ATOMS.split()),
        ),
        shuffled=True,
    )


def _calculated(name: str, content: Content, kind: pa.DataType) -> Column:
    return Column(name, content, kind, hidden="tddft" in name)


_PM6_STATES = """
cation_plane_best_fit S0_principal_length_b S0_principal_length_a cation_energy_total anion_plane_best_fit
T0_plane_best_fit anion_beta_homo cation_beta_homo T0_alpha_homo S0_beta_gap T0_beta_homo cation_principal_length_b
T0_spherocity S0_plane_best_fit T0_principal_length_b anion_principal_length_c anion_alpha_gap T0_principal_length_c
cation_principal_length_a S0_alpha_homo cation_beta_gap S0_energy_total S0_spherocity anion_principal_length_a
T0_principal_length_a anion_alpha_homo cation_alpha_homo T0_energy_total S0_principal_length_c anion_spherocity
anion_principal_length_b anion_energy_total T0_beta_gap T0_alpha_gap S0_alpha_gap cation_spherocity cation_alpha_gap
S0_beta_homo cation_principal_length_c anion_beta_gap
"""
_PM6_DESCRIPTORS = """
mw fsp3 n_lipinski_hba n_lipinski_hbd n_rings n_hetero_atoms n_heavy_atoms n_rotatable_bonds n_radical_electrons tpsa
qed clogp sas n_aliphatic_carbocycles n_aliphatic_heterocyles n_aliphatic_rings n_aromatic_carbocycles
n_aromatic_heterocyles n_aromatic_rings n_saturated_carbocycles n_saturated_heterocyles n_saturated_rings
"""
# Of the seven only the first name is known; the others are made up in its manner.
_PM6_ATOMS = """
S0_charges_mulliken T0_charges_mulliken cation_charges_mulliken anion_charges_mulliken T0_spin_densities
cation_spin_densities anion_spin_densities
"""


def _pm6() -> Schema:
    return Schema(
        (
            Column("ordered_smiles", "smiles", pa.string()),
            *(Column(f"graph_{name}", "property", pa.float32()) for name in _PM6_STATES.split()),
            *(
                Column(f"graph_{name}", "count", pa.int64())
                if name.startswith("n_")
                else Column(f"graph_{name}", "property", pa.float64())
                for name in _PM6_DESCRIPTORS.split()
            ),
            *(Column(f"node_{name}", "atoms", pa.list_(pa.float64())) for name in _PM6_ATOMS.split()),
        ),
        shuffled=True,
    )


SCHEMAS: dict[Name, Schema] = {
    "pcba_1328": _pcba(),
    "l1000_vcap": _l1000("VCAP"),
    "l1000_mcf7": _l1000("MCF7"),
    "pcqm4m": _pcqm4m(),
    "pm6_83m": _pm6(),
}
"""By the name of the manifest that describes the table."""
