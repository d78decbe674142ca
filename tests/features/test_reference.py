"""Frozen references: where real and built samples land, what is refused, and that company changes nothing."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import re
import statistics

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from immunosarc import schema
from immunosarc.catalog import load_sarcoma_reference, load_signatures
from immunosarc.cohort import make_assay
from immunosarc.errors import (
    CoverageError,
    DataFileError,
    ImmunosarcError,
    SchemaError,
    UnitError,
    UnknownNameError,
)
from immunosarc.features import (
    build_reference,
    classify,
    place,
    placed_change,
    read_reference,
    sarcoma_reference,
    write_reference,
)

SCHEMES = ("hot_cold", "sarcoma_immune_class")


@pytest.fixture(scope="module")
def synovial(data_root):
    """36 real synovial sarcomas, 130 genes, the pipeline of the reference."""
    path = data_root / "sarcoma_reference" / "syn36_immune_genes_log2tpm.tsv.gz"
    return make_assay(pd.read_csv(path, sep="\t", index_col=0).T, unit="log2_tpm", platform="polya_rnaseq")


@pytest.fixture(scope="module")
def medians(data_root):
    """TPM medians of each subtype, as if each were a patient."""
    table = pd.read_csv(
        data_root / "sarcoma_reference" / "sarcoma_subtype_quartiles.tsv.gz", sep="\t", index_col=0
    )
    return pd.DataFrame({code: table[f"{code}_median"] for code in ("SYN", "LMS", "UPS", "LPS", "MFS")}).T


@pytest.fixture(scope="module")
def lengths(data_root):
    path = data_root / "sarcoma_reference" / "gene_rel_length_proxy.tsv.gz"
    return 2.0 ** pd.read_csv(path, sep="\t", index_col=0)["rel_log2_length"]


def test_no_synovial_sarcoma_is_hot(synovial):
    found = classify(synovial, guard="declared")
    assert found["label"].value_counts().to_dict() == {"cold": 36}
    classes = classify(synovial, "sarcoma_immune_class", guard="declared")
    assert classes["nearest"].value_counts().to_dict() == {"B": 18, "A": 14, "C": 4}
    assert not classes["label"].isin(["D", "E"]).any()
    placed = place(synovial, guard="declared")
    middle = placed.groupby("population")["percentile"].median()
    assert middle["TIS18"] == pytest.approx(0.04, abs=0.005)
    assert middle["T cells"] == pytest.approx(0.23, abs=0.005)


def test_a_z_within_the_cohort_would_call_twelve_of_them_hot(synovial):
    own = build_reference(synovial)
    classes = classify(synovial, "sarcoma_immune_class", reference=own)
    assert classes["nearest"].isin(["D", "E"]).sum() == 12
    assert set(classes["guard"]) == {"own cohort"}


def test_too_few_genes_are_placed_on_ones_word_only(synovial):
    refused = classify(synovial)
    assert refused["label"].isna().all()
    assert refused["status"].str.match(r"guard not evaluable: \d+ of the 1,000 reference genes").all()
    placed = place(synovial, guard="declared")
    assert (placed["log2_factor"] == 0).all()
    assert placed["note"].str.contains("placed as declared, without a scale factor").all()


@pytest.mark.parametrize("scheme", SCHEMES)
def test_one_sample_alone_has_the_identical_row(synovial, scheme):
    whole = classify(synovial, scheme, guard="declared")
    for name in synovial.obs_names[[0, 17, 35]]:
        alone = classify(synovial[[name]].copy(), scheme, guard="declared")
        row = whole.loc[whole["sample_id"] == name].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, row, check_exact=True)


def test_subtypes_lie_in_their_order(medians, lengths):
    placed = place(make_assay(medians, unit="tpm"), gene_lengths=lengths)
    assert placed["status"].eq("ok").all()
    z = placed.loc[placed["population"] == "T cells"].set_index("sample_id")["z"]
    assert z["SYN"] < z["LMS"] < z["UPS"] < min(z["LPS"], z["MFS"])
    assert placed["r_length"].abs().max() < 0.2
    assert placed["r_reference"].min() > 0.9
    labels = classify(make_assay(medians, unit="tpm"), gene_lengths=lengths).set_index("sample_id")["label"]
    assert labels["SYN"] == "cold"
    assert set(labels.drop("SYN")) == {"intermediate"}


def test_a_sample_that_follows_gene_length_is_refused(medians, lengths):
    counts_like = medians.mul(lengths.reindex(medians.columns).fillna(1.0), axis=1)
    counts_like = counts_like.div(counts_like.sum(axis=1), axis=0) * 1e6
    table = classify(make_assay(counts_like, unit="tpm"), gene_lengths=lengths)
    assert table["label"].isna().all()
    assert table["status"].str.contains("refused: the residual follows gene length").all()
    unchecked = place(make_assay(counts_like.iloc[:1], unit="tpm"))
    assert unchecked["note"].str.contains("length check not done: pass gene_lengths").all()


def test_one_factor_undoes_a_sample_wide_scale(medians):
    usual = place(make_assay(medians, unit="tpm"))
    halved = place(make_assay(medians * 0.5, unit="tpm"))
    np.testing.assert_allclose(halved["log2_factor"], usual["log2_factor"] - 1, atol=1e-9)
    np.testing.assert_allclose(halved["z"], usual["z"], atol=1e-9)
    markers = {gene for one in sarcoma_reference().populations.values() for gene in one.genes}
    inflamed = medians.copy()
    inflamed[[gene for gene in medians if gene in markers]] *= 30
    hot = place(make_assay(inflamed, unit="tpm"))
    pd.testing.assert_series_equal(hot["log2_factor"], usual["log2_factor"])  # markers take no part in it
    empty = medians * (np.arange(medians.shape[1]) % 3 == 0)
    assert (
        place(make_assay(empty, unit="tpm"))["status"]
        .eq("refused: half of the genes that sarcomas express are zero")
        .all()
    )


def test_the_mean_profile_lies_at_its_own_place():
    usual = sarcoma_reference().genes["mean"]
    table = place(make_assay(pd.DataFrame([usual], index=["S1"]), unit="log2_tpm"))
    assert table["log2_factor"].abs().max() < 1e-12
    assert table["r_reference"].min() == pytest.approx(1)
    twelve = table.set_index("population")
    genes = load_sarcoma_reference().populations["TIS18"]["genes"]
    assert twelve.loc["TIS18", "score"] == pytest.approx(usual[list(genes)].mean())


def test_numbers_of_one_sample_by_hand():
    genes = load_sarcoma_reference().populations["CYT"]
    sample = make_assay(pd.DataFrame({"GZMA": [7.0], "PRF1": [3.0]}, index=["S1"]), unit="tpm")
    row = place(sample, guard="declared").set_index("population").loc["CYT"]
    assert row["score"] == 2.5
    assert row["z"] == pytest.approx((2.5 - genes["mean"]) / genes["sd"])
    grid = sorted((float(value), float(at)) for at, value in genes["quantiles"].items())
    (low, p), (high, q) = next((a, b) for a, b in itertools.pairwise(grid) if a[0] <= 2.5 <= b[0])
    assert row["percentile"] == pytest.approx(p + (q - p) * (2.5 - low) / (high - low))


def test_missing_genes_are_accounted_for_by_the_mean_profile():
    shipped = load_sarcoma_reference()
    genes = list(shipped.populations["TIS18"]["genes"])
    usual = shipped.genes["mean_log2tpm1"]
    frame = pd.DataFrame([usual[genes]], index=["S1"])
    whole = place(make_assay(frame, unit="log2_tpm"), guard="declared").set_index("population")
    fewer = place(make_assay(frame.drop(columns=["HLA-E", "CD276"]), unit="log2_tpm"), guard="declared")
    fewer = fewer.set_index("population")
    assert fewer.loc["TIS18", "score"] == pytest.approx(whole.loc["TIS18", "score"], rel=1e-12)
    assert fewer.loc["TIS18", "n_found"] == 16
    few = place(make_assay(frame[genes[:14]], unit="log2_tpm"), guard="declared").set_index("population")
    assert few.loc["TIS18", "status"] == "covers 14 of 18 genes (77%), needs 80%"
    assert np.isnan(few.loc["TIS18", "z"])


@pytest.mark.parametrize(
    ("percentile", "label"), [(2 / 3, "hot"), (0.66, "intermediate"), (1 / 3, "cold"), (0.34, "intermediate")]
)
def test_the_limits_of_hot_and_cold(percentile, label):
    shipped = sarcoma_reference()
    at = {
        name: np.interp(percentile, one.probabilities, one.quantiles) for name, one in shipped.populations.items()
    }
    tis = set(shipped.populations["TIS18"].genes)
    frame = pd.DataFrame(
        [dict.fromkeys(tis, at["TIS18"]) | dict.fromkeys(("GZMA", "PRF1"), at["CYT"])], index=["S1"]
    )
    rules = dataclasses.replace(shipped.rules, hot_from=2 / 3 - 1e-9, cold_to=1 / 3 + 1e-9)
    row = classify(
        make_assay(frame, unit="log2_tpm"), reference=dataclasses.replace(shipped, rules=rules), guard="declared"
    )
    assert row.loc[0, "label"] == label
    assert row.loc[0, "score"] == pytest.approx(percentile)


def test_the_nearest_centroid_and_how_sure_it_is():
    shipped, scheme = sarcoma_reference(), load_signatures()["sarcoma_immune_class"].centroids
    axes = ("T cells", "Cytotoxic lymphocytes", "B lineage", "Endothelial cells")
    for index, letter in enumerate("BCDE"):  # A lies below the floor of zero expression
        values = {}
        for axis in axes:
            one = shipped.populations[axis]
            values |= dict.fromkeys(one.genes, one.mean + one.sd * scheme[axis][index + 1])
        row = classify(
            make_assay(pd.DataFrame([values], index=["S1"]), unit="log2_tpm"),
            "sarcoma_immune_class",
            guard="declared",
        )
        assert row.loc[0, "nearest"] == letter
        assert row.loc[0, "score"] == pytest.approx(0, abs=1e-9)
        others = [
            math.dist([scheme[a][index + 1] for a in axes], [scheme[a][j] for a in axes])
            for j in range(5)
            if j != index + 1
        ]
        assert row.loc[0, "margin"] == pytest.approx(min(others))
    sure = dataclasses.replace(shipped, rules=dataclasses.replace(shipped.rules, offset_sd={}, scale_sd=0.0))
    row = classify(
        make_assay(pd.DataFrame([values], index=["S1"]), unit="log2_tpm"),
        "sarcoma_immune_class",
        reference=sure,
        guard="declared",
    )
    assert row.loc[0, "posteriors"] == "A 0.000, B 0.000, C 0.000, D 0.000, E 1.000"


def test_a_sample_between_two_classes_is_indeterminate():
    shipped, scheme = sarcoma_reference(), load_signatures()["sarcoma_immune_class"].centroids
    rules = dataclasses.replace(shipped.rules, posterior_least=0.6)
    values = {}
    for axis in ("T cells", "Cytotoxic lymphocytes", "B lineage", "Endothelial cells"):
        one = shipped.populations[axis]
        values |= dict.fromkeys(one.genes, one.mean + one.sd * statistics.mean((scheme[axis][1], scheme[axis][2])))
    between = make_assay(pd.DataFrame([values], index=["S1"]), unit="log2_tpm")
    row = classify(
        between, "sarcoma_immune_class", reference=dataclasses.replace(shipped, rules=rules), guard="declared"
    )
    assert row.loc[0, "label"] == "indeterminate"
    assert row.loc[0, "nearest"] in "BC"
    assert row.loc[0, "posterior"] == pytest.approx(0.5, abs=0.1)


def test_what_cannot_be_placed_is_refused_with_the_reason(data_root, medians):
    with pytest.raises(UnitError, match="is in TPM, the assay has counts: it cannot be placed"):
        classify(make_assay(medians.round(), unit="counts"))
    with pytest.raises(UnitError, match="is in TPM, the assay has rsem_normalized"):
        classify(make_assay(medians, unit="rsem_normalized"))
    for platform in ("nanostring", "exome_capture"):
        with pytest.raises(UnitError, match=f"polyA RNA-seq, the assay is {platform}"):
            classify(make_assay(medians, unit="tpm", platform=platform))
    ranked = medians.rank(axis=1, method="first") / 1000
    with pytest.raises(UnitError, match="every sample has the same distribution"):
        classify(make_assay(ranked, unit="tpm"))
    riaz = pd.read_csv(data_root / "riaz2017" / "expression_counts.tsv.gz", sep="\t", index_col="gene", nrows=50).T
    with pytest.raises(UnitError, match="has counts"):
        place(make_assay(riaz, unit="counts"))
    with pytest.raises(ImmunosarcError, match="guard is 'measured' or 'declared'"):
        place(make_assay(medians, unit="tpm"), guard="off")
    with pytest.raises(UnknownNameError, match="Did you mean 'hot_cold'"):
        classify(make_assay(medians, unit="tpm"), "hotcold")


def test_carcinosarcomas_in_another_unit_are_refused_even_when_declared_as_tpm(data_root, lengths):
    path = data_root / "tcga_ucs" / "expression_rsem.tsv.gz"
    rsem = pd.read_csv(path, sep="\t", index_col=0).iloc[:, :6].T
    rsem = rsem.loc[:, ~rsem.columns.duplicated()]
    with pytest.raises(UnitError, match="is in TPM, the assay has rsem_normalized"):
        classify(make_assay(rsem, unit="rsem_normalized"))
    scaled = rsem.div(rsem.sum(axis=1), axis=0) * 1e6  # looks like TPM, and was never divided by gene length
    found = classify(make_assay(scaled, unit="tpm"), gene_lengths=lengths)
    assert found["label"].isna().all()
    assert found["status"].str.contains("refused: the residual follows gene length").all()


def test_ones_own_cohort_is_frozen():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        rng.gamma(1.0, 20.0, (40, 3)), columns=["A", "B", "C"], index=[f"S{i}" for i in range(40)]
    )
    counts = frame.round()
    own = build_reference(make_assay(counts, unit="counts"), {"ab": ["A", "B"], "gone": ["X", "Y"]})
    assert list(own.populations) == ["ab"]
    assert (own.unit, own.n, own.absolute) == ("log2_cpm", 40, False)
    logs = np.log2(counts.div(counts.sum(axis=1), axis=0) * 1e6 + 1)
    scores = logs[["A", "B"]].mean(axis=1)
    placed = place(make_assay(counts.iloc[[4]], unit="counts"), own)
    assert placed.loc[0, "z"] == pytest.approx((scores["S4"] - scores.mean()) / scores.std())
    assert placed.loc[0, "percentile"] == pytest.approx((np.sum(scores < scores["S4"]) + 0.5) / 40)
    thin = make_assay(counts.iloc[[4]], unit="counts")
    thin.X = sparse.csr_matrix(thin.X)
    pd.testing.assert_frame_equal(place(thin, own), placed)
    with pytest.raises(UnitError, match="is in CPM, the assay has tpm"):
        place(make_assay(frame, unit="tpm"), own)
    with pytest.raises(ImmunosarcError, match="needs 20 samples, the assay has 5"):
        build_reference(make_assay(counts.iloc[:5], unit="counts"))
    with pytest.raises(CoverageError, match="none of 12 populations"):
        build_reference(make_assay(counts, unit="counts"))
    with pytest.raises(CoverageError, match="reads TIS18, CYT, which reference 'own_cohort' lacks"):
        classify(make_assay(counts, unit="counts"), reference=own)


def test_the_hash_changes_with_what_decides_a_placement():
    shipped = sarcoma_reference()
    assert len(shipped.hash) == 64
    assert dataclasses.replace(shipped, name="x").hash == shipped.hash
    assert (
        dataclasses.replace(shipped, rules=dataclasses.replace(shipped.rules, hot_from=0.7)).hash != shipped.hash
    )
    assert dataclasses.replace(shipped, genes=shipped.genes + 1e-6).hash != shipped.hash


def test_tables_keep_their_schemas_and_inputs_stay(synovial):
    before = synovial.X.copy()
    schema.PLACEMENT.check(place(synovial, guard="declared"))
    schema.CLASSES.check(classify(synovial, guard="declared"))
    assert np.array_equal(synovial.X, before)


def test_the_posterior_is_the_share_of_offsets_that_keep_the_class():
    """One axis may move by a normal offset: the share by summing the normal density over a fine grid."""
    shipped, scheme = sarcoma_reference(), load_signatures()["sarcoma_immune_class"].centroids
    axes = ("T cells", "Cytotoxic lymphocytes", "B lineage", "Endothelial cells")
    rules = dataclasses.replace(shipped.rules, offset_sd={"T cells": 0.8}, scale_sd=0.0)
    point = [0.4, 0.2, 0.1, -0.2]
    values = {}
    for axis, z in zip(axes, point, strict=True):
        values |= dict.fromkeys(
            shipped.populations[axis].genes, shipped.populations[axis].mean + shipped.populations[axis].sd * z
        )
    given = make_assay(pd.DataFrame([values], index=["S1"]), unit="log2_tpm")
    row = classify(
        given, "sarcoma_immune_class", reference=dataclasses.replace(shipped, rules=rules), guard="declared"
    ).loc[0]
    normal, kept = statistics.NormalDist(0, 0.8), 0.0
    for step in range(-4000, 4000):
        offset = (step + 0.5) / 1000
        at = [point[0] + offset, *point[1:]]
        near = min(range(5), key=lambda j: math.dist(at, [scheme[a][j] for a in axes]))
        kept += normal.pdf(offset) / 1000 * ("ABCDE"[near] == row["nearest"])
    assert 0.5 < kept < 0.95
    assert row["posterior"] == pytest.approx(kept, abs=0.03)


def test_a_reference_file_places_alike_and_its_rules_may_be_set(tmp_path, synovial):
    own = build_reference(synovial, name="syn")
    path = write_reference(own, tmp_path / "own.json")
    again = read_reference(path)
    assert (again.hash, again.name, again.unit, again.n) == (own.hash, "syn", "log2_tpm", 36)
    pd.testing.assert_frame_equal(place(synovial, again), place(synovial, own), check_exact=True)
    content = json.loads(path.read_text(encoding="utf-8"))
    content["rules"]["hot_from"] = 0.5
    path.write_text(json.dumps(content), encoding="utf-8")
    edited = read_reference(path)
    assert edited.rules.hot_from == 0.5
    assert edited.hash != own.hash
    before, after = (classify(synovial, reference=one)["label"].eq("hot").sum() for one in (own, edited))
    assert before < after
    with pytest.raises(DataFileError, match=r"own\.json exists: a reference is frozen once"):
        write_reference(own, path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda c: c["populations"]["CYT"].update(mean=0.0), "its numbers are not those that were frozen"),
        (lambda c: c["genes"]["mean"].__setitem__(0, 99.0), "its numbers are not those that were frozen"),
        (lambda c: c.update(unit="tpm"), "its numbers are not those that were frozen"),
        (lambda c: c["rules"].update(hot_form=0.5), "unknown rule 'hot_form'. Did you mean 'hot_from'"),
        (lambda c: c["rules"].update(hot_from="high"), "hot_from must be a number not below 0, found 'high'"),
        (lambda c: c["rules"]["offset_sd"].update({"T cells": -1}), "offset_sd T cells must be a number"),
        (lambda c: c["rules"].update(hot_from=0.2), "cold_to must lie below hot_from"),
        (lambda c: c.pop("genes"), "is no whole reference: 'genes'"),
        (lambda c: c["genes"].update(mean=[1.0, 2.0]), "is no whole reference"),
        (lambda c: c.update(format="other"), "is no reference of this package"),
    ],
)
def test_a_spoilt_reference_file_is_refused(tmp_path, synovial, spoil, message):
    path = write_reference(build_reference(synovial), tmp_path / "own.json")
    content = json.loads(path.read_text(encoding="utf-8"))
    spoil(content)
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(DataFileError, match=re.escape(message)):
        read_reference(path)
    path.write_bytes(b"\xff{")
    with pytest.raises(DataFileError, match="cannot be read as JSON"):
        read_reference(path)


def test_the_change_of_a_patient_in_frozen_units(synovial):
    """Patients are pairs of real samples; a constant offset of the pipeline falls out of the difference."""
    samples = pd.DataFrame(
        {
            "patient_id": [f"P{i // 2}" for i in range(36)],
            "timepoint": ["pre", "on"] * 18,
        },
        index=synovial.obs_names,
    )
    placed = place(synovial, guard="declared")
    found = placed_change(placed, samples)
    assert len(found) == 18 * 12
    z = placed.pivot(index="sample_id", columns="population", values="z")
    row = found.loc[(found["patient_id"] == "P3") & (found["population"] == "TIS18")].iloc[0]
    expected = z.loc[synovial.obs_names[7], "TIS18"] - z.loc[synovial.obs_names[6], "TIS18"]
    assert row["difference"] == pytest.approx(expected, rel=1e-12)
    moved = placed.assign(z=placed["z"] + 0.7)
    np.testing.assert_allclose(placed_change(moved, samples)["difference"], found["difference"], atol=1e-12)
    back = placed_change(placed, samples, before="on", after="pre")
    np.testing.assert_allclose(back["difference"], -found["difference"])
    one = placed.loc[placed["sample_id"].isin(synovial.obs_names[6:8])].reset_index(drop=True)
    alone = found.loc[found["patient_id"] == "P3"].reset_index(drop=True)
    pd.testing.assert_frame_equal(placed_change(one, samples), alone, check_exact=True)


def test_patients_without_a_change_say_why(synovial):
    names = synovial.obs_names[:5]
    samples = pd.DataFrame(
        {"patient_id": ["P1", "P1", "P1", "P2", "P2"], "timepoint": ["pre", "pre", "on", "pre", "post"]},
        index=names,
    )
    placed = place(synovial[list(names)].copy(), guard="declared")
    found = placed_change(placed, samples).groupby("patient_id")["status"].first()
    assert found.to_dict() == {"P1": "2 samples at pre: choose one", "P2": "no sample at on"}
    assert placed_change(placed, samples)["difference"].isna().all()
    with pytest.raises(UnknownNameError, match="no placed sample at 'week6'"):
        placed_change(placed, samples, after="week6")
    with pytest.raises(SchemaError, match="samples has no row for"):
        placed_change(placed, samples.iloc[1:])
    refused = place(synovial[list(names)].copy())
    assert placed_change(refused, samples)["status"].str.contains("no sample|guard not evaluable|2 samples").all()


def test_the_shipped_reference_is_rebuilt_from_the_quartiles(data_root):
    """Two-piece lognormals by gene and subtype, mixed, with one common factor: mean and SD of all 12 populations."""
    folder = data_root / "sarcoma_reference"
    table = pd.read_csv(folder / "sarcoma_subtype_quartiles.tsv.gz", sep="\t", index_col=0)
    shipped = load_sarcoma_reference()
    rng = np.random.default_rng(0)
    for name, one in shipped.populations.items():
        genes, parts = list(one["genes"]), []
        common = np.sqrt(max(one["within_r"], 0.0))
        for code in shipped.pool:
            n = round(60_000 * shipped.n[code] / sum(shipped.n[c] for c in shipped.pool))
            q1, median, q3 = (
                np.maximum(table.loc[genes, f"{code}_{q}"].to_numpy(), 0.001) for q in ("q1", "median", "q3")
            )
            up = np.minimum((np.log2(q3) - np.log2(median)) / 0.6745, 6)
            low = np.minimum((np.log2(median) - np.log2(q1)) / 0.6745, 6)
            low = np.where(table.loc[genes, f"{code}_q1"] <= 0, up, low)
            noise = rng.standard_normal((n, len(genes)))
            normal = common * rng.standard_normal((n, 1)) + np.sqrt(1 - common**2) * noise
            logs = np.log2(median) + normal * np.where(normal < 0, low, up)
            parts.append(np.log2(np.exp2(logs) + 1).mean(axis=1))
        score = np.concatenate(parts)
        assert score.mean() == pytest.approx(one["mean"], abs=0.02), name
        assert score.std(ddof=1) == pytest.approx(one["sd"], abs=0.02), name


def test_without_a_reference_there_is_no_class(synovial):
    with pytest.raises(ImmunosarcError, match=r"a continuous score \(features.score\) and no class"):
        classify(synovial, reference=None)
    with pytest.raises(ImmunosarcError, match="no class"):
        place(synovial, None)
    with pytest.raises(UnknownNameError, match="'sarcoma' is the shipped one"):
        classify(synovial, reference="sarkoma")
    named = classify(synovial, reference="sarcoma", guard="declared")
    pd.testing.assert_frame_equal(named, classify(synovial, guard="declared"))


def test_the_lengths_that_an_assay_carries_are_used(medians, lengths):
    plain = make_assay(medians, unit="tpm")
    expected = place(plain, gene_lengths=lengths)
    by_gene = plain.copy()
    by_gene.var["gene_length"] = lengths.reindex(by_gene.var_names).to_numpy()
    pd.testing.assert_frame_equal(place(by_gene), expected)
    by_sample = plain.copy()
    table = np.tile(lengths.reindex(by_gene.var_names).to_numpy(), (5, 1))
    table[1] = table[1] ** 2  # twice the logarithm: the same correlation
    table[3] = np.nan
    by_sample.layers["gene_length"] = table
    found = place(by_sample).set_index("sample_id")["r_length"].groupby(level=0).first()
    usual = expected.groupby("sample_id")["r_length"].first()
    names = plain.obs_names
    np.testing.assert_allclose(found[names[[0, 1, 2, 4]]], usual[names[[0, 1, 2, 4]]])
    assert np.isnan(found[names[3]])
    alone = place(by_sample[[names[1]]].copy())
    assert alone["r_length"].iloc[0] == found[names[1]]
