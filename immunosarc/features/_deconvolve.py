"""Cell types of a bulk sample: marker scores, and fractions by constrained least squares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import optimize

from immunosarc import catalog, schema
from immunosarc.errors import CoverageError, ImmunosarcError
from immunosarc.features._alignment import dense, scored_assay
from immunosarc.features._scoring import Floats
from immunosarc.features._units import unit_of
from immunosarc.registry import Registry

if TYPE_CHECKING:
    import anndata

__all__ = ["DECONVOLUTION", "deconvolve"]

DECONVOLUTION = Registry("deconvolution method")
"""The deconvolution methods, planned ones included; ``DECONVOLUTION.table()`` lists them."""

_LEVEL = 0.95


def deconvolve(
    adata: anndata.AnnData,
    method: str = "mcp_counter",
    *,
    reference: pd.DataFrame | None = None,
    min_coverage: float = 0.8,
    n_bootstrap: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """Return how much of each cell type a bulk sample holds, as a score or as a fraction, never mixed.

    A ``cell_score`` is the mean log2 expression of marker genes: compare it between samples for one cell type.
    A ``cell_fraction`` is a share of the cells that the reference knows, and carries an interval. Both read
    sarcoma cells that make a marker gene as if they were that cell type (MAL in synovial sarcoma,
    endothelial genes in angiosarcoma, fibroblast genes everywhere).

    Parameters
    ----------
    adata : AnnData of shape (n_samples, n_genes)
        Expression. Scores are taken on log2 values, fractions on linear ones.
    method : str, default "mcp_counter"
        A name in ``DECONVOLUTION``: ``"mcp_counter"`` and ``"danaher"`` give scores, ``"nnls"`` fractions.
    reference : DataFrame of shape (n_genes, n_cell_types), optional
        For ``"nnls"``: linear expression of each pure cell type, in the unit of the assay. None is shipped:
        the common ones are not free to redistribute.
    min_coverage : float, default 0.8
        Share of the markers, or of the reference's genes, that a sample must have.
    n_bootstrap : int, default 200
        Resamplings of the reference's genes behind the 95% interval of a fraction; 0 gives none.
    seed : int, default 0
        Of the resampling; every sample meets the same ones.

    Returns
    -------
    DataFrame
        ``schema.CELLS``, one row per sample and cell type. A marker that carries its previous symbol
        in the assay is found.

    Raises
    ------
    CoverageError
        When no cell type is covered in any sample.
    ImmunosarcError
        When ``"nnls"`` has no usable reference.
    UnknownNameError
        For a method that does not exist.

    Examples
    --------
    >>> from immunosarc.cohort import make_assay
    >>> tumor = make_assay(pd.DataFrame({"CD8B": [7.0, 1.0]}, index=["S1", "S2"]), unit="tpm")
    >>> table = deconvolve(tumor).query("cell_type == 'CD8 T cells'")
    >>> table.pivot(index="sample_id", columns="cell_type", values="value")["CD8 T cells"].tolist()
    [3.0, 1.0]
    """
    if not 0 <= min_coverage <= 1:
        raise ImmunosarcError(f"min_coverage is a share between 0 and 1; found {min_coverage!r} (80% is 0.8)")
    record = DECONVOLUTION[method]
    assay = scored_assay(adata)
    frame = pd.DataFrame(dense(assay.X), index=assay.obs_names.astype(str), columns=assay.var_names.astype(str))
    chosen = (
        {"reference": reference, "n_bootstrap": n_bootstrap, "seed": seed}
        if record.output == "cell_fraction"
        else {}
    )
    rows = record.call(frame, min_coverage, **chosen)
    table = pd.DataFrame(rows).assign(output=record.output, method=method, unit=unit_of(assay))
    if not table["status"].eq("ok").any():
        seen = ", ".join(frame.columns[:5])
        raise CoverageError(
            f"{method}: no cell type has {min_coverage:.0%} of its genes; the assay's genes look like: {seen}"
        )
    for column in ("conf_low", "conf_high", "note"):
        if column not in table:
            table[column] = "" if column == "note" else np.nan
    return schema.CELLS.check(table[list(schema.CELLS.columns)])


@DECONVOLUTION.register(
    "mcp_counter",
    label="MCP-counter",
    output="cell_score",
    scale="mean log2 expression of markers",
    reference="10.1186/s13059-016-1070-5",
)
def mcp_counter(frame: pd.DataFrame, min_coverage: float) -> list[dict[str, Any]]:
    """Return the ten MCP-counter scores; the endothelial marker CAVIN2 stands where public tables hold 'C'."""
    return _marker_scores(frame, _labelled("mcp_", "MCP-counter "), min_coverage)


@DECONVOLUTION.register(
    "danaher",
    label="Danaher cell type scores",
    output="cell_score",
    scale="mean log2 expression of markers",
    reference="10.1186/s40425-017-0215-8",
)
def danaher(frame: pd.DataFrame, min_coverage: float) -> list[dict[str, Any]]:
    """Return the marker means of Danaher 2017."""
    return _marker_scores(frame, _labelled("danaher", " (Danaher)"), min_coverage)


@DECONVOLUTION.register(
    "nnls",
    label="Non-negative least squares on a reference of one's own",
    output="cell_fraction",
    scale="share of the cell types in the reference",
    reference="",
)
def nnls(
    frame: pd.DataFrame, min_coverage: float, *, reference: pd.DataFrame | None, n_bootstrap: int, seed: int
) -> list[dict[str, Any]]:
    r"""Return the mixture of pure profiles nearest to each sample, its weights scaled to sum to one.

    .. math:: \min_{w \ge 0} \lVert R w - x \rVert^2
    """
    profiles = _checked(reference)
    shared = profiles.index.intersection(frame.columns)
    pure, rows = profiles.loc[shared].to_numpy(dtype=float), []
    rng = np.random.default_rng(seed)
    again = rng.integers(0, max(1, len(shared)), (n_bootstrap, len(shared)))
    for sample, logs in frame[shared].iterrows():
        mixed = np.exp2(logs.to_numpy(dtype=float)) - 1.0
        known = ~np.isnan(mixed)
        fractions, low, high, status = _fractions(pure, mixed, known, again)
        if known.sum() < min_coverage * len(profiles):
            fractions, low, high = (np.full(pure.shape[1], np.nan) for _ in range(3))
            status = f"covers {known.sum()} of {len(profiles)} reference genes, needs {min_coverage:.0%}"
        rows += [
            {
                "sample_id": sample,
                "cell_type": str(name),
                "value": fractions[place],
                "conf_low": low[place],
                "conf_high": high[place],
                "n_genes": len(profiles),
                "n_found": int(known.sum()),
                "status": status,
                "note": "of the cell types in the reference: tumor cells that it lacks are not counted",
            }
            for place, name in enumerate(profiles.columns)
        ]
    return rows


DECONVOLUTION.plan(
    "quantiseq",
    label="quanTIseq",
    output="cell_fraction",
    scale="share of all cells",
    reference="10.1186/s13073-019-0638-6",
)


def _labelled(part: str, words: str) -> Mapping[str, catalog.Signature]:
    """Return the signatures whose name holds a part, by their label without the words about the source."""
    found = catalog.load_signatures()
    return {one.label.replace(words, ""): one for name, one in found.items() if part in name}


def _marker_scores(
    frame: pd.DataFrame, markers: Mapping[str, catalog.Signature], min_coverage: float
) -> list[dict[str, Any]]:
    rows = []
    for cell_type, one in markers.items():
        columns, renamed = _columns(frame.columns, one)
        known = frame[columns].loc[:, frame[columns].notna().any()]
        enough = len(known.columns) > 0 and len(known.columns) >= min_coverage * len(one.genes)
        gaps = known.isna().any(axis=1)
        values = known.mean(axis=1, skipna=False)
        for sample in frame.index:
            status = (
                "ok"
                if enough
                else f"covers {len(known.columns)} of {len(one.genes)} markers, needs {min_coverage:.0%}"
            )
            if enough and gaps[sample]:
                status = "lacks the value of a marker"
            rows.append(
                {
                    "sample_id": sample,
                    "cell_type": cell_type,
                    "value": values[sample] if status == "ok" else np.nan,
                    "n_genes": len(one.genes),
                    "n_found": int(known.loc[sample].notna().sum()),
                    "status": status,
                    "note": f"found under a previous symbol: {', '.join(renamed)}" if renamed else "",
                }
            )
    return rows


def _columns(names: pd.Index, signature: catalog.Signature) -> tuple[list[str], list[str]]:
    """Return the columns of a signature's genes, and those found under a previous symbol only."""
    columns, renamed = [], []
    for gene in signature.genes:
        older = [old for old in signature.previous_symbols.get(gene, ()) if old in names]
        if gene in names:
            columns.append(gene)
        elif older:
            columns.append(older[0])
            renamed.append(f"{gene} as {older[0]}")
    return columns, renamed


def _checked(reference: pd.DataFrame | None) -> pd.DataFrame:
    if reference is None:
        raise ImmunosarcError("'nnls' needs reference=: a table of genes by cell types, linear expression")
    if reference.shape[1] < 2 or reference.shape[0] < reference.shape[1]:
        raise ImmunosarcError(
            f"the reference must have at least two cell types and more genes than these; found "
            f"{reference.shape[0]} genes, {reference.shape[1]} cell types"
        )
    repeated = reference.index[reference.index.duplicated()].tolist()
    if repeated or reference.isna().any(axis=None) or (reference < 0).any(axis=None):
        raise ImmunosarcError(
            "the reference must hold linear expression, every gene once, no missing and no negative value; "
            f"repeated genes: {repeated[:5]}"
        )
    return reference


def _fractions(pure: Floats, mixed: Floats, known: Any, again: Any) -> tuple[Floats, Floats, Floats, str]:
    """Fractions of one sample with percentile limits over resampled genes."""
    nothing = np.full(pure.shape[1], np.nan)
    if known.sum() < pure.shape[1]:
        return nothing, nothing, nothing, "fewer genes than cell types"
    usable = np.where(known, mixed, 0.0)
    rows = np.where(known[:, None], pure, 0.0)
    best = _mixture(rows, usable)
    if np.isnan(best).any():
        return nothing, nothing, nothing, "nothing of the reference is in the sample"
    if not len(again):
        return best, nothing, nothing, "ok"
    drawn = np.array([_mixture(rows[genes], usable[genes]) for genes in again])
    tail = (1 - _LEVEL) / 2
    low, high = np.nanquantile(drawn, [tail, 1 - tail], axis=0)
    return best, low, high, "ok"


def _mixture(pure: Floats, mixed: Floats) -> Floats:
    weights, _ = optimize.nnls(pure, mixed)
    total = weights.sum()
    return np.asarray(weights / total if total > 0 else np.full(len(weights), np.nan))
