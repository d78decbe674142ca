"""ESTIMATE: the published steps in plain loops, and a purity that never comes without its warning."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from immunosarc import schema
from immunosarc.catalog import load_signatures
from immunosarc.cohort import make_assay
from immunosarc.errors import CoverageError
from immunosarc.features import estimate_purity, score

SETS = {name: load_signatures()[name].genes for name in ("estimate_immune", "estimate_stromal")}


def estimate_by_steps(values, genes):
    """Walk from the highest gene: weighted share of the set seen, less the share of the others; summed."""
    ordered = sorted(values.items(), key=lambda item: -item[1])
    n = len(ordered)
    weights = {gene: (n - place) ** 0.25 for place, (gene, _) in enumerate(ordered) if gene in genes}
    seen = missed = total = 0.0
    for gene, _ in ordered:
        if gene in weights:
            seen += weights[gene] / sum(weights.values())
        else:
            missed += 1 / (n - len(weights))
        total += seen - missed
    return total


@pytest.fixture(scope="module")
def frame():
    genes = [gene for listed in SETS.values() for gene in listed] + [f"G{i}" for i in range(2000)]
    values = np.random.default_rng(0).gamma(0.8, 20.0, (4, len(genes)))
    return pd.DataFrame(values, columns=genes, index=[f"S{i}" for i in range(4)])


def test_scores_and_purity_are_the_published_steps(frame):
    common = [gene for gene in frame if gene not in ("G0", "G1")]
    found = estimate_purity(make_assay(frame, unit="tpm"), common_genes=common).set_index("sample_id")
    for sample in frame.index:
        values = frame.loc[sample, common].to_dict()
        immune, stromal = (estimate_by_steps(values, set(genes)) for genes in SETS.values())
        assert found.loc[sample, "immune"] == pytest.approx(immune, rel=1e-9)
        assert found.loc[sample, "stromal"] == pytest.approx(stromal, rel=1e-9)
        expected = math.cos(0.6049872018 + 0.0001467884 * (immune + stromal))
        assert found.loc[sample, "purity"] == pytest.approx(expected, rel=1e-12)
    assert found["note"].str.contains("fitted on Affymetrix arrays, the assay is of a platform not stated").all()
    assert found["note"].str.contains("sarcoma cells make the stromal genes").all()


def test_there_is_no_purity_without_the_common_genes(frame):
    found = estimate_purity(make_assay(frame, unit="tpm", platform="polya_rnaseq"))
    schema.PURITY.check(found)
    assert found["purity"].isna().all()
    assert found["status"].str.startswith("needs common_genes").all()
    assert found["note"].str.contains("the assay is polya_rnaseq").all()
    usual = score(make_assay(frame, unit="tpm"), method="published")
    np.testing.assert_allclose(found["immune"], usual["estimate_immune"])
    more = [*frame, *(f"X{i}" for i in range(400))]
    few = estimate_purity(make_assay(frame, unit="tpm"), common_genes=more)
    assert set(few["status"]) == {f"covers {frame.shape[1]} of {len(more)} common genes, needs 90%"}
    with pytest.raises(CoverageError, match="none of the common genes is in the assay"):
        estimate_purity(make_assay(frame, unit="tpm"), common_genes=["X1"])


def test_beyond_the_curve_there_is_no_purity(frame):
    """Every immune and stromal gene on top of 60,000 others: the cosine is negative."""
    others = {f"G{i}": 1.0 + i * 1e-6 for i in range(60_000)}
    top = {gene: 1000.0 + i for i, gene in enumerate(dict.fromkeys(g for genes in SETS.values() for g in genes))}
    one = pd.DataFrame([{**others, **top}], index=["S1"])
    found = estimate_purity(make_assay(one, unit="tpm"), common_genes=list(one))
    assert found.loc[0, "status"] == "beyond the fitted curve"
    assert np.isnan(found.loc[0, "purity"])
