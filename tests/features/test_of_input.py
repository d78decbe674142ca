"""IPRES and CINSARC with what the user supplies: by definition, and refused where it does not fit."""

from __future__ import annotations

import statistics

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from immunosarc.catalog import load_signatures, supply_inputs
from immunosarc.cohort import make_assay
from immunosarc.errors import DataFileError, SchemaError
from immunosarc.features import coverage, score

CINSARC = load_signatures()["cinsarc67"].genes


@pytest.fixture(scope="module")
def frame():
    genes = [*CINSARC, *(f"G{i}" for i in range(200))]
    values = np.random.default_rng(0).gamma(0.8, 20.0, (9, len(genes)))
    return pd.DataFrame(values, columns=genes, index=[f"S{i}" for i in range(9)])


@pytest.fixture(scope="module")
def sets():
    rng = np.random.default_rng(1)
    return {f"set{i}": [f"G{j}" for j in rng.choice(200, 12, replace=False)] for i in range(26)}


@pytest.fixture(scope="module")
def centroids():
    return pd.DataFrame(np.random.default_rng(2).normal(size=(67, 2)), index=CINSARC, columns=["C1", "C2"])


def test_ipres_is_the_mean_z_of_gsva_over_26_sets(frame, sets, tmp_path):
    gmt = tmp_path / "ipres.gmt"
    gmt.write_text("".join(f"{name}\tx\t{chr(9).join(genes)}\n" for name, genes in sets.items()), encoding="utf-8")
    assay = make_assay(frame, unit="tpm")
    table = score(assay, supply_inputs(ipres_sets=gmt).subset("ipres26"), method="published")
    each = score(assay, sets, method="gsva")
    z = [[(v - statistics.mean(each[n])) / statistics.stdev(each[n]) for v in each[n]] for n in sets]
    np.testing.assert_allclose(table["ipres26"], [statistics.mean(column) for column in zip(*z, strict=True)])
    assert table.attrs["scoring"] == {"ipres26": "ipres_count(log2_tpm)"}


def test_ipres_needs_its_sets_and_enough_of_each(frame, sets):
    with pytest.raises(SchemaError, match="counts 26 sets, found 25"):
        supply_inputs(ipres_sets=dict(list(sets.items())[:25]))
    given = dict(sets)
    for i in range(6):
        given[f"set{i}"] = [f"G{i}", f"X{i}", f"Y{i}"]  # a third of its genes
    given["set6"] = ["G6", "G7", "X6", "Y6"]  # half is enough
    one = supply_inputs(ipres_sets=given).subset("ipres26")
    why = coverage(make_assay(frame, unit="tpm"), one, method="published", min_coverage=0.75)
    assert why.loc[0, "status"] == "ok"  # 20 of 26 sets
    table = score(make_assay(frame, unit="tpm"), one, method="published", min_coverage=0.75)
    known = {f"set{i}": sets[f"set{i}"] for i in range(7, 26)} | {"set6": ["G6", "G7"]}
    each = score(make_assay(frame, unit="tpm"), known, method="gsva")
    np.testing.assert_allclose(table["ipres26"], ((each - each.mean()) / each.std()).mean(axis=1), rtol=1e-9)
    given |= {f"set{i}": [f"G{i}", f"X{i}", f"Y{i}"] for i in range(6, 9)}
    few = supply_inputs(ipres_sets=given).subset("ipres26")
    why = coverage(make_assay(frame, unit="tpm"), few, method="published", min_coverage=0.75)
    assert why.loc[0, "status"] == "covers 17 of 26 sets (65%), needs 75%"


def test_cinsarc_is_the_difference_of_rank_correlations(frame, centroids, tmp_path):
    path = tmp_path / "centroids.tsv"
    centroids.rename_axis("gene").to_csv(path, sep="\t")
    assay = make_assay(frame, unit="tpm")
    table = score(assay, supply_inputs(cinsarc_centroids=path).subset("cinsarc67"), method="published")
    logs = np.log2(frame[list(CINSARC)] + 1)
    centered = logs - logs.median()
    for sample in frame.index:
        low, high = (stats.spearmanr(centered.loc[sample], centroids[name]).statistic for name in ("C1", "C2"))
        assert table.loc[sample, "cinsarc67"] == pytest.approx(high - low, rel=1e-9)


def test_cinsarc_reads_genes_by_name_and_leaves_out_the_missing(frame, centroids):
    fewer = frame.drop(columns=list(CINSARC[:5]))
    one = supply_inputs(cinsarc_centroids=centroids.sample(frac=1, random_state=0)).subset("cinsarc67")
    table = score(make_assay(fewer, unit="tpm"), one, method="published")
    logs = np.log2(frame[list(CINSARC[5:])] + 1)
    centered = logs - logs.median()
    for sample in frame.index:
        low, high = (
            stats.spearmanr(centered.loc[sample], centroids.loc[list(CINSARC[5:]), name]).statistic
            for name in ("C1", "C2")
        )
        assert table.loc[sample, "cinsarc67"] == pytest.approx(high - low, rel=1e-9)


def test_without_input_they_say_what_they_need(frame, sets, centroids):
    why = coverage(make_assay(frame, unit="tpm"), method="published").set_index("signature")["status"]
    assert why["cinsarc67"] == "needs user input: training centroids"
    assert why["ipres26"] == "needs user input: a GMT of its 26 sets"
    whole = supply_inputs(ipres_sets=sets, cinsarc_centroids=centroids)
    assert len(whole) == 109
    why = coverage(make_assay(frame, unit="tpm"), whole, method="published").set_index("signature")["status"]
    assert why[["cinsarc67", "ipres26"]].tolist() == ["ok", "ok"]


def test_centroids_that_do_not_fit_are_refused(centroids, tmp_path):
    with pytest.raises(SchemaError, match=r"column 'C2' is missing(?s:.*)40 of the 67 genes; two thirds"):
        supply_inputs(cinsarc_centroids=centroids[["C1"]].iloc[:40])
    with pytest.raises(SchemaError, match=f"no number for {CINSARC[0]}"):
        supply_inputs(cinsarc_centroids=centroids.assign(C1=["high", *centroids["C1"][1:]]))
    with pytest.raises(SchemaError, match="genes repeated"):
        supply_inputs(cinsarc_centroids=pd.concat([centroids, centroids.iloc[:1]]))
    with pytest.raises(DataFileError, match="does not exist"):
        supply_inputs(cinsarc_centroids=tmp_path / "none.tsv")
