"""A cohort in words: counts, completeness, what an assay holds."""

from __future__ import annotations

import anndata
import pandas as pd

from immunosarc import schema

__all__ = ["assay_detail", "completeness", "counted", "timepoint_counts"]


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
