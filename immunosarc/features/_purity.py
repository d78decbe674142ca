"""The purity of ESTIMATE, with the warnings that it needs."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from immunosarc import catalog, schema
from immunosarc.errors import CoverageError
from immunosarc.features._score import score

if TYPE_CHECKING:
    import anndata

__all__ = ["estimate_purity"]

_ANGLE, _SLOPE = 0.6049872018, 0.0001467884
_LEAST = 0.9
_SARCOMA = "sarcoma cells make the stromal genes, so this is no share of tumor cells"
_NEEDS = "needs common_genes: the 10,412 genes that the published tool keeps, since scores grow with the genes"


def estimate_purity(
    adata: anndata.AnnData, *, common_genes: Collection[str] | None = None, min_coverage: float = 0.8
) -> pd.DataFrame:
    r"""Return the ESTIMATE scores of a sample and, where it can be had at all, the purity derived from them.

    .. math:: \text{purity} = \cos(0.6049872018 + 0.0001467884\,(\text{stromal} + \text{immune}))

    The curve was fitted on Affymetrix arrays of carcinomas [1]_; on RNA-seq it is an extrapolation, and in sarcoma
    the stromal score reads the tumor itself. Every row says so.

    Parameters
    ----------
    adata : AnnData of shape (n_samples, n_genes)
        As for :func:`score`.
    common_genes : collection of str, optional
        The 10,412 genes that the published tool keeps (not free to ship). Without them there is no purity.
    min_coverage : float, default 0.8
        As for :func:`score`.

    Returns
    -------
    DataFrame
        ``schema.PURITY``, one row per sample: ``immune``, ``stromal``, ``estimate`` (their sum), ``purity``
        (missing where the cosine is negative), ``status`` and ``note``.

    Raises
    ------
    CoverageError
        When neither signature is covered.

    References
    ----------
    .. [1] Yoshihara K et al., Nature Communications 2013;4:2612, doi:10.1038/ncomms3612

    Examples
    --------
    >>> from immunosarc.cohort import make_assay
    >>> found = catalog.load_signatures().subset("estimate_immune", "estimate_stromal")
    >>> genes = [gene for one in found.values() for gene in one.genes]
    >>> frame = pd.DataFrame([range(len(genes))], index=["S1"], columns=genes)
    >>> estimate_purity(make_assay(frame, unit="tpm")).loc[0, "status"][:18]
    'needs common_genes'
    """
    kept = adata if common_genes is None else adata[:, adata.var_names.isin(list(common_genes))].copy()
    if not kept.n_vars:
        raise CoverageError("none of the common genes is in the assay: are its genes named by approved symbols?")
    sets = catalog.load_signatures().subset("estimate_immune", "estimate_stromal")
    scores = score(kept, sets, method="estimate", min_coverage=min_coverage)
    total = scores["estimate_immune"] + scores["estimate_stromal"]
    cosine = np.cos(_ANGLE + _SLOPE * total)
    platform = str(adata.uns["immunosarc"].get("platform", "")) or "of a platform not stated"
    fitted = "fitted on Affymetrix arrays" + ("" if platform == "microarray" else f", the assay is {platform}")
    why = _why_not(kept.n_vars, common_genes)
    status = np.where(total.isna(), "a score is missing", np.where(cosine < 0, "beyond the fitted curve", "ok"))
    table = pd.DataFrame(
        {
            "sample_id": scores.index,
            "immune": scores["estimate_immune"].to_numpy(),
            "stromal": scores["estimate_stromal"].to_numpy(),
            "estimate": total.to_numpy(),
            "purity": np.where(np.isnan(cosine) | (cosine < 0) | bool(why), np.nan, cosine),
            "status": why or status,
            "note": f"{fitted}; {_SARCOMA}",
        }
    )
    return schema.PURITY.check(table)


def _why_not(n_found: int, common_genes: Collection[str] | None) -> str:
    if common_genes is None:
        return _NEEDS
    if n_found < _LEAST * len(common_genes):
        return f"covers {n_found} of {len(common_genes)} common genes, needs {_LEAST:.0%}"
    return ""
