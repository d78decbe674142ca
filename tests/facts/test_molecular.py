"""What must come out on public receptors, mutations and neoantigens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import features, stats

MANIFESTS = Path(__file__).resolve().parents[2] / "data_manifests"


@pytest.fixture(scope="module")
def receptors(data_root: Path) -> ims.Cohort:
    return ims.load_cohort(MANIFESTS / "tcr_immdata_ms.toml", data_root=data_root)


@pytest.fixture(scope="module")
def melanoma(data_root: Path) -> ims.Cohort:
    return ims.load_cohort(MANIFESTS / "riaz2017_genomics.toml", data_root=data_root)


@pytest.fixture(scope="module")
def sarcomas(data_root: Path) -> ims.Cohort:
    return ims.load_cohort(MANIFESTS / "tcga_sarc.toml", data_root=data_root)


def test_repertoires_of_twelve_donors(receptors: ims.Cohort) -> None:
    table = receptors.tables["clonotypes"]
    assert len(table) == 76_820
    assert table["sample_id"].nunique() == 12
    assert (~table["productive"]).sum() == 1_327
    assert set(table.groupby("sample_id")["count"].sum()) == {8_500}
    assert set(table["locus"]) == {"TRB"}


def test_clonality_is_one_minus_the_normalized_entropy(receptors: ims.Cohort, data_root: Path) -> None:
    """From the file by other means, at the depth of each sample: every productive receptor."""
    raw = pd.read_parquet(data_root / "tcr_immdata_ms" / "immdata.parquet")
    whole = raw[~raw["CDR3.aa"].str.contains(r"[*~_]")]
    for sample, rows in whole.groupby("Sample"):
        share = rows["Clones"] / rows["Clones"].sum()
        wanted = 1 + (share * np.log2(share)).sum() / np.log2(len(rows))
        one = features.repertoire(receptors.select(samples=[sample]), depth=int(rows["Clones"].sum()))
        assert one.loc[sample, "clonality"] == pytest.approx(wanted, rel=1e-9)
        assert one.loc[sample, "richness"] == len(rows)
        assert one.loc[sample, "top_clone_share"] == pytest.approx(share.max())


def test_at_one_depth_no_sample_looks_rich_by_its_reads(receptors: ims.Cohort) -> None:
    found = features.repertoire(receptors, depth=7_000)
    assert (found["status"] == "ok").all()
    assert found.loc["MS4", "richness"] == pytest.approx(6198.5, abs=0.1)
    assert found.loc["A4-i191", "richness"] == pytest.approx(4543.3, abs=0.1)
    assert (found["richness"] < 7_000).all()
    overlap = features.repertoire_overlap(receptors, depth=5_000, draws=2)
    assert len(overlap) == 66
    assert overlap["morisita_horn"].max() < 0.01  # strangers share next to nothing


def test_published_entropies_have_our_definition(data_root: Path) -> None:
    """riaz2017 publishes entropies of CDR3s per V and J gene in bits, and their medians per patient."""
    table = pd.read_csv(data_root / "riaz2017" / "tcr_aaCDR3_per_VJ.tsv.gz", sep="\t")
    several = table[table["Number_aaCDR3"] > 1]
    evenness = several["H_aaCDR3"] / np.log2(several["Number_aaCDR3"])
    assert np.abs(evenness - several["Hnorm_aaCDR3"]).max() < 1e-10
    equal = several[np.isclose(several["Hnorm_aaCDR3"], 1)]
    for n in equal["Number_aaCDR3"].head(5):  # as many clones of equal size: evenness 1, clonality 0
        found = stats.diversity(np.ones(int(n)))
        assert (found.clonality, found.shannon / np.log(2)) == pytest.approx((0, np.log2(n)), abs=1e-12)
    metrics = pd.read_csv(data_root / "riaz2017" / "tcr_metrics.tsv", sep="\t").set_index("Patient")
    for timepoint, word in (("pre", "Pre"), ("on", "On")):
        own = table[table["timepoint"] == timepoint].groupby("patient_id")
        both = own["Hnorm_aaCDR3"].median().to_frame("h").join(metrics, how="inner")
        assert len(both) == 25
        close = (both["h"] - both[f"Hcdr3PerVJ_Median_{word}"]).abs() < 1e-3
        assert close.all()


def test_melanoma_mutations_agree_with_the_clinical_column(melanoma: ims.Cohort) -> None:
    found = features.tumor_mutational_burden(melanoma)
    assert (len(found), len(melanoma.tables["variants"])) == (46, 13_846)
    clinical = melanoma.patients["nonsynonymous_mutations"].astype(float)
    owners = melanoma.samples["patient_id"].reindex(found.index)
    assert found["variants"].tolist() == clinical.reindex(owners).tolist()
    assert set(found["status"]) == {"callable size unknown: counts only"}
    assert found["tmb_per_mb"].isna().all()
    flow = ims.attrition(melanoma).query("step == 'riaz2017/mutations_pre.tsv.gz: variants'")
    assert len(flow) == 28_589  # every row of the file is told
    assert flow["kept"].sum() == 13_846


def test_neoantigens_stand_beside_rna(melanoma: ims.Cohort) -> None:
    burden = features.neoantigen_burden(melanoma)["neoantigens"]
    mutations = features.tumor_mutational_burden(melanoma)["variants"]
    rna = features.score(melanoma["rna"], {"cyt": ["GZMA", "PRF1"]}, method="mean_log2")["cyt"]
    joined = pd.concat([burden, mutations, rna], axis=1, join="inner")
    assert len(joined) == 28
    assert joined.corr(method="spearman").iloc[0, 1] > 0.9


def test_published_receptors_stand_beside_rna(melanoma: ims.Cohort, data_root: Path) -> None:
    raw = pd.read_csv(data_root / "riaz2017" / "tcr_metrics.tsv", sep="\t").set_index("Patient")
    for timepoint, word, n in (("pre", "Pre", 30), ("on", "On", 31)):
        found = melanoma[f"receptors_{timepoint}"].to_df()
        owner = melanoma.samples.loc[found.index]
        assert (len(found), set(owner["timepoint"])) == (n, {timepoint})
        wanted = raw.loc[owner["patient_id"], [f"CLcdr3_{word}", f"Num_CDR3_{word}"]]
        np.testing.assert_array_equal(found, wanted)


def test_receptors_and_rna_are_held_against_each_other(melanoma: ims.Cohort, data_root: Path) -> None:
    declared = ims.Plan.from_mapping(dict(melanoma.provenance["plan"]) | {"n_permutations": 100})
    rna, receptors = declared.panels[-2:]
    asked = declared.model_copy(update={"panels": (rna, receptors), "endpoints": ("objective_response",)})
    study = ims.run(melanoma, asked)
    row = study["concordance"].iloc[0]
    raw = pd.read_csv(data_root / "riaz2017" / "tcr_metrics.tsv", sep="\t").set_index("Patient")["Num_CDR3_Pre"]
    cyt = study["scores"]["cyt_mean_log2"].dropna()
    before = cyt[cyt.index.str.endswith("_Pre")]
    both = before.set_axis(before.index.str.removesuffix("_Pre")).to_frame().join(raw, how="inner")
    assert row["n"] == len(both) == 30
    assert row["estimate"] == pytest.approx(both.corr(method="spearman").iloc[0, 1], abs=1e-12)


def test_one_run_of_mutations_and_neoantigens(melanoma: ims.Cohort) -> None:
    declared = ims.Plan.from_mapping(dict(melanoma.provenance["plan"]) | {"n_permutations": 100})
    assert [panel.name for panel in declared.panels] == ["genomics", "mutations", "genes", "rna", "receptors"]
    asked = {"panels": declared.panels[:3], "endpoints": ("objective_response",), "concordance": ()}
    study = ims.run(melanoma, declared.model_copy(update=asked))
    rows = study["associations"].query("model == 'mann_whitney'").set_index("feature")
    assert rows.loc["neoantigens", ["n", "n_events"]].tolist() == [27, 7]
    assert rows.loc["variants", ["n", "n_events"]].tolist() == [44, 10]
    assert rows.loc["MDM2", "n"] == 0  # amplified genes were not looked at
    flow = study.attrition.query("step == 'pre neoantigen_burden' and not kept")
    assert flow["reason"].value_counts().to_dict() == {"sample was not measured": 23, "no pre sample": 14}


def test_sarcomas_have_few_mutations(sarcomas: ims.Cohort) -> None:
    found = features.tumor_mutational_burden(sarcomas)
    flow = ims.attrition(sarcomas).query("step == 'tcga_sarc/mutations_mc3.maf.tsv.gz: variants'")
    assert len(flow) == 17_479
    assert len(found) == 233
    assert found["tmb_per_mb"].median() == pytest.approx(1.05, abs=0.005)
    by_patient = found["tmb_per_mb"].set_axis(sarcomas.samples["patient_id"].reindex(found.index))
    clinical = sarcomas.patients["tmb_per_mb"].dropna()
    pd.testing.assert_series_equal(by_patient.reindex(clinical.index), clinical, check_names=False)


def test_genes_of_sarcomas(sarcomas: ims.Cohort) -> None:
    found = features.gene_alterations(sarcomas)
    assert found["TP53"].sum() == 84
    assert found["RB1"].sum() == 25
    assert found[["MDM2", "CDK4"]].isna().all(axis=None)  # a MAF holds no amplification
    by_histology = found["TP53"].groupby(sarcomas.patients["histology"].set_axis(sarcomas.samples.index)).mean()
    assert by_histology["leiomyosarcoma"] > 3 * by_histology["dedifferentiated liposarcoma"]
