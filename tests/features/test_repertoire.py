"""Repertoires of samples: productive receptors, one locus, one depth, and what patients get of them."""

from __future__ import annotations

from math import log

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc import features, stats
from immunosarc.errors import CohortError, UnknownNameError

SAMPLES = pd.DataFrame(
    [
        ("A1", "P1", "pre", "tumor"),
        ("A2", "P1", "on", "tumor"),
        ("AB", "P1", "pre", "blood"),
        ("B1", "P2", "pre", "tumor"),
        ("C1", "P3", "pre", "tumor"),
        ("D1", "P4", "pre", "tumor"),
    ],
    columns=["sample_id", "patient_id", "timepoint", "specimen"],
)
ROWS = pd.DataFrame(
    [
        ("A1", "TGTA", "CA", "V1", True, 40),
        ("A1", "TGTC", "CB", "V1", True, 40),
        ("A1", "TGTG", "CB", "V1", True, 15),
        ("A1", "TGTT", "CD", "V1", True, 5),
        ("A1", "TGTTT", None, "V1", False, 900),
        ("A2", "TGTA", "CA", "V1", True, 5),
        ("A2", "TGTC", "CB", "V1", True, 90),
        ("A2", "TGTTA", "CE", "V1", True, 25),
        ("AB", "TGTC", "CB", "V1", True, 50),
        ("AB", "TGTCC", "CF", "V1", True, 50),
        ("B1", "TGTA", "CA", "V2", True, 12),
        ("C1", "TGTAA", None, "V2", False, 3),
        ("C1", "TGTAC", None, "V2", False, 1),
    ],
    columns=["sample_id", "cdr3_nt", "cdr3_aa", "v_call", "productive", "count"],
)


def toy(rows: pd.DataFrame = ROWS) -> ims.Cohort:
    owners = SAMPLES.set_index("sample_id")["patient_id"]
    patients = pd.DataFrame({"patient_id": sorted(set(owners))})
    table = rows.assign(patient_id=rows["sample_id"].map(owners))
    return ims.Cohort(patients, SAMPLES, tables={"clonotypes": table})


def test_unproductive_receptors_never_count():
    found = features.repertoire(toy(), depth=100)
    assert found.loc["A1", "richness"] == 4
    assert found.loc["A1", "top_clone_share"] == pytest.approx(0.4)
    shares = np.array([40, 40, 15, 5]) / 100
    assert found.loc["A1", "clonality"] == pytest.approx(1 + shares @ np.log(shares) / log(4))
    assert found.loc["A1", "d50"] == 2  # 40 of 100 are not yet half


def test_samples_without_numbers_say_why():
    found = features.repertoire(toy(), depth=100)
    assert found["status"].to_dict() == {
        "A1": "ok",
        "A2": "ok",
        "AB": "ok",
        "B1": "has 12 productive receptors, depth is 100",
        "C1": "no productive receptor among 2 rows",
    }
    assert found.loc[["B1", "C1"]].drop(columns="status").isna().all(axis=None)
    tumor = toy().select(samples=SAMPLES.query("specimen == 'tumor'")["sample_id"])
    patients = tumor.at("pre").per_patient(found)
    assert patients["status"].to_dict() == {
        "P1": "ok",
        "P2": "has 12 productive receptors, depth is 100",
        "P3": "no productive receptor among 2 rows",
        "P4": "sample was not measured",
    }
    assert "cohort-relative" not in found.attrs["scoring"]["richness"]


def test_a_repertoire_of_unproductive_receptors_only_is_missing_throughout():
    only = ROWS[ROWS["sample_id"] == "C1"]
    for depth in (100, "smallest"):
        found = features.repertoire(toy(only), depth=depth)
        assert found.drop(columns="status").isna().all(axis=None)
        assert found["status"].tolist() == ["no productive receptor among 2 rows"]
    assert features.repertoire_overlap(toy(only), depth=2).empty


def test_depth_is_that_of_the_poorest_sample_only_when_asked_and_says_so():
    found = features.repertoire(toy(), depth="smallest")
    assert found.attrs["scoring"]["gini"] == "clonotypes at depth 12, cohort-relative"
    assert found.loc["A1", "richness"] == pytest.approx(stats.rarefied_richness([40, 40, 15, 5], 12))
    for wrong in (1, 0, 2.5, "deepest", True):
        with pytest.raises(CohortError, match="depth: a whole number of at least 2 or 'smallest' is needed"):
            features.repertoire(toy(), depth=wrong)


def test_what_makes_a_clone():
    by_bases = features.repertoire_depths(toy())
    by_protein = features.repertoire_depths(toy(), clone="amino_acid")
    assert (by_bases.loc["A1", "clones"], by_protein.loc["A1", "clones"]) == (4, 3)  # CB has two sequences
    with pytest.raises(UnknownNameError, match="clone: unknown 'protein'"):
        features.repertoire(toy(), depth=10, clone="protein")
    without = ROWS.assign(cdr3_nt=ROWS["cdr3_nt"].mask(ROWS["cdr3_nt"] == "TGTA"))
    with pytest.raises(CohortError, match="3 of 10 productive receptors have no cdr3_nt"):
        features.repertoire(toy(without), depth=10)


def test_rows_of_one_clone_add_up():
    twice = pd.concat([ROWS.assign(count=ROWS["count"] * 2), ROWS], ignore_index=True)
    pd.testing.assert_frame_equal(
        features.repertoire_depths(toy(twice))["clones"].to_frame(),
        features.repertoire_depths(toy())["clones"].to_frame(),
    )
    assert features.repertoire_depths(toy(twice)).loc["A1", "receptors"] == 300


def test_loci_do_not_mix():
    mixed = ROWS.assign(locus=["TRB", "TRA", *["TRB"] * (len(ROWS) - 2)])
    with pytest.raises(CohortError, match=r"of several loci \(TRA, TRB\); choose one"):
        features.repertoire(toy(mixed), depth=10)
    found = features.repertoire_depths(toy(mixed), locus="TRB")
    assert found.loc["A1", "receptors"] == 60
    with pytest.raises(UnknownNameError, match="locus: no receptor of 'IGH'"):
        features.repertoire(toy(mixed), depth=10, locus="IGH")
    with pytest.raises(UnknownNameError, match="does not say which chain"):
        features.repertoire(toy(), depth=10, locus="TRB")


def test_draws_of_a_sample_do_not_move_when_others_join():
    alone = features.repertoire(toy(ROWS[ROWS["sample_id"] == "A1"]), depth=30, seed=5)
    together = features.repertoire(toy(), depth=30, seed=5)
    pd.testing.assert_series_equal(alone.loc["A1"], together.loc["A1"])
    assert features.repertoire(toy(), depth=30, seed=6).loc["A1", "gini"] != together.loc["A1", "gini"]


def test_each_sample_has_draws_of_its_own():
    """Two samples with the same clones are not drawn alike, else what they share would be overstated."""
    same = ROWS[ROWS["sample_id"].isin(["A1"])]
    both = pd.concat([same, same.assign(sample_id="B1")])
    found = features.repertoire(toy(both), depth=30, draws=3)
    assert found.loc["A1", "gini"] != found.loc["B1", "gini"]
    assert features.repertoire_overlap(toy(both), depth=30, draws=3)["morisita_horn"].iloc[0] < 0.999


def test_growth_is_of_the_share_and_not_of_the_count():
    rows = pd.DataFrame(
        [("A1", "TGTA", 50), ("A1", "TGTC", 50), ("A2", "TGTA", 60), ("A2", "TGTC", 940)],
        columns=["sample_id", "cdr3_nt", "count"],
    ).assign(productive=True)
    found = features.changed_clones(toy(rows)).set_index("clone")
    assert found["direction"].to_dict() == {"TGTA": "contracted", "TGTC": "expanded"}


def test_overlap_of_all_pairs():
    found = features.repertoire_overlap(toy(), depth=100).set_index(["sample_1", "sample_2"])
    row = found.loc[("A1", "AB")]
    assert (row["shared_clones"], row["depth"], row["status"]) == (1, 100, "ok")
    cross, first, second = 40 * 50, (40**2 * 2 + 15**2 + 5**2), 50**2 * 2
    assert row["morisita_horn"] == pytest.approx(2 * cross / (first + second))
    assert row["jaccard"] == pytest.approx(1 / 5)
    assert found.loc[("A1", "B1"), "status"] == "B1 has 12 productive receptors, depth is 100"
    assert len(found) == 10


def test_tumor_and_blood_of_one_patient():
    found = features.tumor_blood_overlap(toy(), depth=100)
    assert found.loc["A1", "shared_clone_share"] == pytest.approx(1 / 4)
    assert found.loc["A1", "shared_receptor_share"] == pytest.approx(0.4)
    assert found["status"].to_dict() == {
        "A1": "ok",
        "A2": "no blood of on",
        "B1": "has 12 productive receptors, depth is 100",
        "C1": "no productive receptor among 2 rows",
    }
    bare = ims.Cohort(toy().patients, toy().samples.drop(columns="specimen"), tables=toy().tables)
    with pytest.raises(CohortError, match="map the column 'specimen'"):
        features.tumor_blood_overlap(bare, depth=10)


def test_clones_that_grew_and_shrank():
    by_clone = features.changed_clones(toy()).set_index("clone")
    assert by_clone.loc["TGTC V1", ["before_count", "after_count", "direction"]].tolist() == [40, 90, "expanded"]
    p = stats.clone_shift([40, 40, 15, 5, 0], [5, 90, 0, 0, 25])
    q = stats.benjamini_hochberg(p)
    wanted = dict(zip(["TGTA V1", "TGTC V1", "TGTG V1", "TGTT V1", "TGTTA V1"], q, strict=True))
    assert by_clone["q_value"].to_dict() == pytest.approx(wanted)
    one = features.clonal_expansion(toy())
    assert one.index.tolist() == ["A2"]
    assert one.loc["A2", ["expanded_clones", "contracted_clones", "tested_clones"]].tolist() == [2, 3, 5]
    assert one.loc["A2", "expanded_share"] == pytest.approx((90 + 25) / 120)
    assert one.loc["A2", "contracted_share"] == pytest.approx((40 + 15 + 5) / 100)


def test_what_cannot_be_compared_says_why():
    later = ROWS[ROWS["sample_id"] == "A2"]
    assert features.clonal_expansion(toy(later))["status"].tolist() == ["no receptors of pre to compare with"]
    empty = pd.concat([later.assign(productive=False), ROWS[ROWS["sample_id"] == "A1"]])
    assert features.clonal_expansion(toy(empty))["status"].tolist() == ["no productive receptor in A2"]
    assert features.changed_clones(toy(later)).empty
    with pytest.raises(CohortError, match="min_count of at least 1 and fdr between 0 and 1"):
        features.changed_clones(toy(), fdr=0)


def test_expansion_is_a_feature_of_the_day_of_the_later_sample():
    """It is known on treatment only, so a test against survival from day 1 is refused."""
    days = SAMPLES.assign(study_day=[1.0, 43, 1, 1, 1, 1])
    owners = SAMPLES.set_index("sample_id")["patient_id"]
    patients = pd.DataFrame({"patient_id": sorted(set(owners)), "os_days": 300.0, "os_event": True})
    table = ROWS.assign(patient_id=ROWS["sample_id"].map(owners))
    cohort = ims.Cohort(patients, days, tables={"clonotypes": table})
    measured = cohort.at("on").per_patient(features.clonal_expansion(cohort))
    assert measured.loc["P1", "measured_day"] == 43
    with pytest.raises(ims.errors.ImmortalTimeError):
        ims.models.associate(measured, ims.endpoints.derive(cohort), endpoint="os", model="cox")


def test_no_table_no_features():
    cohort = ims.Cohort(pd.DataFrame({"patient_id": ["P1"]}))
    with pytest.raises(CohortError, match=r"no table 'clonotypes'; declare \[tables.clonotypes\]"):
        features.repertoire(cohort, depth=10)


def test_cohort_is_unchanged():
    cohort = toy()
    before = cohort.tables["clonotypes"].copy(deep=True)
    features.repertoire(cohort, depth=10)
    features.changed_clones(cohort)
    features.repertoire_overlap(cohort, depth=10)
    pd.testing.assert_frame_equal(cohort.tables["clonotypes"], before)
