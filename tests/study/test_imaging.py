"""A plan of features of images: run to its report, with reasons, and refused where it cannot be meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import features, report
from immunosarc.errors import PlanError


def _cohort(n: int = 14) -> ims.Cohort:
    """Patients who respond have three times as many CD8 T cells; the last has no area, the first no CD8 T cell."""
    rng = np.random.default_rng(5)
    patients = [f"P{i}" for i in range(n)]
    responded = np.arange(n) % 2 == 0
    frames = []
    for at in range(n):
        n_cd8 = 0 if at == 0 else int(rng.poisson(30 if responded[at] else 10))
        kinds = ["cd8"] * n_cd8 + ["tumor"] * 80 + ["b"] * (2 if at else 0)
        places = rng.uniform(0, 400, (len(kinds), 2))
        frame = pd.DataFrame(places, columns=["x_um", "y_um"]).assign(phenotype=kinds, sample_id=f"S{at}")
        frames.append(frame.assign(field_id=rng.choice(["F0", "F1"], len(kinds))))
    obs = pd.concat(frames, ignore_index=True)
    fields = pd.DataFrame(
        [(f"S{i}", f) for i in range(n) for f in ("F0", "F1")], columns=["sample_id", "field_id"]
    )
    fields["area_mm2"] = np.where(fields["sample_id"] == f"S{n - 1}", np.nan, 0.08)
    return ims.Cohort(
        pd.DataFrame({"patient_id": patients, "best_overall_response": np.where(responded, "PR", "PD")}),
        pd.DataFrame({"sample_id": [f"S{i}" for i in range(n)], "patient_id": patients, "timepoint": "pre"}),
        tables={"fields": fields.assign(patient_id=fields["sample_id"].str.replace("S", "P"))},
        assays={"mif": ims.make_cells(obs)},
        provenance={"name": "toy_images"},
    )


IMAGING: dict[str, Any] = {
    "measures": ("density", "fraction", "nearest", "near", "mixing", "g_excess", "structures"),
    "pairs": (("cd8", "tumor"),),
    "b_cells": "b",
    "t_cells": "cd8",
}
PLAN: dict[str, Any] = {
    "title": "images",
    "assay": "mif",
    "endpoints": ("objective_response",),
    "timepoints": ("pre",),
    "n_permutations": 200,
}


def _plan(**imaging: Any) -> dict[str, Any]:
    return PLAN | {"panels": [{"name": "images", "imaging": IMAGING | imaging}]}


def test_a_plan_of_images_runs_to_its_report(tmp_path: Path) -> None:
    cohort = _cohort()
    study = ims.run(cohort, _plan())
    table = study["associations"].set_index(["feature", "model"])
    names = ["density_b", "density_cd8", "density_tumor", "fraction_b", "fraction_cd8", "fraction_tumor"]
    names += ["nearest_cd8_to_tumor", "near_cd8_to_tumor", "mixing_normalized_cd8_tumor", "g_excess_cd8_to_tumor"]
    names += ["structures", "structures_per_mm2", "structures_fraction"]
    assert set(table.index.get_level_values("feature")) == set(names)
    row = table.loc[("fraction_cd8", "mann_whitney")]
    assert row["n"] == 14
    assert row["estimate"] > 0
    assert table.loc[("density_cd8", "mann_whitney"), "n"] == 13
    by_hand = features.by_sample(features.densities(cohort))["density_cd8"]
    assert study["scores"]["density_cd8"].tolist() == pytest.approx(by_hand.tolist(), nan_ok=True)
    reasons = study["imaging"].set_index(["sample_id", "feature"])["status"]
    assert reasons[("S13", "density_cd8")] == "no density: the area of the tissue is unknown in at least one field"
    assert reasons[("S0", "nearest_cd8_to_tumor")] == "no 'cd8' cell"
    assert any("Tests are on patients, never on cells." in paragraph for paragraph in study.methods)
    page = _written(study, tmp_path)
    assert "Cells of the images" in page
    assert "no density: the area of the tissue is unknown in at least one field (1)" in page


def _written(study: ims.Study, folder: Path) -> str:
    report.write(study, folder / "out")
    assert (folder / "out" / "tables" / "imaging.tsv").is_file()
    assert ims.Cohort.read(folder / "out" / "cohort").equals(study.cohort)
    return (folder / "out" / "report.html").read_text(encoding="utf-8")


def test_scores_of_a_stain_are_planned_with_their_cuts() -> None:
    cohort = _cohort()
    obs = cohort["mif"].obs.reset_index(drop=True)
    light = pd.DataFrame({"PDL1": np.random.default_rng(1).uniform(0, 4, len(obs))})
    cells = ims.make_cells(obs, intensity=light, positive=(light >= 2).astype(float))
    cohort = ims.Cohort(cohort.patients, cohort.samples, tables=cohort.tables, assays={"mif": cells})
    imaging = {
        "measures": ("h_score", "pd_l1"),
        "h_score": {"marker": "PDL1", "cuts": (1.0, 2.0, 3.0), "within": "tumor"},
        "pd_l1": {"tumor": "tumor", "immune": "cd8"},
    }
    study = ims.run(cohort, PLAN | {"panels": [{"name": "images", "imaging": imaging}]})
    tumor = light["PDL1"][(obs["sample_id"] == "S3") & (obs["phenotype"] == "tumor")]
    found = study["scores"].loc["S3"]
    assert found["h_score_PDL1"] == pytest.approx(100 * np.floor(tumor).mean())
    assert np.isnan(found["tps_PDL1"])
    why = study["imaging"].set_index(["sample_id", "feature"])["status"]
    assert why[("S3", "tps_PDL1")] == "80 'tumor' cells with a known PDL1, 100 are needed"
    with pytest.raises(PlanError, match=r"the measure h_score needs h_score = . marker, cuts, within ."):
        ims.run(cohort, PLAN | {"panels": [{"name": "images", "imaging": {"measures": ("h_score",)}}]})
    wrong = imaging | {"h_score": {"marker": "PDL2", "cuts": (1.0, 2.0, 3.0), "within": "tumor"}}
    with pytest.raises(PlanError, match=r"the assay has no marker 'PDL2'. Did you mean 'PDL1'"):
        ims.run(cohort, PLAN | {"panels": [{"name": "images", "imaging": wrong}]})


def test_without_a_plan_every_phenotype_is_counted() -> None:
    panel = ims.study.plan_for(_cohort()).panels[0]
    assert panel.imaging is not None
    assert list(panel.imaging.populations) == ["b", "cd8", "tumor"]
    assert [name for name, _ in panel.specs()] == [
        f"{m}_{k}" for m in ("density", "fraction") for k in ("b", "cd8", "tumor")
    ]


def test_a_population_that_a_timepoint_lacks_is_zero_and_not_unknown() -> None:
    cohort = _cohort()
    without = cohort.select(samples=["S0"])
    assert "b" not in set(without["mif"].obs["phenotype"])
    table = features.fractions(without).set_index("feature")
    assert table.loc["fraction_b", ["value", "status"]].tolist() == [0.0, "ok"]


@pytest.mark.parametrize(
    ("imaging", "match"),
    [
        ({"pairs": (("cd8", "tumour"),)}, "there is no population 'tumour'. Did you mean 'tumor'"),
        ({"pairs": ()}, r"nearest, near, mixing, g_excess need pairs = \[\[source, target\], ...\]"),
        ({"b_cells": None}, "structures need b_cells and t_cells"),
        ({"b_cells": "bb"}, "there is no population 'bb'"),
        ({"measures": ()}, "measures: at least one is needed"),
        ({"measures": ("densities",)}, "measures"),
        ({"populations": {"cd8": {"all": ("CD8+",)}}}, r"'CD8\+' is no phenotype and no signed marker"),
        ({"within": 3}, "unknown key 'panels.0.imaging.within'. Did you mean 'within_um'"),
        ({"within_um": 0}, "within_um"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_the_plan(imaging: dict[str, Any], match: str) -> None:
    with pytest.raises(PlanError, match=match):
        ims.run(_cohort(), _plan(**imaging))


def test_images_and_signatures_are_not_mixed_in_one_panel() -> None:
    with pytest.raises(PlanError, match="imaging stands alone in panel 'a'"):
        ims.run(_cohort(), PLAN | {"panels": [{"name": "a", "imaging": {}, "signatures": ["cyt"]}]})


def test_images_take_no_signatures_and_expression_takes_no_images() -> None:
    with pytest.raises(PlanError, match=r"assay 'mif' holds cells of images; say imaging = \{ ... \}"):
        ims.run(_cohort(), PLAN | {"panels": [{"name": "a", "signatures": ["cyt"]}]})
    with pytest.raises(PlanError, match="assay 'rna' holds no cells of images"):
        ims.run(ims.simulate_cohort(seed=7), {"panels": [{"name": "a", "assay": "rna", "imaging": {}}]})
