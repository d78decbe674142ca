"""What must come out on the sarcomas and uterine carcinosarcomas of TCGA."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import features, stats

MANIFESTS = Path(__file__).resolve().parents[2] / "data_manifests"


@pytest.fixture(scope="module")
def sarc(data_root: Path) -> ims.Cohort:
    return ims.load_cohort(MANIFESTS / "tcga_sarc.toml", data_root=data_root)


@pytest.fixture(scope="module")
def ucs(data_root: Path) -> ims.Cohort:
    return ims.load_cohort(MANIFESTS / "tcga_ucs.toml", data_root=data_root)


def _scores(cohort: ims.Cohort) -> pd.DataFrame:
    adata = cohort["immune_scores"]
    return pd.DataFrame(adata.X, index=adata.obs_names, columns=adata.var_names)


def test_primary_tumors_only(sarc: ims.Cohort) -> None:
    assert (len(sarc.patients), len(sarc.samples)) == (258, 258)
    assert sarc.samples.index.str.endswith("-01").all()
    counts = sarc.patients["histology"].value_counts()
    assert counts["leiomyosarcoma"] == 104
    assert counts["dedifferentiated liposarcoma"] == 57
    assert counts["undifferentiated pleomorphic sarcoma"] == 51
    assert counts["desmoid"] == 2
    assert counts.sum() == 258


def test_few_mutations(sarc: ims.Cohort) -> None:
    burden = sarc.patients["tmb_per_mb"].dropna()
    assert len(burden) == 233
    assert burden.median() == pytest.approx(1.05, abs=0.005)


def test_scores_are_an_assay_of_ready_made_values(sarc: ims.Cohort) -> None:
    assert sarc["immune_scores"].uns["immunosarc"]["unit"] == "score"
    assert sarc["immune_scores"].shape == (222, 5)
    assert sarc["timer"].shape == (256, 6)
    with pytest.raises(ims.errors.UnitError, match="ready-made values"):
        features.score(sarc["immune_scores"])


def test_lymphocyte_infiltration_and_survival(sarc: ims.Cohort) -> None:
    table = sarc.per_patient(_scores(sarc)).join(sarc.patients)
    table = table[table["LIexpression_score"].notna() & (table["histology"] != "desmoid")]
    score = table["LIexpression_score"]
    per_sd = ((score - score.mean()) / score.std(ddof=1)).to_frame()
    fit = stats.cox(per_sd.to_numpy(), table["os_days"], table["os_event"].astype(bool))
    assert fit.n[0] == 222
    ratio = np.exp([fit.estimate[0], fit.conf_low[0], fit.conf_high[0]])
    assert ratio == pytest.approx([0.72, 0.57, 0.90], abs=0.03)


def test_carcinosarcomas_are_read_whole(ucs: ims.Cohort) -> None:
    assert (len(ucs.patients), ucs["rna"].shape) == (57, (57, 19926))
    assert ucs.patients["os_event"].sum() == 35
    assert set(ucs.patients["histology"]) == {"uterine carcinosarcoma"}
    assert set(ucs.patients["sex"]) == {"female"}


def test_cytolytic_genes_agree_with_the_published_score(ucs: ims.Cohort) -> None:
    cyt = features.score(ucs["rna"], {"cyt": ["GZMA", "PRF1"]}, method="mean_log2")["cyt"]
    pair = pd.concat([cyt, _scores(ucs)["LIexpression_score"]], axis=1)
    assert pair.corr(method="spearman").iloc[0, 1] == pytest.approx(0.78, abs=0.01)


def test_coverage(ucs: ims.Cohort) -> None:
    table = features.coverage(ucs["rna"]).query("n_genes > 0")
    assert (len(table), (table["status"] == "ok").sum()) == (107, 105)


def test_one_run_answers_for_the_scores_and_leaves_desmoids_out(sarc: ims.Cohort) -> None:
    declared = ims.Plan.from_mapping(sarc.provenance["plan"])
    study = ims.run(sarc, declared.model_copy(update={"n_permutations": 1000}))
    row = study["associations"].set_index("feature").loc["LIexpression_score"]
    assert (row["model"], row["endpoint"], row["n"], row["n_events"]) == ("cox", "os", 222, 85)
    assert np.exp(row[["estimate", "conf_low", "conf_high"]].astype(float)).tolist() == pytest.approx(
        [0.72, 0.57, 0.90], abs=0.03
    )
    assert len(study["outcomes"]) == 256
    assert (study.attrition.query("step == 'plan'")["kept"] == False).sum() == 2  # noqa: E712 - a nullable flag
    assert [panel.name for panel in declared.panels] == ["immune_scores", "timer"]


def test_one_run_of_carcinosarcomas(ucs: ims.Cohort) -> None:
    study = ims.run(ucs, ims.Plan(panels=ims.Plan().panels[:1], n_permutations=200, endpoints=("os",)))
    rows = study["associations"].query("timepoint == 'pre'")
    assert rows["n"].tolist() == [57, 57]
    assert rows["n_events"].tolist() == [35, 35]
    quality = study["qc"].query("check == 'sex_by_expression'")
    assert (quality["found"] == "female").all()
