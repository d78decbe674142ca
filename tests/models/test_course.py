"""The mixed model: against the analysis of variance of complete data, and against least squares by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import optimize
from scipy import stats as reference

import immunosarc as ims
from immunosarc.errors import CohortError
from immunosarc.models import compare_course

TIMES = ["pre", "on", "post"]


def cohort_of(values: np.ndarray) -> tuple[ims.Cohort, pd.DataFrame]:
    n = len(values)
    ids = [f"P{i:02d}" for i in range(n)]
    samples = pd.DataFrame(
        {"patient_id": ids * 3, "timepoint": np.repeat(TIMES, n)},
        index=pd.Index([f"{i}_{t}" for t in TIMES for i in ids], name="sample_id"),
    )
    scores = pd.DataFrame({"x": values.T.ravel()}, index=samples.index)
    return ims.Cohort(pd.DataFrame({"patient_id": ids}), samples), scores


@pytest.fixture
def values() -> np.ndarray:
    rng = np.random.default_rng(6)
    return 2 * rng.normal(size=(14, 1)) + [0.0, 0.8, -0.3] + rng.normal(size=(14, 3))


def test_complete_data_give_the_two_way_analysis_of_variance(values: np.ndarray) -> None:
    found = compare_course(*cohort_of(values)).set_index("after")
    residual = values - values.mean(axis=1, keepdims=True) - values.mean(axis=0) + values.mean()
    freedom = 13 * 2
    error = np.sqrt(2 * (residual**2).sum() / freedom / 14)
    for j, name in ((1, "on"), (2, "post")):
        change = (values[:, j] - values[:, 0]).mean()
        assert found.loc[name, "estimate"] == pytest.approx(change, rel=1e-6)
        assert found.loc[name, "std_error"] == pytest.approx(error, rel=1e-4)
        assert found.loc[name, "p_value"] == pytest.approx(
            2 * reference.t.sf(abs(change / error), freedom), rel=1e-3
        )
        margin = reference.t.ppf(0.975, freedom) * error
        assert found.loc[name, "conf_low"] == pytest.approx(change - margin, rel=1e-3)
    assert (found[["n_patients", "n_samples"]].to_numpy() == [[14, 42], [14, 42]]).all()


def test_missing_biopsies_are_weighed_by_the_restricted_likelihood(values: np.ndarray) -> None:
    values[[0, 3, 4], [2, 1, 2]] = np.nan
    values[7, [0, 1]] = np.nan
    seen = ~np.isnan(values)
    who, when = np.nonzero(seen)
    y = values[seen]
    x = np.column_stack([np.ones(len(y)), when == 1, when == 2]).astype(float)

    def solved(ratio: float) -> tuple[float, np.ndarray, np.ndarray]:
        v = np.eye(len(y)) + ratio * (who[:, None] == who[None, :])
        inverse = np.linalg.inv(v)
        information = x.T @ inverse @ x
        beta = np.linalg.solve(information, x.T @ inverse @ y)
        left = y - x @ beta
        sigma = left @ inverse @ left / (len(y) - 3)
        loss = (len(y) - 3) * np.log(sigma) + np.linalg.slogdet(v)[1] + np.linalg.slogdet(information)[1]
        return loss, beta, np.sqrt(np.diag(np.linalg.inv(information)) * sigma)

    best = optimize.minimize_scalar(lambda log: solved(np.exp(log))[0], bounds=(-5, 5), method="bounded")
    _, beta, error = solved(np.exp(best.x))
    cohort, scores = cohort_of(values)
    found = compare_course(cohort, scores)
    assert found["estimate"].to_numpy() == pytest.approx(beta[1:], rel=1e-3)
    assert found["std_error"].to_numpy() == pytest.approx(error[1:], rel=1e-3)
    assert found["n_samples"].tolist() == [37, 37]


def test_degenerate_features_keep_rows_with_a_reason(values: np.ndarray) -> None:
    cohort, scores = cohort_of(values)
    scores = scores.assign(flat=1.0, gone=np.nan, late=np.where(scores.index.str.endswith("post"), np.nan, 1.0))
    found = compare_course(cohort, scores).set_index(["feature", "after"])
    assert found.loc[("flat", "on"), "status"] == "the feature is constant"
    assert found.loc[("gone", "on"), "status"] == "a timepoint has no value"
    assert found.loc[("late", "post"), "status"] == "a timepoint has no value"
    assert found.loc[("x", "on"), "status"] == "ok"
    assert found.loc["flat", "p_value"].isna().all()


def test_two_timepoints_are_no_course() -> None:
    cohort = ims.simulate_cohort(seed=7)
    with pytest.raises(CohortError, match="use compare_timepoints for two"):
        compare_course(cohort, ims.features.score(cohort["rna"])[["cyt"]])
