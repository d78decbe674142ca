"""A library of leaky pipelines, every one caught by the check that is meant for it; clean ones pass."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import immunosarc as ims
from immunosarc.errors import PlanError, UnknownNameError
from immunosarc.models import audit_leakage
from tests.models.conftest import make_cohort, make_table

OUTSIDE = "test_features_seen_in_training"
LABELS = "test_outcomes_seen"
OTHERS = "test_patients_see_each_other"
CANARY = "shuffled_outcomes"
QUICK = {"endpoint": "objective_response", "n_folds": 3, "n_shuffles": 6}


def _trial(n: int = 30, p: int = 12, seed: int = 0, *, missing: bool = True) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng([21, seed])
    x = rng.normal(5, 2, size=(n, p))
    if missing:
        x[rng.random(x.shape) < 0.04] = np.nan
    response = rng.permutation(n) < n // 3
    cohort = make_cohort(["PR" if one else "PD" for one in response])
    table = make_table(cohort, **{f"f{j}": x[:, j] for j in range(p)})
    return table, ims.endpoints.derive(cohort)


@pytest.fixture(scope="module")
def trial():
    return _trial()


def _fit(x, event, rows):
    return make_pipeline(StandardScaler(), LogisticRegression(C=0.3)).fit(x.loc[rows], event[rows])


def _scores(model, x):
    return pd.Series(model.decision_function(x), index=x.index)


def _filled(features, rows):
    return features.fillna(features.loc[rows].median())


def impute_on_all(features, outcome, train, test):
    x = features.fillna(features.median())
    return _scores(_fit(x, outcome["event"], train), x)


def scale_on_all(features, outcome, train, test):
    x = _filled(features, train)
    x = (x - x.mean()) / x.std()
    return _scores(LogisticRegression().fit(x.loc[train], outcome.loc[train, "event"]), x)


def rank_on_all(features, outcome, train, test):
    x = _filled(features, train).rank()
    return _scores(_fit(x, outcome["event"], train), x)


def components_of_all(features, outcome, train, test):
    x = _filled(features, train)
    x = pd.DataFrame(PCA(3).fit_transform(x), index=x.index)
    return _scores(_fit(x, outcome["event"], train), x)


def residuals_of_all(features, outcome, train, test):
    x = _filled(features, train)
    x = x.sub(x.mean(axis=0) * 0.5 + x.median(axis=0) * 0.5)
    return _scores(LogisticRegression().fit(x.loc[train], outcome.loc[train, "event"]), x)


def select_on_all(features, outcome, train, test):
    x = _filled(features, train)
    x = x.loc[:, SelectKBest(k=4).fit(x, outcome["event"]).get_support()]
    return _scores(_fit(x, outcome["event"], train), x)


def direction_from_all(features, outcome, train, test):
    x = _filled(features, train)["f0"]
    gap = x[outcome["event"]].mean() - x[~outcome["event"]].mean()
    return x * np.sign(gap) + 0.001 * gap


def fitted_on_all(features, outcome, train, test):
    x = _filled(features, train)
    return _scores(_fit(x, outcome["event"], list(features.index)), x)


def tuned_on_test(features, outcome, train, test):
    x = _filled(features, train)
    event = outcome["event"]
    models = [LogisticRegression(C=c, max_iter=5_000).fit(x.loc[train], event[train]) for c in (0.001, 0.1, 10.0)]
    losses = [np.mean((m.predict_proba(x.loc[test])[:, 1] - event[test]) ** 2) for m in models]
    best = models[int(np.argmin(losses))]
    return _scores(best, x) + min(losses)


def outcome_encoded_on_all(features, outcome, train, test):
    x = _filled(features, train)
    quarter = pd.cut(x["f1"], 4, labels=False)
    group = quarter.map(outcome["event"].groupby(quarter).mean())
    x = x.assign(group=group)
    return _scores(_fit(x, outcome["event"], train), x)


def copies_before_the_split(features, outcome, train, test):
    x = _filled(features, train)
    more = [*train, *(one for one in x.index if outcome.loc[one, "event"])]
    return _scores(_fit(x, outcome["event"], more), x)


def neighbors_of_all(features, outcome, train, test):
    x = _filled(features, train)
    model = KNeighborsClassifier(1).fit(x, outcome["event"])
    return pd.Series(model.predict_proba(x)[:, 1], index=x.index)


def thresholded_on_all(features, outcome, train, test):
    x = _filled(features, train)["f2"]
    cuts = sorted(x)[5:-5]
    gain = [abs((outcome["event"] == (x > cut)).mean() - 0.5) for cut in cuts]
    return (x > cuts[int(np.argmax(gain))]).astype(float) + x * 1e-3 + max(gain)


def held_out_standardized_alone(features, outcome, train, test):
    x = _filled(features, train)
    model = LogisticRegression().fit(
        (x.loc[train] - x.loc[train].mean()) / x.loc[train].std(), outcome.loc[train, "event"]
    )
    alone = (x.loc[test] - x.loc[test].mean()) / x.loc[test].std()
    return _scores(model, alone)


LEAKY = {
    impute_on_all: OUTSIDE,
    scale_on_all: OUTSIDE,
    rank_on_all: OUTSIDE,
    components_of_all: OUTSIDE,
    residuals_of_all: OUTSIDE,
    select_on_all: LABELS,
    direction_from_all: LABELS,
    fitted_on_all: CANARY,
    tuned_on_test: LABELS,
    outcome_encoded_on_all: LABELS,
    copies_before_the_split: LABELS,
    neighbors_of_all: CANARY,
    thresholded_on_all: LABELS,
    held_out_standardized_alone: OTHERS,
}


def _failed(audit: pd.DataFrame) -> set[str]:
    return set(audit.loc[~audit["passed"].fillna(True).astype(bool), "check"])


@pytest.mark.parametrize("leaky", list(LEAKY), ids=lambda f: f.__name__)
def test_a_leaky_pipeline_is_caught(leaky, trial):
    table, outcomes = trial
    audit = audit_leakage(leaky, table, outcomes, **QUICK)
    assert LEAKY[leaky] in _failed(audit)
    row = audit.set_index("check").loc[LEAKY[leaky]]
    assert row["found"] > row["limit"]
    assert row["finding"] != "nothing found"


def clean_function(features, outcome, train, test):
    x = _filled(features, train)
    best = SelectKBest(k=4).fit(x.loc[train], outcome.loc[train, "event"]).get_support()
    return _scores(_fit(x.loc[:, best], outcome["event"], train), x.loc[:, best])


CLEAN = {
    "function": clean_function,
    "estimator": make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression()),
    "neighbors": make_pipeline(SimpleImputer(), KNeighborsClassifier(3)),
    "ridge_logistic": "ridge_logistic",
}


@pytest.mark.parametrize("name", list(CLEAN))
def test_a_clean_pipeline_passes(name, trial):
    table, outcomes = trial
    before = table.copy(), outcomes.copy()
    audit = audit_leakage(CLEAN[name], table, outcomes, **QUICK)
    assert _failed(audit) == set()
    assert audit["check"].is_unique
    assert (audit.set_index("check").loc[[OUTSIDE, LABELS, OTHERS], "found"] == 0).all()
    pd.testing.assert_frame_equal(table, before[0])
    pd.testing.assert_frame_equal(outcomes, before[1])


def test_a_clean_survival_pipeline_passes_and_a_leaky_one_does_not():
    table, outcomes = _trial(missing=False)
    asked = {"endpoint": "pfs", "n_folds": 2, "n_shuffles": 5}
    assert _failed(audit_leakage("ridge_cox", table, outcomes, **asked)) == set()

    def leaky(features, outcome, train, test):
        return features["f0"] - outcome["time"]

    assert {LABELS, CANARY} <= _failed(audit_leakage(leaky, table, outcomes, **asked))


def test_selection_outside_the_fold_finds_everything_in_noise():
    """500 features of noise, the ten best of all patients: an AUC above 0.9 that is worth nothing."""
    found = []
    for seed in range(4):
        table, outcomes = _trial(p=500, seed=seed, missing=False)
        x = table.drop(columns=["timepoint", "measured_day", "status"]).astype(float)
        event = outcomes["objective_response"].astype(bool)
        best = SelectKBest(k=10).fit(x, event).get_support()
        order = np.argsort(~event.to_numpy(), kind="stable")
        fold = np.empty(30, dtype=int)
        fold[order] = np.arange(30) % 5
        for one in range(5):
            train, test = x.index[fold != one], x.index[fold == one]
            scores = _scores(_fit(x.loc[:, best], event, train), x.loc[:, best])[test]
            found.append(ims.stats.area_under_curve(scores, event[test]))
    assert np.mean(found) > 0.9
    assert {LABELS, CANARY} <= _failed(audit_leakage(select_on_all, table.iloc[:, :150], outcomes, **QUICK))


def first_feature(features, outcome, train, test):
    return features["f0"].fillna(5.0)


def _only(check: str, table: pd.DataFrame, outcomes: pd.DataFrame, **asked: object) -> str:
    audit = audit_leakage(first_feature, table, outcomes, **(QUICK | asked))
    assert check in _failed(audit)
    return audit.set_index("check").loc[check, "finding"]


def test_what_stands_in_the_table_is_read(trial):
    table, outcomes = trial
    event = outcomes["objective_response"].astype(float)
    scaled = table.assign(f0=(table["f0"] - table["f0"].mean()) / table["f0"].std())
    assert "over all patients: f0." in _only("scaled_outside_the_fold", scaled, outcomes)
    ranked = table.assign(f0=np.random.default_rng(0).permutation(30) + 1.0)
    assert "f0" in _only("scaled_outside_the_fold", ranked, outcomes)
    assert "features: pfs6." in _only("outcome_among_features", table.assign(pfs6=event), outcomes)
    assert "hidden" in _only("outcome_among_features", table.assign(hidden=3 - event), outcomes)
    follow = np.log(outcomes["pfs_days"].astype(float))
    assert "depth" in _only("outcome_among_features", table.assign(depth=follow), outcomes)
    relative = table.copy()
    relative.attrs["scoring"] = {"f0": "zscore(log2_tpm)", "f1": "singscore(log2_tpm)"}
    assert "patients: f0 (zscore(log2_tpm))." in _only("cohort_relative_scores", relative, outcomes)
    alone = table.copy()
    alone.attrs["scoring"] = {"f1": "singscore(log2_tpm)"}
    audit = audit_leakage(first_feature, alone, outcomes, **QUICK).set_index("check")
    assert audit.loc["cohort_relative_scores", "passed"]
    twice = table.copy()
    names = [f"f{j}" for j in range(12)]
    twice.loc["P01", names] = twice.loc["P00", names]
    assert "P00, P01" in _only("same_patient_twice", twice, outcomes)


def test_what_was_measured_later_is_read():
    table, outcomes = _trial()
    later = table.assign(timepoint="on", measured_day=40.0)
    audit = audit_leakage("ridge_cox", later, outcomes, endpoint="pfs", n_shuffles=5).set_index("check")
    assert not audit.loc["measured_later", "passed"]
    assert "landmark_day" in audit.loc["measured_later", "finding"]
    assert audit.loc["shuffled_outcomes", "status"].startswith("not run")
    assert pd.isna(audit.loc["shuffled_outcomes", "passed"])
    settled = outcomes.assign(ttr_days=35.0)
    assert "P00" in _only("measured_later", later, settled)


def test_folds_and_fitted_objects_are_read(trial):
    table, outcomes = trial
    ids = list(table.index)
    splits = [(ids[:20], ids[19:]), (ids[10:], ids[:10])]
    assert "P19" in _only("patient_in_two_folds", table, outcomes, splits=splits)
    fitted = make_pipeline(SimpleImputer(), StandardScaler(), LogisticRegression())
    fitted[0].fit(table[["f0", "f1"]])
    audit = audit_leakage(fitted, table, outcomes, **QUICK).set_index("check")
    assert "SimpleImputer" in audit.loc["fitted_outside_the_fold", "finding"]


def test_a_pipeline_that_wobbles_is_told_so(trial):
    rng = np.random.default_rng(0)

    def random(features, outcome, train, test):
        return pd.Series(rng.normal(size=len(features)), index=features.index)

    audit = audit_leakage(random, *trial, **QUICK).set_index("check")
    assert not audit.loc["repeatable", "passed"]
    assert audit.loc[LABELS, "status"] == "two runs differ: fix the seed first"


def test_scores_of_test_patients_alone_leave_one_check_open(trial):
    def terse(features, outcome, train, test):
        return clean_function(features, outcome, train, test)[list(test)]

    audit = audit_leakage(terse, *trial, **QUICK).set_index("check")
    assert "no scores of training patients" in audit.loc[OUTSIDE, "status"]
    assert audit.loc[LABELS, "passed"]


def test_what_cannot_be_audited_is_refused(trial):
    table, outcomes = trial
    with pytest.raises(UnknownNameError, match="Did you mean 'ridge_logistic'"):
        audit_leakage("ridge_logistics", table, outcomes, **QUICK)
    with pytest.raises(PlanError, match="must be a function, a scikit-learn classifier or one of"):
        audit_leakage(3, table, outcomes, **QUICK)
    with pytest.raises(PlanError, match="must return a Series"):
        audit_leakage(lambda *_: 1.0, table, outcomes, **QUICK)
    with pytest.raises(PlanError, match="no column 'primary_resistance'"):
        audit_leakage("ridge_logistic", table, outcomes, **(QUICK | {"endpoint": "primary_resistance"}))
    with pytest.raises(PlanError, match="is ordinal"):
        audit_leakage(first_feature, table, outcomes, **(QUICK | {"endpoint": "best_overall_response"}))
    with pytest.raises(PlanError, match="not analyzed: Z9"):
        audit_leakage("ridge_logistic", table, outcomes, splits=[(["Z9"], ["P00"])], **QUICK)
    with pytest.raises(PlanError, match="n_shuffles must be at least 5"):
        audit_leakage("ridge_logistic", table, outcomes, endpoint="objective_response", n_shuffles=1)


def test_a_pipeline_that_cannot_take_the_table_says_what_it_needs():
    bare = make_pipeline(StandardScaler(), LogisticRegression())
    table, outcomes = _trial()
    with pytest.raises(PlanError, match=r"NaN.*need an imputer inside the pipeline"):
        audit_leakage(bare, table, outcomes, **QUICK)
    empty, outcomes = _trial(missing=False)
    with pytest.raises(PlanError, match="nobody trained on has f3; leave out"):
        audit_leakage(bare, empty.assign(f3=np.nan), outcomes, **QUICK)
