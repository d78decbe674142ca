"""Result tables: the columns that every step writes and every reader can rely on."""

from __future__ import annotations

import numpy as np
import pandas as pd

from immunosarc.schema._clinical import RESPONSES, TIMEPOINTS
from immunosarc.schema._table import Column, Problem, Table

__all__ = [
    "ASSOCIATION",
    "ATTRITION",
    "CHANGE",
    "COVERAGE",
    "OUTCOMES",
    "PAIRED",
    "PATIENT_FEATURES",
    "STAMPS",
    "SUMMARY",
    "SURVIVAL_CURVE",
    "significant",
]

STAMPS = ("confirmatory", "exploratory", "deviation")
"""Planned and locked; not planned or not locked; locked, but plan or data changed since."""


def _text(meaning: str, *, values: tuple[str, ...] = (), filled: bool = False) -> Column:
    return Column("text", meaning, required=True, filled=filled, values=values)


def _number(meaning: str, *, low: float | None = None, high: float | None = None) -> Column:
    return Column("number", meaning, required=True, low=low, high=high)


def _flag(meaning: str) -> Column:
    return Column("flag", meaning, required=True)


_STATUS = _text("'ok', or why there is no value", filled=True)

OUTCOMES = Table(
    "outcomes",
    {
        "best_overall_response": _text("best overall response, RECIST 1.1", values=RESPONSES),
        "objective_response": _flag("CR or PR"),
        "disease_control": _flag("CR, PR or SD"),
        "durable_clinical_benefit": _flag("CR, PR, or SD of at least six months"),
        "pfs6": _flag("progression-free at six months"),
        "pfs_time": _number("progression-free survival, months", low=0),
        "pfs_event": _flag("progression or death"),
        "pfs_days": _number("the same in days", low=0),
        "os_time": _number("overall survival, months", low=0),
        "os_event": _flag("death"),
        "os_days": _number("the same in days", low=0),
        "treatment_related_grade_3_4": _flag("treatment-related event of grade 3 or 4"),
        "immune_event_immunosuppression": _flag("immune-mediated event needing immunosuppression"),
        "response_status": _STATUS,
        "durable_status": _STATUS,
        "pfs6_status": _STATUS,
        "pfs_status": _STATUS,
        "os_status": _STATUS,
        "rule_set": _text("the rules that derived the row, with their version", filled=True),
        "best_overall_response_confirmed": Column(
            "text", "best response, CR and PR confirmed; from visits", values=RESPONSES
        ),
        "pfs_reason": Column("text", "what ended progression-free survival; from visits"),
        "ttr_time": Column("number", "first dose to first response; responders only; months", low=0),
        "ttr_days": Column("number", "the same in days", low=0),
        "dor_time": Column(
            "number", "first response to progression, death or censoring; responders only; months", low=0
        ),
        "dor_event": Column("flag", "progression or death after response"),
        "dor_days": Column("number", "the same in days", low=0),
        "resistance": Column("text", "class of resistance, or the kind of reason why there is none"),
        "primary_resistance": Column("flag", "primary against secondary and sensitive; all others missing"),
        "secondary_resistance": Column("flag", "secondary against sensitive ongoing; all others missing"),
        "progression_phase": Column("text", "where treatment stood at progression"),
        "resistance_status": Column("text", "'ok', or why there is no class"),
    },
    index="patient_id",
)

SUMMARY = Table(
    "summary",
    {
        "measure": _text("what was estimated", filled=True),
        "stratum": _text("'all', or the stratum", filled=True),
        "population": _text("which patients count", filled=True),
        "unit": _text("'proportion' or 'months'", filled=True),
        "n": _number("patients", low=0),
        "n_events": _number("patients with the event or the success", low=0),
        "estimate": _number("the estimate; missing = not reached or not evaluable"),
        "conf_low": _number("lower confidence limit"),
        "conf_high": _number("upper confidence limit"),
        "conf_level": _number("confidence level", low=0, high=1),
        "method": _text("estimator and interval", filled=True),
        "null_value": _number("the rate it is compared with"),
        "p_value": _number("exact one-sided p against null_value", low=0, high=1),
        "status": _STATUS,
    },
)

SURVIVAL_CURVE = Table(
    "survival_curve",
    {
        "endpoint": _text("pfs or os", filled=True),
        "stratum": _text("'all', or the stratum", filled=True),
        "time": _number("months", low=0),
        "at_risk": _number("patients at risk just before", low=0),
        "n_events": _number("events at this time", low=0),
        "n_censored": _number("censored at this time", low=0),
        "survival": _number("Kaplan-Meier estimate", low=0, high=1),
        "conf_low": _number("lower confidence limit"),
        "conf_high": _number("upper confidence limit"),
    },
)


def _features_are_numbers(frame: pd.DataFrame) -> list[Problem]:
    features = frame.columns.difference(list(PATIENT_FEATURES.columns), sort=False)
    return [
        Problem(str(name), "feature is not numeric")
        for name in features
        if not pd.api.types.is_numeric_dtype(frame[name])
    ]


def _pre_means_before(frame: pd.DataFrame) -> list[Problem]:
    late = ((frame["timepoint"] == "pre") & (frame["measured_day"] > 1)).to_numpy(dtype=bool, na_value=False)
    rows = tuple(int(i) for i in late.nonzero()[0])
    return [Problem("measured_day", "after day 1 on a 'pre' feature", rows)] if rows else []


PATIENT_FEATURES = Table(
    "patient_features",
    {
        "timepoint": _text("when the features were measured", filled=True, values=TIMEPOINTS),
        "measured_day": _number("study day of the sample"),
        "status": _STATUS,
    },
    index="patient_id",
    rules=(_features_are_numbers, _pre_means_before),
)

COVERAGE = Table(
    "coverage",
    {
        "signature": _text("signature", filled=True),
        "method": _text("scoring method", filled=True),
        "unit": _text("unit that was scored", filled=True),
        "n_genes": _number("genes of the signature", low=0),
        "n_found": _number("of them in the assay", low=0),
        "coverage": _number("n_found / n_genes", low=0, high=1),
        "missing": _text("the genes that are not in the assay"),
        "status": _STATUS,
        "note": _text("what else to know, such as the published form"),
    },
)

ASSOCIATION = Table(
    "association",
    {
        "feature": _text("feature", filled=True),
        "scoring": _text("how it was scored, and on which unit"),
        "timepoint": _text("when it was measured", filled=True, values=TIMEPOINTS),
        "endpoint": _text("clinical endpoint", filled=True),
        "population": _text("which patients count", filled=True),
        "model": _text("statistical model", filled=True),
        "measure": _text("auc, log_odds_ratio or log_hazard_ratio; ends in _per_sd when scaled", filled=True),
        "adjusted_for": _text("covariates"),
        "stratified_by": _text("strata"),
        "n": _number("patients analyzed", low=0),
        "n_events": _number("patients with the endpoint, or events", low=0),
        "estimate": _number("effect, per unit of the feature; ratios as logs"),
        "std_error": _number("its standard error", low=0),
        "conf_low": _number("lower confidence limit"),
        "conf_high": _number("upper confidence limit"),
        "statistic": _number("test statistic"),
        "p_value": _number("p of this feature alone, two-sided unless alternative says otherwise", low=0, high=1),
        "p_exact": _number("exact p, where enumeration is feasible", low=0, high=1),
        "p_maxt": _number("step-down maxT p within the family, by permutation", low=0, high=1),
        "q_value": _number("Benjamini-Hochberg within the family", low=0, high=1),
        "alpha": _number("family-wise error that p_maxt is held against", low=0, high=1),
        "alternative": Column(
            "text", "two-sided, or the only side that counts", values=("two-sided", "greater", "less")
        ),
        "detectable_80": _number("smallest effect detectable with 80% power at the family's alpha"),
        "noise_ceiling": _number(
            "|statistic| that the best of the family exceeds by chance with probability alpha"
        ),
        "family": _text("timepoint/endpoint/model/panel", filled=True),
        "stamp": _text("confirmatory, exploratory or deviation", filled=True, values=STAMPS),
        "status": _STATUS,
    },
)

PAIRED = Table(
    "paired",
    {
        "patient_id": _text("patient", filled=True),
        "feature": _text("feature", filled=True),
        "group": _text("response group of the patient"),
        "before": _number("value before"),
        "after": _number("value after"),
        "change": _number("after - before"),
        "status": _STATUS,
    },
)

CHANGE = Table(
    "change",
    {
        "feature": _text("feature", filled=True),
        "scoring": _text("how it was scored, and on which unit"),
        "before": _text("earlier timepoint", filled=True, values=TIMEPOINTS),
        "after": _text("later timepoint", filled=True, values=TIMEPOINTS),
        "group": _text("response group, or 'all'", filled=True),
        "n": _number("pairs", low=0),
        "median_change": _number("median of after - before"),
        "hodges_lehmann": _number("Hodges-Lehmann shift: median of the Walsh averages"),
        "conf_low": _number("lower confidence limit of the shift"),
        "conf_high": _number("upper confidence limit of the shift"),
        "statistic": _number("standardized signed-rank statistic"),
        "p_value": _number("two-sided exact signed-rank p of this feature alone", low=0, high=1),
        "p_maxt": _number("step-down maxT p within the family, by sign flips", low=0, high=1),
        "q_value": _number("Benjamini-Hochberg within the family", low=0, high=1),
        "alpha": _number("family-wise error that p_maxt is held against", low=0, high=1),
        "family": _text("before-after/group/panel", filled=True),
        "stamp": _text("confirmatory, exploratory or deviation", filled=True, values=STAMPS),
        "status": _STATUS,
    },
)

ATTRITION = Table(
    "attrition",
    {
        "step": _text("where in the flow", filled=True),
        "level": _text("what is counted", filled=True, values=("row", "patient", "sample")),
        "patient_id": _text("patient, where there is one"),
        "sample_id": _text("sample, where there is one"),
        "kept": Column("flag", "whether it goes on", required=True, filled=True),
        "reason": _text("why not"),
    },
)


def significant(table: pd.DataFrame) -> np.ndarray:
    """Return which rows stay below their alpha after correction for the whole family.

    Parameters
    ----------
    table : DataFrame
        ``ASSOCIATION`` or ``CHANGE``.

    Returns
    -------
    ndarray of bool
        False where there is no p.

    Examples
    --------
    >>> significant(pd.DataFrame({"p_maxt": [0.01, 0.2], "alpha": 0.05})).tolist()
    [True, False]
    """
    return np.asarray((table["p_maxt"] < table["alpha"]).fillna(False), dtype=bool)
