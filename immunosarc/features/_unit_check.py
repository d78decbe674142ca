"""Whether the numbers of an assay look like the unit that is declared for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc import schema
from immunosarc.features._alignment import dense
from immunosarc.features._place import residual_length_correlation
from immunosarc.features._reference import sarcoma_reference
from immunosarc.features._units import assay_lengths, log_expression, unit_of

if TYPE_CHECKING:
    import anndata

__all__ = ["check_units"]

FloatArray = NDArray[np.float64]

_SOME, _MANY, _WHOLE = 100, 5_000, 15_000
"""Genes from which a pattern counts, a maximum is that of a transcriptome, a sum is nearly all of it."""

_CLOSE, _BEYOND, _PART = 0.02, 1.01, 0.5
_LOGGED, _LOG_MILLION = 30.0, 20.0
_LENGTH_WARN, _LENGTH_REFUSE = 0.2, 0.3
_PER_LENGTH, _NOT_PER_LENGTH = ("tpm", "fpkm"), ("counts", "cpm", "rsem_normalized")
_UPPER_QUARTILE = 1000.0


@dataclass(frozen=True)
class _Numbers:
    """An assay as it is looked at; ``linear`` is the unit below the logarithm."""

    values: FloatArray
    unit: str
    pseudocount: float | None
    linear: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "linear", self.unit.removeprefix("log2_"))

    @property
    def logged(self) -> bool:
        return self.unit.startswith("log2")

    @property
    def n_genes(self) -> int:
        return self.values.shape[1]


@dataclass(frozen=True)
class _Seen:
    """What one check found: a number, words, what was expected, and the concern, if any."""

    check: str
    value: float
    found: str
    expected: str
    concern: str = ""
    not_assessed: str = ""


def check_units(adata: anndata.AnnData, *, gene_lengths: pd.Series | None = None) -> pd.DataFrame:
    """Return whether the numbers look like their declared unit: a wrong unit shifts every score.

    What no such number can be (a decimal in counts, a negative log2(x+1), TPM that add up to many
    millions) stops the loading already. Here stands what is only unlikely: whole numbers throughout,
    sums that are not a million, values that look logged, centered or rescaled, and a profile that
    follows gene length although the unit is divided by it, or does not although it is not. For the
    last the residual of each sample from the mean profile of 394 sarcomas (log2 scale) is correlated
    with log2 gene length; in seven cohorts the median was below .16 where lengths had been divided out,
    and .35 and more where not. Values above .2 are doubtful, above .3 they contradict.

    Parameters
    ----------
    adata : AnnData of shape (n_samples, n_genes)
        Expression in any unit but ``score`` and ``fraction``, with ``uns["immunosarc"]``.
    gene_lengths : Series, optional
        Gene symbol to exon length, in any unit; those that the assay carries
        (``layers["gene_length"]``, ``var["gene_length"]``) unless given.

    Returns
    -------
    DataFrame
        ``schema.QC``, one row for each check: ``value`` and ``found``, what was ``expected``,
        ``concern``, and ``status``: ``"ok"``, the concern, or why it was not assessed.

    Raises
    ------
    UnitError
        When the assay holds no expression, or numbers that its unit cannot have.

    Examples
    --------
    >>> from immunosarc.cohort import make_assay
    >>> rng = np.random.default_rng(0)
    >>> reads = pd.DataFrame(rng.poisson(20, (3, 200)), columns=[f"G{i}" for i in range(200)])
    >>> table = check_units(make_assay(reads, unit="fpkm")).set_index("check")
    >>> table.loc["whole_numbers", "status"]
    'every value is a whole number: these look like counts, not fpkm'
    """
    log_expression(adata)  # refuses scores, and numbers that the unit cannot have
    unit = unit_of(adata)
    numbers = _Numbers(dense(adata.X), unit, adata.uns["immunosarc"].get("pseudocount"))
    looks: tuple[Callable[[_Numbers], _Seen | None], ...] = (_whole, _sums, _quartile, _logarithm, _centered)
    seen = [one for look in looks if (one := look(numbers)) is not None]
    seen.append(_length(adata, numbers, gene_lengths))
    return schema.QC.check(pd.DataFrame([_row(one) for one in seen]).assign(level="assay"))


def _row(seen: _Seen) -> dict[str, Any]:
    said = seen.concern or (f"not assessed: {seen.not_assessed}" if seen.not_assessed else "ok")
    about = {"check": seen.check, "value": seen.value, "found": seen.found, "expected": seen.expected}
    absent: dict[str, Any] = dict.fromkeys(("assay", "sample_id", "patient_id", "timepoint"), pd.NA)
    return {**absent, **about, "concern": bool(seen.concern), "status": said}


def _whole(numbers: _Numbers) -> _Seen:
    known = numbers.values[np.isfinite(numbers.values)]
    share = float((known == np.floor(known)).mean()) if known.size else np.nan
    expected = "whole numbers" if numbers.unit == "counts" else "decimals"
    concern = ""
    if numbers.unit != "counts" and numbers.n_genes >= _SOME and share == 1.0:
        concern = f"every value is a whole number: these look like counts, not {numbers.unit}"
    return _Seen("whole_numbers", share, f"{share:.0%} of the values are whole", expected, concern)


def _sums(numbers: _Numbers) -> _Seen | None:
    if numbers.unit == "log2":
        return None
    sums = schema.sample_sums(numbers.values, numbers.unit)
    middle, unit = float(np.median(sums)), numbers.unit
    found = f"samples add up to {sums.min():,.0f} - {sums.max():,.0f}"
    concern = ""
    if numbers.linear in ("tpm", "cpm"):
        expected = "a million, or less where genes were left out"
        if sums.max() > _BEYOND * schema.MILLION:
            concern = f"a sample adds up to {sums.max():,.0f}: shares of a million cannot"
        elif numbers.n_genes >= _WHOLE and middle < _PART * schema.MILLION:
            other = _other_base(numbers)
            concern = f"{numbers.n_genes:,} genes add up to {middle:,.0f} only: {other or f'not {unit}'}"
    elif numbers.linear == "fpkm":
        expected = "different from sample to sample"
        if len(sums) > 2 and np.all(np.abs(sums / schema.MILLION - 1) < _CLOSE):
            concern = "every sample adds up to a million: these look like tpm"
    else:
        expected = "different from sample to sample"
        if len(sums) > 2 and middle > 0 and np.ptp(sums) < 1e-3 * middle:
            concern = f"every sample adds up to the same: these have been rescaled and are not {unit}"
    return _Seen("sample_sums", middle, found, expected, concern)


def _other_base(numbers: _Numbers) -> str:
    """Return the logarithm under which the samples add up to a million, in words."""
    if not numbers.logged:
        return ""
    for base, words in ((np.e, "natural"), (10.0, "decimal")):
        sums = np.nansum(np.power(base, numbers.values) - 1.0, axis=1)
        if abs(float(np.median(sums)) / schema.MILLION - 1) < _CLOSE:
            return f"these look like {words} logarithms"
    return ""


def _quartile(numbers: _Numbers) -> _Seen | None:
    if numbers.linear != "rsem_normalized" or numbers.n_genes < _MANY:
        return None
    linear = np.exp2(numbers.values) - 1.0 if numbers.logged else numbers.values
    uppers = [np.quantile(row[row > 0], 0.75) for row in linear if (row > 0).any()]
    middle = float(np.median(uppers)) if uppers else np.nan
    concern = ""
    if not abs(middle / _UPPER_QUARTILE - 1) < 5 * _CLOSE:
        concern = f"the upper quartile of the genes that were seen is {middle:,.0f}, not 1,000"
    return _Seen("upper_quartile", middle, f"median {middle:,.0f}", "1,000, by definition of the unit", concern)


def _logarithm(numbers: _Numbers) -> _Seen:
    values = numbers.values[np.isfinite(numbers.values)]
    low, high = (float(values.min()), float(values.max())) if values.size else (np.nan, np.nan)
    concern, expected = "", "beyond 30"
    if numbers.logged:
        expected = f"up to {_LOG_MILLION:g}"
        floor = np.log2(numbers.pseudocount) if numbers.pseudocount else -np.inf
        if high > _LOG_MILLION:
            concern = f"a log2 value of {high:.3g} stands for {2.0**high:,.0f}: these may not be logs"
        elif low < floor - 1e-3:
            concern = f"a value of {low:.4g} is below log2 of the declared pseudocount ({floor:.4g})"
    elif numbers.n_genes >= _SOME and 0 < high <= _LOGGED:
        concern = f"no value of {numbers.n_genes:,} genes is above {high:.3g}: these look like logs"
    return _Seen("logarithm", high, f"values from {low:.4g} to {_short(high)}", expected, concern)


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _centered(numbers: _Numbers) -> _Seen | None:
    if not numbers.logged or len(numbers.values) < 3 or numbers.n_genes < _SOME:
        return None
    spread = numbers.values.std(axis=0)
    varies = spread > 0
    if not varies.any():
        return None
    off = np.abs(numbers.values.mean(axis=0)[varies]) / spread[varies]
    share = float(np.mean(off < 1e-6))
    concern = "genes are centered on zero: no level is left, only differences" if share > 0.5 else ""
    return _Seen("centered_genes", share, f"{share:.0%} of the genes have mean 0", "none", concern)


def _length(adata: anndata.AnnData, numbers: _Numbers, gene_lengths: pd.Series | None) -> _Seen:
    divided = numbers.linear in _PER_LENGTH
    expected = "between -0.2 and 0.2" if divided else "above 0.2" if numbers.linear in _NOT_PER_LENGTH else ""
    lengths = gene_lengths if gene_lengths is not None else _one_per_gene(assay_lengths(adata))
    if lengths is None:
        return _Seen("gene_length", np.nan, "", expected, not_assessed="no gene lengths (gene_lengths = ...)")
    if not expected:
        return _Seen("gene_length", np.nan, "", expected, not_assessed="the unit does not say what to expect")
    r = _median_length_correlation(adata, lengths)
    if np.isnan(r):
        return _Seen("gene_length", r, "", expected, not_assessed="fewer than 1,000 genes with a known length")
    concern = ""
    if divided and abs(r) > _LENGTH_WARN:
        sure = "these were not divided by it" if abs(r) > _LENGTH_REFUSE else "doubtful"
        concern = f"the residual follows gene length (median r = {r:.2f}): {sure}"
    if not divided and r < _LENGTH_WARN:
        concern = f"the residual does not follow gene length (median r = {r:.2f}): divided by it already?"
    return _Seen("gene_length", r, f"median r = {r:.2f}", expected, concern)


def _one_per_gene(lengths: pd.Series | pd.DataFrame | None) -> pd.Series | None:
    return lengths.mean(axis=0) if isinstance(lengths, pd.DataFrame) else lengths


def _median_length_correlation(adata: anndata.AnnData, lengths: pd.Series) -> float:
    profile = sarcoma_reference().genes["mean"]
    logs = log_expression(adata).to_df()
    shared = logs.columns.intersection(profile.index)
    usual = profile[shared]
    found = [residual_length_correlation(row - usual, lengths) for _, row in logs[shared].iterrows()]
    return float(np.nanmedian(found)) if np.isfinite(found).any() else float("nan")
