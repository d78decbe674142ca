"""Locked models: the same answer without the training patients, and a reason where there is none."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.errors import CoverageError, DataFileError, ImmortalTimeError, LockError, PlanError, UnitError
from immunosarc.models import LockedModel, cross_validate, lock_model, read_model, transport, write_model
from immunosarc.models._cross_validate_pipeline import Patients, Recipe, fit_tuned
from immunosarc.models._locked_record import content_hash
from tests.models.conftest import make_cohort, make_table

ASSAY = {"unit": "log2_tpm", "platform": "polya_rnaseq"}
WORDS = {"name": "demo", "intended_use": "An example.", **ASSAY}


def _trial(timepoint: str = "pre") -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(8)
    response = rng.random(40) < 0.4
    cohort = make_cohort(["PR" if one else "PD" for one in response])
    x = rng.normal(3, 2, size=(40, 4))
    x[:, 0] += 2 * response
    table = make_table(cohort, timepoint, **{name: x[:, j] for j, name in enumerate(["cyt", "tis", "emt", "tls"])})
    table.attrs = {"scoring": {"cyt": "mean_log2(log2_tpm)", "tis": "singscore(log2_tpm)"}, "unit": "log2_tpm"}
    return table, ims.endpoints.derive(cohort)


@pytest.fixture(scope="module")
def locked():
    table, outcomes = _trial()
    table.loc["P03", "tis"] = np.nan
    return lock_model(table, outcomes, endpoint="objective_response", seed=2, **WORDS)


def _new(rows: int = 5) -> pd.DataFrame:
    table, _ = _trial()
    new = table.drop(index="P03").head(rows).rename(index=lambda one: f"new_{one}")
    new.attrs = table.attrs
    return new


@pytest.mark.parametrize("endpoint", ["objective_response", "pfs"])
def test_it_predicts_what_the_pipeline_predicts(endpoint):
    table, outcomes = _trial()
    table.loc["P03", "tis"] = np.nan
    model = lock_model(table, outcomes, endpoint=endpoint, seed=2, **WORDS)
    x = table[["cyt", "tis", "emt", "tls"]].to_numpy(float)
    timed = endpoint == "pfs"
    event = outcomes["pfs_event" if timed else "objective_response"].to_numpy(bool)
    time = outcomes["pfs_time"].to_numpy(float) if timed else None
    data = Patients(x, event, time, np.arange(40))
    recipe = Recipe("ridge_cox" if timed else "ridge_logistic", None, 0, 5)
    fitted = fit_tuned(recipe, data, np.random.default_rng([2, 2]))
    told = model.predict(table, **ASSAY)
    known = np.arange(40) != 3
    assert told["linear_predictor"].to_numpy()[known] == pytest.approx(fitted.linear(x)[0][known], abs=1e-12)
    assert told["status"].iloc[3] == "not assignable: tis missing"
    assert (
        told["risk"].isna().all()
        if timed
        else told["risk"].iloc[0] == pytest.approx(1 / (1 + np.exp(-told["linear_predictor"].iloc[0])))
    )


def test_alone_as_in_company_to_the_last_digit(locked):
    new = _new()
    together = locked.predict(new, **ASSAY)
    for one in new.index:
        alone = new.loc[[one]]
        alone.attrs = new.attrs
        pd.testing.assert_frame_equal(locked.predict(alone, **ASSAY), together.loc[[one]], check_exact=True)


def test_the_file_is_small_whole_and_without_patients(locked, tmp_path):
    path = write_model(locked, tmp_path / "demo.json")
    assert read_model(path) == locked
    pd.testing.assert_frame_equal(
        read_model(path).predict(_new(), **ASSAY), locked.predict(_new(), **ASSAY), check_exact=True
    )
    text = path.read_text()
    assert len(text) < 4_000
    assert not any(f"P{i:02d}" in text for i in range(40))
    with pytest.raises(DataFileError, match="locked once"):
        write_model(locked, path)
    assert list(tmp_path.iterdir()) == [path]


def test_an_altered_file_is_refused(locked, tmp_path):
    path = write_model(locked, tmp_path / "demo.json")
    content = json.loads(path.read_text())
    for key, value, error, words in [
        ("intercept", content["intercept"] + 1e-6, LockError, "not those that were locked"),
        ("reference_hash", "abc", LockError, "not those that were locked"),
        ("format", "immunosarc model 2", DataFileError, "found 'immunosarc model 2'; lock the model anew"),
    ]:
        path.write_text(json.dumps(content | {key: value}))
        with pytest.raises(error, match=words):
            read_model(path)
    strange = {key: value for key, value in content.items() if key not in ("format", "sha256")}
    strange |= {"endpoint": "pfss", "intercept": "1"}
    path.write_text(json.dumps({"format": content["format"], "sha256": content_hash(strange), **strange}))
    with pytest.raises(DataFileError, match=r"intercept must be a number, not '1'(.|\n)*Did you mean 'pfs'"):
        read_model(path)
    path.write_text("{")
    with pytest.raises(DataFileError, match="cannot be read as JSON"):
        read_model(path)
    path.write_text("[1]")
    with pytest.raises(DataFileError, match="found 'list'"):
        read_model(path)


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"unit": "log2_cpm"}, "unit: the model was made from 'log2_tpm', this is 'log2_cpm'"),
        ({"platform": "nanostring"}, "platform: the model was made from 'polya_rnaseq', this is 'nanostring'"),
        ({"reference_hash": "f00"}, "reference hash: the model was made from 'none', this is 'f00'"),
    ],
)
def test_another_assay_is_refused(locked, other, words):
    with pytest.raises(UnitError, match=words):
        locked.predict(_new(), **(ASSAY | other))


def test_other_tables_are_refused(locked):
    new = _new()
    with pytest.raises(CoverageError, match=r"no column 'cyt'(.|\n)*Score these features"):
        locked.predict(new.drop(columns="cyt"), **ASSAY)
    with pytest.raises(UnitError, match="timepoint: the model was made from 'pre', this is 'on'"):
        locked.predict(new.assign(timepoint="on"), **ASSAY)
    other = new.copy()
    other.attrs = new.attrs | {"scoring": {"cyt": "mean_z(log2_tpm)"}}
    with pytest.raises(UnitError, match=r"scoring of cyt: the model was made from 'mean_log2\(log2_tpm\)'"):
        locked.predict(other, **ASSAY)
    other.attrs = {"unit": "tpm"}
    with pytest.raises(UnitError, match="unit of the scores"):
        locked.predict(other, **ASSAY)


def test_a_patient_outside_the_training_range_has_no_prediction(locked):
    new = _new()
    before = new.copy()
    new.loc["new_P01", "cyt"] = 99.0
    told = locked.predict(new, **ASSAY)
    assert told.loc["new_P01", "status"].startswith("not assignable: cyt 99 outside")
    assert np.isnan(told.loc["new_P01", "risk"])
    assert told["status"].drop("new_P01").eq("ok").all()
    high = next(one.high for one in locked.features if one.name == "cyt")
    new.loc["new_P01", "cyt"] = high  # the border belongs to the range
    assert locked.predict(new, **ASSAY)["status"].eq("ok").all()
    unmeasured = before.assign(status=["no sample", *["ok"] * 4])
    unmeasured.attrs = before.attrs
    assert locked.predict(unmeasured, **ASSAY)["status"].iloc[0] == "no sample"


def test_selection_leaves_the_rest_out_of_the_file():
    table, outcomes = _trial()
    model = lock_model(table, outcomes, endpoint="objective_response", n_select=1, **WORDS)
    assert [one.name for one in model.features] == ["cyt"]
    assert model.features[0].coefficient > 0


def test_the_card_says_how_good_and_for_whom():
    table, outcomes = _trial()
    table = table[["timepoint", "measured_day", "status", "cyt"]]
    quick = {"n_repeats": 1, "n_bootstrap": 4, "n_folds": 3}
    honest = cross_validate(table, outcomes, endpoint="objective_response", **quick)
    model = lock_model(table, outcomes, endpoint="objective_response", honest=honest, **WORDS)
    card = model.card()
    for words in (
        "# Model card: demo",
        "An example.",
        "polya_rnaseq",
        "not a medical device",
        model.hash,
        "Refuses",
    ):
        assert words in card
    assert f"- auc cross validated: {honest.estimate('auc'):.4g}"[:28] in card
    assert "not cross-validated" in lock_model(table, outcomes, endpoint="objective_response", **WORDS).card()
    with pytest.raises(PlanError, match="cross-validate the one that is locked"):
        lock_model(table, outcomes, endpoint="pfs", honest=honest, **WORDS)


def test_what_cannot_be_locked_is_refused():
    table, outcomes = _trial()
    with pytest.raises(
        PlanError, match=r"intended_use is empty(.|\n)*unit is 'tpm', but(.|\n)*platform must be one of"
    ):
        lock_model(
            table, outcomes, endpoint="pfs", **(WORDS | {"intended_use": " ", "unit": "tpm", "platform": "chip"})
        )
    cohort = make_cohort(["PR"] * 6)
    with pytest.raises(PlanError, match="nothing to fit"):
        lock_model(
            make_table(cohort, x=np.arange(6.0)),
            ims.endpoints.derive(cohort),
            endpoint="objective_response",
            **WORDS,
        )


def test_a_lasso_that_keeps_nothing_is_not_locked():
    table, outcomes = _trial()
    rng = np.random.default_rng(0)
    noise = table.assign(cyt=rng.normal(size=40), tis=rng.normal(size=40), emt=rng.normal(size=40), tls=1.0)
    with pytest.raises(PlanError, match="kept no feature: it predicts the same for everybody"):
        lock_model(noise, outcomes, endpoint="objective_response", model="lasso_logistic", seed=1, **WORDS)


def test_covariates_are_locked_as_features_and_words_are_refused():
    table, outcomes = _trial()
    table.attrs = {}
    old = pd.Series(np.arange(40) % 2 == 0, index=table.index, name="pretreated")
    model = lock_model(table, outcomes, endpoint="objective_response", covariates=old, n_select=1, seed=2, **WORDS)
    assert [one.name for one in model.features] == ["cyt", "pretreated"]
    with pytest.raises(CoverageError, match="no column 'pretreated'"):
        model.predict(table, **ASSAY)
    told = model.predict(table.assign(pretreated=old.astype(float)), **ASSAY)
    x = np.column_stack([table[["cyt", "tis", "emt", "tls"]].to_numpy(float), old])
    event = outcomes["objective_response"].to_numpy(bool)
    recipe = Recipe("ridge_logistic", 1, 1, 5)
    fitted = fit_tuned(recipe, Patients(x, event, None, np.arange(40)), np.random.default_rng([2, 2]))
    assert told["linear_predictor"].to_numpy() == pytest.approx(fitted.linear(x)[0], abs=1e-12)
    site = pd.Series(["a", "b"] * 20, index=table.index, name="site")
    with pytest.raises(PlanError, match="covariate 'site' is in words: give it as columns of 0 and 1"):
        lock_model(table, outcomes, endpoint="objective_response", covariates=site, **WORDS)
    with pytest.raises(PlanError, match="covariate 'cyt' is a feature already"):
        lock_model(table, outcomes, endpoint="objective_response", covariates=old.rename("cyt") * 1, **WORDS)


def test_on_treatment_features_count_from_the_landmark(tmp_path):
    table, outcomes = _trial("on")
    table["measured_day"] = 30.0
    with pytest.raises(ImmortalTimeError, match="landmark"):
        lock_model(table, outcomes, endpoint="os", **WORDS)
    model = lock_model(table, outcomes, endpoint="os", landmark_day=42, seed=2, **WORDS)
    assert model.landmark_day == 42
    assert read_model(write_model(model, tmp_path / "on.json")) == model
    assert "landmark: day 42" in model.card()
    late = table.assign(measured_day=[50.0, *[30.0] * 39])
    told = model.predict(late, **ASSAY)
    assert told["status"].iloc[0] == "not assignable: measured on day 50, the landmark is day 42"
    assert told["status"].iloc[1] == "ok"
    moved = transport(model, table, outcomes, **ASSAY)
    days = outcomes["os_time"].to_numpy(float) * 30.4375
    assert moved.performance["n"].iloc[0] + moved.performance["n_refused"].iloc[0] == (days > 42).sum()


def test_a_file_of_before_reads_with_the_same_hash():
    """Fields that came later are part of the hash only where they say something."""
    bare = LockedModel("demo", "pfs", "ridge_cox", "pre", "tpm", "other", "an example", 0.0, (), {})
    assert set(bare.content()) == {
        *("name", "endpoint", "model", "timepoint", "unit", "platform", "intended_use", "reference_hash"),
        *("intercept", "features", "training"),
    }


@pytest.mark.parametrize("method", ["mean_z", "gsva", "ssgsea_normalized"])
def test_a_score_that_changes_when_others_join_is_not_locked(method):
    table, outcomes = _trial()
    table.attrs = table.attrs | {"scoring": table.attrs["scoring"] | {"emt": f"{method}(log2_tpm)"}}
    with pytest.raises(PlanError, match=rf"emt \({method}\(log2_tpm\)\) depends on the other patients"):
        lock_model(table, outcomes, endpoint="objective_response", **WORDS)
