"""The container: links, selection, the one way from samples to patients, storage."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import schema
from immunosarc.errors import CohortError, DataFileError, UnknownNameError


@pytest.fixture
def parts() -> dict[str, object]:
    patients = pd.DataFrame(
        {
            "patient_id": ["P1", "P2", "P3"],
            "best_overall_response": ["PR", "PD", None],
            "pfs_days": [200.0, 42.0, np.nan],
            "pfs_event": [False, True, None],
            "registry_number": [7, 8, 9],
        }
    )
    samples = pd.DataFrame(
        {
            "sample_id": ["P1a", "P1b", "P2a"],
            "patient_id": ["P1", "P1", "P2"],
            "timepoint": ["pre", "on", "pre"],
            "study_day": [-3, 22, 1],
        }
    )
    rna = pd.DataFrame(
        [[1.5, 0.1], [3.0, np.nan], [2.0, 7.0]], index=["P1a", "P1b", "P2a"], columns=["GZMA", "PRF1"]
    )
    lesions = pd.DataFrame(
        {"patient_id": ["P1"], "study_day": [-7], "lesion_id": ["L1"], "role": ["target"], "diameter_mm": [31]}
    )
    return {
        "patients": patients,
        "samples": samples,
        "tables": {"lesions": lesions},
        "assays": {"rna": ims.make_assay(rna, unit="tpm")},
        "provenance": {"name": "toy"},
    }


@pytest.fixture
def cohort(parts: dict[str, object]) -> ims.Cohort:
    return ims.Cohort(**parts)


def test_repr_counts_patients_samples_pairs_and_assays(cohort: ims.Cohort) -> None:
    assert repr(cohort).splitlines() == [
        "Cohort toy: 3 patients, 3 samples (2 pre, 1 on), 1 pre-on pairs",
        "  rna: 3 samples x 2 features, tpm",
        "  lesions: 1 row",
    ]
    assert "best_overall_response 2/3" in cohort._repr_html_()


def test_a_simulated_cohort_says_so_and_markup_is_escaped() -> None:
    cohort = ims.Cohort(
        pd.DataFrame(index=pd.Index(["P1"], name="patient_id")), provenance={"simulated": True, "name": "<b>"}
    )
    assert "SIMULATED" in repr(cohort)
    assert "SIMULATED" in cohort._repr_html_()
    assert "<b>" not in cohort._repr_html_()


def test_every_problem_is_raised_at_once(parts: dict) -> None:
    parts["patients"].loc[0, "pfs_days"] = -1
    parts["patients"].loc[1, "best_overall_response"] = "iPD"
    parts["samples"].loc[2, "timepoint"] = "during"
    parts["tables"]["pets"] = pd.DataFrame({"patient_id": ["P1"]})
    with pytest.raises(CohortError) as caught:
        ims.Cohort(**parts)
    message = str(caught.value)
    assert "4 problem(s)" in message
    for part in ("pfs_days: below 0 at rows [0]", "['iPD'] not in", "['during'] not in", "unknown table 'pets'"):
        assert part in message


def test_links_are_checked(parts: dict) -> None:
    parts["samples"].loc[0, "patient_id"] = "P9"
    parts["assays"]["rna"].obs_names = ["P1a", "P1b", "X"]
    parts["tables"]["lesions"]["patient_id"] = "P8"
    with pytest.raises(CohortError) as caught:
        ims.Cohort(**parts)
    message = str(caught.value)
    assert "table 'samples': patient ['P9'] not in the patients table" in message
    assert "assay 'rna': sample ['X'] not in the samples table" in message
    assert "table 'lesions': patient ['P8'] not in the patients table" in message


def test_inputs_stay_as_they_were(parts: dict) -> None:
    before = {name: parts[name].copy() for name in ("patients", "samples")}
    ims.Cohort(**parts)
    for name, frame in before.items():
        pd.testing.assert_frame_equal(parts[name], frame)


def test_at_keeps_patients_without_tissue(cohort: ims.Cohort) -> None:
    on = cohort.at("on")
    assert list(on.patients.index) == ["P1", "P2", "P3"]
    assert list(on.samples.index) == ["P1b"]
    assert list(on["rna"].obs_names) == ["P1b"]
    with pytest.raises(UnknownNameError, match="Known: on, post, pre"):
        cohort.at("baseline")


def test_select_takes_the_samples_of_the_patients_along(cohort: ims.Cohort) -> None:
    chosen = cohort.select(patients=["P2", "P3"])
    assert list(chosen.samples.index) == ["P2a"]
    assert chosen.tables["lesions"].empty
    assert cohort.select(samples=cohort.samples["study_day"] > 0).samples.index.tolist() == ["P1b", "P2a"]
    with pytest.raises(UnknownNameError, match="unknown patient"):
        cohort.select(patients=["P22"])


def test_per_patient_keeps_everybody_and_says_why(cohort: ims.Cohort) -> None:
    features = pd.DataFrame({"cyt": [1.0, 9.0]}, index=["P1a", "P1b"])
    table = cohort.at("pre").per_patient(features)
    assert table["status"].tolist() == ["ok", "sample was not measured", "no pre sample"]
    assert table["measured_day"].tolist()[:2] == [-3, 1]
    assert table["cyt"].tolist()[0] == 1.0
    assert table["cyt"].isna().tolist() == [False, True, True]
    schema.PATIENT_FEATURES.check(table)


def test_per_patient_refuses_two_samples_of_one_patient(parts: dict) -> None:
    parts["samples"].loc[1, ["timepoint", "study_day"]] = ["pre", -2]
    cohort = ims.Cohort(**parts)
    with pytest.raises(CohortError, match=r"P1: P1a, P1b"):
        cohort.at("pre").per_patient(pd.DataFrame({"x": [1.0]}, index=["P1a"]))


def test_per_patient_refuses_mixed_timepoints_and_foreign_rows(cohort: ims.Cohort) -> None:
    features = pd.DataFrame({"x": [1.0]}, index=["P1a"])
    with pytest.raises(CohortError, match="2 timepoints"):
        cohort.per_patient(features)
    with pytest.raises(CohortError, match="none of the feature table's rows"):
        cohort.at("pre").per_patient(features.set_axis(["P1"]))


def test_write_and_read_back_equal(cohort: ims.Cohort, tmp_path) -> None:
    folder = cohort.write(tmp_path / "cohort")
    again = ims.Cohort.read(folder)
    assert again.equals(cohort)
    assert cohort.equals(again)
    cohort.write(folder)  # over its own folder
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cohort"]


def test_equals_sees_a_single_changed_value(cohort: ims.Cohort, parts: dict) -> None:
    parts["assays"]["rna"] = ims.make_assay(
        pd.DataFrame(
            [[1.5, 0.1], [3.0, np.nan], [2.0, 7.5]], index=["P1a", "P1b", "P2a"], columns=["GZMA", "PRF1"]
        ),
        unit="tpm",
    )
    assert not ims.Cohort(**parts).equals(cohort)


def test_write_never_replaces_a_foreign_folder(cohort: ims.Cohort, tmp_path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DataFileError, match="not a cohort folder"):
        cohort.write(tmp_path)
    with pytest.raises(DataFileError, match="not a cohort folder"):
        ims.Cohort.read(tmp_path)
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_future_string_type_of_pandas_is_stored(cohort: ims.Cohort, tmp_path) -> None:
    with pd.option_context("future.infer_string", True):
        assert ims.Cohort.read(cohort.write(tmp_path / "c")).equals(cohort)


def test_attrition_counts_reconcile(cohort: ims.Cohort) -> None:
    table = cohort.at("pre").per_patient(pd.DataFrame({"cyt": [1.0]}, index=["P1a"]))
    loading = [{"step": "samples file", "kept": 3, "left_out": [["P1", "P1c", "technical replicate"]]}]
    whole = ims.Cohort(cohort.patients, cohort.samples, provenance={**cohort.provenance, "loading": loading})
    flow = ims.attrition(whole, table)
    counts = flow.groupby("step", sort=False)["kept"].agg(["size", "sum"])
    assert counts.loc["samples file"].tolist() == [4, 3]
    assert counts.loc["patients"].tolist() == [3, 3]
    assert counts.loc["pre features"].tolist() == [3, 1]
    assert flow.loc[(flow["step"] == "pre features") & ~flow["kept"], "reason"].tolist() == [
        "sample was not measured",
        "no pre sample",
    ]


def test_make_assay_names_the_value_that_contradicts_the_unit() -> None:
    frame = pd.DataFrame({"GZMA": [3.5, 2.0]}, index=["S1", "S2"])
    with pytest.raises(CohortError, match=r"a decimal found: sample S1, feature GZMA, value 3.5"):
        ims.make_assay(frame, unit="counts")
    with pytest.raises(CohortError, match="Did you mean 'log2_cpm'"):
        ims.make_assay(frame, unit="log2cpm")
    with pytest.raises(CohortError, match="a value above 100"):
        ims.make_assay(frame * 100, unit="log2_tpm")


def test_to_anndata_carries_the_clinic(cohort: ims.Cohort) -> None:
    adata = cohort.to_anndata("rna")
    assert adata.obs["best_overall_response"].tolist() == ["PR", "PR", "PD"]
    assert "best_overall_response" not in cohort["rna"].obs
    with pytest.raises(UnknownNameError, match="no assay 'protein'"):
        cohort["protein"]
