"""What must come out on two sets of multiplex images, cell by cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import endpoints, features, models

MANIFESTS = Path(__file__).resolve().parents[2] / "data_manifests"
IMMUNE = {"immune": ("cd8_t", "cd4_t", "macrophage", "b_cell")}
TERMS = {
    "FOXP3 (Opal 620) Positive Cells": ("FOXP3+",),
    "CD3 (Opal 570) Positive Cells": ("CD3+",),
    "CD8 (Opal 520) Positive Cells": ("CD8+",),
    "PD1 (Opal 650) Positive Cells": ("PD1+",),
    "PDL1 (Opal 540) Positive Cells": ("PDL1+",),
    "CD3+ FOXP3+ Cells": ("CD3+", "FOXP3+"),
    "CD3+ CD8+ Cells": ("CD3+", "CD8+"),
    "CD3+ CD8+ FOXP3+ Cells": ("CD3+", "CD8+", "FOXP3+"),
    "CD3+ PD1+ Cells": ("CD3+", "PD1+"),
    "CD3+ PD-L1+ Cells": ("CD3+", "PDL1+"),
    "CD8+ PD1+ Cells": ("CD8+", "PD1+"),
    "CD3+ CD8+ PD-L1+ Cells": ("CD3+", "CD8+", "PDL1+"),
}


@pytest.fixture(scope="module")
def lung(data_root: Path) -> ims.Cohort:
    return ims.load_cohort(MANIFESTS / "mif_lung_mxfda.toml", data_root=data_root)


@pytest.fixture(scope="module")
def cores(data_root: Path) -> ims.Cohort:
    return ims.load_cohort(MANIFESTS / "mif_tma_spatialtime.toml", data_root=data_root)


@pytest.fixture(scope="module")
def raw(data_root: Path) -> pd.DataFrame:
    return pd.read_parquet(data_root / "mif_lung_mxfda" / "cells.parquet")


def test_images_are_keyed_by_patient_and_image(lung: ims.Cohort) -> None:
    cells = lung["mif"]
    assert cells.n_obs == 285_412
    assert cells.obs["field_id"].nunique() == 247
    assert (len(lung.patients), len(lung.samples)) == (50, 50)
    assert int(lung.patients["os_event"].sum()) == 33
    assert lung.provenance["loading"][-1]["kept"] == 247


def test_phenotypes_are_those_of_the_source(lung: ims.Cohort, raw: pd.DataFrame) -> None:
    names = {"tumor": "ck", "cd8_t": "cd8", "cd4_t": "cd4", "macrophage": "cd14", "b_cell": "cd19"}
    for ours, theirs in names.items():
        positive = raw[f"phenotype_{theirs}"].astype(str).str.endswith("+").to_numpy()
        assert ((lung["mif"].obs["phenotype"] == ours).to_numpy() == positive).all()


def test_immune_fraction_is_that_of_the_source_and_says_nothing_of_survival(
    lung: ims.Cohort, raw: pd.DataFrame
) -> None:
    table = features.fractions(lung, populations=IMMUNE)
    expected = (raw["immune"] == "immune").groupby(raw["patient_id"].astype(str)).mean()
    found = table.set_index("sample_id")["value"]
    np.testing.assert_allclose(found, expected[found.index], rtol=1e-12)
    assert table["n_of"].sum() == 285_412
    per_patient = lung.per_patient(features.by_sample(table))
    outcomes = endpoints.derive(lung)
    row = models.associate(per_patient, outcomes, endpoint="os", model="cox", per_sd=True).iloc[0]
    assert (row["n"], row["n_events"]) == (50, 33)
    assert np.exp(row["estimate"]) == pytest.approx(1.01, abs=0.005)
    assert row["p_value"] == pytest.approx(0.94, abs=0.005)


def test_without_areas_there_is_no_density_and_a_reason(lung: ims.Cohort) -> None:
    table = features.densities(lung)
    assert table["value"].isna().all()
    assert set(table["status"]) == {"no density: the area of the tissue is unknown in at least one field"}


def test_cores_have_the_counts_and_shares_of_the_vendor(cores: ims.Cohort, data_root: Path) -> None:
    rules = {name: ims.schema.CellRule(all=terms) for name, terms in TERMS.items()}
    summary = pd.read_csv(data_root / "mif_tma_spatialtime" / "example_summary.tsv", sep="\t")
    summary = summary.set_index(summary["deidentified_sample"].str.removesuffix(".tif"))
    table = features.fractions(cores, populations=rules)
    assert table["sample_id"].nunique() == 5
    for (sample, feature), row in table.set_index(["sample_id", "feature"]).iterrows():
        name = feature.removeprefix("fraction_")
        theirs = summary.loc[sample]
        assert (row["n_cells"], row["n_of"]) == (theirs[name], theirs["Total Cells"]), (sample, name)
        share = f"% {name if 'Positive' in name else name.replace('Cells', 'Positive Cells')}"
        assert 100 * row["value"] == pytest.approx(theirs[share], abs=5.1e-7)  # six decimals in the source


def test_cores_have_densities_by_their_areas(cores: ims.Cohort, data_root: Path) -> None:
    summary = pd.read_csv(data_root / "mif_tma_spatialtime" / "example_summary.tsv", sep="\t")
    summary = summary.set_index(summary["deidentified_sample"].str.removesuffix(".tif"))
    wide = features.by_sample(features.densities(cores, populations={"cd3": "CD3+"}))
    theirs = summary.loc[wide.index]
    expected = theirs["CD3 (Opal 570) Positive Cells"] / (theirs["Area Analyzed (m)"] / 1e6)
    np.testing.assert_allclose(wide["density_cd3"], expected, rtol=1e-6)


def test_a_pixel_of_half_a_micrometer_fits_the_cells(data_root: Path) -> None:
    raw = pd.read_csv(data_root / "mif_tma_spatialtime" / "cells.tsv.gz", sep="\t")
    box = (raw["XMax"] - raw["XMin"]) * (raw["YMax"] - raw["YMin"]) * np.pi / 4
    assert np.sqrt((raw["Cell.Area..m.."] / box).median()) == pytest.approx(0.5, abs=0.001)
