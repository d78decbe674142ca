"""The simulated trial: published counts for every seed, planted truth found, null left alone."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import immunosarc as ims
from immunosarc import catalog
from immunosarc.endpoints import derive, summarize
from immunosarc.errors import ImmunosarcError
from immunosarc.simulate._expression import _STREAMS, _draw
from immunosarc.simulate._genes import gene_model

SEEDS = range(40)


def log2_tpm(cohort: ims.Cohort) -> pd.DataFrame:
    return np.log2(cohort["rna"].to_df() + 1.0)


def at(cohort: ims.Cohort, timepoint: str, genes: list[str]) -> pd.Series:
    """Mean log2(TPM + 1) of some genes, one value per biopsied patient."""
    samples = cohort.samples[cohort.samples["timepoint"] == timepoint]
    tpm = cohort["rna"].to_df().loc[samples.index, genes]
    return np.log2(tpm + 1.0).mean(axis=1).set_axis(samples["patient_id"])


def difference(values: pd.Series, responds: pd.Series, strata: pd.Series) -> float:
    """Mean of responders minus that of non-responders within strata, weighted by information."""
    frame = pd.DataFrame({"x": values, "y": responds.reindex(values.index), "s": strata.reindex(values.index)})
    total = weight = 0.0
    for _, group in frame.dropna().groupby("s"):
        yes, no = group.loc[group["y"] == True, "x"], group.loc[group["y"] == False, "x"]  # noqa: E712
        if len(yes) and len(no):
            information = len(yes) * len(no) / len(group)
            total, weight = total + information * (yes.mean() - no.mean()), weight + information
    return total / weight


def near(values: list[float], expected: float) -> bool:
    """Whether the mean over seeds lies within 3.5 standard errors of what is expected."""
    return abs(np.mean(values) - expected) < 3.5 * np.std(values, ddof=1) / np.sqrt(len(values))


@pytest.fixture(scope="module")
def cohort() -> ims.Cohort:
    return ims.simulate_cohort(seed=7)


@pytest.fixture(scope="module")
def many() -> list[ims.Cohort]:
    return [ims.simulate_cohort(seed=seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def responds(cohort: ims.Cohort) -> pd.Series:
    return derive(cohort)["objective_response"]


@pytest.mark.parametrize("seed", range(21))
def test_published_counts_hold_for_every_seed(seed: int) -> None:
    simulated = ims.simulate_cohort(seed, n_null=1)
    table = summarize(derive(simulated), by=simulated.patients["schedule_stage"], null_rates={"pfs6": 0.434})
    found = table.set_index(["measure", "stratum"])
    counts = {
        ("objective_response", "all"): (10, 30),
        ("objective_response", "1"): (9, 16),
        ("objective_response", "2"): (1, 14),
        ("disease_control", "all"): (24, 30),
        ("pfs6", "all"): (13, 28),
        ("treatment_related_grade_3_4", "all"): (15, 33),
        ("immune_event_immunosuppression", "all"): (3, 33),
        ("median_pfs", "all"): (24, 33),
    }
    assert {key: tuple(found.loc[key, ["n_events", "n"]]) for key in counts} == counts
    weeks = found.loc[("median_pfs", "all"), ["estimate", "conf_low", "conf_high"]] * 30.4375 / 7
    assert [round(value, 1) for value in weeks] == [25.3, 24.0, 42.0]
    assert round(found.loc[("pfs6_kaplan_meier", "all"), "estimate"], 3) == 0.476
    assert round(found.loc[("pfs6", "all"), "p_value"], 3) == 0.444
    assert (found["simulated"] == "SIMULATED").all()


def test_same_seed_is_the_same_to_the_bit_and_another_is_not(cohort: ims.Cohort) -> None:
    assert cohort.equals(ims.simulate_cohort(seed=7))
    other = ims.simulate_cohort(seed=8)
    pd.testing.assert_frame_equal(cohort.patients, other.patients)
    pd.testing.assert_frame_equal(cohort.samples, other.samples)
    changed = cohort["rna"].to_df().to_numpy() != other["rna"].to_df().to_numpy()
    assert changed.all()


def test_it_says_simulated_and_where_the_counts_come_from(cohort: ims.Cohort) -> None:
    about = cohort.provenance
    assert cohort.simulated
    assert about["title"].startswith("SIMULATED")
    assert "10.1158/1078-0432.CCR-25-0618" in about["citation"]
    assert about["seed"] == 7


def test_no_outcome_is_given_away(cohort: ims.Cohort) -> None:
    derived = {"how", "pfs6", "pfs_weeks", "response_evaluable", "objective_response", "os_days", "os_event"}
    assert not derived & set(cohort.patients.columns)


def test_dates_tell_one_story(cohort: ims.Cohort) -> None:
    patients, how = cohort.patients, catalog.load_simulated_trial()["how"]
    died_on_study = how.str.startswith("death")
    assert died_on_study.sum() == 2
    assert (patients["death_day"] == patients["pfs_days"])[died_on_study].all()
    ongoing = patients[how == "ongoing at data cut"]
    assert len(ongoing) == 4
    assert ongoing["death_day"].isna().all()
    assert (ongoing["last_alive_day"] >= ongoing["pfs_days"]).all()
    assert (ongoing["data_cut_day"] < ongoing["pfs_days"] + 42).all()  # else the next scan would be known
    stage = patients["schedule_stage"]
    assert patients.loc[stage == "1", "data_cut_day"].min() > patients.loc[stage == "2", "data_cut_day"].max()
    never_scanned = how.str.startswith("no post-baseline scan")
    assert not (patients.loc[never_scanned, "death_day"] <= 84).any()  # earlier it would be an event
    assert patients["death_day"].isna().equals(patients["last_alive_day"].notna())


def test_biopsies_were_possible_and_some_are_missing(cohort: ims.Cohort) -> None:
    samples, patients = cohort.samples, cohort.patients
    assert samples["timepoint"].value_counts().to_dict() == {"pre": 29, "on": 22}
    assert len(cohort.pairs) == 20
    assert set(patients.index) - set(samples["patient_id"]) == {"SIM16", "SIM31"}
    assert samples.loc[samples["timepoint"] == "pre", "study_day"].between(-14, -1).all()
    on = samples[samples["timepoint"] == "on"].set_index("patient_id")
    assert on["study_day"].between(22, 45).all()
    for limit in ("pfs_days", "death_day", "data_cut_day"):
        assert not (on["study_day"] >= patients[limit].reindex(on.index)).any()


def test_histologies_are_those_of_the_trial(cohort: ims.Cohort) -> None:
    known, patients = catalog.histologies(), cohort.patients
    code = known.reset_index().set_index("label")["code"].reindex(patients["histology"]).set_axis(patients.index)
    assert code.notna().all()
    wider = code.map(known["parent"]).where(lambda parent: parent != "", code)
    responders = patients["best_overall_response"].isin(["CR", "PR"])
    assert set(wider[responders]) == set(known.index[known["responder"]])
    uterine = code.isin(["ULMS", "ESS"])
    assert (patients.loc[uterine, "sex"] == "female").all()


def test_every_catalog_gene_is_there_and_samples_sum_to_a_million(cohort: ims.Cohort) -> None:
    genes = {gene for one in catalog.load_signatures().values() for gene in one.all_genes}
    assert genes <= set(cohort["rna"].var_names)
    assert 3000 <= cohort["rna"].n_vars <= 4000
    np.testing.assert_allclose(cohort["rna"].X.sum(axis=1), 1e6, rtol=1e-12)
    assert (cohort["rna"].X > 0).all()
    assert cohort["rna"].uns["immunosarc"]["unit"] == "tpm"


def test_levels_are_those_of_sarcomas(many: list[ims.Cohort]) -> None:
    reference = catalog.load_sarcoma_reference().populations["CYT"]
    levels = [log2_tpm(one)[list(reference["genes"])].mean(axis=1) for one in many]
    before = [x[one.samples["timepoint"] == "pre"] for x, one in zip(levels, many, strict=True)]
    assert abs(np.mean([x.mean() for x in before]) - reference["mean"]) < 0.25 * reference["sd"]
    assert np.mean([x.std() for x in before]) == pytest.approx(reference["sd"], rel=0.25)


def test_immune_programs_go_together_and_stroma_does_not(many: list[ims.Cohort]) -> None:
    signatures = catalog.load_signatures()
    values = {
        name: [at(one, "pre", list(signatures[name].genes)) for one in many]
        for name in ("cyt", "ifng6", "mcp_fibroblasts")
    }

    def correlation(one: str, other: str) -> list[float]:
        return [x.corr(y) for x, y in zip(values[one], values[other], strict=True)]

    assert 0.5 < np.mean(correlation("cyt", "ifng6")) < 0.9
    assert near(correlation("cyt", "mcp_fibroblasts"), 0.0)


def log_ratio(one: ims.Cohort, other: ims.Cohort, unmoved: list[str]) -> pd.DataFrame:
    """log2 of one trial over another, after taking out what the total of a million shifts."""
    ratio = np.log2(one["rna"].to_df() / other["rna"].to_df())
    return ratio.sub(ratio[unmoved].mean(axis=1), axis=0)


def filling() -> list[str]:
    """The abundant genes, which give way so that each library stays a million."""
    model = gene_model(40)
    return list(model.names[model.abundant])


@pytest.mark.parametrize(
    ("without", "truth_name", "timepoints"),
    [
        ({"response_effect": 0.0}, "response_signature", ("pre", "on")),
        ({"hot_shift": 0.0}, "cold_to_hot", ("on",)),
    ],
)
def test_exactly_what_the_truth_says_is_planted(
    cohort: ims.Cohort, without: dict, truth_name: str, timepoints: tuple[str, ...]
) -> None:
    truth = cohort.provenance["truth"]
    null = [gene for genes in truth["null_panel"].values() for gene in genes]
    ratio = log_ratio(cohort, ims.simulate_cohort(seed=7, **without), null).drop(columns=filling())
    patients = cohort.patients
    if truth_name == "cold_to_hot":
        chosen = set(truth[truth_name]["patients"])
    else:
        responders = patients["best_overall_response"].isin(["CR", "PR"]) & (patients["schedule_stage"] == "1")
        chosen = set(patients.index[responders])
        assert len(chosen) == 9
    rows = cohort.samples["patient_id"].isin(chosen) & cohort.samples["timepoint"].isin(timepoints)
    genes = ratio.columns.isin(truth[truth_name]["genes"])
    moved = np.outer(rows.to_numpy(), genes)
    assert moved.any()
    assert (ratio.to_numpy()[moved] > 0.1).all()
    np.testing.assert_allclose(ratio.to_numpy()[~moved], 0.0, atol=1e-9)


def test_planted_association_is_found_in_stage_1_and_not_in_stage_2(
    many: list[ims.Cohort], responds: pd.Series
) -> None:
    stage = many[0].patients["schedule_stage"]
    one, two, flat = [], [], []
    for seed, simulated in zip(SEEDS, many, strict=True):
        truth = simulated.provenance["truth"]["response_signature"]
        x = at(simulated, "pre", truth["genes"])
        groups = stage.reindex(x.index) + responds.reindex(x.index).astype("string")
        x = x / x.groupby(groups.fillna("none")).std()["1False"]
        one.append(difference(x[stage.reindex(x.index) == "1"], responds, stage))
        two.append(difference(x[stage.reindex(x.index) == "2"], responds, stage))
        if seed < 20:
            nothing = at(ims.simulate_cohort(seed, response_effect=0.0), "pre", truth["genes"])
            flat.append(difference(nothing[stage.reindex(nothing.index) == "1"], responds, stage))
    assert np.median(one) > 1.4
    assert near(two, 0.0)
    assert near(flat, 0.0)


def test_planted_association_can_be_found_with_one_trial(many: list[ims.Cohort], responds: pd.Series) -> None:
    found = []
    for simulated in many:
        x = at(simulated, "pre", list(catalog.load_signatures()["b_cells_danaher9"].genes))
        judged = responds[simulated.patients["schedule_stage"] == "1"].dropna().astype(bool)
        x = x[x.index.isin(judged.index)]
        yes = judged.reindex(x.index)
        assert (yes.sum(), (~yes).sum()) == (9, 6)
        found.append(stats.mannwhitneyu(x[yes], x[~yes]).pvalue < 0.05)
    assert 0.6 < np.mean(found) < 0.97


def test_histology_marker_is_associated_over_all_but_not_within_a_histology(
    many: list[ims.Cohort], responds: pd.Series
) -> None:
    histology = many[0].patients["histology"]
    everybody = pd.Series("all", index=histology.index)
    marginal, within, level = [], [], []
    for simulated in many:
        truth = simulated.provenance["truth"]["histology_marker"]
        x = at(simulated, "pre", truth["genes"])
        marginal.append(difference(x, responds, everybody))
        within.append(difference(x, responds, histology))
        level.append(x.groupby(histology.reindex(x.index)).mean())
    assert np.mean(marginal) > 8 * np.std(marginal, ddof=1) / np.sqrt(len(marginal))
    assert near(within, 0.0)
    assert pd.concat(level, axis=1).mean(axis=1).idxmax() == "angiosarcoma"


def test_cold_tumors_turn_hot_and_others_do_not(many: list[ims.Cohort]) -> None:
    cold_change, other_change, without = [], [], []
    for seed, simulated in zip(SEEDS, many, strict=True):
        truth = simulated.provenance["truth"]["cold_to_hot"]
        plain = ims.simulate_cohort(seed, hot_shift=0.0) if seed < 20 else None
        change = (at(simulated, "on", truth["genes"]) - at(simulated, "pre", truth["genes"])).dropna()
        cold = change.index.isin(truth["patients"])
        assert len(change) == 20
        cold_change.append(change[cold].mean())
        other_change.append(change[~cold].mean())
        if plain is not None:
            before = at(plain, "pre", truth["genes"])
            without.append((at(plain, "on", truth["genes"]) - before).dropna().mean())
    assert np.mean(cold_change) > 1.0
    assert -0.5 < np.mean(other_change) < 0.0  # regression to the mean, nothing else
    assert near(without, 0.0)


def exact_size(n_yes: int, n_no: int) -> float:
    """How often the exact two-sided rank-sum test of noise falls below .05: U is discrete."""
    ways = Counter({(0, 0): 1})
    for rank in range(n_yes + n_no):
        taken = {(k + 1, total + rank): count for (k, total), count in ways.items() if k < n_yes}
        ways.update(taken)
    lowest = n_yes * (n_yes - 1) // 2
    u = {total - lowest: count for (k, total), count in ways.items() if k == n_yes}
    below = sorted(u)
    share = np.cumsum([u[value] for value in below]) / sum(u.values())
    return 2 * float(max(share[2 * share < 0.05], default=0.0))


def test_null_panel_is_null(many: list[ims.Cohort], responds: pd.Series) -> None:
    auc, rejected = [], []
    judged = responds.dropna().astype(bool)
    for simulated in many:
        panel = simulated.provenance["truth"]["null_panel"]
        assert len(panel) == 40
        for genes in panel.values():
            x = at(simulated, "pre", genes)
            x = x[x.index.isin(judged.index)]
            yes = judged.reindex(x.index)
            assert (yes.sum(), (~yes).sum()) == (10, 17)
            test = stats.mannwhitneyu(x[yes], x[~yes], method="exact")
            auc.append(test.statistic / 170)
            rejected.append(test.pvalue < 0.05)
    assert near(auc, 0.5)
    size = exact_size(10, 17)
    error = np.sqrt(size * (1 - size) / len(rejected))
    assert abs(np.mean(rejected) - size) < 3.5 * error


def test_null_panel_is_a_dictionary_of_signatures(cohort: ims.Cohort) -> None:
    panel = cohort.provenance["truth"]["null_panel"]
    names = [gene for genes in panel.values() for gene in genes]
    assert len(names) == len(set(names)) == 40 * 12
    assert set(names) <= set(cohort["rna"].var_names)
    assert len(catalog.as_signatures(panel)) == 40


def test_truth_names_signatures_that_consist_of_its_genes(cohort: ims.Cohort) -> None:
    for name in ("response_signature", "histology_marker", "cold_to_hot"):
        truth = cohort.provenance["truth"][name]
        assert truth["signatures"]
        for signature in truth["signatures"]:
            genes = catalog.load_signatures()[signature].genes
            assert len(set(genes) & set(truth["genes"])) / len(genes) >= 0.8


def test_size_of_the_null_panel_changes_nothing_else(cohort: ims.Cohort) -> None:
    small = ims.simulate_cohort(seed=7, n_null=3)
    shared = [gene for gene in small["rna"].var_names if gene not in filling()]
    ratio = np.log2(cohort["rna"].to_df()[shared] / small["rna"].to_df()[shared])
    np.testing.assert_allclose(ratio.sub(ratio.iloc[:, 0], axis=0), 0.0, atol=1e-9)
    assert ims.simulate_cohort(seed=7, n_null=0).provenance["truth"]["null_panel"] == {}


def test_it_can_be_stored(cohort: ims.Cohort, tmp_path: Path) -> None:
    assert ims.Cohort.read(cohort.write(tmp_path / "trial")).equals(cohort)


def test_it_takes_less_than_a_second(cohort: ims.Cohort) -> None:
    start = time.process_time()
    ims.simulate_cohort(seed=11)
    assert time.process_time() - start < 1.0


def test_bad_arguments_are_refused_together() -> None:
    with pytest.raises(ImmunosarcError) as caught:
        ims.simulate_cohort(-1, n_null=2.5, response_effect=float("nan"), hot_shift="high")
    message = str(caught.value)
    assert "4 problem(s)" in message
    for part in ("seed: need a whole", "have -1", "n_null: ", "have 2.5", "response_effect: ", "have 'high'"):
        assert part in message


def test_patients_carry_what_a_trial_records(cohort: ims.Cohort) -> None:
    from_elsewhere = {"response_evaluable", "os_days", "os_event"}
    of_resistance = {"stop_reason", "clinical_progression_day", "rapid_progression"}
    recorded = set(ims.schema.PATIENTS.columns) - from_elsewhere - of_resistance
    assert set(cohort.patients.columns) == recorded
    complete = cohort.patients.drop(columns=["death_day", "last_alive_day", "new_therapy_day"])
    assert complete.notna().to_numpy().all()


def test_every_component_has_a_stream_of_its_own() -> None:
    streams = ("inflammation", "programs", "patients", "samples", "library", "sensitivity")
    assert _STREAMS[: len(streams)] == streams  # another order would change every simulated trial
    draws = np.stack([_draw(3, stream, (200,)) for stream in _STREAMS])
    assert len(np.unique(draws)) == draws.size
    assert np.abs(np.corrcoef(draws) - np.eye(len(_STREAMS))).max() < 0.3
