"""Ready-made values as features: the columns of an assay whose unit is a score or a fraction."""

from __future__ import annotations

from typing import Literal

import anndata
import pandas as pd

from immunosarc.cohort import Cohort
from immunosarc.errors import did_you_mean

__all__ = ["READY_MADE", "assay_problems", "column_names", "column_values"]

READY_MADE = ("score", "fraction")
"""Units of an assay whose columns are features as they stand."""

Columns = Literal["all"] | tuple[str, ...]


def assay_problems(panel: str, assay: str, cohort: Cohort, *, columns: Columns, scored: bool) -> list[str]:
    """Return why a panel cannot take its features from an assay of this cohort.

    Parameters
    ----------
    panel, assay : str
        Their names.
    cohort : Cohort
    columns : "all" or tuple of str
        Columns that the panel takes as they are.
    scored : bool
        Whether the panel also scores signatures on the assay.
    """
    if assay not in cohort.assays:
        return [f"the cohort has no assay '{assay}' (panel '{panel}').{did_you_mean(assay, cohort.assays)}"]
    unit = cohort[assay].uns["immunosarc"]["unit"]
    found = []
    if scored and unit in READY_MADE:
        found.append(
            f"panel '{panel}': assay '{assay}' holds ready-made values (unit {unit}), on which no signature is "
            'scored; take its columns = "all" as features, or name an expression assay'
        )
    if columns and unit not in READY_MADE:
        found.append(
            f"panel '{panel}': columns are taken from assays of unit {' or '.join(READY_MADE)}, '{assay}' has "
            f'{unit}; score genes with gene_sets = {{ NAME = ["GENE", ...] }}'
        )
    if columns and columns != "all":
        known = [str(name) for name in cohort[assay].var_names]
        found += [
            f"panel '{panel}': assay '{assay}' has no column '{name}'.{did_you_mean(name, known)}"
            for name in columns
            if name not in known
        ]
    return found


def column_names(assay: str, cohort: Cohort) -> tuple[str, ...]:
    """Return every column of an assay; none where the cohort has no such assay."""
    return tuple(str(name) for name in cohort[assay].var_names) if assay in cohort.assays else ()


def column_values(adata: anndata.AnnData, names: tuple[str, ...]) -> pd.DataFrame:
    """Return columns of an assay as features, samples by columns, and how they were scored: not at all."""
    unit = adata.uns["immunosarc"]["unit"]
    values: pd.DataFrame = adata[:, list(names)].to_df().astype(float).rename_axis(index="sample_id", columns=None)
    values.attrs = {"scoring": dict.fromkeys(names, f"as loaded ({unit})")}
    return values
