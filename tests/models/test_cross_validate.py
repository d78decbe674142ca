"""Honest prediction: noise is a coin, everything learns in the fold, and too few patients is an answer."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import immunosarc as ims
from immunosarc import stats
from immunosarc.errors import ImmortalTimeError, PlanError, UnknownNameError
from immunosarc.models import _cross_validate_pipeline as pipeline
from immunosarc.models import cross_validate
from immunosarc.models._cross_validate_bootstrap import bootstrapped, cross_validated
from immunosarc.models._cross_validate_pipeline import PREDICTORS, Patients, Recipe, deal_folds, fit_tuned
from tests.models.conftest import make_cohort, make_table

QUICK = {"n_repeats": 2, "n_bootstrap": 6, "n_folds": 3, "min_events_per_parameter": 0.0}


def _patients(n: int = 30, p: int = 6, *, seed: int = 0, signal: float = 0.0, timed: bool = False) -> Patients:
    rng = np.random.default_rng([7, seed])
    x = rng.normal(size=(n, p))
    time = rng.exponential(np.exp(-signal * x[:, 0])) if timed else None
    event = rng.random(n) < (0.7 if timed else expit(signal * x[:, 0] - 0.5))
    return Patients(x, event, time, np.arange(n))


def _trial(signal: float, n: int = 36, p: int = 3) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(11)
    x = rng.normal(size=(n, p))
    response = rng.random(n) < expit(signal * x[:, 0])
    cohort = make_cohort(["PR" if one else "PD" for one in response])
    table = make_table(cohort, **{f"f{j}": x[:, j] for j in range(p)})
    return table, ims.endpoints.derive(cohort)


def _one_penalty(monkeypatch, model: str, penalty: float) -> None:
    record = PREDICTORS[model]
    facts = dict(record.facts) | {"penalties": (penalty,)}
    monkeypatch.setitem(PREDICTORS._records, model, dataclasses.replace(record, facts=facts))


def test_left_out_patients_are_predicted_as_by_a_pipeline_of_scikit_learn(monkeypatch):
    _one_penalty(monkeypatch, "ridge_logistic", 0.2)
    data = _patients(signal=1.0)
    data.x[3, 1] = np.nan
    _, linear = cross_validated(Recipe("ridge_logistic", None, 0, 3), data, 5, np.random.default_rng(4))
    splits = iter(deal_folds(data, 5, np.random.default_rng(4)))
    train, test = next(splits)  # the first outer fold is dealt before any inner one
    peer = make_pipeline(
        SimpleImputer(strategy="median"),
        StandardScaler(),
        LogisticRegression(C=1 / (len(train) * 0.2), tol=1e-10, max_iter=5_000),
    ).fit(data.x[train], data.event[train])
    assert linear[test] == pytest.approx(peer.decision_function(data.x[test]), abs=1e-5)


def test_the_area_is_averaged_over_folds_not_pooled():
    data = _patients(signal=0.6, seed=2)
    recipe = Recipe("ridge_logistic", None, 0, 3)
    scores, linear = cross_validated(recipe, data, 5, np.random.default_rng(1))
    rng = np.random.default_rng(1)
    folds = []
    for train, test in deal_folds(data, 5, rng):
        again = fit_tuned(recipe, data.take(train), rng).linear(data.x[test])[0]
        folds.append(stats.area_under_curve(again, data.event[test]))
    assert scores.discrimination == pytest.approx(np.mean(folds), abs=1e-12)
    assert scores.discrimination != pytest.approx(stats.area_under_curve(linear, data.event), abs=1e-6)


def test_the_penalty_is_the_one_with_the_smallest_loss_in_left_out_patients():
    data = _patients(signal=2.0, n=60)
    fitted = fit_tuned(Recipe("ridge_logistic", None, 0, 4), data, np.random.default_rng(3))
    penalties = PREDICTORS["ridge_logistic"].penalties
    losses = []
    for penalty in penalties:
        total = 0.0
        for train, test in deal_folds(data, 4, np.random.default_rng(3)):
            peer = make_pipeline(
                StandardScaler(), LogisticRegression(C=1 / (len(train) * penalty), tol=1e-9, max_iter=5_000)
            ).fit(data.x[train], data.event[train])
            risk = peer.predict_proba(data.x[test])[:, 1]
            total -= np.log(np.where(data.event[test], risk, 1 - risk)).sum()
        losses.append(total)
    assert fitted.path.penalties.tolist() == [penalties[int(np.argmin(losses))]]
    assert fitted.path.penalties[0] < max(penalties)


@pytest.mark.parametrize("timed", [False, True])
def test_copies_of_a_patient_stay_in_one_fold_and_events_are_spread(timed):
    data = _patients(timed=timed)
    drawn = data.take(np.random.default_rng(0).integers(0, 30, size=60))
    for train, test in deal_folds(drawn, 5, np.random.default_rng(2)):
        assert not set(drawn.group[train]) & set(drawn.group[test])
    counts = [int(data.event[test].sum()) for _, test in deal_folds(data, 5, np.random.default_rng(2))]
    assert max(counts) - min(counts) <= 1
    every = np.concatenate([test for _, test in deal_folds(data, 5, np.random.default_rng(2))])
    assert sorted(every) == list(range(30))


@pytest.mark.parametrize(("model", "n_select"), [("ridge_logistic", 3), ("ridge_cox", None)])
def test_noise_is_a_coin(model, n_select):
    """The short form of the calibration over 600 cohorts; one cohort scatters by more than 0.1."""
    timed = model == "ridge_cox"
    found = []
    for seed in range(30):
        data = _patients(seed=seed, p=40 if n_select else 8, timed=timed)
        recipe = Recipe(model, n_select, 0, 2)
        found.append(cross_validated(recipe, data, 3, np.random.default_rng(seed))[0].discrimination)
    assert abs(np.mean(found) - 0.5) < 3 * np.std(found) / np.sqrt(len(found))
    assert np.std(found) < 0.2


@pytest.mark.parametrize("model", list(PREDICTORS))
def test_a_signal_is_found_by_every_model(model):
    timed = PREDICTORS[model].kind == "time_to_event"
    data = _patients(n=60, signal=2.5, timed=timed)
    scores, _ = cross_validated(Recipe(model, None, 0, 3), data, 4, np.random.default_rng(0))
    assert scores.discrimination > 0.75


@pytest.mark.parametrize("timed", [False, True])
def test_selection_keeps_the_strongest_feature_and_every_covariate(timed):
    data = _patients(n=80, p=12, signal=2.5, timed=timed)
    fitted = fit_tuned(Recipe("ridge_cox" if timed else "ridge_logistic", 1, 2, 3), data, np.random.default_rng(0))
    assert np.flatnonzero(fitted.preparation.kept).tolist() == [0, 10, 11]


def test_estimates_are_those_of_the_bootstraps_by_hand():
    table, outcomes = _trial(1.2)
    found = cross_validate(table, outcomes, endpoint="objective_response", seed=5, **QUICK)
    x = table[["f0", "f1", "f2"]].to_numpy(float)
    event = (outcomes["best_overall_response"] == "PR").to_numpy(bool)
    data = Patients(x, event, None, np.arange(36))
    boots = bootstrapped(Recipe("ridge_logistic", None, 0, 3), data, 3, n_bootstrap=6, seed=5)
    apparent = found.estimate("auc", "apparent")
    gap = np.mean(boots.in_sample[:, 0] - boots.in_original[:, 0])
    c = found.estimate("auc")
    half = 1.959963984540054 * np.std(boots.repeated[:, 0], ddof=1) / (c * (1 - c))
    row = found.performance.query("measure == 'auc' and estimator == 'cross_validated'").iloc[0]
    assert (row["conf_low"], row["conf_high"]) == pytest.approx(
        (expit(np.log(c / (1 - c)) - half), expit(np.log(c / (1 - c)) + half)), abs=1e-12
    )
    assert found.estimate("auc", "optimism_corrected") == pytest.approx(apparent - gap, abs=1e-12)
    out = min(1 - boots.out_of_bag[:, 0].mean(), 0.5)
    overfit = max((out - (1 - apparent)) / (0.5 - (1 - apparent)), 0)
    weight = 0.632 / (1 - 0.368 * overfit)
    assert found.estimate("auc", "bootstrap_632_plus") == pytest.approx(
        1 - ((1 - weight) * (1 - apparent) + weight * out), abs=1e-12
    )
    slopes = [stats.firth_logistic(eta[:, None], event).estimate[0] for eta in boots.linear if np.ptp(eta) > 1e-8]
    assert found.estimate("calibration_slope", "optimism_corrected") == pytest.approx(np.median(slopes), abs=1e-8)
    left_out = found.predictions
    assert found.estimate("brier") == pytest.approx(
        np.mean(
            [
                np.mean(
                    (
                        expit(
                            cross_validated(
                                Recipe("ridge_logistic", None, 0, 3), data, 3, np.random.default_rng([5, 0, i])
                            )[1]
                        )
                        - event
                    )
                    ** 2
                )
                for i in range(2)
            ]
        ),
        abs=1e-12,
    )
    assert found.estimate("brier", "no_model") == pytest.approx(event.mean() * (1 - event.mean()))
    assert found.estimate("calibration_in_the_large") == pytest.approx((left_out["predicted"] - event).mean())
    assert found.estimate("brier", "nonsense") != found.estimate("brier", "nonsense")


def test_bootstrap_samples_keep_both_outcomes_and_never_score_a_drawn_patient():
    data = _patients(signal=1.0)
    boots = bootstrapped(Recipe("ridge_logistic", None, 0, 2), data, 2, n_bootstrap=3, seed=1)
    rng = np.random.default_rng([1, 1, 2])
    rows = np.concatenate(
        [rng.choice(side, len(side)) for side in (np.flatnonzero(data.event), np.flatnonzero(~data.event))]
    )
    out = np.setdiff1d(np.arange(30), rows)
    assert boots.out_of_bag[2, 0] == pytest.approx(stats.area_under_curve(boots.linear[2][out], data.event[out]))
    assert boots.in_sample[2, 0] == pytest.approx(stats.area_under_curve(boots.linear[2][rows], data.event[rows]))


def test_a_signal_is_reported_with_interval_calibration_and_decisions():
    table, outcomes = _trial(2.5, n=48, p=2)
    before = table.copy(), outcomes.copy()
    found = cross_validate(table, outcomes, endpoint="objective_response", seed=1, n_repeats=1, n_bootstrap=8)
    assert found.status == "ok"
    assert found.events_per_parameter >= 10
    auc = found.performance.query("measure == 'auc' and estimator == 'cross_validated'").iloc[0]
    assert auc["conf_low"] < auc["estimate"] < auc["conf_high"]
    assert auc["estimate"] > 0.8
    assert auc["conf_low"] > 0.5
    assert found.estimate("brier") < found.estimate("brier", "no_model")
    assert found.calibration["n"].sum() == 48
    assert found.calibration["observed"].is_monotonic_increasing
    half = found.decision_curve.query("threshold == 0.5").iloc[0]
    risk, event = found.predictions["predicted"], found.predictions["event"].astype(bool)
    assert half["model"] == pytest.approx((((risk >= 0.5) & event).sum() - ((risk >= 0.5) & ~event).sum()) / 48)
    assert half["treat_none"] == 0
    assert "auc 0." in repr(found)
    assert "<table" in found._repr_html_()
    pd.testing.assert_frame_equal(table, before[0])
    pd.testing.assert_frame_equal(outcomes, before[1])
    again = cross_validate(table, outcomes, endpoint="objective_response", seed=1, n_repeats=1, n_bootstrap=8)
    pd.testing.assert_frame_equal(found.performance, again.performance)


def test_survival_has_concordance_and_slope_but_no_risks():
    rng = np.random.default_rng(0)
    cohort = make_cohort(["PR"] * 10 + ["PD"] * 20)
    table = make_table(cohort, early=np.arange(30.0) + rng.normal(size=30), noise=rng.normal(size=30))
    found = cross_validate(table, ims.endpoints.derive(cohort), endpoint="pfs", **QUICK)
    assert found.estimate("concordance") > 0.8  # follow-up in the cohort falls from patient to patient
    assert set(found.performance["measure"]) == {"concordance", "calibration_slope"}
    assert len(found.calibration) == len(found.decision_curve) == 0
    assert found.predictions["time"].notna().all()


def test_risks_by_a_month_are_those_of_left_out_patients():
    """By hand: hazards and Breslow's baseline of the other folds, weighted for censoring, averaged over rounds."""
    rng = np.random.default_rng(0)
    cohort = make_cohort(["PR"] * 10 + ["PD"] * 20)
    x = np.arange(30.0) + rng.normal(0, 6, size=30)
    table, outcomes = make_table(cohort, early=x), ims.endpoints.derive(cohort)
    found = cross_validate(table, outcomes, endpoint="pfs", risk_by=5.0, seed=4, **(QUICK | {"n_bootstrap": 0}))
    time, event = outcomes["pfs_time"].to_numpy(float), outcomes["pfs_event"].to_numpy(bool)
    data = Patients(x[:, None], event, time, np.arange(30))
    risks = []
    for i in range(2):
        risk, deal = np.zeros(30), np.random.default_rng([4, 0, i])
        for train, test in deal_folds(data, 3, deal):
            eta = fit_tuned(Recipe("ridge_cox", None, 0, 3), data.take(train), deal).linear(data.x)[0]
            hazard = 0.0
            for moment in sorted(time[train][event[train] & (time[train] <= 5)]):
                hazard += 1 / np.exp(eta[train][time[train] >= moment]).sum()
            risk[test] = 1 - np.exp(-hazard * np.exp(eta[test]))
        risks.append(risk)
    scores = [stats.brier_censored(one, time, event, by=5.0).score for one in risks]
    assert found.estimate("brier") == pytest.approx(np.mean(scores), abs=1e-10)
    assert found.estimate("brier") < found.estimate("brier", "no_model")
    mean = np.mean(risks, axis=0)
    for i, third in enumerate(np.array_split(np.argsort(mean), 3)):
        group = found.calibration.iloc[i]
        assert group["predicted"] == pytest.approx(mean[third].mean(), abs=1e-10)
        assert group["n_events"] == (event & (time <= 5))[third].sum()
        free, low, high = (float(one) for one in stats.kaplan_meier(time[third], event[third]).at(5.0))
        told = group[["observed", "conf_low", "conf_high"]].astype(float).tolist()
        assert told == pytest.approx([1 - free, 1 - high, 1 - low], nan_ok=True)
    assert group["conf_low"] < group["observed"] < group["conf_high"]  # the last third has both
    assert group["n_events"] > (event & (time < 4))[third].sum()
    half = found.decision_curve.query("threshold == 0.5").iloc[0]
    gain = stats.net_benefit_censored(mean, time, event, by=5.0, thresholds=[0.5])
    assert half["model"] == pytest.approx(gain.model[0], abs=1e-10)
    late = cross_validate(table, outcomes, endpoint="pfs", risk_by=500.0, **(QUICK | {"n_bootstrap": 0}))
    assert np.isnan(late.estimate("brier"))
    assert "no fold may end before" in late.performance.query("measure == 'brier'")["method"].iloc[0]
    assert len(late.decision_curve) == 0
    with pytest.raises(PlanError, match="must be a month above 0, of a time-to-event endpoint"):
        cross_validate(table, outcomes, endpoint="objective_response", risk_by=6.0)


def test_too_few_patients_is_the_answer():
    table, outcomes = _trial(1.0, p=8)
    found = cross_validate(table, outcomes, endpoint="objective_response", min_events_per_parameter=5.0)
    assert found.status.startswith("not enough data to model: 9 events for 8 candidates, 1.1 for each")
    assert "Name at most 1 in advance" in found.status
    assert not found.modelled
    assert found.performance["estimate"].isna().all()
    assert found.predictions["predicted"].isna().all()
    open_gate = cross_validate(table, outcomes, endpoint="objective_response", **QUICK)
    assert open_gate.status.startswith("exploratory")
    covariate = pd.Series(np.arange(36.0), index=table.index, name="age")
    counted = cross_validate(table, outcomes, endpoint="objective_response", covariates=covariate)
    assert counted.n_parameters == found.n_parameters + 1


def test_the_gate_counts_the_rarer_outcome():
    table, outcomes = _trial(1.0, p=1)
    n_response = int((outcomes["best_overall_response"] == "PR").sum())
    needed = min(n_response, 36 - n_response)
    shut = cross_validate(table, outcomes, endpoint="objective_response", min_events_per_parameter=needed + 1)
    assert not shut.modelled
    ajar = cross_validate(
        table, outcomes, endpoint="objective_response", **(QUICK | {"min_events_per_parameter": needed})
    )
    assert ajar.modelled


def test_degenerate_cohorts_answer_in_words(degenerate):
    cohort, features = degenerate
    table = make_table(cohort, **features)
    found = cross_validate(
        table, ims.endpoints.derive(cohort), endpoint="objective_response", **(QUICK | {"n_folds": 2})
    )
    assert found.status.startswith(("exploratory", "not enough data to model"))


def test_what_cannot_be_asked_is_refused(cohort, outcomes):
    table = make_table(cohort, x=np.arange(10.0))
    with pytest.raises(PlanError, match="pooling their scores over folds is biased"):
        cross_validate(table, outcomes, endpoint="objective_response", n_folds=10)
    with pytest.raises(PlanError, match="is ordinal"):
        cross_validate(table, outcomes, endpoint="best_overall_response")
    with pytest.raises(PlanError, match="use ridge_cox"):
        cross_validate(table, outcomes, endpoint="pfs", model="lasso_logistic")
    with pytest.raises(UnknownNameError, match="Did you mean 'ridge_cox'"):
        cross_validate(table, outcomes, endpoint="pfs", model="ridge_coxx")
    with pytest.raises(UnknownNameError, match="Did you mean 'pfs'"):
        cross_validate(table, outcomes, endpoint="pfss")
    with pytest.raises(PlanError, match="n_repeats must be a whole number of at least 1, not 0; level must"):
        cross_validate(table, outcomes, endpoint="pfs", n_repeats=0, level=95)
    with pytest.raises(PlanError, match="n_select must be at least 1"):
        cross_validate(table, outcomes, endpoint="pfs", n_select=0)
    with pytest.raises(ImmortalTimeError):
        cross_validate(make_table(cohort, "on", x=np.arange(10.0)), outcomes, endpoint="pfs")
    assert pipeline.PREDICTORS["ridge_cox"].kind == "time_to_event"
