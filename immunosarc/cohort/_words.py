"""A cohort in words: counts, completeness, what an assay holds."""

from __future__ import annotations

from collections.abc import Mapping

import anndata
import pandas as pd

from immunosarc import schema
from immunosarc.cohort._assay import sample_ids

__all__ = ["described", "in_lines"]


def described(
    patients: pd.DataFrame,
    samples: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    *,
    assays: Mapping[str, anndata.AnnData],
    n_pairs: int,
) -> pd.DataFrame:
    """Return one row for each part of a cohort; see :meth:`Cohort.describe`."""
    owner = samples["patient_id"]
    taken = f"{timepoint_counts(samples)}; {n_pairs} pre-on pairs"
    rows = [
        ("patients", "patients", len(patients), len(patients), completeness(patients)),
        ("samples", "samples", len(samples), owner.nunique(), taken),
    ]
    rows += [
        ("tables", name, len(table), table["patient_id"].nunique(), completeness(table))
        for name, table in tables.items()
    ]
    rows += [
        ("assays", name, adata.n_obs, owner.reindex(pd.unique(sample_ids(adata))).nunique(), assay_detail(adata))
        for name, adata in assays.items()
    ]
    return pd.DataFrame(rows, columns=["part", "name", "rows", "patients", "detail"])


def in_lines(
    title: str,
    parts: tuple[pd.DataFrame, pd.DataFrame],
    tables: Mapping[str, pd.DataFrame],
    *,
    assays: Mapping[str, anndata.AnnData],
    n_pairs: int,
) -> str:
    """Return a cohort (its patients and samples are ``parts``) as it is shown on a terminal."""
    patients, samples = parts
    head = (
        f"{title}: {counted(len(patients), 'patient')}, {counted(len(samples), 'sample')} "
        f"({timepoint_counts(samples)}), {n_pairs} pre-on pairs"
    )
    lines = [f"  {name}: {assay_detail(adata)}" for name, adata in assays.items()]
    lines += [f"  {name}: {counted(len(table), 'row')}" for name, table in tables.items()]
    return "\n".join([head, *lines])


def assay_detail(adata: anndata.AnnData) -> str:
    """Return the size and the unit in words."""
    about = adata.uns["immunosarc"]
    return f"{counted(adata.n_obs, about['level'])} x {counted(adata.n_vars, 'feature')}, {about['unit']}"


def counted(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def timepoint_counts(samples: pd.DataFrame) -> str:
    """Return the samples of each timepoint in words."""
    counts = samples["timepoint"].value_counts()
    return ", ".join(f"{counts[name]} {name}" for name in schema.TIMEPOINTS if name in counts) or "none"


def completeness(frame: pd.DataFrame) -> str:
    """Return how many rows each column has a value for."""
    return ", ".join(f"{name} {int(frame[name].notna().sum())}/{len(frame)}" for name in frame.columns)
