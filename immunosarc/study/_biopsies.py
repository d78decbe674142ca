"""What two biopsies of a patient say: influx beside loss of tumor, classes, shift, and who was biopsied twice."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from immunosarc import features, models, schema
from immunosarc.cohort import Cohort
from immunosarc.errors import ImmunosarcError
from immunosarc.study._plan import Plan
from immunosarc.study._scores import PanelScores

__all__ = ["biopsy_tables"]

_log = logging.getLogger("immunosarc")
_IMMUNE = (
    ("mcp_t_cells", "danaher_t_cells"),
    ("mcp_cytotoxic_lymphocytes", "danaher_cytotoxic"),
    ("mcp_b_lineage", "b_cells_danaher9"),
    ("mcp_nk_cells", "danaher_nk"),
    ("mcp_monocytic_lineage", "danaher_macrophages"),
    ("mcp_myeloid_dendritic", "danaher_dc"),
    ("mcp_neutrophils", "danaher_neutrophils"),
)
"""The populations that a balance holds against, and who stands in where an assay lacks the markers."""
_LOG2 = "mean_log2"
_PROGRESSION = "post"
_AXES = ("TIS18", "CYT")


def biopsy_tables(
    cohort: Cohort, plan: Plan, outcomes: pd.DataFrame, scored: Mapping[str, PanelScores], seed: int
) -> dict[str, pd.DataFrame]:
    """Return the tables that need two biopsies of a patient; empty or absent where the cohort has none.

    Parameters
    ----------
    cohort : Cohort
        Its tumor samples.
    plan : Plan
        Gives the two timepoints.
    outcomes : DataFrame
        ``schema.OUTCOMES``.
    scored : mapping of str to PanelScores
        By panel.
    seed : int
        For the permutations.

    Returns
    -------
    dict of str to DataFrame
        ``adjusted_changes, change_by_response, biopsied, transitions, class_changes, shift``; with samples
        at progression ``progression_changes``, with three timepoints ``feature_course``.
    """
    when: dict[str, Any] = {"before": plan.before, "after": plan.after}
    found: dict[str, pd.DataFrame] = {
        "adjusted_changes": schema.ADJUSTED_CHANGE.empty(),
        "transitions": schema.TRANSITION.empty(),
        "class_changes": schema.CLASS_CHANGE.empty(),
        "shift": schema.SHIFT.empty(),
    }
    taken = set(cohort.samples["timepoint"])
    if scored:
        found |= _later(cohort, plan, outcomes, scored, seed)
    if not scored or not set(when.values()) <= taken:
        return found
    _log.info("influx, classes and shift from %s to %s", plan.before, plan.after)
    how: dict[str, Any] = {"alpha": plan.alpha, "n_permutations": plan.n_permutations, "seed": seed}
    found["biopsied"] = _by_panel(
        (panel, models.compare_biopsied(cohort, part.scores, **when, **how)) for panel, part in scored.items()
    )
    found["change_by_response"] = _by_panel(
        (panel, models.compare_change(cohort, part.scores, outcomes, **when, alpha=plan.alpha))
        for panel, part in scored.items()
    )
    immune = _populations(cohort, plan)
    if immune.shape[1] > 2:
        found["adjusted_changes"] = models.compare_composition(
            cohort,
            _with_named(immune, plan, scored),
            outcomes,
            immune=immune,
            purity=_purity(cohort),
            **when,
            panel="composition",
            **how,
        )
    return found | _class_tables(cohort, plan) | _shift(cohort, plan)


def _purity(cohort: Cohort) -> pd.Series | None:
    """The share of tumor cells where it is known; a sample of nothing else has no other cell to count by."""
    known = cohort.samples["purity"].dropna() if "purity" in cohort.samples else pd.Series(dtype=float)
    known = known[known < 1.0]
    return known if len(known) else None


def _later(
    cohort: Cohort, plan: Plan, outcomes: pd.DataFrame, scored: Mapping[str, PanelScores], seed: int
) -> dict[str, pd.DataFrame]:
    """Biopsies at progression against those before, and the course over all timepoints, where there are such."""
    taken = set(cohort.samples["timepoint"])
    found: dict[str, pd.DataFrame] = {}
    if {plan.before, _PROGRESSION} <= taken and plan.after != _PROGRESSION:
        how: dict[str, Any] = {"alpha": plan.alpha, "n_permutations": plan.n_permutations, "seed": seed}
        at_progression = [
            models.compare_timepoints(
                cohort, part.scores, outcomes, before=plan.before, after=_PROGRESSION, panel=panel, **how
            )
            for panel, part in scored.items()
        ]
        found["progression_changes"] = pd.concat(at_progression, ignore_index=True)
    if len(taken & set(schema.TIMEPOINTS)) > 2:
        found["feature_course"] = _by_panel(
            (panel, models.compare_course(cohort, part.scores, alpha=plan.alpha)) for panel, part in scored.items()
        )
    return found


def _by_panel(parts: Iterable[tuple[str, pd.DataFrame]]) -> pd.DataFrame:
    return pd.concat([table.assign(panel=panel) for panel, table in parts], ignore_index=True)


def _populations(cohort: Cohort, plan: Plan) -> pd.DataFrame:
    """The first covered score of each immune population, on a log2 scale."""
    every = [name for names in _IMMUNE for name in names]
    scores = _scored(cohort, plan, features.signatures().subset(*every), method=_LOG2)
    covered = scores.columns[scores.notna().any()]
    chosen = [next((name for name in names if name in covered), None) for names in _IMMUNE]
    return scores[[name for name in chosen if name]]


def _with_named(immune: pd.DataFrame, plan: Plan, scored: Mapping[str, PanelScores]) -> pd.DataFrame:
    """The populations and what the plan itself scores as a mean of logs, each signature once."""
    named = []
    for panel in plan.panels:
        wanted = [
            one for one, spec in panel.features.items() if spec.method == _LOG2 and spec.signature not in immune
        ]
        named.append(
            scored[panel.name].scores[wanted] if panel.name in scored else pd.DataFrame(index=immune.index)
        )
    plain = [pd.DataFrame(part.to_numpy(), part.index, part.columns) for part in (*named, immune)]
    whole = pd.concat(plain, axis=1)  # without attrs, which concat would compare
    return whole.loc[:, ~whole.columns.duplicated()]


def _scored(cohort: Cohort, plan: Plan, signatures: Any, *, method: str) -> pd.DataFrame:
    """Scores, or nothing where the assay cannot be scored so."""
    try:
        scores = features.score(cohort[plan.assay], signatures, method=method, min_coverage=plan.min_coverage)
    except ImmunosarcError as refusal:
        _log.info("not scored by %s: %s", method, refusal)
        return pd.DataFrame()
    return scores


def _class_tables(cohort: Cohort, plan: Plan) -> dict[str, pd.DataFrame]:
    """Cold and hot on an axis frozen from this cohort's own samples before treatment."""
    try:
        assay = cohort[plan.assay]
        own = features.build_reference(cohort.at(plan.before)[plan.assay], name=f"own_{plan.before}")
        classes = features.classify(assay, reference=own)
        error = _disagreement(features.place(assay, own))
    except ImmunosarcError as refusal:
        _log.info("no classes: %s", refusal)
        return {"transitions": _no_axis(plan, str(refusal))}
    sure = models.class_probabilities(classes, error=error)
    ask: dict[str, Any] = {"probabilities": sure, "before": plan.before, "after": plan.after}
    return {
        "transitions": models.compare_classes(cohort, classes, **ask, level=1 - plan.alpha),
        "class_changes": models.pair_classes(cohort, classes, **ask),
    }


def _disagreement(placed: pd.DataFrame) -> float:
    """Standard error of the mean of the two axes, from how far they are apart in a sample.

    With two axes that measure the same, half the root mean square of their difference.
    """
    wide = placed.pivot(index="sample_id", columns="population", values="percentile")
    apart = (wide[_AXES[0]] - wide[_AXES[1]]).dropna()
    return max(float(np.sqrt((apart**2).mean()) / 2), 1e-3)


def _no_axis(plan: Plan, reason: str) -> pd.DataFrame:
    row = dict.fromkeys(schema.TRANSITION.columns, np.nan) | {
        "scheme": "hot_cold",
        "reference": "none",
        "before": plan.before,
        "after": plan.after,
        "from_class": "none",
        "to_class": "none",
        "status": f"no axis of this cohort's own: {reason}",
    }
    return schema.TRANSITION.check(pd.DataFrame([row]))


def _shift(cohort: Cohort, plan: Plan) -> dict[str, pd.DataFrame]:
    panel = features.panel("immunogenicity")
    scores = _scored(cohort, plan, features.signatures().subset(*panel.signatures), method=panel.method)
    usable = scores.loc[:, scores.notna().any()] if len(scores) else scores
    if usable.shape[1] < 2:
        return {}
    signs = {name: panel.directions[name] for name in usable}
    ask: dict[str, Any] = {"before": plan.before, "after": plan.after, "level": 1 - plan.alpha}
    return {"shift": models.immunogenicity_shift(cohort, usable, directions=signs, **ask)}
