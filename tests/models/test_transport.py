"""A locked model in other patients: the numbers by other hands, the verdict by its rule."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.special import expit
from sklearn.metrics import brier_score_loss, roc_auc_score

import immunosarc as ims
from immunosarc.errors import CoverageError, PlanError, UnitError
from immunosarc.models import LockedFeature, LockedModel, transport
from immunosarc.models._transport_record import Evidence, verdict_of
from tests.models.conftest import make_cohort, make_table

ASSAY = {"unit": "log2_tpm", "platform": "polya_rnaseq"}


def _model(
    intercept: float = 0.0, slope: float = 1.0, endpoint: str = "objective_response", **facts
) -> LockedModel:
    feature = LockedFeature("x", "singscore(log2_tpm)", slope, -9.0, 9.0)
    kind = "ridge_cox" if endpoint == "pfs" else "ridge_logistic"
    words = (endpoint, kind, "pre", "log2_tpm", "polya_rnaseq", "An example.")
    return LockedModel("demo", *words, intercept, (feature,), **({"training": {}} | facts))


def _elsewhere(seed: int = 0, n: int = 120, bent: float = 1.0, shift: float = 0.0):
    rng = np.random.default_rng([5, seed])
    x = rng.normal(size=n)
    response = rng.random(n) < expit(shift + bent * x)
    cohort = make_cohort(["PR" if one else "PD" for one in response])
    table = make_table(cohort, x=x)
    table.attrs = {"scoring": {"x": "singscore(log2_tpm)"}, "unit": "log2_tpm"}
    return table, ims.endpoints.derive(cohort), x, response


def test_the_numbers_are_those_of_scikit_learn_and_statsmodels():
    table, outcomes, x, y = _elsewhere(bent=2.0)
    found = transport(_model(0.3, 1.2), table, outcomes, **ASSAY)
    eta = 0.3 + 1.2 * x
    assert found.estimate("auc") == pytest.approx(roc_auc_score(y, eta), abs=1e-12)
    assert found.estimate("brier") == pytest.approx(brier_score_loss(y, expit(eta)), abs=1e-12)
    assert found.estimate("brier_of_rate") == pytest.approx(y.mean() * (1 - y.mean()), abs=1e-12)
    assert found.estimate("observed_to_expected") == pytest.approx(y.sum() / expit(eta).sum(), abs=1e-12)
    shifted = sm.GLM(y.astype(float), np.ones(len(y)), family=sm.families.Binomial(), offset=eta).fit(tol=1e-12)
    assert found.estimate("calibration_in_the_large") == pytest.approx(shifted.params[0], abs=1e-7)
    plain = sm.Logit(y.astype(float), sm.add_constant(eta)).fit(disp=0).params[1]
    assert found.estimate("calibration_slope") == pytest.approx(plain, rel=0.06)  # Firth's is a little smaller
    assert found.estimate("calibration_slope") < plain
    assert found.calibration["n"].sum() == 120
    assert found.calibration["n_events"].sum() == y.sum()
    assert len(found.decision_curve) == 19


@pytest.mark.parametrize(
    ("bent", "shift", "verdict", "needed"),
    [
        (1.0, 0.0, "transports", "nothing"),
        (1.0, 1.5, "transports poorly", "intercept"),
        (-1.0, 0.0, "transports poorly", "intercept and slope"),
    ],
)
def test_what_is_planted_is_what_is_said(bent, shift, verdict, needed):
    table, outcomes, *_ = _elsewhere(seed=1, bent=bent, shift=shift, n=300)
    found = transport(_model(), table, outcomes, **ASSAY)
    assert found.verdict == verdict
    assert set(found.performance["needed"]) == {needed}
    assert verdict in repr(found)
    assert verdict in found._repr_html_()


def test_survival_has_concordance_and_slope():
    rng = np.random.default_rng(2)
    n = 80
    cohort = make_cohort(["PR"] * n)
    x = rng.normal(size=n)
    days = (400 * rng.exponential(np.exp(-x))).round() + 1
    alive = {"os_days": 99_999.0, "os_event": False}
    cohort = ims.Cohort(cohort.patients.assign(pfs_days=days, **alive), cohort.samples)
    table, outcomes = make_table(cohort, x=x), ims.endpoints.derive(cohort)
    found = transport(_model(endpoint="pfs"), table, outcomes, **ASSAY)
    time, event = outcomes["pfs_time"].to_numpy(float), outcomes["pfs_event"].to_numpy(bool)
    assert found.estimate("concordance") == pytest.approx(ims.stats.concordance(x, time, event), abs=1e-12)
    slope = ims.stats.firth_cox(x[:, None], time, event)
    row = found.performance.query("measure == 'calibration_slope'").iloc[0]
    assert (row["estimate"], row["conf_high"]) == pytest.approx((slope.estimate[0], slope.conf_high[0]), abs=1e-9)
    assert len(found.calibration) == len(found.decision_curve) == 0


def test_another_assay_is_refused_or_stated_and_another_method_never():
    table, outcomes, *_ = _elsewhere()
    other = table.copy()
    other.attrs = {"scoring": {"x": "singscore(log2_cpm)"}, "unit": "log2_cpm"}
    with pytest.raises(UnitError, match="made from 'log2_tpm', this is 'log2_cpm'"):
        transport(_model(), other, outcomes, unit="log2_cpm", platform="polya_rnaseq")
    found = transport(
        _model(), other, outcomes, unit="log2_cpm", platform="other", reference_hash="", other_assay="state"
    )
    assert found.performance["differs"].iloc[0] == (
        "unit: the model was made from 'log2_tpm', this is 'log2_cpm'; "
        "platform: the model was made from 'polya_rnaseq', this is 'other'"
    )
    assert "another assay" in repr(found)
    other.attrs = {"scoring": {"x": "mean_z(log2_cpm)"}, "unit": "log2_cpm"}
    with pytest.raises(
        UnitError, match=r"scoring of x: the model was made from 'singscore\(log2_tpm\)', this is 'm"
    ):
        transport(_model(), other, outcomes, unit="log2_cpm", platform="other", other_assay="state")
    with pytest.raises(UnitError, match="timepoint: the model was made from 'pre', this is 'on'"):
        transport(_model(), table.assign(timepoint="on"), outcomes, other_assay="state", **ASSAY)
    with pytest.raises(PlanError, match="Did you mean 'state'"):
        transport(_model(), table, outcomes, other_assay="stated", **ASSAY)
    with pytest.raises(PlanError, match=r"write 0\.95 for 95%"):
        transport(_model(), table, outcomes, level=95, **ASSAY)
    with pytest.raises(CoverageError, match="no column 'x'"):
        transport(_model(), table.drop(columns="x").assign(y=1.0), outcomes, **ASSAY)


def test_who_cannot_be_predicted_is_counted_and_tells_against_the_model():
    table, outcomes, x, _ = _elsewhere(seed=3)
    model = _model()
    narrow = dataclasses.replace(model, features=(dataclasses.replace(model.features[0], low=-0.5, high=0.5),))
    found = transport(narrow, table, outcomes, **ASSAY)
    inside = int((np.abs(x) <= 0.5).sum())
    assert found.performance["n"].iloc[0] == inside
    assert found.performance["n_refused"].iloc[0] == 120 - inside
    assert found.verdict == "transports poorly"
    assert f"only {inside} of 120 patients can be predicted" in found.reason
    assert found.predictions["event"].notna().sum() == 120
    nobody = dataclasses.replace(model, features=(dataclasses.replace(model.features[0], low=50.0, high=60.0),))
    empty = transport(nobody, table, outcomes, **ASSAY)
    assert empty.performance["status"].tolist() == ["cannot be estimated in these patients"]
    assert empty.verdict == "transports poorly"


BASE = Evidence("auc", 0.7, 0.6, 0.8, 0.72, n=100, n_predicted=100, n_rarer=30, needed="nothing", p_as_it_is=0.4)


@pytest.mark.parametrize(
    ("changes", "verdict", "words"),
    [
        ({}, "transports", "auc 0.70 [0.60, 0.80]"),
        ({"conf_low": 0.5}, "undecided", "a coin cannot be excluded"),
        ({"n_rarer": 4, "needed": "intercept"}, "undecided", "4 patients with the rarer outcome, 5 are needed"),
        ({"n_predicted": 79}, "transports poorly", "only 79 of 100"),
        ({"n_predicted": 80}, "transports", "auc"),
        (
            {"needed": "intercept", "p_as_it_is": 0.01},
            "transports poorly",
            "intercept must be fitted anew (p = 0.01)",
        ),
        ({"in_training": 0.81}, "transports poorly", "below the 0.81 of the training cohort"),
        ({"in_training": np.nan}, "transports", "auc"),
        ({"conf_low": 0.2, "conf_high": 0.5}, "transports poorly", "no better than a coin"),
        ({"n_predicted": 10, "n_rarer": 2}, "transports poorly", "only 10 of 100"),
        ({"needed": "unknown", "p_as_it_is": np.nan, "conf_low": np.nan}, "undecided", "coin"),
    ],
)
def test_the_rule(changes, verdict, words):
    told = verdict_of(BASE._replace(**changes))
    assert told[0] == verdict
    assert words in told[1]


def test_the_training_numbers_stand_beside():
    table, outcomes, *_ = _elsewhere()
    before = table.copy(), outcomes.copy()
    model = _model(training={"auc cross_validated": 0.99, "calibration_slope optimism_corrected": 0.8})
    found = transport(model, table, outcomes, **ASSAY)
    beside = found.performance.set_index("measure")["in_training"]
    assert beside["auc"] == 0.99
    assert beside["calibration_slope"] == 0.8
    assert np.isnan(beside["brier"])
    assert "below the 0.99 of the training cohort" in found.reason
    pd.testing.assert_frame_equal(table, before[0])
    pd.testing.assert_frame_equal(outcomes, before[1])


def test_nobody_to_compare_is_an_error():
    table, outcomes, *_ = _elsewhere(n=20)
    unknown = outcomes.assign(objective_response=pd.array([None] * 20, dtype="boolean"))
    with pytest.raises(PlanError, match="nothing to compare"):
        transport(_model(), table, unknown, **ASSAY)
