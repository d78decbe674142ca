"""What is left of an outcome that something else foretells."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import optimize, special

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import cox, entry_scores, graded_scores


@pytest.fixture
def trial():
    rng = np.random.default_rng(4)
    strata = np.repeat([0, 1], [18, 12])
    predictor = rng.normal(size=30) + 3.0
    return predictor, strata, rng.random(30) < special.expit(predictor - 3.0 + strata)


def test_of_two_grades_they_are_the_residuals_of_a_logistic_model(trial):
    predictor, strata, happened = trial
    design = np.column_stack([strata == 0, strata == 1]).astype(float)
    fit = sm.GLM(happened.astype(float), design, family=sm.families.Binomial(), offset=predictor).fit(tol=1e-14)
    scores = graded_scores(happened, predictor=predictor, strata=strata)
    np.testing.assert_allclose(scores, fit.resid_response, atol=1e-8)


def test_of_more_grades_they_are_slopes_of_the_log_likelihood(trial):
    predictor, _, _ = trial
    grades = np.arange(30) % 4
    cuts = [
        optimize.brentq(lambda c, k=k: special.expit(c - predictor).mean() - np.mean(grades <= k), -50, 50)
        for k in range(3)
    ]
    edges = np.r_[-np.inf, cuts, np.inf]

    def log_likelihood(eta):
        return np.log(special.expit(edges[grades + 1] - eta) - special.expit(edges[grades] - eta))

    step = 1e-6
    slope = (log_likelihood(predictor + step) - log_likelihood(predictor - step)) / (2 * step)
    np.testing.assert_allclose(graded_scores(grades * 10.0, predictor=predictor), slope, atol=1e-8)


def test_a_stratum_with_one_grade_scores_nothing_and_what_is_missing_is_refused():
    scores = graded_scores([1, 1, 1, 0, 1], predictor=[1.0, 2, 3, 4, 5], strata=[0, 0, 0, 1, 1])
    np.testing.assert_allclose(scores[:3], 0.0, atol=1e-12)
    assert (scores[3:] != 0).all()
    with pytest.raises(ImmunosarcError, match="predictor: need a finite number for each patient"):
        graded_scores([0, 1], predictor=[np.nan, 1.0])


def test_with_a_predictor_entry_scores_are_martingale_residuals():
    rng = np.random.default_rng(6)
    x, entry = rng.normal(size=(40, 2)), rng.integers(0, 5, 40).astype(float)
    time, event, strata = entry + rng.integers(1, 9, 40), rng.random(40) < 0.7, np.arange(40) % 2
    ask = {"entry": entry, "strata": strata, "ties": "breslow"}
    slopes = np.array([cox(x[:, [j]], time, event, covariates=x[:, [1 - j]], **ask).estimate[0] for j in (0, 1)])
    scores = entry_scores(time, event, entry, strata=strata, predictor=x @ slopes + 5.0)
    # the score equations of the fitted model, which its martingale residuals fulfil
    np.testing.assert_allclose(x.T @ scores, 0.0, atol=1e-6)
    loop = [
        event[i]
        - sum(
            np.exp(x[i] @ slopes)
            / sum(
                np.exp(x[k] @ slopes)
                for k in range(40)
                if entry[k] < time[j] <= time[k] and strata[k] == strata[i]
            )
            for j in range(40)
            if event[j] and strata[j] == strata[i] and entry[i] < time[j] <= time[i]
        )
        for i in range(40)
    ]
    np.testing.assert_allclose(scores, loop, atol=1e-12)
