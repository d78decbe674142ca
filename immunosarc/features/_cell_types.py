"""What a single cell is: by a panel of markers, or by its likeness to reference profiles; or unassigned."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from immunosarc import catalog
from immunosarc.errors import CoverageError, ImmunosarcError

__all__ = ["UNASSIGNED", "CellReference", "MarkerPanel", "build_cell_reference", "marker_panel"]

UNASSIGNED = "unassigned"
"""The answer for a cell that resembles nothing enough, or two things alike."""

_FEWEST_MARKERS = 3
_FEWEST_SHARED = 50
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class MarkerPanel:
    """Cell types by the mean of ln(CP10K + 1) over their markers.

    A cell is the type with the highest mean, unless that is below ``least`` or the next one is closer than
    ``margin``: then it is unassigned. No other cell has a say in it.

    Attributes
    ----------
    markers : mapping of str to tuple of str
        Cell type -> approved symbols.
    least : float
        Mean that the best type must reach.
    margin : float
        What it must be ahead of the next one.
    """

    markers: Mapping[str, tuple[str, ...]]
    least: float = 0.15
    margin: float = 0.05

    @property
    def types(self) -> tuple[str, ...]:
        """The cell types, in the order of the panel."""
        return tuple(self.markers)

    def weights(self, genes: pd.Index) -> sparse.csc_matrix:
        """Return genes by types: a marker's share in the mean, 0 throughout where too few are measured.

        Raises
        ------
        CoverageError
            When fewer than two types have enough of their markers.
        """
        place = pd.Series(np.arange(len(genes)), index=genes)
        found = {
            name: place[[gene for gene in wanted if gene in place.index]] for name, wanted in self.markers.items()
        }
        usable = [name for name, at in found.items() if len(at) >= _FEWEST_MARKERS]
        if len(usable) < 2:
            shown = ", ".join(f"{name} {len(at)} of {len(self.markers[name])}" for name, at in found.items())
            raise CoverageError(
                f"fewer than two cell types have {_FEWEST_MARKERS} markers among {len(genes):,} genes ({shown}; "
                f"the genes begin {', '.join(map(str, genes[:3]))}); cells need approved symbols as gene names"
            )
        table = np.zeros((len(genes), len(self.markers)))
        for column, (name, at) in enumerate(found.items()):
            if name in usable:
                table[at.to_numpy(), column] = 1.0 / len(at)
        return sparse.csc_matrix(table)

    def fitted(self, genes: pd.Index) -> _Fitted:
        """Return the panel laid over the genes of an assay."""
        weights = self.weights(genes)
        usable = np.asarray(weights.sum(axis=0)).ravel() > 0
        return _Fitted(self.types, weights=weights, usable=usable, least=self.least, margin=self.margin)


@dataclass(frozen=True)
class CellReference:
    """Cell types by their mean profiles of ln(CP10K + 1) in annotated cells; made by :func:`build_cell_reference`.

    A cell's likeness to a type is the correlation, over the shared genes, of what both have beyond the mean of
    all profiles. It is the most alike type, unless the correlation is below ``least`` or the next one is closer
    than ``margin``. Of blood cells whose genes were shuffled 1% reach the default of ``least``, of real ones 95%.

    Attributes
    ----------
    profiles : DataFrame
        Types by genes.
    least, margin : float
        Of the correlation.
    """

    profiles: pd.DataFrame
    least: float = 0.18
    margin: float = 0.05

    @property
    def types(self) -> tuple[str, ...]:
        """The cell types, in the order of the reference."""
        return tuple(map(str, self.profiles.index))

    def fitted(self, genes: pd.Index) -> _Fitted:
        """Return the reference laid over the genes of an assay.

        Raises
        ------
        CoverageError
            When too few genes are shared.
        """
        shared = genes.isin(self.profiles.columns)
        if shared.sum() < _FEWEST_SHARED:
            raise CoverageError(
                f"the reference shares {int(shared.sum())} genes with the assay, {_FEWEST_SHARED} are needed; "
                "both need approved symbols as gene names"
            )
        known = self.profiles.loc[:, list(genes[shared])].to_numpy(dtype=float)
        middle = known.mean(axis=0)
        beyond = known - middle
        beyond -= beyond.mean(axis=1, keepdims=True)
        length = np.sqrt((beyond**2).sum(axis=1, keepdims=True))
        table = np.zeros((len(genes), len(known)))
        table[shared] = (beyond / np.where(length > 0, length, 1.0)).T
        center = np.zeros(len(genes))
        center[shared] = middle
        return _Fitted(
            self.types,
            weights=sparse.csc_matrix(table),
            usable=length.ravel() > 0,
            least=self.least,
            margin=self.margin,
            center=center,
            shared=shared,
        )


@dataclass(frozen=True)
class _Fitted:
    """Weights of genes for each type, ready for any block of cells."""

    types: tuple[str, ...]
    weights: sparse.csc_matrix
    usable: NDArray[np.bool_]
    least: float
    margin: float
    center: Floats | None = None
    shared: NDArray[np.bool_] | None = field(default=None)

    def assign(self, logs: sparse.csr_matrix) -> tuple[NDArray[np.int16], Floats, Floats]:
        """Return each cell's type (the number of types = unassigned), its score, and its lead over the next."""
        scores = self._scores(logs)
        scores[:, ~self.usable] = -np.inf
        best = scores.argmax(axis=1)
        top = scores[np.arange(len(scores)), best]
        scores[np.arange(len(scores)), best] = -np.inf
        lead = top - scores.max(axis=1)
        unsure = ~((top >= self.least) & (lead >= self.margin))
        return np.where(unsure, len(self.types), best).astype(np.int16), top, lead

    def _scores(self, logs: sparse.csr_matrix) -> Floats:
        scores = np.asarray((logs @ self.weights).toarray(), dtype=np.float64)
        if self.center is None or self.shared is None:
            return scores
        n = int(self.shared.sum())
        inside = logs @ sparse.diags_array(self.shared.astype(float))
        total = np.asarray(inside.sum(axis=1)).ravel() - self.center.sum()
        squares = np.asarray(inside.multiply(inside).sum(axis=1)).ravel()
        squares = squares - 2.0 * np.asarray(logs @ self.center).ravel() + (self.center**2).sum()
        spread = np.sqrt(np.maximum(squares - total**2 / n, 0.0))
        away = scores - np.asarray(self.center @ self.weights).ravel()
        return np.divide(away, spread[:, None], out=np.zeros_like(away), where=spread[:, None] > 0)


def marker_panel(
    markers: Mapping[str, Iterable[str]] | None = None, *, least: float = 0.15, margin: float = 0.05
) -> MarkerPanel:
    """Return a panel of markers to type cells by; the shipped one knows eight lineages.

    Parameters
    ----------
    markers : mapping of str to sequence of str, optional
        Cell type -> approved symbols. Unless given those of :func:`immunosarc.catalog.load_cell_markers`.
    least : float
        Mean of ln(CP10K + 1) over its markers that the best type must reach.
    margin : float
        What it must be ahead of the next type; else the cell is unassigned.

    Returns
    -------
    MarkerPanel

    Raises
    ------
    ImmunosarcError
        With fewer than two types, or a threshold below 0.

    Examples
    --------
    >>> marker_panel().types[:3]
    ('T cell', 'NK cell', 'B cell')
    """
    chosen = catalog.load_cell_markers() if markers is None else markers
    if len(chosen) < 2 or least < 0 or margin < 0:
        raise ImmunosarcError("a panel needs two cell types or more, and thresholds of at least 0.")
    return MarkerPanel({str(name): tuple(genes) for name, genes in chosen.items()}, least, margin)


def build_cell_reference(
    logs: pd.DataFrame | sparse.csr_matrix,
    labels: pd.Series,
    *,
    genes: pd.Index | None = None,
    least: float = 0.18,
    margin: float = 0.05,
) -> CellReference:
    """Return the mean profile of each annotated cell type, to map other cells to.

    Parameters
    ----------
    logs : DataFrame or sparse matrix of shape (n_cells, n_genes)
        ln(CP10K + 1), as ``scanpy.pp.normalize_total(target_sum=1e4)`` and ``log1p`` make it.
    labels : Series of length n_cells
        Cell type of each row; missing ones are left out.
    genes : Index, optional
        Names of the columns of a sparse matrix.
    least, margin : float
        See :class:`CellReference`.

    Returns
    -------
    CellReference

    Raises
    ------
    ImmunosarcError
        When lengths differ, a value is negative (scaled data) or there are fewer than two types.

    Examples
    --------
    >>> logs = pd.DataFrame([[2.0, 0.0], [0.0, 1.0], [4.0, 0.0]], columns=["CD3D", "MS4A1"])
    >>> build_cell_reference(logs, pd.Series(["T", "B", "T"])).profiles["CD3D"].tolist()
    [0.0, 3.0]
    """
    names = logs.columns if isinstance(logs, pd.DataFrame) else genes
    matrix = sparse.csr_matrix(logs.to_numpy(float) if isinstance(logs, pd.DataFrame) else logs)
    if names is None or matrix.shape != (len(labels), len(names)):
        raise ImmunosarcError("build_cell_reference needs a label for each row and a name for each column.")
    if matrix.nnz and matrix.data.min() < 0:
        raise ImmunosarcError("negative values: these are scaled, a reference needs ln(CP10K + 1) before scaling.")
    types = pd.Categorical(labels.astype(object).where(labels.notna(), None))
    if len(types.categories) < 2:
        raise ImmunosarcError("a reference needs two cell types or more.")
    seen = types.codes >= 0
    shares = sparse.csr_matrix(
        (np.ones(int(seen.sum())), (types.codes[seen], np.flatnonzero(seen))), (len(types.categories), len(labels))
    )
    means = np.asarray((shares @ matrix).toarray()) / np.asarray(shares.sum(axis=1)).reshape(-1, 1)
    profiles = pd.DataFrame(means, index=types.categories.astype(str), columns=pd.Index(names, dtype=object))
    return CellReference(profiles, least, margin)
