"""A plan of features of single cells: run to its report, with reasons, and refused where it cannot be meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import immunosarc as ims
from immunosarc import catalog, features, report
from immunosarc.errors import PlanError

PLAN: dict[str, Any] = {
    "title": "cells",
    "assay": "sc",
    "endpoints": ("objective_response",),
    "timepoints": ("pre",),
    "n_permutations": 200,
}


@pytest.fixture(scope="module")
def cohort() -> ims.Cohort:
    """Patients who respond have three times as many T cells for each myeloid one; the last has ten cells."""
    rng = np.random.default_rng(5)
    n = 14
    patients = [f"P{i:02}" for i in range(n)]
    responded = np.arange(n) % 2 == 0
    panel = catalog.load_cell_markers()
    states = [
        one.genes for one in features.signatures().subset("exhausted_cd8_6", "macrophage_m1_hwang13").values()
    ]
    genes = [
        *dict.fromkeys([g for one in (*panel.values(), *states) for g in one]),
        *(f"G{i}" for i in range(150)),
    ]
    kinds, owners = [], []
    for i in range(n):
        n_cells = 10 if i == n - 1 else 120
        kinds.append(
            rng.choice(["T cell", "myeloid cell"], n_cells, p=[0.75, 0.25] if responded[i] else [0.4, 0.6])
        )
        owners += [f"S{i:02}"] * n_cells
    kind = np.concatenate(kinds)
    rate = np.full((len(kind), len(genes)), 0.2)
    for name in ("T cell", "myeloid cell"):
        rate[np.ix_(kind == name, np.isin(genes, list(panel[name])))] = 6.0
    obs = pd.DataFrame({"sample_id": pd.Categorical(owners)}, index=[f"c{i}" for i in range(len(kind))])
    counts = sparse.csr_matrix(rng.poisson(rate).astype(np.float32))
    cells = anndata.AnnData(counts, obs=obs, var=pd.DataFrame(index=genes))
    cells.uns["immunosarc"] = {"level": "cell", "unit": "counts", "source": "", "platform": ""}
    return ims.Cohort(
        pd.DataFrame({"patient_id": patients, "best_overall_response": np.where(responded, "PR", "PD")}),
        pd.DataFrame({"sample_id": [f"S{i:02}" for i in range(n)], "patient_id": patients, "timepoint": "pre"}),
        assays={"sc": cells},
        provenance={"name": "toy_cells"},
    )


@pytest.fixture(scope="module")
def study(cohort: ims.Cohort) -> Any:
    spec = {"states": ("t_exhausted", "t_resident", "macrophage_m1")}
    return ims.run(cohort, PLAN | {"panels": [{"name": "cells", "cells": spec}]}, seed=1)


def test_composition_of_patients_is_tested_and_the_responders_have_more_t_cells(
    study: Any, cohort: ims.Cohort
) -> None:
    found = study["associations"].query("model == 'firth_logistic'").set_index("feature")
    assert found.loc["clr_T cell", "n"] == 13  # ten cells are too few
    assert found.loc["clr_T cell", "estimate"] > 0
    assert found.loc["clr_T cell", "p_maxt"] < 0.05
    profile = features.profile_cells(cohort["sc"])
    expected = features.cell_composition(profile)["clr_T cell"]
    scores = study["scores"]["clr_T cell"]
    np.testing.assert_allclose(scores, expected.reindex(scores.index), equal_nan=True)


def test_every_missing_value_says_why(study: Any) -> None:
    table = study["single_cell"].set_index(["feature", "sample_id"])
    assert table.loc[("clr_T cell", "S13"), "status"] == "needs 50 typed cells, has 10"
    assert table.loc[("clr_B cell", "S00"), "status"] == "ok"  # none was seen, which is a measurement
    assert table.loc[("t_exhausted", "S00"), "status"] == "ok"
    assert table.loc[("t_resident", "S00"), "status"] == "too few genes of the signature in the assay"
    n = int(table.loc[("macrophage_m1", "S13"), "status"].rsplit(" ", 1)[1])
    assert table.loc[("macrophage_m1", "S13"), "status"] == f"needs 20 cells of type myeloid cell, has {n}"
    assert n + int(table.loc[("t_exhausted", "S13"), "status"].rsplit(" ", 1)[1]) == 10  # nothing else was drawn
    assert table["value"].notna().eq(table["status"] == "ok").all()
    quality = study["cell_quality"].set_index("sample_id")
    assert quality.loc["S13", "n_cells"] == 10
    left = study["attrition"].query("patient_id == 'P13'")["reason"].dropna()
    assert left.str.startswith("needs 50 typed cells, has 10; needs 20 cells of type").any()


def test_the_report_shows_the_cells(study: Any, tmp_path: Path) -> None:
    page = (report.write(study, tmp_path / "out") / "report.html").read_text()
    assert "What the single cells of each sample are" in page
    assert "needs 50 typed cells (1)" in page
    assert "Tests are on patients, never on cells" in page
    assert (tmp_path / "out" / "tables" / "single_cell.tsv").is_file()


def test_a_cohort_with_nothing_but_cells_has_a_plan(cohort: ims.Cohort) -> None:
    plan = ims.study.plan_for(cohort)
    assert [(panel.name, panel.assay) for panel in plan.panels] == [("sc", "sc")]
    assert plan.panels[0].cells.names()[0] == "clr_T cell"


@pytest.mark.parametrize(
    ("panel", "said"),
    [
        ({"name": "p", "signatures": ["cyt"]}, r"assay 'sc' holds single cells; say cells = \{\}"),
        ({"name": "p", "signatures": ["cyt"], "cells": {}}, "cells stands alone in panel 'p'"),
        (
            {"name": "p", "cells": {"states": ["t_exhaustd"]}},
            "unknown state 't_exhaustd'.*Did you mean 't_exhausted'",
        ),
        ({"name": "p", "cells": {"measures": []}}, "at least one is needed"),
        ({"name": "p", "cells": {"min_cell": 5}}, "unknown key.*min_cell"),
    ],
)
def test_what_cannot_be_meant(cohort: ims.Cohort, panel: dict[str, Any], said: str) -> None:
    with pytest.raises(PlanError, match=said):
        ims.study.plan_for(cohort, PLAN | {"panels": [panel]})


def test_cells_are_asked_of_an_assay_of_cells() -> None:
    with pytest.raises(PlanError, match="assay 'rna' holds no single cells; those are none"):
        ims.study.plan_for(
            ims.simulate_cohort(seed=7), PLAN | {"assay": "rna", "panels": [{"name": "p", "cells": {}}]}
        )
