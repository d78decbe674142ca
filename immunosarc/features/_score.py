"""Signature scores of samples, and the reasons where there is none."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd

from immunosarc import catalog, schema
from immunosarc.features._alignment import align, dense
from immunosarc.features._kernels import SCORING

if TYPE_CHECKING:
    from collections.abc import Callable

    import anndata
    from numpy.typing import NDArray

    from immunosarc.features._alignment import Alignment

__all__ = ["coverage", "score", "signatures"]

_SAMPLES_AT_ONCE = 256
_UNUSED = {
    "genes_down": "its {} down genes are not used",
    "weights": "its weights are not used",
    "pairs": "its {} pairs are not used",
}


def signatures() -> catalog.Signatures:
    """Return the immune signatures that ship with the package, each with direction and citation.

    Returns
    -------
    Signatures
        A frozen mapping; ``.table()`` lists them, ``["cyt"]`` and ``.subset(...)`` choose.

    Examples
    --------
    >>> signatures()["cyt"].meaning
    'a higher score means a more inflamed tumor'
    """
    return catalog.load_signatures()


def score(
    adata: anndata.AnnData,
    signatures: Any = None,
    *,
    method: str = "singscore",
    min_coverage: float = 0.8,
) -> pd.DataFrame:
    """Return how strongly each sample expresses each signature.

    The genes of a signature count alike and unsigned; down genes, weights and pairs of published
    forms are not used by the methods here, and :func:`coverage` says so. Linear units are scored
    as log2(x+1), counts as log2(CPM+1).

    Parameters
    ----------
    adata : AnnData of shape (n_samples, n_genes)
        Expression with approved symbols as ``var_names``; see ``ims.make_assay``.
    signatures : Signatures, mapping or path, optional
        Default: the whole catalog. A dictionary of gene lists or a GMT file works too.
    method : str, default "singscore"
        A name in ``SCORING``. ``singscore`` and ``mean_log2`` look at one sample at a time;
        ``mean_z`` is relative to the samples given.
    min_coverage : float, default 0.8
        Share of a signature's genes that the assay must have.

    Returns
    -------
    DataFrame of shape (n_samples, n_signatures)
        Index ``sample_id``. A column is NaN where the signature is not covered. A gene without any
        value counts as absent; a sample that lacks a value of one of a signature's other genes has NaN,
        because a mean over fewer genes is another quantity. ``attrs["scoring"]`` maps each column
        to method and unit, ``attrs["unit"]`` is the unit scored.

    Raises
    ------
    CoverageError
        When no signature at all is covered: almost always wrong gene names.
    UnitError
        When the assay holds no expression, or its numbers contradict its unit.
    UnknownNameError
        For a method that does not exist or is only planned.

    Examples
    --------
    >>> from immunosarc.cohort import make_assay
    >>> frame = pd.DataFrame({"GZMA": [3.0, 0.0], "PRF1": [15.0, 1.0], "ACTB": [1.0, 7.0]}, index=["S1", "S2"])
    >>> table = score(make_assay(frame, unit="tpm"), {"cyt": ["GZMA", "PRF1"]}, method="mean_log2")
    >>> table["cyt"].tolist(), table.attrs["scoring"]
    ([3.0, 0.5], {'cyt': 'mean_log2(log2_tpm)'})
    """
    aligned = align(adata, signatures, method=method, min_coverage=min_coverage)
    aligned.refuse_if_nothing_is_covered()
    scores = np.full((aligned.assay.n_obs, len(aligned.sets)), np.nan)
    scores[:, aligned.covered] = _covered_scores(aligned)
    names = pd.Index(aligned.assay.obs_names.astype(str), name="sample_id", dtype=object)
    table = pd.DataFrame(scores, index=names, columns=pd.Index(list(aligned.sets), dtype=object))
    table.attrs = {
        "scoring": dict.fromkeys(aligned.sets, f"{method}({aligned.unit})"),
        "unit": aligned.unit,
    }
    return table


def coverage(
    adata: anndata.AnnData,
    signatures: Any = None,
    *,
    method: str = "singscore",
    min_coverage: float = 0.8,
) -> pd.DataFrame:
    """Return which signatures can be scored on an assay, and why the others cannot.

    Parameters
    ----------
    adata : AnnData of shape (n_samples, n_genes)
        As for :func:`score`.
    signatures : Signatures, mapping or path, optional
        As for :func:`score`.
    method : str, default "singscore"
        As for :func:`score`; methods differ in the genes that they can use.
    min_coverage : float, default 0.8
        As for :func:`score`.

    Returns
    -------
    DataFrame
        ``schema.COVERAGE``, one row per signature: ``signature, method, unit`` (that was scored),
        ``n_genes, n_found`` (genes that the method can use), ``coverage`` (their share), ``missing`` (symbols
        that the assay lacks), ``status`` (``"ok"``, or why every score is NaN) and ``note`` (what the
        score leaves out of the published form, genes that do not vary, samples with gaps); text is
        missing (NA) where there is nothing to say.

    Raises
    ------
    UnitError
        When the assay holds no expression, or its numbers contradict its unit.
    UnknownNameError
        For a method that does not exist or is only planned.

    Examples
    --------
    >>> from immunosarc.cohort import make_assay
    >>> frame = pd.DataFrame({"GZMA": [3.0, 0.0], "ACTB": [1.0, 7.0]}, index=["S1", "S2"])
    >>> coverage(make_assay(frame, unit="tpm"), {"cyt": ["GZMA", "PRF1"]}).loc[0, "status"]
    'covers 1 of 2 genes (50%), needs 80%'
    """
    aligned = align(adata, signatures, method=method, min_coverage=min_coverage)
    names = set(aligned.genes[~np.isnan(aligned.values).all(axis=0)]) if aligned.assay.n_obs else set()
    needs = SCORING.table()["needs"]
    gaps = _samples_with_gaps(aligned)
    rows = []
    for column, signature in enumerate(aligned.sets.values()):
        notes = [*_left_out(signature, aligned, needs), *_constant(aligned, column)]
        if gaps[column]:
            notes.append(f"{gaps[column]} of {aligned.assay.n_obs} samples lack a value of its genes")
        rows.append(
            {
                "signature": signature.name,
                "method": method,
                "unit": aligned.unit,
                "n_genes": aligned.size[column],
                "n_found": aligned.found[column],
                "coverage": aligned.coverage[column],
                "missing": ", ".join(gene for gene in signature.genes if gene not in names),
                "status": _status(signature, aligned, column),
                "note": "; ".join(notes),
            }
        )
    return schema.COVERAGE.check(pd.DataFrame(rows, columns=list(schema.COVERAGE.columns)))


def _covered_scores(aligned: Alignment) -> NDArray[np.float64]:
    """Methods that rank all genes see a block of whole samples at a time, the others only their genes."""
    members = aligned.members[:, aligned.covered]
    kernel = cast("Callable[..., NDArray[np.float64]]", aligned.record.func)
    if not aligned.record.all_genes:
        return kernel(aligned.values, members)
    everywhere = np.zeros((aligned.assay.n_vars, members.shape[1]), dtype=bool)
    everywhere[aligned.used] = members
    starts = range(0, aligned.assay.n_obs, _SAMPLES_AT_ONCE)
    blocks = (dense(aligned.assay.X[start : start + _SAMPLES_AT_ONCE]) for start in starts)
    return np.vstack([kernel(block, everywhere) for block in blocks])


def _status(signature: catalog.Signature, aligned: Alignment, column: int) -> str:
    if aligned.covered[column]:
        return "ok"
    if not signature.genes:
        return f"has no genes of its own: {signature.method or 'empty'}"
    percent = math.floor(100 * aligned.coverage[column])
    return (
        f"covers {aligned.found[column]} of {aligned.size[column]} genes ({percent}%), "
        f"needs {aligned.min_coverage:.0%}"
    )


def _left_out(signature: catalog.Signature, aligned: Alignment, needs: pd.Series) -> list[str]:
    """Say how the published form differs from what was computed."""
    form = signature.method
    if form in ("", aligned.record.name):
        return []
    wanted = needs.get(form, "")
    unit = aligned.given_unit
    has_it = unit in (wanted, f"log2_{wanted}")
    parts = [
        f"published form {form}"
        + (f" needs {wanted.upper()}, the assay has {unit}" if wanted and not has_it else "")
    ]
    parts += [
        words.format(len(getattr(signature, name))) for name, words in _UNUSED.items() if getattr(signature, name)
    ]
    return parts


def _constant(aligned: Alignment, column: int) -> list[str]:
    genes = aligned.genes[aligned.constant & aligned.listed[:, column]]
    return [f"does not vary, not used: {', '.join(map(str, genes))}"] if len(genes) else []


def _samples_with_gaps(aligned: Alignment) -> NDArray[np.int64]:
    absent = np.isnan(aligned.values)
    return np.asarray(((absent.astype(float) @ aligned.members.astype(float)) > 0).sum(axis=0))
