"""The label columns of look-alikes, in bulk: assays, genes, properties, counts and lists of atoms."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from molfound.chem.graphs import GraphBlock
from molfound.data.lookalike_schemas import Column, Schema
from molfound.data.lookalike_signal import (
    FACTORS,
    AtomFields,
    Doubles,
    Factors,
    Floats,
    exceedance,
    loadings,
    log_uniform,
    logistic_scale,
    molecule_sums,
    thresholds,
)
from molfound.data.ragged import list_column

DENSITY = 0.11
LIBRARIES = 8
COVERAGES = (0.004, 0.4)
POSITIVES = (0.001, 0.1)
UNCHANGED = (0.85, 0.97)
DEVIATIONS = (0.01, 100.0)
ATOM_DEVIATION = 0.3


class LabelMaker:
    """Makes the label columns of a table, block by block.

    Args:
        schema: the table's columns.
        first: the graphs, with the features of `ATOM_FEATURES`, of the molecules to which frequencies are fitted.
        seed: of everything drawn; the factors depend on it alone, so that look-alikes of one seed share them.
        name: the table's, on which the rest depends too.
        noise: share of each label's variance that does not follow from the structure.
    """

    def __init__(self, schema: Schema, first: GraphBlock, seed: int, name: str, noise: float) -> None:
        generator = np.random.default_rng([seed, *name.encode()])
        self.scale, self.noise = logistic_scale(noise), noise
        self.columns = {
            content: [column for column in schema.columns if column.content == content]
            for content in ("assay", "gene", "property", "count", "atoms")
        }
        self.fields = AtomFields.drawn(FACTORS, seed)
        sums = molecule_sums(self.fields.values(first), first)
        self.factors = Factors.fitted(sums)
        factors = self.factors.of(sums)
        self.loadings = {content: loadings(len(columns), generator) for content, columns in self.columns.items()}
        self._draw_assays(factors, generator)
        self._draw_genes(factors, generator)
        self._draw_properties(generator)
        self.atom_fields = AtomFields.drawn(len(self.columns["atoms"]), [seed, *name.encode(), 1])
        values = self.atom_fields.values(first)
        self.atom_mean, self.atom_deviation = values.mean(axis=0), values.std(axis=0) + 1e-6

    def columns_of(self, graphs: GraphBlock, generator: np.random.Generator) -> dict[str, pa.Array]:
        """Return the label columns of a block of molecules, by name."""
        factors = self.factors.of(molecule_sums(self.fields.values(graphs), graphs))
        hidden = generator.random(graphs.graph_count) < 0.5
        return {
            **self._assays(factors, generator),
            **self._genes(factors, generator),
            **self._numbers(factors, hidden, generator),
            **self._atoms(graphs, hidden, generator),
        }

    def _signals(self, content: str, factors: Floats) -> Floats:
        """Return what the structure adds to each label, of variance 1, ``[L, G]``."""
        signals: Floats = np.einsum("fl,gf->lg", self.loadings[content], factors)
        return signals

    def _draw_assays(self, factors: Floats, generator: np.random.Generator) -> None:
        count = len(self.columns["assay"])
        shares = log_uniform(*POSITIVES, count, generator)
        self.positive = thresholds(self._signals("assay", factors), shares, self.scale)
        coverage = log_uniform(*COVERAGES, (count, 1), generator)
        coverage = coverage * generator.lognormal(0.0, 0.7, (count, LIBRARIES))
        for _ in range(20):  # cells that reach 1 leave it to the others to reach the density
            coverage = np.minimum(coverage * (DENSITY / max(coverage.mean(), 1e-9)) if count else coverage, 1.0)
        self.coverage = coverage.astype(np.float32)

    def _assays(self, factors: Floats, generator: np.random.Generator) -> dict[str, pa.Array]:
        columns = self.columns["assay"]
        if not columns:
            return {}
        shape = len(columns), len(factors)
        library = generator.integers(LIBRARIES, size=len(factors))
        missing = generator.random(shape, np.float32) >= self.coverage[:, library]
        chance = exceedance(self._signals("assay", factors), self.positive, self.scale)
        values = (generator.random(shape, np.float32) < chance).astype(np.float64)
        return _arrays(columns, values, missing)

    def _draw_genes(self, factors: Floats, generator: np.random.Generator) -> None:
        count = len(self.columns["gene"])
        changed = 1 - generator.uniform(*UNCHANGED, count)
        up = changed * generator.uniform(0.3, 0.7, count)
        strong = generator.uniform(0.1, 0.3, (2, count))
        down = changed - up
        above = 1 - strong[0] * down, 1 - down, up, strong[1] * up  # class 1 or more, 2 or more, …
        signals = self._signals("gene", factors)
        self.steps = [thresholds(signals, share, self.scale) for share in above]

    def _genes(self, factors: Floats, generator: np.random.Generator) -> dict[str, pa.Array]:
        columns = self.columns["gene"]
        if not columns:
            return {}
        signals = self._signals("gene", factors)
        drawn = generator.random(signals.shape, np.float32)
        classes = np.zeros(signals.shape, np.int64)
        for step in self.steps:
            classes += drawn < exceedance(signals, step, self.scale)
        return _arrays(columns, classes, None)

    def _draw_properties(self, generator: np.random.Generator) -> None:
        count = len(self.columns["property"])
        self.deviation = log_uniform(*DEVIATIONS, count, generator)
        self.mean = self.deviation * generator.uniform(-10, 10, count)
        self.typical = generator.uniform(0.5, 5, len(self.columns["count"]))

    def _numbers(
        self, factors: Floats, hidden: NDArray[np.bool_], generator: np.random.Generator
    ) -> dict[str, pa.Array]:
        found: dict[str, pa.Array] = {}
        if columns := self.columns["property"]:
            values = self.mean[:, None] + self.deviation[:, None] * self._noisy("property", factors, generator)
            missing = hidden & np.array([column.hidden for column in columns])[:, None]
            found |= _arrays(columns, values, missing)
        if columns := self.columns["count"]:
            noisy = self._noisy("count", factors, generator)
            found |= _arrays(columns, np.maximum(np.rint(self.typical[:, None] * (1 + noisy)), 0), None)
        return found

    def _noisy(self, content: str, factors: Floats, generator: np.random.Generator) -> Doubles:
        signals = self._signals(content, factors)
        noise = generator.standard_normal(signals.shape)
        noisy: Doubles = np.sqrt(1 - self.noise) * signals + np.sqrt(self.noise) * noise
        return noisy

    def _atoms(
        self, graphs: GraphBlock, hidden: NDArray[np.bool_], generator: np.random.Generator
    ) -> dict[str, pa.Array]:
        columns = self.columns["atoms"]
        if not columns:
            return {}
        signals = (self.atom_fields.values(graphs) - self.atom_mean) / self.atom_deviation
        noise = generator.standard_normal(signals.shape)
        values = ATOM_DEVIATION * (np.sqrt(1 - self.noise) * signals + np.sqrt(self.noise) * noise)
        found: dict[str, pa.Array] = {}
        for at, column in enumerate(columns):
            lists = list_column(values[:, at].astype(column.type.value_type.to_pandas_dtype()), graphs.node_ptr)
            shown = pa.array(~hidden) if column.hidden else pa.array(np.ones(len(hidden), np.bool_))
            found[column.name] = pc.if_else(shown, lists, pa.scalar(None, lists.type))
        return found


def _arrays(
    columns: Sequence[Column], values: Doubles | NDArray[np.int64], missing: NDArray[np.bool_] | None
) -> dict[str, pa.Array]:
    """Return columns of numbers from their values ``[L, G]``, null where missing."""
    return {
        column.name: pa.array(values[at], mask=None if missing is None else missing[at]).cast(column.type)
        for at, column in enumerate(columns)
    }
