"""Strata as files: the same patient, the same stratum, alone or among others; and every reason for none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.design import StratumRule, read_rule, stratify
from immunosarc.errors import DataFileError, PlanError, UnitError

HOT = {"thresholds": [1 / 3, 2 / 3], "strata": ["cold", "intermediate", "hot"], "reference": "sarcoma"}


def expression(n: int = 8, *, seed: int = 0) -> pd.DataFrame:
    """TPM that resemble the shipped reference, each patient hotter or colder than it."""
    reference = ims.features.sarcoma_reference()
    rng = np.random.default_rng(seed)
    immune = {gene for one in reference.populations.values() for gene in one.genes}
    immune = reference.genes.index.isin(sorted(immune))
    mean, sd = reference.genes["mean"].to_numpy(), reference.genes["sd"].to_numpy()
    shift = np.linspace(-1.2, 1.2, n)[:, None] * immune * sd
    logs = np.clip(mean + shift + 0.3 * sd * rng.standard_normal((n, len(mean))), 0, None)
    ids = [f"S{i}" for i in range(n)]
    return pd.DataFrame(np.exp2(logs) - 1, index=ids, columns=reference.genes.index).clip(lower=0)


def cohort_of(values: pd.DataFrame, *, unit: str = "tpm", platform: str | None = "polya_rnaseq") -> ims.Cohort:
    samples = pd.DataFrame({"sample_id": values.index, "patient_id": "P" + values.index, "timepoint": "pre"})
    return ims.Cohort(
        samples[["patient_id"]], samples, assays={"rna": ims.make_assay(values, unit=unit, platform=platform)}
    )


@pytest.fixture
def hot(tmp_path: Path) -> StratumRule:
    return stratify(tmp_path / "hot.toml", ["TIS18", "CYT"], **HOT)


@pytest.fixture
def killers(tmp_path: Path) -> StratumRule:
    return stratify(
        tmp_path / "killers.toml",
        {"cyt": ["GZMA", "PRF1"]},
        thresholds=[2.0],
        method="mean_log2",
        unit="log2_tpm",
        platform="polya_rnaseq",
        valid_range=(0, 8),
    )


def test_a_placement_rule_says_what_classify_says(hot: StratumRule) -> None:
    cohort = cohort_of(expression(20))
    table = hot.apply(cohort)
    classes = ims.features.classify(cohort["rna"])
    assert table["status"].tolist() == ["ok"] * 20
    assert set(table["stratum"]) == {"cold", "intermediate", "hot"}
    assert table["stratum"].tolist() == classes["label"].tolist()
    np.testing.assert_allclose(table["margin"], classes["margin"].astype(float), rtol=1e-12)


def test_a_value_equal_to_a_threshold_lies_below_it(killers: StratumRule) -> None:
    values = pd.DataFrame({"GZMA": [3.0, 3.0, 3.1], "PRF1": [3.0, 2.9, 3.0]}, index=["S0", "S1", "S2"])
    table = killers.apply(cohort_of(values))
    assert table["stratum"].tolist() == ["low", "low", "high"]
    assert table["value"].tolist() == pytest.approx([2.0, (2 + np.log2(3.9)) / 2, (2 + np.log2(4.1)) / 2])


@pytest.mark.parametrize("name", ["hot", "killers", "ranked"])
def test_alone_and_together_give_the_same_row(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    values = expression(4)
    values.iloc[1, values.columns.get_loc("GZMA")] = np.nan  # whoever lacks it must not change the others
    if name == "ranked":
        rule = stratify(
            tmp_path / "ranked.toml",
            {"cyt": ["GZMA", "PRF1"]},
            thresholds=[0.6],
            method="singscore",
            reference="sarcoma",
            unit="log2_tpm",
            platform="polya_rnaseq",
            valid_range=(0, 1),
        )
    else:
        rule = request.getfixturevalue(name)
    together = rule.apply(cohort_of(values)).set_index("sample_id")
    for sample in values.index:
        alone = rule.apply(cohort_of(values.loc[[sample]])).set_index("sample_id")
        pd.testing.assert_frame_equal(alone, together.loc[[sample]], check_dtype=False)
    assert together["stratum"].notna().sum() >= 3
    again = read_rule(tmp_path / f"{name}.toml")
    pd.testing.assert_frame_equal(
        again.apply(cohort_of(values)), together.reset_index()[again.apply(cohort_of(values)).columns]
    )
    assert again.sha256 == rule.sha256


def test_genes_outside_the_reference_do_not_change_a_rank(tmp_path: Path) -> None:
    own = {"method": "singscore", "unit": "log2_tpm", "platform": "polya_rnaseq", "valid_range": (0, 1)}
    rule = stratify(tmp_path / "r.toml", {"b": ["MS4A1", "CD79A"]}, thresholds=[0.5], reference="sarcoma", **own)
    values = expression(3)
    more = values.join(pd.DataFrame(1e4, index=values.index, columns=[f"XGENE{i}" for i in range(200)]))
    assert rule.apply(cohort_of(more))["value"].tolist() == rule.apply(cohort_of(values))["value"].tolist()
    fewer = rule.apply(cohort_of(values.drop(columns="ZAP70", errors="ignore").iloc[:, 5:]))
    assert fewer["status"].str.contains("not assignable: low coverage: lacks").all()


def test_who_is_not_assignable_keeps_a_row_with_the_reason(hot: StratumRule, killers: StratumRule) -> None:
    values = expression(4)
    samples = pd.DataFrame(
        {
            "sample_id": ["S0", "S1", "S2", "S3"],
            "patient_id": ["A", "A", "B", "C"],
            "timepoint": ["pre", "on", "pre", "pre"],
            "specimen": ["tumor", "tumor", "blood", "tumor"],
        }
    )
    patients = pd.DataFrame({"patient_id": ["A", "B", "C", "D"]})
    assay = ims.make_assay(values.drop(index="S3"), unit="tpm", platform="polya_rnaseq")
    table = hot.apply(ims.Cohort(patients, samples, assays={"rna": assay}))
    assert table["patient_id"].tolist() == ["A", "A", "B", "C", "D"]
    assert table["status"].tolist() == [
        "ok",
        "not assignable: measured at 'on', the rule is for 'pre'",
        "not assignable: specimen is blood, not tumor",
        "not assignable: not in assay 'rna'",
        "not assignable: no sample",
    ]
    assert table["stratum"].notna().tolist() == [True, False, False, False, False]
    counts = hot.apply(cohort_of(values.round(), unit="counts"))
    assert set(counts["status"]) == {"not assignable: wrong unit: the rule reads log2_tpm, the assay has counts"}
    few = killers.apply(cohort_of(values[["GZMA", "ACTB"]]))
    assert set(few["status"]) == {"not assignable: low coverage: cyt covers 1 of 2 genes (50%), needs 100%"}
    far = killers.apply(cohort_of(pd.DataFrame({"GZMA": [1e4], "PRF1": [1e4]}, index=["S0"])))
    assert far["status"].tolist() == ["not assignable: out of range: score 13.29, the rule holds from 0 to 8"]
    assert killers.apply(cohort_of(values, unit="fpkm"))["status"].str.contains("the assay has fpkm").all()


def test_another_platform_is_refused_with_the_cure(hot: StratumRule) -> None:
    with pytest.raises(
        UnitError, match=r"assay 'rna' is exome_capture.*Freeze a rule on samples of that platform"
    ):
        hot.apply(cohort_of(expression(2), platform="exome_capture"))
    with pytest.raises(UnitError, match=r"does not say its platform: declare platform under"):
        hot.apply(cohort_of(expression(2), platform=None))


def test_a_changed_file_or_reference_is_refused_with_the_cure(hot: StratumRule, tmp_path: Path) -> None:
    text = (tmp_path / "hot.toml").read_text()
    other = tmp_path / "other.toml"
    other.write_text(text.replace("0.6666666666666666", "0.5"))
    with pytest.raises(
        DataFileError, match=r"was altered since it was frozen.*freeze another rule with design.stratify"
    ):
        read_rule(other)
    other.write_text(text.replace("stratum rule 1", "stratum rule 2"))
    with pytest.raises(
        DataFileError, match=r"has format 'immunosarc stratum rule 2'.*immunosarc 0.*freeze the rule anew"
    ):
        read_rule(other)
    other.write_text('format = "a recipe"\n')
    with pytest.raises(DataFileError, match=r"no rule of this package"):
        read_rule(other)
    with pytest.raises(DataFileError, match=r"hot.toml exists: a rule is frozen once"):
        stratify(tmp_path / "hot.toml", ["CYT"], **HOT)


def test_ones_own_reference_lies_beside_the_rule_and_may_not_change(tmp_path: Path) -> None:
    values = expression(25)
    assay = ims.make_assay(values, unit="tpm", platform="exome_capture")
    own = ims.features.build_reference(assay, {"CYT": ["GZMA", "PRF1"]}, name="ours")
    rule = stratify(tmp_path / "own.toml", ["CYT"], thresholds=[0.0], measure="z", reference=own)
    table = read_rule(tmp_path / "own.toml").apply(cohort_of(values, platform="exome_capture"))
    score = np.log2(values[["GZMA", "PRF1"]] + 1).mean(axis=1)
    assert table["value"].tolist() == pytest.approx(((score - score.mean()) / score.std()).tolist())
    assert table["stratum"].tolist() == ["high" if z > 0 else "low" for z in table["value"]]
    assert rule.platform == "exome_capture"
    beside = tmp_path / "own.reference.json"
    beside.write_text(beside.read_text().replace('"hot_from": 0.6666666666666666', '"hot_from": 0.9'))
    with pytest.raises(
        DataFileError, match=r"its reference 'ours' is not the one that was frozen.*Put back the own.ref"
    ):
        read_rule(tmp_path / "own.toml")


def test_a_searched_cut_carries_its_price(tmp_path: Path) -> None:
    cohort = ims.simulate_cohort(seed=7)
    scores = ims.features.score(cohort["rna"], ims.features.signatures().subset("cyt"), method="mean_log2")
    cut = ims.models.search_cut_points(
        cohort.at("pre").per_patient(scores),
        ims.endpoints.derive(cohort),
        endpoint="objective_response",
        n_permutations=200,
        n_bootstrap=20,
    )
    how = {"method": "mean_log2", "platform": "polya_rnaseq", "valid_range": (0.0, 15.0)}
    markers = ims.features.signatures().subset("cyt")
    stratify(tmp_path / "cyt.toml", markers, cut=cut, **how)
    rule = read_rule(tmp_path / "cyt.toml")
    assert rule.thresholds == (cut.loc[0, "cut"],)
    assert rule.unit == "log2_" + str(cohort["rna"].uns["immunosarc"]["unit"]).removeprefix("log2_")
    assert rule.evidence["p_corrected"] == cut.loc[0, "p_corrected"]
    assert rule.evidence["out_of_bag"] == pytest.approx(cut.loc[0, "out_of_bag"])
    with pytest.raises(
        PlanError, match=r"was searched in scores by mean_log2.*the rule's method is 'median_log2'"
    ):
        stratify(tmp_path / "x.toml", markers, cut=cut, **{**how, "method": "median_log2"})


def test_what_gives_no_stable_stratum_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    genes = {"cyt": ["GZMA", "PRF1"]}
    with pytest.raises(PlanError, match=r"'mean_z' is relative to the cohort"):
        stratify(path, genes, thresholds=[0.0], method="mean_z")
    with pytest.raises(PlanError, match=r"'singscore' ranks all genes: give the reference"):
        stratify(path, genes, thresholds=[0.5], method="singscore")
    with pytest.raises(PlanError, match=r"a placement needs a reference"):
        stratify(path, ["CYT"], thresholds=[0.5])
    with pytest.raises(
        PlanError, match=r"(?s)4 problem.*rising.*strata: 3 diff.*unit: declare.*valid_range: declare"
    ):
        stratify(path, genes, thresholds=[2, 1], strata=["a"], method="mean_log2", platform="polya_rnaseq")
    with pytest.raises(PlanError, match=r"no population 'CYTX'. Did you mean 'CYT'"):
        stratify(path, ["CYTX"], thresholds=[0.5], reference="sarcoma")
    with pytest.raises(PlanError, match=r"give thresholds, or the cut"):
        stratify(path, ["CYT"], reference="sarcoma")
    assert not list(tmp_path.iterdir())


def test_a_stratum_to_which_nobody_can_belong_is_refused(tmp_path: Path) -> None:
    own = {"method": "mean_log2", "unit": "log2_tpm", "platform": "polya_rnaseq", "valid_range": (0, 8)}
    path = tmp_path / "x.toml"
    with pytest.raises(PlanError, match=r"\[9.0\] leave a stratum .* between 0 and 8"):
        stratify(path, {"cyt": ["GZMA", "PRF1"]}, thresholds=[2, 9], **own)
    with pytest.raises(PlanError, match=r"A percentile is a share: 0.5, not 50"):
        stratify(path, ["CYT"], thresholds=[50], reference="sarcoma")
    with pytest.raises(PlanError, match=r"\[6.0\] leave a stratum .* the z lies between -5 and 5"):
        stratify(path, ["CYT"], thresholds=[6], measure="z", reference="sarcoma")
    with pytest.raises(PlanError, match=r"the reference is of polya_rnaseq, not 'microarray'"):
        stratify(path, ["CYT"], thresholds=[0.5], reference="sarcoma", platform="microarray")
    assert not list(tmp_path.iterdir())


def test_two_such_samples_of_a_patient_are_told(killers: StratumRule) -> None:
    values = pd.DataFrame({"GZMA": [1.0, 9.0, 9.0], "PRF1": [1.0, 9.0, 9.0]}, index=["S0", "S1", "S2"])
    samples = pd.DataFrame({"sample_id": ["S0", "S1", "S2"], "patient_id": ["A", "A", "B"], "timepoint": "pre"})
    assay = ims.make_assay(values, unit="tpm", platform="polya_rnaseq")
    table = killers.apply(ims.Cohort(pd.DataFrame({"patient_id": ["A", "B"]}), samples, assays={"rna": assay}))
    assert table["stratum"].tolist() == ["low", "high", "high"]
    told = table["note"].fillna("").str.contains("the patient has 2 such samples")
    assert told.tolist() == [True, True, False]
