"""Cell types of a bulk sample: marker scores, and fractions by constrained least squares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.errors import CoverageError, ImmunosarcError, UnitError
from immunosarc.features import _fractions, _marker_scores
from immunosarc.features._alignment import dense, empty_samples, scored_assay
from immunosarc.features._deconvolution import DECONVOLUTION
from immunosarc.features._profiles import profiles_of
from immunosarc.features._units import unit_of

if TYPE_CHECKING:
    import anndata

    from immunosarc.features._profiles import CellProfiles
    from immunosarc.registry import Record

__all__ = ["DECONVOLUTION", "deconvolve"]

_ROOMS = (_fractions, _marker_scores)  # importing them fills the registry


def deconvolve(
    adata: anndata.AnnData,
    method: str = "mcp_counter",
    *,
    reference: CellProfiles | pd.DataFrame | Any = None,
    min_coverage: float = 0.8,
    n_bootstrap: int = 200,
    seed: int = 0,
) -> pd.DataFrame:
    """Return how much of each cell type a bulk sample holds, as a score or as a fraction, never mixed.

    A ``cell_score`` says how high a cell type's markers are: compare it between samples for one cell type.
    A ``cell_fraction`` is a share, comparable between cell types too, and carries an interval. Both read
    sarcoma cells that make a marker gene as if they were that cell type (MAL in synovial sarcoma,
    endothelial genes in angiosarcoma, fibroblast genes everywhere).

    Parameters
    ----------
    adata : AnnData of shape (n_samples, n_genes)
        Expression. Scores are taken on log2 values, fractions on linear ones. ``"quantiseq"`` needs TPM, or
        a microarray's log2 intensities.
    method : str, default "mcp_counter"
        A name in ``DECONVOLUTION``: ``"mcp_counter"``, ``"danaher"`` and ``"consensus"`` give scores,
        ``"nnls"`` and ``"quantiseq"`` fractions.
    reference : CellProfiles, DataFrame of shape (n_genes, n_cell_types), mapping or path, optional
        For fractions the linear expression of each pure cell type, in the unit of the assay: see
        :func:`read_cell_profiles` and :func:`signature_matrix`; without it those that a manifest named
        (``[assays.rna] cell_profiles``) and the assay carries. For ``"consensus"`` the marker sets. None is
        shipped: the common ones are not free to redistribute.
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
        When a method that needs a reference has no usable one, or one is given to a method without.
    UnitError
        When ``"quantiseq"`` is given counts or another unit that is no TPM.
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
    platform = str(adata.uns.get("immunosarc", {}).get("platform", ""))
    if reference is not None and "reference" not in record.reads:
        raise ImmunosarcError(f"{method!r} reads no reference: its markers are published")
    if reference is None and record.output == "cell_fraction":
        reference = profiles_of(adata)
    assay = scored_assay(adata)
    _refuse_other_units(adata, record, platform)
    frame = pd.DataFrame(dense(assay.X), index=assay.obs_names.astype(str), columns=assay.var_names.astype(str))
    known = {"reference": reference, "n_bootstrap": n_bootstrap, "seed": seed, "platform": platform}
    chosen = {name: known[name] for name in record.reads}
    rows = record.call(frame, min_coverage, **chosen)
    table = pd.DataFrame(rows).assign(output=record.output, method=method, unit=unit_of(assay))
    for column in ("conf_low", "conf_high", "note"):
        if column not in table:
            table[column] = "" if column == "note" else np.nan
    nothing = table["sample_id"].isin(frame.index[empty_samples(assay)])
    table.loc[nothing, ["value", "conf_low", "conf_high"]] = np.nan
    table.loc[nothing, "status"] = "every gene is zero or missing"
    if not table["status"].eq("ok").any():
        seen = ", ".join(frame.columns[:5])
        raise CoverageError(
            f"{method}: no cell type has {min_coverage:.0%} of its genes; the assay's genes look like: {seen}"
        )
    return schema.CELLS.check(table[list(schema.CELLS.columns)])


def _refuse_other_units(adata: anndata.AnnData, record: Record, platform: str) -> None:
    unit = unit_of(adata)
    if not record.needs or unit in record.needs or (platform == "microarray" and unit == "log2"):
        return
    raise UnitError(
        f"{record.name} needs TPM (or log2 of a microarray), the assay has {unit}: fractions would look right and "
        "be wrong. Counts and the length of every gene give TPM: features.convert(adata, 'tpm', lengths=...)"
    )
