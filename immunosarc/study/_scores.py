"""Score the panels of a plan: one table of scores and one of coverage for each."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import anndata
import numpy as np
import pandas as pd

from immunosarc import features, schema
from immunosarc.cohort import Cohort
from immunosarc.errors import CoverageError
from immunosarc.study._columns import column_values
from immunosarc.study._imaging import imaging_features
from immunosarc.study._molecular import MolecularSpec, measured_samples, molecular_features
from immunosarc.study._plan import Plan
from immunosarc.study._questions import Panel
from immunosarc.study._single_cells import by_sample, single_cell_features, why_nothing
from immunosarc.workers import Workers

__all__ = ["PanelScores", "planned_sets", "score_panels", "score_tables"]

_log = logging.getLogger("immunosarc")


@dataclass(frozen=True)
class PanelScores:
    """The scores of one panel, samples by features, the coverage of its signatures, what images and cells gave.

    ``cohort`` holds the samples where they are not those of the tumors; ``reasons`` says why one has no values.
    """

    scores: pd.DataFrame
    coverage: pd.DataFrame
    imaging: pd.DataFrame | None = None
    single_cell: pd.DataFrame | None = None
    cell_quality: pd.DataFrame | None = None
    cohort: Cohort | None = None
    reasons: pd.Series | None = None

    def with_reasons(self) -> pd.DataFrame:
        """Return the scores as ``per_patient`` takes them."""
        if self.reasons is None:
            return self.scores
        return self.scores.assign(status=self.reasons.reindex(self.scores.index).fillna("sample was not measured"))


def score_panels(
    cohort: Cohort, plan: Plan, *, everyone: Cohort | None = None, hands: Workers | None = None
) -> dict[str, PanelScores]:
    """Return scores and coverage by panel; without assays only what is measured on long tables.

    Parameters
    ----------
    cohort : Cohort
        The tumor samples.
    plan : Plan
    everyone : Cohort, optional
        With the samples of blood too.
    hands : Workers, optional
        They walk over single cells; this process unless given.

    Raises
    ------
    CoverageError
        When not a single signature of any panel has enough of its genes in the assay.
    """
    scored: dict[str, PanelScores] = {}
    for panel in plan.panels:
        if panel.molecular is not None:
            scored[panel.name] = _table_panel(cohort, everyone or cohort, panel.molecular)
            continue
        if not cohort.assays:
            continue
        _log.info("scores of panel %s", panel.name)
        part = _assay_panel(cohort, panel, plan, hands)
        scored[panel.name] = replace(part, scores=_with_every_timepoint(part.scores, cohort))
    last = next((panel for panel in reversed(plan.panels) if panel.scored and panel.name in scored), None)
    if last and not any(part.scores.notna().any(axis=None) for part in scored.values()):
        method, signatures, _ = planned_sets(last)[0]
        features.score(cohort[last.assay or plan.assay], signatures, method=method, min_coverage=plan.min_coverage)
    return scored


def _assay_panel(cohort: Cohort, panel: Panel, plan: Plan, hands: Workers | None) -> PanelScores:
    assay = panel.assay or plan.assay
    if panel.cells is not None:
        measured, quality = single_cell_features(cohort, panel.cells, assay, hands=hands)
        return PanelScores(
            by_sample(measured),
            schema.COVERAGE.empty(),
            single_cell=measured,
            cell_quality=quality,
            reasons=why_nothing(measured),
        )
    if panel.imaging is None:
        return _score_panel(cohort[assay], panel, plan.min_coverage)
    table = imaging_features(cohort, panel.imaging, assay)
    return PanelScores(features.by_sample(table), schema.COVERAGE.empty(), table)


def _table_panel(tumor: Cohort, everyone: Cohort, spec: MolecularSpec) -> PanelScores:
    """Measure a long table; samples that are no tumors bring their own cohort along."""
    _log.info("measure %s", spec.measure)
    table = molecular_features(everyone, spec)
    other = measured_samples(everyone, spec)
    of_tumor = table.index.isin(tumor.samples.index).all()
    scores = table.drop(columns="status")
    scores.attrs = dict(table.attrs)
    if of_tumor:
        scores = _with_every_timepoint(scores, tumor)
    reasons = table["status"].reindex(scores.index).fillna("sample was not measured")
    return PanelScores(scores, schema.COVERAGE.empty(), cohort=None if of_tumor else other, reasons=reasons)


def _with_every_timepoint(scores: pd.DataFrame, cohort: Cohort) -> pd.DataFrame:
    """Give the samples of a timepoint at which the assay was never done a row of missing values."""
    times = cohort.samples["timepoint"]
    if set(times) == set(times.reindex(scores.index)):
        return scores
    completed = scores.reindex(cohort.samples.index)
    completed.attrs = dict(scores.attrs)
    return completed


def score_tables(cohort: Cohort, scored: Mapping[str, PanelScores]) -> dict[str, pd.DataFrame]:
    """Return the named tables ``signatures``, ``coverage`` and ``scores`` of a study."""
    if not scored:
        return {}
    measured = dict.fromkeys(name for part in scored.values() for name in part.scores.index)
    about = cohort.samples.reindex(pd.Index(list(measured), name="sample_id"))[["patient_id", "timepoint"]]
    scores = pd.concat([about, *(part.scores for part in scored.values())], axis=1)
    images = [part.imaging.assign(panel=name) for name, part in scored.items() if part.imaging is not None]
    coverage = [part.coverage.assign(panel=name) for name, part in scored.items()]
    cells = [part.single_cell.assign(panel=name) for name, part in scored.items() if part.single_cell is not None]
    quality = [part.cell_quality for part in scored.values() if part.cell_quality is not None]
    return {
        "signatures": features.signatures().table(),
        "coverage": schema.COVERAGE.check(pd.concat(coverage, ignore_index=True)),
        "scores": scores.loc[:, ~scores.columns.duplicated()],
        **({"imaging": schema.IMAGING.check(pd.concat(images, ignore_index=True))} if images else {}),
        **({"single_cell": schema.SINGLE_CELL.check(pd.concat(cells, ignore_index=True))} if cells else {}),
        **({"cell_quality": pd.concat(quality, ignore_index=True).drop_duplicates()} if quality else {}),
    }


def _score_panel(adata: anndata.AnnData, panel: Panel, min_coverage: float) -> PanelScores:
    scores, coverage = [], []
    scoring: dict[str, str] = {}
    for method, signatures, names in planned_sets(panel):
        how: dict[str, Any] = {"method": method, "min_coverage": min_coverage}
        part = _scores_or_missing(adata, signatures, how)
        scoring |= {names.get(one, one): said for one, said in part.attrs["scoring"].items()}
        scores.append(part.rename(columns=names).rename_axis(columns=None))
        coverage.append(features.coverage(adata, signatures, **how))
    if panel.columns and panel.columns != "all":  # the plan has spelled them out
        ready = column_values(adata, panel.columns)
        scoring |= ready.attrs["scoring"]
        scores.append(ready)
    for part in scores:
        part.attrs = {}  # concat would compare them
    whole = pd.concat(scores, axis=1)
    whole.attrs = {"scoring": scoring}
    coverage = coverage or [schema.COVERAGE.empty()]
    return PanelScores(whole, pd.concat(coverage, ignore_index=True))


def planned_sets(panel: Panel) -> list[tuple[str, Any, dict[str, str]]]:
    """Return what to score: (method, signatures, signature name to feature name)."""
    catalog = features.signatures()
    sets: list[tuple[str, Any, dict[str, str]]] = [
        (spec.method, catalog.subset(spec.signature), {spec.signature: name})
        for name, spec in panel.features.items()
    ]
    if panel.signatures:
        chosen = catalog if panel.signatures == "all" else catalog.subset(*panel.signatures)
        sets.append((panel.method, chosen, {}))
    if panel.gene_sets:
        sets.append((panel.method, {name: list(genes) for name, genes in panel.gene_sets.items()}, {}))
    return sets


def _scores_or_missing(adata: anndata.AnnData, signatures: Any, how: Mapping[str, Any]) -> pd.DataFrame:
    """Scores; all missing where none of these signatures is covered, since others may be."""
    try:
        return features.score(adata, signatures, **how)
    except CoverageError:
        names = list(signatures)
        missing = pd.DataFrame(np.nan, index=pd.Index(adata.obs_names, name="sample_id"), columns=names)
        missing.attrs = {"scoring": dict.fromkeys(names, how["method"])}
        return missing
