"""Penalized models against scikit-learn, and against the partial likelihood written as a loop."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression

from immunosarc.errors import ImmunosarcError
from immunosarc.stats import log_partial_likelihood, penalized_cox, penalized_logistic


def _patients(n: int, p: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, p))
    return x, rng.random(n) < 1 / (1 + np.exp(0.8 - x[:, 0]))


@pytest.mark.parametrize(("n", "p"), [(40, 5), (25, 60)])
def test_ridge_is_that_of_scikit_learn(n, p):
    x, y = _patients(n, p)
    path = penalized_logistic(x, y, penalties=[0.02, 0.5])
    for i, penalty in enumerate([0.02, 0.5]):
        peer = LogisticRegression(C=1 / (n * penalty), tol=1e-10, max_iter=10_000).fit(x, y)
        assert path.coefficients[i] == pytest.approx(peer.coef_[0], abs=1e-5)
        assert path.intercept[i] == pytest.approx(peer.intercept_[0], abs=1e-5)


@pytest.mark.parametrize("share", [0.5, 1.0])
def test_elastic_net_is_that_of_scikit_learn(share):
    x, y = _patients(40, 12)
    penalties = [0.03, 0.1]
    path = penalized_logistic(x, y, penalties=penalties, l1_ratio=share)
    for i, penalty in enumerate(penalties):
        peer = LogisticRegression(
            C=1 / (40 * penalty), l1_ratio=share, solver="saga", tol=1e-9, max_iter=200_000
        ).fit(x, y)
        assert path.coefficients[i] == pytest.approx(peer.coef_[0], abs=1e-5)
        assert path.intercept[i] == pytest.approx(peer.intercept_[0], abs=1e-5)
    assert (path.coefficients[1] == 0).sum() > (path.coefficients[0] == 0).sum() > 0


def _minus_partial_likelihood(beta: np.ndarray, x: np.ndarray, time: np.ndarray, event: np.ndarray) -> float:
    total = 0.0
    for moment in sorted(set(time[event])):
        dying = [i for i in range(len(time)) if time[i] == moment and event[i]]
        risk = sum(np.exp(x[i] @ beta) for i in range(len(time)) if time[i] >= moment)
        together = sum(np.exp(x[i] @ beta) for i in dying)
        for place, i in enumerate(dying):
            total += x[i] @ beta - np.log(risk - place / len(dying) * together)
    return -total


def test_ridge_cox_is_the_minimum_of_its_definition():
    x, _ = _patients(20, 3)
    rng = np.random.default_rng(1)
    time, event = np.ceil(rng.exponential(4, size=20)), rng.random(20) < 0.7
    assert len(np.unique(time)) < 12  # ties
    path = penalized_cox(x, time, event, penalties=[0.05, 1.0])
    for i, penalty in enumerate([0.05, 1.0]):
        peer = minimize(
            lambda b, penalty=penalty: _minus_partial_likelihood(b, x, time, event) / 20 + penalty * b @ b / 2,
            np.zeros(3),
            options={"gtol": 1e-8},
        )
        assert path.coefficients[i] == pytest.approx(peer.x, abs=1e-5)

    minus = [_minus_partial_likelihood(beta, x, time, event) for beta in path.coefficients]
    assert -log_partial_likelihood(path.coefficients @ x.T, time, event) == pytest.approx(minus, abs=1e-9)
    assert log_partial_likelihood(path.coefficients @ x.T, time, event & False).tolist() == [0.0, 0.0]


def test_more_features_than_patients_need_no_other_dimensions():
    x, _ = _patients(15, 40)
    rng = np.random.default_rng(2)
    time, event = rng.exponential(4, size=15), rng.random(15) < 0.7
    wide = penalized_cox(x, time, event, penalties=[0.3]).coefficients
    grown = penalized_cox(
        np.vstack([x, np.zeros((40, 40))]),
        np.r_[time, np.zeros(40)],
        np.r_[event, np.zeros(40)],
        penalties=[0.3 * 15 / 55],
    ).coefficients
    assert wide == pytest.approx(grown, abs=1e-8)  # patients censored at once add nothing but rows


def test_separation_stays_finite():
    path = penalized_logistic([[-2.0], [-1.0], [1.0], [2.0]], [0, 0, 1, 1], penalties=[1e-3])
    assert 2 < path.coefficients[0, 0] < 10


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(ImmunosarcError, match=r"missing values(.|\n)*l1_ratio|l1_ratio(.|\n)*missing values"):
        penalized_logistic([[np.nan], [1.0]], [0, 1], penalties=[1.0], l1_ratio=2.0)
    with pytest.raises(ImmunosarcError, match="numbers above 0"):
        penalized_logistic([[0.0], [1.0]], [0, 1], penalties=[0.0])
    with pytest.raises(ImmunosarcError, match="same outcome"):
        penalized_logistic([[0.0], [1.0]], [1, 1], penalties=[1.0])
    with pytest.raises(ImmunosarcError, match="nobody has the event"):
        penalized_cox([[0.0], [1.0]], [1, 2], [0, 0], penalties=[1.0])
