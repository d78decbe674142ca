"""Classes before and after: the table, its posterior and each patient's probability, by their definitions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats as reference

import immunosarc as ims
from immunosarc.errors import CohortError, PlanError
from immunosarc.models import class_probabilities, compare_classes, pair_classes

from .conftest import make_cohort

BEFORE = ["cold", "cold", "cold", "cold", "intermediate", "intermediate", "hot", "hot", None, "cold"]
AFTER = ["hot", "hot", "intermediate", "cold", "hot", "cold", "hot", "intermediate", "hot", "hot"]
SCORES = {"cold": 0.2, "intermediate": 0.5, "hot": 0.9}


def class_table(before: list, after: list, **columns: object) -> pd.DataFrame:
    ids = [f"P{i:02d}_{t}" for t, side in (("pre", before), ("on", after)) for i in range(len(side))]
    labels = pd.Series([*before, *after], dtype="string")
    table = pd.DataFrame(
        {
            "sample_id": ids,
            "scheme": "hot_cold",
            "reference": "own",
            "label": labels,
            "nearest": labels,
            "score": labels.map(SCORES).astype(float),
            "margin": 0.1,
            "posterior": np.nan,
            "posteriors": pd.Series(pd.NA, index=range(len(ids)), dtype="string"),
            "guard": "own cohort",
            "status": labels.notna().map({True: "ok", False: "1 gene is missing"}),
            "note": "",
        }
    )
    return table.assign(**columns)


@pytest.fixture
def cohort() -> ims.Cohort:
    cohort = make_cohort(["PD"] * 10)
    return cohort.select(samples=[s for s in cohort.samples.index if s != "P09_on"])


def test_counts_shares_and_intervals(cohort: ims.Cohort) -> None:
    found = compare_classes(cohort, class_table(BEFORE, AFTER)).set_index(["from_class", "to_class"])
    assert found["n"].to_dict() == {
        ("cold", "cold"): 1, ("cold", "intermediate"): 1, ("cold", "hot"): 2,
        ("intermediate", "cold"): 1, ("intermediate", "intermediate"): 0, ("intermediate", "hot"): 1,
        ("hot", "cold"): 0, ("hot", "intermediate"): 1, ("hot", "hot"): 1,
    }  # fmt: skip
    assert found.loc["cold", "n_from"].tolist() == [4, 4, 4]
    posterior = reference.beta(2.5, 2 + 1)  # two of four, and one half for each of three cells
    row = found.loc[("cold", "hot")]
    assert row["share"] == pytest.approx(posterior.mean())
    assert [row["conf_low"], row["conf_high"]] == pytest.approx(posterior.interval(0.95))
    assert found.groupby("from_class")["share"].sum().to_numpy() == pytest.approx([1, 1, 1])


def test_the_test_is_that_of_the_table(cohort: ims.Cohort) -> None:
    found = compare_classes(cohort, class_table(BEFORE, AFTER))
    test = ims.stats.marginal_homogeneity([[1, 1, 2], [1, 0, 1], [0, 1, 1]])
    for column in ("statistic", "p_exact", "p_trend"):
        assert found[column].to_numpy() == pytest.approx(getattr(test, column))


def test_probability_is_the_product_of_both_biopsies(cohort: ims.Cohort) -> None:
    table = class_table(BEFORE, AFTER)
    sure = class_probabilities(table, error=0.1)
    normal = reference.norm(0, 0.1)
    assert sure.loc["P00_pre", "cold"] == pytest.approx(normal.cdf(1 / 3 - 0.2))
    assert sure.loc["P04_pre", "intermediate"] == pytest.approx(normal.cdf(2 / 3 - 0.5) - normal.cdf(1 / 3 - 0.5))
    assert sure.dropna().sum(axis=1).to_numpy() == pytest.approx(1.0)
    pairs = pair_classes(cohort, table, probabilities=sure).set_index("patient_id")
    expected = normal.cdf(1 / 3 - 0.2) * normal.sf(2 / 3 - 0.9)
    assert pairs.loc["P00", "probability"] == pytest.approx(expected)
    assert pairs.loc["P06", "probability"] < 1e-6
    moves = compare_classes(cohort, table, probabilities=sure).set_index(["from_class", "to_class"])
    ok = pairs["status"] == "ok"
    assert moves.loc[("cold", "hot"), "expected"] == pytest.approx(pairs.loc[ok, "probability"].sum())
    assert moves["expected"].sum() == pytest.approx(8)


def test_a_patient_without_a_pair_says_why(cohort: ims.Cohort) -> None:
    pairs = pair_classes(cohort, class_table(BEFORE, AFTER)).set_index("patient_id")
    assert len(pairs) == 10
    assert pairs.loc["P08", "status"] == "1 gene is missing"
    assert pairs.loc["P09", "status"] == "no on sample"
    assert pairs["probability"].isna().all()  # nothing says how sure the classes are
    partly = class_table(BEFORE, AFTER).iloc[1:]
    assert pair_classes(cohort, partly).set_index("patient_id").loc["P00", "status"] == "sample is not classified"


def test_posteriors_of_a_scheme_are_read_and_indeterminate_is_no_class(cohort: ims.Cohort) -> None:
    labels = ["A", "B"] * 5
    said = [f"A {0.8 if one == 'A' else 0.3:.3f}, B {0.2 if one == 'A' else 0.7:.3f}" for one in labels * 2]
    table = class_table(labels, labels, posteriors=pd.Series(said, dtype="string"), scheme="sic", status="ok")
    table["label"] = table["label"].mask(table["sample_id"] == "P03_on", "indeterminate")
    pairs = pair_classes(cohort, table, transition=("A", "B")).set_index("patient_id")
    assert pairs.loc["P00", "probability"] == pytest.approx(0.8 * 0.2)
    assert pairs.loc["P03", "status"] == "class is indeterminate"
    moves = compare_classes(cohort, table)
    assert moves["from_class"].unique().tolist() == ["A", "B"]
    assert moves["p_trend"].isna().all()
    assert (moves["p_exact"] == 1).all()


def test_in_the_simulated_trial_the_planted_move_is_seen() -> None:
    """Tumors that were cold by construction are the ones that probably went from cold to hot."""
    cohort = ims.simulate_cohort(seed=1)
    own = ims.features.build_reference(cohort.at("pre")["rna"])
    classes = ims.features.classify(cohort["rna"], reference=own)
    sure = class_probabilities(classes, error=0.1)
    pairs = pair_classes(cohort, classes, probabilities=sure)
    assert (pairs["simulated"] == "SIMULATED").all()
    known = pairs[pairs["status"] == "ok"]
    planted = known["patient_id"].isin(cohort.provenance["truth"]["cold_to_hot"]["patients"])
    won = reference.mannwhitneyu(known.loc[planted, "probability"], known.loc[~planted, "probability"])
    assert won.statistic / (planted.sum() * (~planted).sum()) > 0.9
    moves = compare_classes(cohort, classes, probabilities=sure).set_index(["from_class", "to_class"])
    assert (moves.loc[("cold", "hot"), "n"], moves.loc[("hot", "cold"), "n"]) == (6, 0)
    assert moves["p_trend"].iloc[0] < 0.05


def test_what_cannot_be_is_refused(cohort: ims.Cohort) -> None:
    table = class_table(BEFORE, AFTER)
    with pytest.raises(CohortError, match="choose two timepoints"):
        compare_classes(cohort, table, after="pre")
    with pytest.raises(PlanError, match=r"of one scheme are needed, the table holds \['hot_cold', 'sic'\]"):
        pair_classes(cohort, pd.concat([table, table.assign(scheme="sic")]))
    with pytest.raises(PlanError, match="a sample has two rows"):
        compare_classes(cohort, pd.concat([table, table]))
    with pytest.raises(PlanError, match=r"order lacks the classes \['intermediate'\]"):
        compare_classes(cohort, table, order=["cold", "hot"])
    with pytest.raises(PlanError, match="error must be above 0"):
        class_probabilities(table, error=0.0)
    with pytest.raises(PlanError, match="no class 'desert' to move from"):
        pair_classes(
            cohort, table, probabilities=class_probabilities(table, error=0.1), transition=("desert", "hot")
        )


def test_nobody_classified_has_rows_that_say_so(cohort: ims.Cohort) -> None:
    found = compare_classes(cohort, class_table([None] * 10, [None] * 10))
    assert (found["status"] == "no patient has a class pre and on").all()
    assert found["p_exact"].isna().all()
    assert (found["n"] == 0).all()
