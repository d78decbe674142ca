"""The immune profile of each tumor: cell types, place on the sarcoma reference, what the sarcoma itself makes."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import anndata
import numpy as np
import pandas as pd

from immunosarc import features, schema
from immunosarc.cohort import Cohort
from immunosarc.errors import ImmunosarcError
from immunosarc.study._plan import Plan
from immunosarc.study._scores import planned_sets

__all__ = ["profile_tables"]

_log = logging.getLogger("immunosarc")
_SCHEMES = ("hot_cold", "sarcoma_immune_class")
_MARKERS = ("mcp_counter", "danaher")
_REFERENCE = "sarcoma"


def profile_tables(cohort: Cohort, plan: Plan, seed: int) -> dict[str, pd.DataFrame]:
    """Return what can be said of each sample of the plan's assay; nothing for an assay without expression.

    Parameters
    ----------
    cohort : Cohort
        Its tumor samples.
    plan : Plan
        Gives the assay, the panels and the two timepoints.
    seed : int
        Of the drawn offsets behind a posterior.

    Returns
    -------
    dict of str to DataFrame
        ``cells`` (scores of cell types); where the manifest names profiles of pure cell types
        ``cell_fractions``, or the reason why there are none; ``classes`` on the shipped
        sarcoma reference, one row per sample and scheme with the reason where there is none; where samples
        could be placed ``placement`` and ``placed_change``; where histologies are known ``lineage``, the
        scores that genes of the sarcoma cell itself enter.
    """
    if plan.assay not in cohort.assays or not any(panel.scored for panel in plan.panels):
        return {}
    adata = cohort[plan.assay]
    about = adata.uns["immunosarc"]
    if about["level"] != "sample" or about["unit"] in ("score", "fraction"):
        return {}
    _log.info("immune profile of %d samples", adata.n_obs)
    cells = {**_cells(adata, plan), **_fractions(adata, plan, seed)}
    return {**cells, **_placed(cohort, adata, plan, seed), **_lineage(cohort, adata, plan)}


def _cells(adata: anndata.AnnData, plan: Plan) -> dict[str, pd.DataFrame]:
    found = []
    for method in _MARKERS:
        try:
            found.append(features.deconvolve(adata, method, min_coverage=plan.min_coverage))
        except ImmunosarcError as refusal:
            _log.info("no cell scores: %s", refusal)
    return {"cells": pd.concat(found, ignore_index=True)} if found else {}


def _fractions(adata: anndata.AnnData, plan: Plan, seed: int) -> dict[str, pd.DataFrame]:
    """Fractions by the profiles that the assay carries; refused, each sample says why."""
    if "cell_profiles" not in adata.uns:
        return {}
    try:
        how: dict[str, Any] = {"min_coverage": plan.min_coverage, "seed": seed}
        return {"cell_fractions": features.deconvolve(adata, plan.fractions, **how)}
    except ImmunosarcError as refusal:
        nothing: dict[str, Any] = dict.fromkeys(schema.CELLS.columns, np.nan)
        nothing |= {"cell_type": "all", "output": "cell_fraction", "method": plan.fractions, "note": ""}
        nothing |= {"unit": adata.uns["immunosarc"]["unit"], "n_genes": 0, "n_found": 0, "status": str(refusal)}
        rows = [{**nothing, "sample_id": str(sample)} for sample in adata.obs_names]
        return {"cell_fractions": schema.CELLS.check(pd.DataFrame(rows))}


def _placed(cohort: Cohort, adata: anndata.AnnData, plan: Plan, seed: int) -> dict[str, pd.DataFrame]:
    try:
        placed = features.place(adata, _REFERENCE)
    except ImmunosarcError as refusal:
        return {"classes": _no_class(adata, str(refusal))}
    classes = [features.classify(adata, scheme, reference=_REFERENCE, seed=seed) for scheme in _SCHEMES]
    tables = {"classes": pd.concat(classes, ignore_index=True), "placement": placed}
    when = {"before": plan.before, "after": plan.after}
    if set(when.values()) <= set(cohort.samples["timepoint"].reindex(adata.obs_names)):
        tables["placed_change"] = features.placed_change(placed, cohort.samples, **when)
    return tables


def _no_class(adata: anndata.AnnData, reason: str) -> pd.DataFrame:
    nothing: dict[str, Any] = dict.fromkeys(schema.CLASSES.columns, np.nan)
    told = {"reference": _REFERENCE, "guard": "measured", "status": reason}
    rows = [
        {**nothing, "sample_id": str(sample), "scheme": scheme, **told}
        for scheme in _SCHEMES
        for sample in adata.obs_names
    ]
    return schema.CLASSES.check(pd.DataFrame(rows))


def _lineage(cohort: Cohort, adata: anndata.AnnData, plan: Plan) -> dict[str, pd.DataFrame]:
    """The flagged rows only: every other score is the same without the genes of the sarcoma cell."""
    if "histology" not in cohort.patients:
        return {}
    histology = cohort.samples["patient_id"].map(cohort.patients["histology"])
    found = [
        table[table["flagged"].astype(bool)]
        for table in _guarded(adata, histology, plan)
        if table["histology"].notna().any()  # sarcomas only: the genes are not those of another cancer's cells
    ]
    if not found:
        return {}
    rows = pd.concat(found, ignore_index=True)
    return {"lineage": schema.LINEAGE.check(rows.drop_duplicates(["sample_id", "signature", "method"]))}


def _guarded(adata: anndata.AnnData, histology: pd.Series, plan: Plan) -> Iterator[pd.DataFrame]:
    for panel in plan.panels:
        if panel.assay not in (None, plan.assay):
            continue
        for method, signatures, _ in planned_sets(panel):
            how: dict[str, Any] = {"method": method, "min_coverage": plan.min_coverage}
            try:
                yield features.lineage_guard(adata, histology, signatures, **how)
            except ImmunosarcError as refusal:
                _log.info("no scores without genes of the sarcoma cell: %s", refusal)
