"""Is it the feature, or who has it? Histology and strata behind every association of a study."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from immunosarc import models, schema, stats
from immunosarc.cohort import Cohort
from immunosarc.study._plan import Plan
from immunosarc.study._questions import PlannedTest

__all__ = ["group_tables", "shrunken"]

_log = logging.getLogger("immunosarc")
_GROUPED_BY = "histology"
_LEADING = 5
"""Features per family that are analyzed again without each histology."""
_KEPT = ("feature", "measure", "n", "n_events", "estimate", "conf_low", "conf_high", "status")


def group_tables(
    cohort: Cohort,
    plan: Plan,
    outcomes: pd.DataFrame,
    measured: Mapping[str, Mapping[str, pd.DataFrame]],
    associations: pd.DataFrame,
) -> dict[str, pd.DataFrame]:
    """Return what histology and strata make of the associations with the first endpoint of the plan.

    Parameters
    ----------
    cohort : Cohort
        Its patients give histology and strata.
    plan : Plan
        What was declared.
    outcomes : DataFrame
        ``schema.OUTCOMES``.
    measured : mapping
        Patient features by timepoint and panel.
    associations : DataFrame
        ``schema.ASSOCIATION``; the rows that were planned.

    Returns
    -------
    dict of str to DataFrame
        ``strata_sizes, shrinkage`` always; ``explained_by_histology, without_histology`` where the patients
        have two histologies or more.
    """
    found = {"strata_sizes": _sizes(cohort, plan, outcomes, measured), "shrinkage": shrunken(associations)}
    groups = cohort.patients.get(_GROUPED_BY)
    if groups is None or groups.nunique() < 2 or associations.empty:
        return found
    _log.info("histology behind the associations")
    asked = list(_asked(plan, measured))
    explained = [
        models.explained_by_group(table, outcomes, groups=groups, **_quick(plan, endpoint, model)).assign(
            timepoint=timepoint
        )
        for timepoint, endpoint, model, table in asked
    ]
    left_out = _left_out(plan, outcomes, asked, associations, cohort.patients)
    found |= {"explained_by_histology": _joined(explained), "without_histology": _joined(left_out)}
    return {name: table for name, table in found.items() if len(table.columns)}


def _joined(parts: list[pd.DataFrame]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def shrunken(associations: pd.DataFrame) -> pd.DataFrame:
    """Return each log ratio of a family beside what is left when the family's own spread is the prior.

    Only where effects are per standard deviation, so that those of one family are comparable.
    """
    scaled = associations[associations["measure"].str.endswith("_per_sd").fillna(False)]
    parts = []
    for family, rows in scaled.groupby("family", sort=False):
        pulled, error, spread = stats.shrink(
            rows["estimate"].to_numpy(dtype=float), rows["std_error"].to_numpy(dtype=float)
        )
        parts.append(
            rows[["feature", "measure", "estimate", "std_error"]].assign(
                family=family, shrunken=pulled, shrunken_error=error, spread=spread
            )
        )
    columns = ["family", "feature", "measure", "estimate", "std_error", "shrunken", "shrunken_error", "spread"]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _asked(
    plan: Plan, measured: Mapping[str, Mapping[str, pd.DataFrame]]
) -> Iterator[tuple[str, str, str, pd.DataFrame]]:
    """The plan's first endpoint, by the first model named for it, at each timepoint; all panels in one table."""
    for timepoint in plan.timepoints:
        first = next((test for test in plan.tests() if _leads(test, timepoint, plan)), None)
        if first is None or not measured.get(timepoint):
            continue
        plain = [pd.DataFrame(part.to_dict("series")) for part in measured[timepoint].values()]
        whole = pd.concat(plain, axis=1).rename_axis("patient_id")  # without attrs, which concat would compare
        yield timepoint, first.endpoint, first.model, whole.loc[:, ~whole.columns.duplicated()]


def _leads(test: PlannedTest, timepoint: str, plan: Plan) -> bool:
    return test.timepoint == timepoint and test.endpoint == plan.endpoints[0] and test.landmark_day is None


def _quick(plan: Plan, endpoint: str, model: str) -> dict[str, Any]:
    # p maxT is not read off these analyses
    return {"endpoint": endpoint, "model": model, "alpha": plan.alpha, "n_permutations": 20}


def _left_out(
    plan: Plan,
    outcomes: pd.DataFrame,
    asked: list[tuple[str, str, str, pd.DataFrame]],
    associations: pd.DataFrame,
    patients: pd.DataFrame,
) -> list[pd.DataFrame]:
    """The features with the smallest p maxT of each panel, without each histology in turn."""
    parts = []
    for timepoint, endpoint, model, table in asked:
        mine = associations[associations["family"].str.startswith(f"{timepoint}/{endpoint}/{model}/").astype(bool)]
        ranked = mine[mine["p_maxt"].notna()].sort_values(["p_maxt", "p_value"], kind="stable")
        leading = list(dict.fromkeys(ranked.groupby("family", sort=False).head(_LEADING)["feature"]))
        if not leading:
            continue
        declared = [name for name in table if name in schema.PATIENT_FEATURES.columns]
        found = models.leave_one_group_out(
            table[[*declared, *leading]],
            outcomes,
            groups=patients[_GROUPED_BY],
            strata=patients[plan.strata] if plan.strata else None,
            per_sd=plan.per_sd,
            **_quick(plan, endpoint, model),
        )
        columns = ["timepoint", "endpoint", "model", "left_out", *_KEPT]
        parts.append(found[columns].assign(grouped_by=_GROUPED_BY))
    return parts


def _sizes(
    cohort: Cohort, plan: Plan, outcomes: pd.DataFrame, measured: Mapping[str, Mapping[str, pd.DataFrame]]
) -> pd.DataFrame:
    strata = cohort.patients[plan.strata] if plan.strata else None
    asked = dict.fromkeys(test[:2] for test in plan.tests() if test.landmark_day is None)
    parts = [
        models.effective_sizes(
            next(iter(measured[timepoint].values())), outcomes, endpoint=endpoint, strata=strata
        )
        for timepoint, endpoint in asked
        if measured.get(timepoint)
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
