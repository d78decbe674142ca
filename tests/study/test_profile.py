"""The immune profile of a study: the numbers of the features' own functions, and the reason where there is none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.study._profile import profile_tables

PLAN = ims.Plan(
    panels=({"name": "primary", "signatures": ("mcp_t_cells", "mcp_endothelial", "cyt"), "method": "mean_log2"},)
)


@pytest.fixture(scope="module")
def cohort() -> ims.Cohort:
    return ims.simulate_cohort(seed=7)


@pytest.fixture(scope="module")
def tables(cohort: ims.Cohort) -> dict[str, pd.DataFrame]:
    return profile_tables(cohort, PLAN, 0)


def with_assay(cohort: ims.Cohort, **about: str) -> ims.Cohort:
    frame = cohort["rna"].to_df().round()
    return ims.Cohort(cohort.patients, cohort.samples, assays={"rna": ims.make_assay(frame, **about)})


def test_every_sample_has_its_class_or_the_reason(cohort, tables) -> None:
    classes = tables["classes"]
    for scheme in ("hot_cold", "sarcoma_immune_class"):
        alone = [ims.features.classify(cohort["rna"][[i]], scheme) for i in (0, 50)]
        found = classes[classes["scheme"] == scheme].set_index("sample_id")
        assert list(found.index) == list(cohort["rna"].obs_names)
        for one in alone:
            assert found.loc[one.loc[0, "sample_id"], "label"] == one.loc[0, "label"]
            assert found.loc[one.loc[0, "sample_id"], "score"] == one.loc[0, "score"]
    assert len(tables["placement"]) == 51 * 12
    z = tables["placement"].pivot(index="sample_id", columns="population", values="z")["TIS18"]
    change = tables["placed_change"].query("population == 'TIS18' and status == 'ok'").set_index("patient_id")
    assert len(change) == 20
    for patient, row in change.iterrows():
        assert row["difference"] == pytest.approx(z[f"{patient}_on"] - z[f"{patient}_pre"], abs=1e-12)


def test_counts_have_no_class_and_each_sample_says_why(cohort) -> None:
    found = profile_tables(with_assay(cohort, unit="counts"), PLAN, 0)
    assert "placement" not in found
    assert len(found["classes"]) == 2 * 51
    assert found["classes"]["label"].isna().all()
    assert found["classes"]["status"].str.contains("is in TPM, the assay has counts").all()


def test_cell_scores_are_means_of_logs_of_their_markers(cohort, tables) -> None:
    cells = tables["cells"].query("method == 'mcp_counter' and cell_type == 'CD8 T cells'").set_index("sample_id")
    expected = np.log2(cohort["rna"].to_df()["CD8B"] + 1)
    np.testing.assert_allclose(cells["value"].astype(float), expected[cells.index], rtol=1e-12)
    assert set(tables["cells"]["output"]) == {"cell_score"}


def test_a_score_that_the_sarcoma_enters_stands_beside_the_one_without(cohort, tables) -> None:
    lineage = tables["lineage"].set_index(["sample_id", "signature"])
    histology = cohort.samples["patient_id"].map(cohort.patients["histology"])
    synovial = histology.index[histology == "synovial sarcoma"]
    expression = np.log2(cohort["rna"].to_df() + 1)
    markers = [gene for gene in ims.features.signatures()["mcp_t_cells"].genes if gene in expression]
    for sample in synovial:
        row = lineage.loc[(sample, "mcp_t_cells")]
        assert row["genes"] == "MAL"
        assert row["score"] == pytest.approx(expression.loc[sample, markers].mean())
        assert row["score_without"] == pytest.approx(expression.loc[sample, markers].drop("MAL").mean())
    flagged = lineage.index.get_level_values("sample_id")[
        lineage.index.get_level_values("signature") == "mcp_t_cells"
    ]
    assert set(flagged) == set(synovial)
    assert "cyt" not in lineage.index.get_level_values("signature")


def test_another_cancer_has_no_genes_of_the_sarcoma(cohort) -> None:
    patients = cohort.patients.assign(histology="urothelial carcinoma")
    other = ims.Cohort(patients, cohort.samples, assays={"rna": cohort["rna"]})
    found = profile_tables(other, PLAN, 0)
    assert "lineage" not in found
    assert "cells" in found


def test_ready_made_scores_have_no_profile(cohort) -> None:
    ready = ims.make_assay(pd.DataFrame({"x": 0.5}, index=cohort.samples.index), unit="score")
    bare = ims.Cohort(cohort.patients, cohort.samples, assays={"rna": ready})
    assert profile_tables(bare, PLAN, 0) == {}
