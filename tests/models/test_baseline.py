"""Baseline: the change of responders adjusted for it, and who came back for a second biopsy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import stats
from immunosarc.errors import CohortError
from immunosarc.models import compare_biopsied, compare_change

from .conftest import make_cohort

N = 20


@pytest.fixture
def trial() -> tuple[ims.Cohort, pd.DataFrame, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(60)
    cohort = make_cohort(["PR"] * 8 + ["PD"] * 11 + ["NE"])
    before = rng.normal(size=(N, 2))
    before[:6, 0] += 3.0
    after = before + rng.normal(size=(N, 2))
    ids = [f"{i}_{t}" for t in ("pre", "on") for i in cohort.patients.index]
    scores = pd.DataFrame(np.vstack([before, after]), index=ids, columns=["x", "y"])
    return cohort, scores, before, after


def test_change_is_the_ancova_of_patients_with_known_response(
    trial: tuple[ims.Cohort, pd.DataFrame, np.ndarray, np.ndarray],
) -> None:
    cohort, scores, before, after = trial
    rows = compare_change(cohort, scores, ims.endpoints.derive(cohort))
    expected = stats.ancova(before[:19], after[:19], np.arange(19) < 8)
    for column in ("estimate", "conf_low", "conf_high", "p_value"):
        np.testing.assert_allclose(rows[column], getattr(expected, column))
    assert rows[["n", "n_responders"]].to_numpy().tolist() == [[19, 8]] * 2
    with pytest.raises(CohortError, match="choose two timepoints"):
        compare_change(cohort, scores, ims.endpoints.derive(cohort), after="pre")


def test_those_biopsied_again_are_compared_at_baseline(
    trial: tuple[ims.Cohort, pd.DataFrame, np.ndarray, np.ndarray],
) -> None:
    cohort, scores, before, _ = trial
    again = np.arange(N) < 9
    lost = [f"{i}_on" for i in cohort.patients.index[~again]]
    rows = compare_biopsied(cohort, scores.drop(index=lost), n_permutations=999)
    expected = stats.mann_whitney(before, again)
    assert rows["auc"].tolist() == pytest.approx(expected.estimate.tolist())
    assert rows["p_exact"].tolist() == pytest.approx(expected.p_exact.tolist())
    assert rows["auc"][0] > 0.75
    assert rows["p_maxt"][0] < 0.05 < rows["p_maxt"][1]
    assert rows[["n_with", "n_without"]].to_numpy().tolist() == [[9, 11]] * 2
    everybody = compare_biopsied(cohort, scores, n_permutations=9)
    assert everybody["status"].tolist() == ["needs 2 patients per group, has 20 and 0"] * 2
