"""Association: the numbers by their definitions, the guard, the refusals, the degenerate cohorts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats as scipy_stats

import immunosarc as ims
from immunosarc import schema, stats
from immunosarc.errors import ImmortalTimeError, PlanError, UnknownNameError
from immunosarc.models import MODELS, associate

from .conftest import RESPONSES, make_cohort, make_table

QUICK = {"n_permutations": 400}
RESPONDED = np.isin(RESPONSES, ["CR", "PR"])
ENDPOINT_OF = {"binary": "objective_response", "ordinal": "best_overall_response", "time_to_event": "pfs"}
VALUES = np.array([5.0, 3, 8, 3, 1, 9, 2, 2, 7, 0])


def auc_by_counting(values: np.ndarray, group: np.ndarray, stratum: np.ndarray) -> float:
    """Share of (responder, non-responder) pairs of one stratum that the responder wins."""
    wins = pairs = 0.0
    for a in range(len(values)):
        for b in range(len(values)):
            if group[a] and not group[b] and stratum[a] == stratum[b]:
                pairs += 1
                wins += (values[a] > values[b]) + 0.5 * (values[a] == values[b])
    return wins / pairs


def test_auc_counts_pairs_within_strata(cohort: ims.Cohort, outcomes: pd.DataFrame) -> None:
    stage = pd.Series(list("ababababab"), index=cohort.patients.index, name="stage")
    ask = {"endpoint": "objective_response", "model": "mann_whitney", **QUICK}
    plain = associate(make_table(cohort, x=VALUES), outcomes, **ask)
    within = associate(make_table(cohort, x=VALUES), outcomes, **ask, strata=stage)
    assert plain["estimate"].item() == pytest.approx(auc_by_counting(VALUES, RESPONDED, np.zeros(10)))
    assert within["estimate"].item() == pytest.approx(auc_by_counting(VALUES, RESPONDED, stage.to_numpy()))
    assert within["stratified_by"].item() == "stage"
    assert (plain["n"].item(), plain["n_events"].item()) == (10, 3)


def test_strata_undo_simpsons_paradox() -> None:
    """A marker that differs between stages only, where response differs between stages too."""
    rng = np.random.default_rng(3)
    stage = ["1"] * 30 + ["2"] * 30
    cohort = make_cohort(["PR"] * 24 + ["PD"] * 6 + ["PR"] * 6 + ["PD"] * 24, stage=stage)
    table = make_table(cohort, marker=np.r_[rng.normal(3, 1, 30), rng.normal(0, 1, 30)])
    outcomes = ims.endpoints.derive(cohort)
    ask = {"endpoint": "objective_response", "model": "mann_whitney"}
    naive = associate(table, outcomes, **ask, **QUICK)
    within = associate(table, outcomes, **ask, strata=cohort.patients["schedule_stage"], **QUICK)
    assert naive["estimate"].item() > 0.7
    assert naive["p_maxt"].item() < 0.01
    assert abs(within["estimate"].item() - 0.5) < 0.15
    assert within["p_maxt"].item() > 0.05


def test_maxt_is_the_share_of_permutations_whose_best_feature_does_as_well(
    cohort: ims.Cohort, outcomes: pd.DataFrame
) -> None:
    rng = np.random.default_rng(11)
    values = rng.normal(size=(10, 6))
    values[:3, 0] += 1.5
    table = make_table(cohort, **{f"f{j}": values[:, j] for j in range(6)})
    result = associate(
        table, outcomes, endpoint="objective_response", model="mann_whitney", n_permutations=4000, seed=2
    )

    def largest(group: np.ndarray) -> tuple[float, int]:
        away = [abs(scipy_stats.mannwhitneyu(v[group], v[~group]).statistic - 10.5) for v in values.T]
        return max(away), int(np.argmax(away))

    seen, best = largest(RESPONDED)
    triples = [(a, b, c) for a in range(10) for b in range(a + 1, 10) for c in range(b + 1, 10)]
    exact = np.mean([largest(np.isin(np.arange(10), t))[0] >= seen - 1e-9 for t in triples])
    error = np.sqrt(exact * (1 - exact) / 4000)
    assert abs(result["p_maxt"][best] - exact) < 4 * error + 1 / 4001
    assert (result["p_maxt"] >= result["p_exact"] - 4 * error).all()


def test_per_sd_scales_logs_but_not_the_auc(cohort: ims.Cohort, outcomes: pd.DataFrame) -> None:
    table = make_table(cohort, x=VALUES)
    for model, measure in (("firth_logistic", "log_odds_ratio"), ("mann_whitney", "auc")):
        ask = {"endpoint": "objective_response", "model": model, **QUICK}
        raw, scaled = associate(table, outcomes, **ask), associate(table, outcomes, **ask, per_sd=True)
        factor = 1.0 if measure == "auc" else VALUES.std(ddof=1)
        assert scaled["measure"].item() == measure + ("" if measure == "auc" else "_per_sd")
        for column in ("estimate", "conf_low", "conf_high", "detectable_80"):
            assert scaled[column].item() == pytest.approx(raw[column].item() * factor, nan_ok=True)
        assert scaled["p_value"].item() == raw["p_value"].item()


def test_the_noise_ceiling_is_where_maxt_begins_to_reject() -> None:
    """With one feature the ceiling is the two-sided critical value."""
    cohort = make_cohort(["PR"] * 20 + ["PD"] * 20)
    table = make_table(cohort, x=np.random.default_rng(0).normal(size=40))
    ask = {"endpoint": "objective_response", "model": "mann_whitney", "n_permutations": 20_000}
    result = associate(table, ims.endpoints.derive(cohort), **ask)
    assert result["noise_ceiling"].item() == pytest.approx(1.96, abs=0.05)
    assert result["detectable_80"].item() == pytest.approx(0.746, abs=0.006)


@pytest.mark.parametrize("model", list(MODELS))
def test_the_detectable_effect_never_looks_at_the_observed_one(model: str) -> None:
    cohort = make_cohort(["PR"] * 20 + ["PD"] * 20)
    values = np.r_[np.arange(40.0)[::2], np.arange(40.0)[1::2]] + np.repeat([9.0, 0.0], 20)
    endpoint = ENDPOINT_OF[MODELS[model].kind]
    ask = {"endpoint": endpoint, "model": model, "n_permutations": 8000}
    outcomes = ims.endpoints.derive(cohort)
    one = associate(make_table(cohort, x=values), outcomes, **ask)
    other = associate(make_table(cohort, x=values[::-1].copy()), outcomes, **ask)
    assert one["estimate"].item() * other["estimate"].item() < 0 or model == "mann_whitney"
    assert one["estimate"].item() != pytest.approx(other["estimate"].item(), rel=0.1)
    assert one["detectable_80"].item() == pytest.approx(other["detectable_80"].item(), rel=0.03)


@pytest.mark.parametrize("endpoint", [e.name for e in schema.ENDPOINTS.values() if e.time_defined])
def test_features_on_treatment_are_refused_where_time_defines_the_endpoint(
    cohort: ims.Cohort, outcomes: pd.DataFrame, endpoint: str
) -> None:
    table = make_table(cohort, "on", x=np.arange(10.0))
    kind = schema.ENDPOINTS[endpoint].kind
    model = next(name for name in MODELS if MODELS[name].kind == kind)
    with pytest.raises(ImmortalTimeError, match=r"landmark.*objective_response"):
        associate(table, outcomes, endpoint=endpoint, model=model)


def test_features_on_treatment_may_meet_objective_response_and_say_so(
    cohort: ims.Cohort, outcomes: pd.DataFrame
) -> None:
    table = make_table(cohort, "on", x=np.arange(10.0))
    result = associate(table, outcomes, endpoint="objective_response", model="mann_whitney", **QUICK)
    assert "conditional on having an on-treatment sample" in result["population"].item()
    assert result["family"].item() == "on/objective_response/mann_whitney/panel"


def test_refusals_name_the_cure(cohort: ims.Cohort, outcomes: pd.DataFrame) -> None:
    table = make_table(cohort, x=np.arange(10.0))
    with pytest.raises(UnknownNameError, match="Did you mean 'objective_response'"):
        associate(table, outcomes, endpoint="objective_respons", model="mann_whitney")
    with pytest.raises(PlanError, match="use mann_whitney or firth_logistic or logistic"):
        associate(table, outcomes, endpoint="objective_response", model="cox")
    with pytest.raises(PlanError, match="indexed by patient_id, not str"):
        associate(table, outcomes, endpoint="objective_response", model="mann_whitney", strata="stage")
    with pytest.raises(PlanError, match="none of its rows is a patient"):
        associate(table, outcomes, endpoint="pfs", model="cox", strata=pd.Series(["a"], index=["nobody"]))
    age = pd.Series(np.arange(10.0), index=cohort.patients.index)
    with pytest.raises(PlanError, match="takes no covariates"):
        associate(table, outcomes, endpoint="objective_response", model="mann_whitney", covariates=age)
    with pytest.raises(PlanError, match="derive both from one cohort"):
        associate(table, outcomes.set_axis([f"X{i}" for i in range(10)]), endpoint="pfs", model="cox")
    with pytest.raises(ims.errors.SchemaError, match="timepoint: column is missing"):
        associate(table.drop(columns="timepoint"), outcomes, endpoint="pfs", model="cox")


@pytest.mark.parametrize("model", list(MODELS))
def test_degenerate_cohorts_keep_their_rows_and_say_why(
    degenerate: tuple[ims.Cohort, dict[str, object]], model: str
) -> None:
    cohort, features = degenerate
    endpoint = ENDPOINT_OF[MODELS[model].kind]
    table = make_table(cohort, **features)
    result = associate(table, ims.endpoints.derive(cohort), endpoint=endpoint, model=model, **QUICK)
    assert result["feature"].tolist() == list(features)
    hopeless = result["estimate"].isna()
    assert (result.loc[hopeless, "status"] != "ok").all()
    assert result.loc[~hopeless, ["conf_low", "conf_high"]].notna().all().all()
    schema.ASSOCIATION.check(result)


def _kernel_rows(
    model: str, values: np.ndarray, o: pd.DataFrame, stage: np.ndarray, age: np.ndarray
) -> stats.Fits:
    """Each model called directly, with a stratum and, where it takes one, a covariate."""
    time, event = o["pfs_days"].to_numpy(float) / 30.4375, o["pfs_event"].to_numpy(bool)
    grade = o["best_overall_response"].map({"PD": 0, "SD": 1, "PR": 2, "CR": 3}).to_numpy(float)
    responded = o["objective_response"].to_numpy(bool)
    both = np.column_stack([age, stage == "b"])
    return {
        "mann_whitney": lambda: stats.mann_whitney(values, responded, strata=stage),
        "firth_logistic": lambda: stats.firth_logistic(values, responded, covariates=both),
        "logistic": lambda: stats.logistic(values, responded, covariates=both),
        "cox": lambda: stats.cox(values, time, event, covariates=age[:, None], strata=stage),
        "cox_time_dependent": lambda: stats.cox(values, time, event, covariates=age[:, None], strata=stage),
        "firth_cox": lambda: stats.firth_cox(values, time, event, covariates=age[:, None], strata=stage),
        "log_rank": lambda: stats.log_rank(values, time, event, strata=stage),
        "proportional_odds": lambda: stats.proportional_odds(values, grade, covariates=both),
        "rank_correlation": lambda: stats.rank_correlation(values, grade, strata=stage),
    }[model]()


@pytest.mark.parametrize("model", list(MODELS))
def test_every_model_is_its_kernel_with_strata_and_covariates(model: str) -> None:
    rng = np.random.default_rng(14)
    cohort = make_cohort(list(rng.permutation(np.repeat(["CR", "PR", "SD", "PD"], [4, 8, 14, 14]))))
    outcomes = ims.endpoints.derive(cohort)
    ids = cohort.patients.index
    values, age, stage = rng.normal(size=(40, 2)), rng.normal(size=40), rng.permutation(np.repeat(["a", "b"], 20))
    record = MODELS[model]
    result = associate(
        make_table(cohort, x=values[:, 0], y=values[:, 1]),
        outcomes,
        endpoint=ENDPOINT_OF[record.kind],
        model=model,
        strata=pd.Series(stage, index=ids, name="stage"),
        covariates=pd.Series(age, index=ids, name="age") if record.covariates else None,
        **QUICK,
    )
    expected = _kernel_rows(model, values, outcomes, stage, age)
    for column in ("n", "n_events", "estimate", "std_error", "conf_low", "conf_high", "statistic", "p_value"):
        np.testing.assert_allclose(result[column].to_numpy(float), getattr(expected, column), rtol=1e-7)
    assert (result["status"] == "ok").all()
    assert result["p_maxt"].notna().all()


def test_the_grades_leave_out_who_cannot_be_judged() -> None:
    cohort = make_cohort(["CR", "NE", "PR", "SD", "SD", "PD", "PD", "PD"])
    table = make_table(cohort, x=[8.0, 1, 7, 5, 4, 3, 2, 1])
    ask = {"endpoint": "best_overall_response", "model": "rank_correlation"}
    result = associate(table, ims.endpoints.derive(cohort), **ask, **QUICK).iloc[0]
    assert (result["n"], result["n_events"]) == (7, 4)
    declared = cohort.patients.assign(response_evaluable=[False, *[True] * 7])
    judged = associate(table, ims.endpoints.derive(ims.Cohort(declared, cohort.samples)), **ask, **QUICK).iloc[0]
    assert judged["n"] == 6  # neither the CR declared not evaluable nor the NE
    assert result["estimate"] > 0.9  # a high value goes with the better response


def test_a_split_has_no_unit(cohort: ims.Cohort, outcomes: pd.DataFrame) -> None:
    ask = {"endpoint": "pfs", "model": "log_rank", **QUICK}
    table = make_table(cohort, x=VALUES)
    raw, scaled = associate(table, outcomes, **ask), associate(table, outcomes, **ask, per_sd=True)
    pd.testing.assert_frame_equal(raw, scaled)
    halves = stats.detectable_log_hazard_ratio(
        (np.median(VALUES) < VALUES)[:, None] * 1.0, outcomes["pfs_event"], alpha=0.05, power=0.5
    )
    assert raw["noise_ceiling"].item() == pytest.approx(halves[0], rel=0.25)


def test_covariates_are_adjusted_for_and_named() -> None:
    """A feature that only echoes the covariate has nothing left once it is adjusted for."""
    rng = np.random.default_rng(6)
    cohort = make_cohort(["PR"] * 30 + ["PD"] * 30)
    burden = pd.Series(
        np.r_[rng.normal(2, 1, 30), rng.normal(0, 1, 30)], index=cohort.patients.index, name="burden"
    )
    table = make_table(cohort, echo=burden.to_numpy() + rng.normal(0, 0.5, 60))
    ask = {"endpoint": "objective_response", "model": "firth_logistic", **QUICK}
    alone = associate(table, ims.endpoints.derive(cohort), **ask)
    adjusted = associate(table, ims.endpoints.derive(cohort), **ask, covariates=burden)
    assert alone["p_maxt"].item() < 0.01
    assert adjusted["p_maxt"].item() > 0.05
    assert adjusted["p_value"].item() > 0.05
    assert adjusted["adjusted_for"].item() == "burden"


def test_inputs_stay_as_they_were_and_seeds_repeat(cohort: ims.Cohort, outcomes: pd.DataFrame) -> None:
    table = make_table(cohort, x=np.arange(10.0))
    before, outcomes_before = table.copy(), outcomes.copy()
    ask = {"endpoint": "pfs", "model": "cox", "n_permutations": 300}
    first = associate(table, outcomes, **ask, seed=4)
    assert first.equals(associate(table, outcomes, **ask, seed=4))
    pd.testing.assert_frame_equal(table, before)
    pd.testing.assert_frame_equal(outcomes, outcomes_before)


def test_patients_without_tissue_or_endpoint_are_left_out_and_counted() -> None:
    cohort = make_cohort([*RESPONSES, "NE"])
    table = make_table(cohort, x=np.r_[np.nan, np.arange(10.0)])
    ask = {"endpoint": "objective_response", "model": "mann_whitney"}
    result = associate(table, ims.endpoints.derive(cohort), **ask, **QUICK)
    assert (result["n"].item(), result["n_events"].item()) == (9, 2)


def test_a_pre_feature_measured_after_day_1_is_no_pre_feature(cohort: ims.Cohort, outcomes: pd.DataFrame) -> None:
    late = make_table(cohort, x=np.arange(10.0)).assign(measured_day=30.0)
    with pytest.raises(ims.errors.SchemaError, match="after day 1 on a 'pre' feature"):
        associate(late, outcomes, endpoint="pfs", model="cox")


@pytest.mark.parametrize("role", ["covariates", "strata"])
def test_an_outcome_is_no_covariate(cohort: ims.Cohort, outcomes: pd.DataFrame, role: str) -> None:
    table = make_table(cohort, x=np.arange(10.0))
    with pytest.raises(ImmortalTimeError, match="had to live long enough to be called a responder"):
        associate(table, outcomes, endpoint="pfs", model="cox", **{role: outcomes["best_overall_response"]})


def test_covariate_levels_of_patients_without_tissue_change_nothing() -> None:
    cohort = make_cohort(["PR"] * 12 + ["PD"] * 12)
    values = np.random.default_rng(3).normal(size=24)
    values[[0, 20]] = np.nan
    site = pd.Series(["lung", "skin"] * 12, index=cohort.patients.index, name="site")
    other = site.mask(np.isnan(values), "unknown").astype("category")
    ask = {"endpoint": "objective_response", "model": "firth_logistic", **QUICK}
    table, outcomes = make_table(cohort, x=values), ims.endpoints.derive(cohort)
    plain, extra = (associate(table, outcomes, **ask, covariates=one) for one in (site, other))
    assert extra["status"].item() == "ok"
    assert extra["estimate"].item() == pytest.approx(plain["estimate"].item())
    assert "site known" in extra["population"].item()


def test_patients_without_a_feature_do_not_move_p_maxt() -> None:
    cohort = make_cohort(["PR"] * 8 + ["PD"] * 12)
    values = np.r_[np.arange(16.0)[::-1], [np.nan] * 4]
    ask = {"endpoint": "objective_response", "model": "mann_whitney", "n_permutations": 500}
    measured = cohort.select(patients=list(cohort.patients.index[:16]))
    whole = associate(make_table(cohort, x=values), ims.endpoints.derive(cohort), **ask)
    part = associate(make_table(measured, x=values[:16]), ims.endpoints.derive(measured), **ask)
    assert whole["p_maxt"].item() == part["p_maxt"].item()


def test_a_covariate_that_the_strata_hold_already_is_refused(cohort: ims.Cohort, outcomes: pd.DataFrame) -> None:
    stage = pd.Series(list("ababababab"), index=cohort.patients.index, name="stage")
    ask = {"endpoint": "objective_response", "model": "firth_logistic", "covariates": stage, "strata": stage}
    with pytest.raises(PlanError, match="the strata adjust for it already"):
        associate(make_table(cohort, x=np.arange(10.0)), outcomes, **ask)


def test_what_comes_from_a_simulated_trial_says_so(cohort: ims.Cohort) -> None:
    invented = ims.Cohort(cohort.patients, cohort.samples, provenance={"simulated": True})
    table = make_table(invented, x=np.arange(10.0))
    result = associate(
        table, ims.endpoints.derive(invented), endpoint="objective_response", model="mann_whitney", **QUICK
    )
    assert result["simulated"].tolist() == ["SIMULATED"]
