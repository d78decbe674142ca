"""Units of an assay: what can be converted into what, and why the rest cannot."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse

from immunosarc import schema
from immunosarc.errors import SchemaError, UnitError, UnknownNameError, did_you_mean, raise_together
from immunosarc.stats import counts_per_million, log2_plus_one

if TYPE_CHECKING:
    import anndata

__all__ = ["convert", "log_expression", "unit_of"]

_STEPS: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("counts", "cpm"): counts_per_million,
    ("counts", "log2_cpm"): lambda counts: log2_plus_one(counts_per_million(counts)),
    ("cpm", "log2_cpm"): log2_plus_one,
    ("tpm", "log2_tpm"): log2_plus_one,
    ("fpkm", "log2_fpkm"): log2_plus_one,
    ("rsem_normalized", "log2_rsem_normalized"): log2_plus_one,
}
_SCORED_AS = {unit: to for unit, to in _STEPS if to.startswith("log2")}
_PER_LENGTH = ("tpm", "fpkm")


def convert(adata: anndata.AnnData, to: str = "log2_cpm") -> anndata.AnnData:
    """Return an assay in another unit, so that numbers of different samples mean the same.

    Counts become CPM (share of the sample's reads over all genes of the assay, in millionths) or
    log2(CPM+1); CPM, TPM, FPKM and normalized RSEM become log2(x+1). Nothing is approximated.

    Parameters
    ----------
    adata : AnnData of shape (n_samples, n_genes)
        With ``uns["immunosarc"]``; see ``ims.make_assay``. Sparse stays sparse. Missing values
        stay missing; a sample with no reads or with a missing count has no CPM at all.
    to : str, default "log2_cpm"
        One of ``schema.UNITS``. The unit that the assay has already gives a copy.

    Returns
    -------
    AnnData
        A new assay; the input is unchanged.

    Raises
    ------
    UnitError
        When the conversion is not defined, with what it would need; or when the numbers
        contradict the declared unit.
    SchemaError
        When the assay does not say what its unit is.

    Examples
    --------
    >>> import pandas as pd
    >>> from immunosarc.cohort import make_assay
    >>> counts = make_assay(pd.DataFrame({"GZMA": [1.0], "PRF1": [3.0]}, index=["S1"]), unit="counts")
    >>> convert(counts, to="cpm").X
    array([[250000., 750000.]])
    """
    unit = unit_of(adata)
    if to not in schema.UNITS:
        raise UnknownNameError(f"unknown unit {to!r}.{did_you_mean(to, schema.UNITS)}")
    if unit != to and (unit, to) not in _STEPS:
        raise UnitError(f"cannot convert {unit} to {to}: {_why_not(unit, to)}")
    _check_numbers(adata, unit)
    result = adata.copy()
    if unit != to:
        result.X = _STEPS[unit, to](adata.X)
        result.uns["immunosarc"] = {**adata.uns["immunosarc"], "unit": to, "converted_from": unit}
    return result


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
    if unit in _SCORED_AS:
        return convert(adata, to=_SCORED_AS[unit])
    if unit.startswith("log2"):
        _check_numbers(adata, unit)
        return adata
    raise UnitError(
        f"the assay holds ready-made values (unit {unit!r}), signatures are scored on expression: use its "
        "columns as features, or pass the expression assay"
    )


def unit_of(adata: anndata.AnnData) -> str:
    """Return the declared unit of a sample-level assay, or raise with what is missing."""
    problems = schema.assay_problems("given", adata)
    if not problems and adata.uns["immunosarc"]["level"] != "sample":
        problems = ["assay 'given': one row is one cell, not one sample; sum the counts per sample first"]
    raise_together(SchemaError, "the assay", problems)
    return str(adata.uns["immunosarc"]["unit"])


def _check_numbers(adata: anndata.AnnData, unit: str) -> None:
    stored = adata.X.data.reshape(1, -1) if sparse.issparse(adata.X) else adata.X
    found = schema.unit_problems(np.asarray(stored, dtype=float), unit)
    places = [
        what if sparse.issparse(adata.X) else f"{what}: sample {adata.obs_names[row]}, gene {adata.var_names[col]}"
        for what, row, col in found
    ]
    cure = "Declare the unit that the numbers have."
    raise_together(UnitError, f"the assay of unit {unit!r}", places, cure=cure)


def _why_not(unit: str, to: str) -> str:
    if "score" in (unit, to) or "fraction" in (unit, to):
        return "ready-made values and expression are different things"
    if to == "counts":
        return "the number of reads cannot be recovered; load the counts"
    if unit == "log2" or to == "log2":
        return "'log2' names no unit below the logarithm"
    lengths = [name.removeprefix("log2_") in _PER_LENGTH for name in (unit, to)]
    if lengths[0] != lengths[1]:
        return "it needs the length of each gene, which the assay does not have"
    return f"it is not offered; {unit} converts to {', '.join(b for a, b in _STEPS if a == unit) or 'nothing'}"
