"""The links between the parts of a cohort, and what is wrong with them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import anndata
import pandas as pd

from immunosarc import schema
from immunosarc.cohort._assay import sample_ids
from immunosarc.errors import CohortError

__all__ = ["checked", "link_problems", "names_samples", "provenance_problems", "refuse_cells"]

_SHOWN = 5


def checked(table: schema.Table, frame: pd.DataFrame, problems: list[str]) -> pd.DataFrame:
    """Return the table with its types; add what is wrong with it to ``problems``."""
    right, found = table.examined(frame)
    problems += [f"table '{table.name}': {problem}" for problem in found]
    return right


def link_problems(
    patients: pd.DataFrame,
    samples: pd.DataFrame,
    tables: Mapping[str, pd.DataFrame],
    assays: Mapping[str, anndata.AnnData],
) -> list[str]:
    """Return every row that points to a patient or a sample that is not there."""
    problems = []
    for name, frame in {"samples": samples, **tables}.items():
        unknown = frame.loc[~frame["patient_id"].isin(patients.index), "patient_id"]
        problems += _unknown(f"table '{name}'", "patient", unknown)
    for name in filter(names_samples, tables):
        problems += _of_other_samples(name, tables[name], samples)
    for name, adata in assays.items():
        ids = pd.Series(sample_ids(adata), dtype=object)
        problems += _unknown(f"assay '{name}'", "sample", ids[~ids.isin(samples.index)])
    return problems


def _of_other_samples(name: str, table: pd.DataFrame, samples: pd.DataFrame) -> list[str]:
    """Return the samples that a long table names and the cohort lacks, or has of another patient."""
    ids = table["sample_id"]
    owner = ids.map(samples["patient_id"])
    problems = _unknown(f"table '{name}'", "sample", ids[~ids.isin(samples.index)])
    other = list(dict.fromkeys(ids[owner.notna() & (owner != table["patient_id"])]))
    if other:
        problems.append(f"table '{name}': sample {other[:_SHOWN]} is of another patient in the samples table")
    return problems


def names_samples(table: str) -> bool:
    """Return whether each row of a long table is of a sample, and not only of a patient."""
    return "sample_id" in schema.LONG_TABLES[table].columns


def refuse_cells(features: pd.DataFrame, assays: Mapping[str, anndata.AnnData]) -> None:
    """Raise where a row is not a sample but a cell: what is tested are patients."""
    by_cell = [name for name, adata in assays.items() if adata.uns["immunosarc"]["level"] == "cell"]
    cells = next((name for name in by_cell if features.index.isin(assays[name].obs_names).any()), None)
    if cells is None and features.index.is_unique:
        return
    found = f"rows are cells of assay {cells!r}" if cells else "the feature table has several rows of one sample"
    name = cells or next(iter(by_cell), "mif")
    raise CohortError(
        f"{found}; cells, fields and clonotypes are not patients, and a test on them would count each patient "
        f"many times. Make one row per sample first, for cells of images: "
        f"cohort.per_patient(features.by_sample(features.densities(cohort, {name!r})))"
    )


def _unknown(where: str, what: str, ids: pd.Series) -> list[str]:
    if not len(ids):
        return []
    names = list(dict.fromkeys(map(str, ids)))
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return [f"{where}: {what} {names[:_SHOWN]}{more} not in the {what}s table"]


def provenance_problems(provenance: Mapping[str, Any]) -> list[str]:
    """Return what JSON could not hold."""
    try:
        json.dumps(dict(provenance))
    except (TypeError, ValueError) as failure:
        return [f"provenance: {failure}; use only text, numbers, lists and mappings"]
    return []
