"""Result tables small enough to be checked by eye."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from immunosarc import schema

TIMES = {"stage 1": ([1, 3, 3, 5, 8, 12], [1, 1, 0, 1, 0, 0]), "stage 2": ([2, 2, 4, 6, 6.5], [1, 0, 1, 1, 1])}
"""Months and events of two strata of patients."""


@pytest.fixture
def ax() -> Axes:
    return Figure(figsize=(7, 4)).add_subplot()


def curve_rows(
    times: Sequence[float], events: Sequence[int], *, stratum: str, endpoint: str
) -> list[dict[str, Any]]:
    """Kaplan-Meier by its definition, one row per distinct time."""
    survival, rows = 1.0, [_row(endpoint, stratum, 0.0, len(times), 0, 0, 1.0)]
    for time in sorted(set(times)):
        at_risk = sum(t >= time for t in times)
        died = sum(t == time and e for t, e in zip(times, events, strict=True))
        left = sum(t == time and not e for t, e in zip(times, events, strict=True))
        survival *= 1 - died / at_risk
        rows.append(_row(endpoint, stratum, time, at_risk, died, left, survival))
    return rows


def _row(endpoint, stratum, time, at_risk, n_events, n_censored, survival):
    low, high = max(0.0, survival - 0.2), min(1.0, survival + 0.1)
    return {
        "endpoint": endpoint,
        "stratum": stratum,
        "time": time,
        "at_risk": at_risk,
        "n_events": n_events,
        "n_censored": n_censored,
        "survival": survival,
        "conf_low": np.nan if survival == 1 else low,
        "conf_high": np.nan if survival == 1 else high,
    }


@pytest.fixture
def curves() -> pd.DataFrame:
    rows = [
        row for name, (t, e) in TIMES.items() for row in curve_rows(t, e, stratum=name, endpoint="pfs")
    ] + curve_rows([4, 9], [0, 1], stratum="all", endpoint="os")
    return schema.SURVIVAL_CURVE.check(pd.DataFrame(rows))


@pytest.fixture
def association() -> Callable[..., pd.DataFrame]:
    """Build one family; columns given by name replace the usual ones."""

    def build(estimates: Sequence[float], **columns: Any) -> pd.DataFrame:
        estimates = np.asarray(estimates, dtype=float)
        auc = columns.get("measure", "auc") == "auc"
        k = len(estimates)
        frame = {
            "feature": [f"feature_{i}" for i in range(k)],
            "scoring": "mean_log2(log2_tpm)",
            "timepoint": "pre",
            "endpoint": "objective_response",
            "population": "response-evaluable",
            "model": "mann_whitney" if auc else "firth_logistic",
            "measure": "auc",
            "adjusted_for": None,
            "stratified_by": None,
            "n": 27,
            "n_events": 9,
            "estimate": estimates,
            "std_error": 0.1,
            "conf_low": estimates - 0.1,
            "conf_high": estimates + 0.1,
            "statistic": 1.0,
            "p_value": [0.0123 * (i + 1) for i in range(k)],
            "p_exact": np.nan,
            "p_maxt": [0.251 + 0.01 * i for i in range(k)],
            "q_value": 0.5,
            "detectable_80": 0.9 if auc else 1.5,
            "alpha": 0.05,
            "noise_ceiling": 2.5,
            "family": "pre/objective_response/mann_whitney/catalog",
            "stamp": "exploratory",
            "status": np.where(np.isnan(estimates), "needs 2 patients per group, has 10 and 1", "ok"),
        }
        return schema.ASSOCIATION.check(pd.DataFrame({**frame, **columns}, index=range(k)))

    return build


@pytest.fixture
def pairs() -> pd.DataFrame:
    return schema.PAIRED.check(
        pd.DataFrame(
            {
                "patient_id": [f"P{i}" for i in range(7)],
                "feature": "cyt",
                "group": ["PD", "PD", "CR/PR", "CR/PR", "CR/PR", None, "PD"],
                "before": [1.0, 2.0, 1.0, 2.0, 4.0, 3.0, 5.0],
                "after": [1.5, 3.0, 4.0, 3.0, 9.0, 3.5, np.nan],
                "change": [0.5, 1.0, 3.0, 1.0, 5.0, 0.5, np.nan],
                "status": ["ok"] * 6 + ["no on sample"],
            }
        )
    )


@pytest.fixture
def changes() -> pd.DataFrame:
    rows = [("CR/PR", 3, 3.0, 0.039), ("PD", 2, np.nan, np.nan), ("all", 6, 1.25, 0.0004)]
    return schema.CHANGE.check(
        pd.DataFrame(
            {
                "feature": "cyt",
                "scoring": "mean_log2(log2_tpm)",
                "before": "pre",
                "after": "on",
                "group": [group for group, *_ in rows],
                "n": [n for _, n, *_ in rows],
                "median_change": 1.0,
                "alpha": 0.05,
                "hodges_lehmann": [shift for *_, shift, _ in rows],
                "conf_low": [shift - 2.004 for *_, shift, _ in rows],
                "conf_high": [shift + 2 for *_, shift, _ in rows],
                "statistic": 1.0,
                "p_value": 0.0111,
                "p_maxt": [p for *_, p in rows],
                "q_value": 0.1,
                "family": "pre-on/group/primary",
                "stamp": "exploratory",
                "status": ["ok", "needs 3 pairs, has 2", "ok"],
            }
        )
    )


@pytest.fixture
def flow() -> pd.DataFrame:
    """Six rows of a file, five patients; response splits off three, and features hang below them."""
    rows = [
        ("file.tsv: patients", "row", None, i < 5, None if i < 5 else "replicate is 1, not 0") for i in range(6)
    ]
    rows += [("patients", "patient", f"P{i}", True, None) for i in range(5)]
    reasons = [None, None, None, "censored on day 84, before day 183", "censored on day 126, before day 183"]
    rows += [("pfs6", "patient", f"P{i}", reason is None, reason) for i, reason in enumerate(reasons)]
    rows += [("late step", "patient", f"P{i}", i < 2, None if i < 2 else "no score") for i in range(3)]
    rows += [("pfs", "patient", f"P{i}", True, None) for i in range(5)]
    names = ["step", "level", "patient_id", "kept", "reason"]
    return schema.ATTRITION.check(pd.DataFrame(rows, columns=names).assign(sample_id=None))


@pytest.fixture
def summary() -> pd.DataFrame:
    rows = [
        (
            "objective_response",
            "all",
            "proportion",
            30,
            10,
            1 / 3,
            0.173,
            0.528,
            "binomial; Clopper-Pearson",
            np.nan,
        ),
        ("pfs6", "all", "proportion", 28, 13, 13 / 28, 0.275, 0.661, "binomial; Clopper-Pearson", 0.434),
        ("pfs6_kaplan_meier", "2", "proportion", 33, 15, 0.476, 0.286, 0.644, "Kaplan-Meier; log-log", np.nan),
        ("disease_control", "2", "proportion", 0, 0, np.nan, np.nan, np.nan, "binomial", np.nan),
        ("median_pfs", "all", "months", 33, 24, 5.8, 5.5, 9.7, "Kaplan-Meier", np.nan),
    ]
    names = [
        "measure",
        "stratum",
        "unit",
        "n",
        "n_events",
        "estimate",
        "conf_low",
        "conf_high",
        "method",
        "null_value",
    ]
    frame = pd.DataFrame(rows, columns=names)
    status = np.where(frame["estimate"].isna(), "no patient in this stratum", "ok")
    return schema.SUMMARY.check(frame.assign(population="treated", conf_level=0.95, p_value=0.444, status=status))
