"""Units of an assay: what can be converted into what, and why the rest cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from immunosarc import schema
from immunosarc.errors import SchemaError, UnitError, UnknownNameError, did_you_mean, raise_together
from immunosarc.stats import (
    counts_per_million,
    exp2_minus_one,
    log2_plus_one,
    tmm_factors,
    transcripts_per_million,
)

if TYPE_CHECKING:
    import anndata
    import pandas as pd

__all__ = [
    "assay_lengths",
    "check_block",
    "convert",
    "log_expression",
    "on_scored_scale",
    "scored_unit",
    "unit_of",
]

_LINEAR = ("cpm", "tpm", "fpkm", "rsem_normalized")
_STEPS: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("counts", "cpm"): counts_per_million,
    ("counts", "log2_cpm"): lambda counts: log2_plus_one(counts_per_million(counts)),
    **{(unit, f"log2_{unit}"): log2_plus_one for unit in _LINEAR},
    **{(f"log2_{unit}", unit): exp2_minus_one for unit in _LINEAR},
    ("fpkm", "tpm"): counts_per_million,
    ("fpkm", "log2_tpm"): lambda fpkm: log2_plus_one(counts_per_million(fpkm)),
    ("log1p_cp10k", "log2_cpm"): lambda logs: log2_plus_one(_cpm_of_log1p(logs)),
}
_SCORED_AS = {"counts": "log2_cpm", "log1p_cp10k": "log2_cpm", **{unit: f"log2_{unit}" for unit in _LINEAR}}
_WITH_LENGTHS = (("counts", "tpm"), ("counts", "log2_tpm"))
_WITH_FACTORS = (("counts", "cpm"), ("counts", "log2_cpm"))
LIBRARY_SIZES = ("total", "tmm")
_PER_LENGTH = ("tpm", "fpkm")


def _cpm_of_log1p(logs: Any) -> Any:
    if sparse.issparse(logs):
        linear = logs.astype(np.float64)
        linear.data = np.expm1(linear.data) * 100.0
        return linear
    return np.expm1(np.asarray(logs, dtype=np.float64)) * 100.0


def convert(
    adata: anndata.AnnData,
    to: str = "log2_cpm",
    *,
    lengths: pd.Series | pd.DataFrame | None = None,
    library_size: str = "total",
) -> anndata.AnnData:
    """Return an assay in another unit, so that numbers of different samples mean the same.

    Counts become CPM (share of the sample's reads over all genes of the assay, in millionths) or
    log2(CPM+1); with the lengths of all genes they become TPM or log2(TPM+1). FPKM are rescaled to TPM,
    so that the genes of the assay add up to a million: keep them all until then (Wagner 2012, doi
    10.1007/s12064-012-0162-3). CPM, TPM, FPKM and normalized RSEM become log2(x+1), and come back from
    it. Nothing is approximated.

    Parameters
    ----------
    adata : AnnData of shape (n_samples, n_genes)
        With ``uns["immunosarc"]``; see ``ims.make_assay``. Sparse stays sparse. Missing values
        stay missing; a sample with no reads or with a missing count has no CPM at all.
    to : str, default "log2_cpm"
        One of ``schema.UNITS``. The unit that the assay has already gives a copy.
    lengths : Series or DataFrame, optional
        For counts to TPM: the length of every gene of the assay, in bases; or one row for each
        sample, with the effective lengths that salmon and RSEM report. Those that the assay itself
        carries (``layers["gene_length"]`` or ``var["gene_length"]``) unless given.
    library_size : {"total", "tmm"}
        For counts to CPM: the sum of a sample's reads, or that sum times its TMM factor.

    Returns
    -------
    AnnData
        A new assay; the input is unchanged.

    Raises
    ------
    UnitError
        When the conversion is not defined, with what it would need; when lengths or the library
        size are given to a conversion that has no use for them, or a gene has no length; or when
        the numbers contradict the declared unit.
    SchemaError
        When the assay does not say what its unit is.

    Examples
    --------
    >>> import pandas as pd
    >>> from immunosarc.cohort import make_assay
    >>> counts = make_assay(pd.DataFrame({"GZMA": [1.0], "PRF1": [3.0]}, index=["S1"]), unit="counts")
    >>> convert(counts, to="cpm").X
    array([[250000., 750000.]])
    >>> convert(counts, to="tpm", lengths=pd.Series({"PRF1": 3000, "GZMA": 1000})).X
    array([[500000., 500000.]])
    """
    unit = unit_of(adata)
    if to not in schema.UNITS:
        raise UnknownNameError(f"unknown unit {to!r}.{did_you_mean(to, schema.UNITS)}")
    if library_size not in LIBRARY_SIZES:
        hint = did_you_mean(library_size, LIBRARY_SIZES)
        raise UnknownNameError(f"unknown library_size {library_size!r}.{hint}")
    if lengths is None and (unit, to) in _WITH_LENGTHS:
        lengths = assay_lengths(adata)
    with_lengths = lengths is not None and (unit, to) in _WITH_LENGTHS
    if unit != to and (unit, to) not in _STEPS and not with_lengths:
        raise UnitError(f"cannot convert {unit} to {to}: {_why_not(unit, to)}")
    _refuse_idle(unit, to, lengths=lengths is not None, tmm=library_size == "tmm")
    _check_numbers(adata, unit)
    result = adata.copy()
    if unit != to:
        result.X = _converted(adata, unit, to, lengths=lengths, tmm=library_size == "tmm")
        about = {**adata.uns["immunosarc"], "unit": to, "converted_from": unit}
        result.uns["immunosarc"] = about | ({"library_size": "tmm"} if library_size == "tmm" else {})
    return result


def assay_lengths(adata: anndata.AnnData) -> pd.Series | pd.DataFrame | None:
    """Return the gene lengths that an assay carries, by gene or by sample and gene; None without."""
    if "gene_length" in adata.layers:
        return adata.to_df(layer="gene_length")
    return adata.var.get("gene_length")


def _refuse_idle(unit: str, to: str, *, lengths: bool, tmm: bool) -> None:
    """Refuse what a conversion would silently not use."""
    if lengths and (unit, to) not in _WITH_LENGTHS:
        raise UnitError(f"lengths are not used from {unit} to {to}; they take counts to tpm or log2_tpm")
    if tmm and (unit, to) not in _WITH_FACTORS:
        raise UnitError(
            f"library_size = 'tmm' is not used from {unit} to {to}; it takes counts to cpm or log2_cpm"
        )


def _converted(
    adata: anndata.AnnData, unit: str, to: str, *, lengths: pd.Series | pd.DataFrame | None, tmm: bool
) -> Any:
    if lengths is not None:
        values = transcripts_per_million(adata.X, _lengths_of(adata, lengths))
    elif tmm:
        dense = adata.X.toarray() if sparse.issparse(adata.X) else adata.X
        values = counts_per_million(adata.X, tmm_factors(dense))
    else:
        return _STEPS[unit, to](adata.X)
    return log2_plus_one(values) if to.startswith("log2") else values


def _lengths_of(adata: anndata.AnnData, lengths: pd.Series | pd.DataFrame) -> Any:
    """Return lengths in the order of the assay, or raise with the genes and samples that have none."""
    table = lengths.to_frame().T if lengths.ndim == 1 else lengths
    genes = [name for name in adata.var_names if name not in table.columns]
    samples = [name for name in adata.obs_names if name not in table.index] if lengths.ndim == 2 else []
    for what, absent in (("genes", genes), ("samples", samples)):
        if absent:
            shown = ", ".join(map(repr, absent[:3]))
            raise UnitError(
                f"lengths: {len(absent)} {what} of the assay have none ({shown}); give every length, or leave "
                "those out of the assay and know that the rest then adds up to a million"
            )
    rows = table if lengths.ndim == 1 else table.loc[adata.obs_names]
    values = rows.loc[:, list(adata.var_names)].to_numpy(dtype=float)
    if not (np.isfinite(values) & (values > 0)).all():
        place = int(np.argwhere(~(np.isfinite(values) & (values > 0)))[0][1])
        raise UnitError(f"lengths: gene {adata.var_names[place]!r} has no length above 0; correct it")
    return values[0] if lengths.ndim == 1 else values


def log_expression(adata: anndata.AnnData) -> anndata.AnnData:
    """Return the assay on the log2 scale on which it is scored.

    Parameters
    ----------
    adata : AnnData
        Expression in any unit but ``score`` and ``fraction``.

    Returns
    -------
    AnnData
        The same object when it is on a log2 scale already.

    Raises
    ------
    UnitError
        When the assay holds no expression.
    """
    unit = unit_of(adata)
    if scored_unit(unit) != unit:
        return convert(adata, to=scored_unit(unit))
    _check_numbers(adata, unit)
    return adata


def scored_unit(unit: str) -> str:
    """Return the log2 unit on which values of a unit are scored, or raise when they are no expression."""
    if unit in _SCORED_AS:
        return _SCORED_AS[unit]
    if unit.startswith("log2"):
        return unit
    raise UnitError(
        f"the assay holds ready-made values (unit {unit!r}), signatures are scored on expression: use its "
        "columns as features, or pass the expression assay"
    )


def on_scored_scale(values: Any, unit: str) -> Any:
    """Return whole rows of values on the log2 scale on which they are scored; sparse stays sparse."""
    return _STEPS[unit, _SCORED_AS[unit]](values) if unit in _SCORED_AS else values


def unit_of(adata: anndata.AnnData, *, level: str = "sample") -> str:
    """Return the declared unit of an assay of samples (or of cells), or raise with what is missing."""
    problems = schema.assay_problems("given", adata)
    if not problems and level == "sample" and adata.uns["immunosarc"]["level"] != "sample":
        problems = ["assay 'given': one row is one cell, not one sample; sum the counts per sample first"]
    raise_together(SchemaError, "the assay", problems)
    return str(adata.uns["immunosarc"]["unit"])


def check_block(block: sparse.csr_matrix, unit: str) -> None:
    """Raise when the stored numbers of some rows contradict their declared unit or are missing."""
    if not block.nnz:
        return
    ends = np.array([[block.data.min(), block.data.max()]], dtype=float)  # they tell all but decimals
    values = block.data.reshape(1, -1) if unit == "counts" else ends
    found = [what for what, _, _ in schema.unit_problems(values, unit)]
    if np.isnan(ends).any():
        found.append("missing value; cells are scored on complete genes, leave out those with gaps")
    raise_together(UnitError, f"the assay of unit {unit!r}", found, cure="Declare the unit that the numbers have.")


def _check_numbers(adata: anndata.AnnData, unit: str) -> None:
    if sparse.issparse(adata.X):
        places = _sparse_problems(adata, unit)
    else:
        found = schema.unit_problems(np.asarray(adata.X, dtype=float), unit)
        places = [
            f"{what}: sample {adata.obs_names[row]}, gene {adata.var_names[column]}" for what, row, column in found
        ]
    cure = "Declare the unit that the numbers have."
    raise_together(UnitError, f"the assay of unit {unit!r}", places, cure=cure)


def _sparse_problems(adata: anndata.AnnData, unit: str) -> list[str]:
    """Look at the stored values and at the sums, without the zeros between."""
    stored = np.asarray(adata.X.data.reshape(1, -1), dtype=float)
    linear = adata.X.astype(float)
    if unit.startswith("log2"):
        linear.data = np.exp2(np.minimum(linear.data, schema.LOG_LIMIT)) - 1.0
    sums = schema.sum_problems(np.asarray(linear.sum(axis=1)).ravel(), unit)
    found = [what for what, _, _ in schema.value_problems(stored, unit)]
    return found or [f"{what}: sample {adata.obs_names[row]}" for what, row in sums]


def _why_not(unit: str, to: str) -> str:
    if "score" in (unit, to) or "fraction" in (unit, to):
        return "ready-made values and expression are different things"
    if to == "counts":
        return "the number of reads cannot be recovered; load the counts"
    if unit == "log2" or to == "log2":
        return "'log2' names no unit below the logarithm"
    if (unit, to) in _WITH_LENGTHS:
        return "it needs the length of each gene, which the assay does not carry; pass lengths = ..."
    known = f"; {unit} converts to {', '.join(_targets(unit))}"
    if (unit.removeprefix("log2_") in _PER_LENGTH) != (to.removeprefix("log2_") in _PER_LENGTH):
        return f"one is per length of a gene and the other is not; start from the counts{known}"
    return f"it is not offered{known}"


def _targets(unit: str) -> list[str]:
    """Return what a unit converts to, with lengths where they are needed."""
    return [b for a, b in _STEPS if a == unit] + [f"{b} (with lengths)" for a, b in _WITH_LENGTHS if a == unit]
