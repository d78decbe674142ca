"""What files say of themselves: evidence for the one who fills in a draft, never a decision."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc import schema
from immunosarc.loaders._cells import FLAGS, parse_number
from immunosarc.loaders._privacy import calendar_dates

__all__ = [
    "MISSING_CODES",
    "codes",
    "column_evidence",
    "gene_evidence",
    "mapped_columns",
    "same_for_patient",
    "time_evidence",
    "unit_evidence",
]

MISSING_CODES = ("NA", "N/A", "n/a", "nan", "NaN", "NULL", "null", "None", ".")
"""Codes that mean "missing" in nearly every export."""

# Our name -> how others spell it, lower case with "_"; the first that a file has is taken.
_SPELLINGS: Mapping[str, tuple[str, ...]] = {
    "patient_id": ("patientid", "patient", "subject_id", "subjid", "usubjid", "participant_id"),
    "sample_id": ("sampleid", "sample", "library_id"),
    "timepoint": ("time_point",),
    "best_overall_response": ("bor", "best_response", "best_overall_response_recist", "recist", "response"),
    "histology": ("histological_subtype", "histologic_subtype", "histological_type"),
    "age": ("age_years",),
    "sex": ("gender",),
    "pfs_time": ("pfs_weeks", "pfs_months", "pfs_years", "pfs"),
    "os_time": ("os_weeks", "os_months", "os_years", "os"),
    "pfs_event": ("pfs_status",),
    "os_event": ("os_status",),
}
_FAMILIAR_GENES = frozenset({"ACTB", "B2M", "CD3E", "CD4", "CD8A", "GAPDH", "GZMA", "PRF1", "STAT1", "TP53"})
_ENSEMBL = re.compile(r"ENS[A-Z]*G[0-9]{11}(\.[0-9]+)?")


def mapped_columns(columns: Sequence[str], names: Sequence[str]) -> dict[str, str]:
    """Return our name -> column of the file, where the column's name is unmistakable."""
    plain = {re.sub(r"[^a-z0-9]+", "_", column.lower()).strip("_"): column for column in reversed(columns)}
    found = {}
    for name in names:
        spelt = next((one for one in (name, *_SPELLINGS.get(name, ())) if one in plain), None)
        if spelt is not None:
            found[name] = plain[spelt]
    return found


def column_evidence(cells: pd.Series) -> str:
    """Return what kind of values a column has, without showing one."""
    filled = cells[(cells.str.strip() != "") & ~cells.isin(MISSING_CODES)]
    if not len(filled):
        return "empty"
    if calendar_dates(filled, are_ids=False).any():
        return "looks like calendar dates: only study days may be mapped"
    kind = "numbers" if all(parse_number(text) is not None for text in filled.unique()) else "text"
    return f"{kind}, {filled.nunique()} different, {len(cells) - len(filled)} missing"


def same_for_patient(cells: pd.Series, patient: pd.Series | None) -> bool:
    """Return whether a column has one value per patient."""
    if patient is None:
        return True
    return not cells.groupby(patient).agg(lambda values: len(set(values)) > 1).any()


def time_evidence(columns: Mapping[str, str], cells: pd.DataFrame) -> str:
    """Return what the names and the values of duration columns say about their unit."""
    clues = []
    for source in columns.values():
        named = next((unit for unit in ("days", "weeks", "months", "years") if unit in source.lower()), None)
        numbers = [number for text in cells[source] if (number := parse_number(text)) is not None]
        largest = f"up to {max(numbers):g}" if numbers else "no numbers"
        clues.append(f"{source}: {largest}{f', named {named}' if named else ''}")
    return "; ".join(clues)


def unit_evidence(values: NDArray[np.float64]) -> str:
    """Return what measurements look like.

    Parameters
    ----------
    values : ndarray of shape (n_libraries, n_genes)

    Examples
    --------
    >>> unit_evidence(np.array([[0.0, 512.0], [7.0, 90.0]]))
    'all whole numbers from 0 to 512: probably counts'
    """
    finite = values[np.isfinite(values)]
    if not finite.size:
        return "no numbers"
    low, high = float(finite.min()), float(finite.max())
    reach = f"from {low:,.4g} to {high:,.0f}" if high >= 1000 else f"from {low:.4g} to {high:.4g}"
    sums = np.nansum(values, axis=1)
    if low >= 0 and bool(np.all(finite == np.floor(finite))):
        return f"all whole numbers {reach}: probably counts"
    if low < 0:
        return f"decimals {reach}, some negative: log2 of something (then say its pseudocount), or score"
    if high <= 1:
        return f"decimals {reach}: fraction or score"
    if bool(np.all(np.abs(sums / 1e6 - 1) < 0.01)):
        return f"decimals {reach}, each sample sums to a million: tpm or cpm"
    if high <= 30:
        return f"decimals {reach}: probably a log2 unit"
    return f"decimals {reach}, sums {sums.min():,.0f} to {sums.max():,.0f}: fpkm, rsem_normalized or a part of tpm"


def gene_evidence(genes: Sequence[str]) -> tuple[str, str]:
    """Return the kind of gene names (``"?"`` when it is not plain) and why."""
    ensembl = sum(_ENSEMBL.fullmatch(gene) is not None for gene in genes)
    if ensembl:
        return "?", f"{ensembl} of {len(genes)} names are Ensembl ids: write gene symbols into the file"
    familiar = sorted(_FAMILIAR_GENES.intersection(genes))
    if len(familiar) >= 2:
        return "symbol", f"has {', '.join(familiar[:3])}"
    return "?", "no familiar gene symbol among the names"


def codes(cells: pd.Series, column: schema.Column) -> dict[str, object] | None:
    """Return the codes of a column and what is plain of their meaning; None when all are read as they are."""
    found = sorted(set(cells[cells.str.strip() != ""]) - set(MISSING_CODES))
    if column.kind == "flag":
        return None if set(found) <= set(FLAGS) else dict.fromkeys(found, "?")
    if not column.values or set(found) <= set(column.values):
        return None
    by_lower = {value.lower(): value for value in column.values}
    return {code: by_lower.get(code.strip().lower(), "?") for code in found}
