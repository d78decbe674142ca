"""Receptors, variants and analytes as panels of a plan, and the report of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import immunosarc as ims
from immunosarc import features
from immunosarc.errors import PlanError
from immunosarc.report import _section_molecular
from immunosarc.report._sections import sections
from immunosarc.study import Hypothesis, MolecularSpec, Panel, Plan, plan_for
from immunosarc.study._molecular import molecular_tables
from immunosarc.study._scores import score_panels
from immunosarc.study._tissue import tumor_samples

IDS = [f"P{i:02}" for i in range(12)]


def cohort(*, twice: bool = False) -> ims.Cohort:
    """Twelve patients, biopsies before and on treatment with receptors, exomes before, blood at both times."""
    rng = np.random.default_rng(4)
    patients = pd.DataFrame(
        {
            "patient_id": IDS,
            "best_overall_response": ["PR", "PD"] * 6,
            "pfs_days": rng.integers(90, 400, 12).astype(float),
            "pfs_event": True,
        }
    )
    samples = [(f"{one}{at}", one, when, day, kind) for one in IDS for at, when, day, kind in _KINDS]
    if twice:
        samples += [("P00late", "P00", "on", 80.0, "blood"), ("P00early", "P00", "on", 22.0, "blood")]
    names = ["sample_id", "patient_id", "timepoint", "study_day", "specimen"]
    samples = pd.DataFrame(samples, columns=names)
    owner = samples.set_index("sample_id")["patient_id"]
    tissue = samples.query("specimen == 'tumor'")["sample_id"]
    clonotypes = pd.concat([_repertoire(rng, name) for name in tissue if name != "P03t0"])
    variants = pd.DataFrame(
        [
            (f"{one}t0", gene, "Missense_Mutation", i)
            for i, one in enumerate(IDS[:11], start=1)
            for gene in ["TTN"] * i + ["TP53"] * (i % 2)
        ],
        columns=["sample_id", "gene", "consequence", "position"],
    )
    blood = samples.query("specimen == 'blood'")["sample_id"]
    analytes = pd.DataFrame({"sample_id": blood, "analyte": "ctdna_fraction", "limit_of_detection": 0.001})
    analytes["value"] = rng.uniform(0.01, 0.4, len(analytes))
    analytes["below_limit"] = analytes["sample_id"].str.endswith("b1") & (np.arange(len(analytes)) % 4 == 1)
    tables = {"clonotypes": clonotypes, "variants": variants, "analytes": analytes}
    tables = {name: table.assign(patient_id=table["sample_id"].map(owner)) for name, table in tables.items()}
    samples["callable_mb"] = np.where(samples["sample_id"].isin(variants["sample_id"]), 30.0, np.nan)
    return ims.Cohort(patients, samples, tables=tables)


_KINDS = (
    ("t0", "pre", -5.0, "tumor"),
    ("t1", "on", 40.0, "tumor"),
    ("b0", "pre", 1.0, "blood"),
    ("b1", "on", 43.0, "blood"),
)


def _repertoire(rng: np.random.Generator, name: str) -> pd.DataFrame:
    sequences = ["".join(one) for one in rng.choice(list("ACGT"), (40, 9))]
    counts = rng.geometric(0.1, 40)
    return pd.DataFrame(
        {"sample_id": name, "cdr3_nt": sequences, "count": counts, "productive": True, "locus": "TRB"}
    )


PANELS = (
    Panel(
        name="tcr", molecular=MolecularSpec(measure="repertoire", options={"depth": 100}, columns=("clonality",))
    ),
    Panel(name="tmb", molecular=MolecularSpec(measure="tumor_mutational_burden", columns=("tmb_per_mb",))),
    Panel(name="blood", molecular=MolecularSpec(measure="circulating_dna", by_day=57)),
)


@pytest.fixture(scope="module")
def study() -> ims.Study:
    plan = Plan(
        panels=PANELS,
        endpoints=("objective_response", "pfs"),
        landmark_days=(57,),
        n_permutations=50,
        hypotheses=(Hypothesis(feature="clonality", panel="tcr"),),
    )
    return ims.run(cohort(), plan)


def test_features_are_those_of_the_public_functions(study: ims.Study) -> None:
    given = cohort()
    rows = study["associations"].query("timepoint == 'pre' and model == 'mann_whitney'").set_index("feature")
    found = features.repertoire(given.select(samples=given.samples["specimen"] == "tumor"), depth=100)
    values = given.select(samples=given.samples["specimen"] == "tumor").at("pre").per_patient(found)["clonality"]
    known = values.dropna()
    high = (given.patients["best_overall_response"] == "PR").reindex(known.index)
    wins = [(a > b) + 0.5 * (a == b) for a in known[high] for b in known[~high]]
    assert rows.loc["clonality", "n"] == 11  # P03 has no receptors before treatment
    assert rows.loc["clonality", "estimate"] == pytest.approx(np.mean(wins))
    assert rows.loc["clonality", "scoring"] == "TRB at depth 100"
    assert rows.loc["tmb_per_mb", "n"] == 11
    assert "clonality of panel" not in " ".join(study.methods)
    assert any("Panel tcr: variety of receptors at one depth" in paragraph for paragraph in study.methods)


def test_blood_is_measured_on_blood_and_clearance_from_the_landmark(study: ims.Study) -> None:
    rows = study["associations"].query("feature == 'ctdna_cleared' and timepoint == 'on'")
    assert set(rows["endpoint"]) == {"objective_response", "pfs"}
    assert set(rows.query("endpoint == 'pfs'")["family"].str.contains("57")) == {True}
    assert rows["n"].min() == 12
    flow = study.attrition
    assert flow.query("step == 'pre repertoire' and not kept")["patient_id"].tolist() == ["P03"]
    assert flow.query("step == 'pre tumor_mutational_burden' and not kept")["patient_id"].tolist() == ["P11"]
    assert flow.query("step == 'on circulating_dna'")["kept"].all()


def test_change_and_description(study: ims.Study) -> None:
    paired = study["paired"].query("feature == 'clonality'")
    assert paired["change"].notna().sum() == 11
    assert study["molecular"]["status"].tolist() == ["ok"] * 4
    assert len(study["repertoire_depths"]) == 23
    assert study["mutational_burden"]["tmb_per_mb"].max() == pytest.approx(12 / 30)
    assert set(study["alterations"].query("gene == 'TP53'")["kind"]) == {"missense", "none"}
    assert study["soluble"]["n_below"].sum() > 0


def test_the_report_shows_them(study: ims.Study) -> None:
    section = _section_molecular.build(study)
    assert [part.title for part in section.blocks] == [
        *("Mutation burden", "Altered genes", "Receptors of T and B cells", "Analytes of blood"),
    ]
    burden, genes, receptors, analytes = (part.blocks for part in section.blocks)
    assert burden[1].rows[1] == ["Variants per Mb", "pre", "11", "0.2", "0.133 to 0.3", "0.0667 to 0.4"]
    assert "Nowhere looked at here: MDM2, CDK4." in genes[0].text
    assert (
        genes[1].hand(Figure().add_subplot()).get_title(loc="left").startswith("10 genes, altered in 6 of n = 11")
    )
    assert genes[2].rows == [["TP53", "6", "6 missense", ""]]
    assert len(receptors[1].rows) == 23
    assert analytes[1].rows[1][:4] == ["ctdna_fraction", "on", "12", "6"]
    assert "molecular" in [one.key for one in sections(study)]


def test_without_assays_the_tables_are_the_default_plan() -> None:
    plan = plan_for(cohort())
    assert [panel.name for panel in plan.panels] == [
        "tumor_mutational_burden",
        "gene_alterations",
        "repertoire",
        "soluble",
    ]
    assert plan.panels[2].molecular.columns[:2] == ("richness", "shannon")
    scored = score_panels(cohort(), plan)["repertoire"].scores
    assert "cohort-relative" in scored.attrs["scoring"]["richness"]


def test_a_plan_says_what_is_wrong_with_it() -> None:
    def refused(**spec: object) -> str:
        panel = Panel(name="p", molecular=MolecularSpec(**spec))
        with pytest.raises(PlanError) as caught:
            plan_for(cohort(twice=True), Plan(panels=(panel,)))
        return str(caught.value)

    assert "unknown molecular measure 'repertory'. Did you mean 'repertoire'?" in refused(measure="repertory")
    assert "panel 'p': repertoire: depth is needed" in refused(measure="repertoire")
    assert "no column 'clonalty'. Did you mean 'clonality'?" in refused(
        measure="repertoire", options={"depth": 50}, columns=("clonalty",)
    )
    assert "the cohort has no table 'neoantigens'" in refused(measure="neoantigen_burden")
    assert "several samples of one patient at one timepoint (P00 at on); say by_day" in refused(measure="soluble")
    assert "no receptor of 'IGH'" in refused(measure="repertoire", options={"depth": 50, "locus": "IGH"})
    both = {"name": "p", "molecular": {"measure": "soluble"}, "signatures": "all"}
    with pytest.raises(PlanError, match="molecular stands alone in panel 'p'"):
        Plan.from_mapping({"panels": [both]})
    with pytest.raises(PlanError, match=r"unknown key 'panels\.0\.molecular\.measur_'\. Did you mean 'measure'"):
        Plan.from_mapping({"panels": [{"name": "p", "molecular": {"measure": "soluble", "measur_": 1}}]})


def test_a_later_sample_than_the_day_does_not_count() -> None:
    plan = Plan(panels=PANELS[2:], timepoints=("on",))
    one, two = (
        score_panels(tumor_samples(given), plan, everyone=given)["blood"]
        for given in (cohort(), cohort(twice=True))
    )
    pd.testing.assert_frame_equal(one.scores, two.scores)
    assert one.cohort is not None
    assert set(one.cohort.samples["specimen"]) == {"blood"}
    assert one.cohort.at("on").samples.loc["P00b1", "study_day"] == 43


def test_a_table_that_cannot_be_described_does_not_stop_the_run() -> None:
    given = cohort()
    strange = given.tables["variants"].assign(consequence="whatever")
    other = ims.Cohort(given.patients, given.samples, tables={**given.tables, "variants": strange})
    tables = molecular_tables(other)
    row = tables["molecular"].set_index("described_in").loc["mutational_burden"]
    assert "'whatever'" in row["status"]
    assert "mutational_burden" not in tables
    assert "repertoire_depths" in tables
