"""What a score must not depend on: the order of genes and samples, who else is there, the scale where promised."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from immunosarc.catalog import Signature, Signatures, load_signatures, supply_inputs
from immunosarc.cohort import make_assay
from immunosarc.features import SCORING, build_reference, classify, deconvolve, place, score

METHODS = [name for name in SCORING if name != "published"]
ANY_SCALE = [
    name for name in METHODS if SCORING[name].scale.startswith("any that keeps the order of genes within")
]
RNG = np.random.default_rng(0)
GENES = [f"G{i}" for i in range(150)]
SETS = {f"set{i}": [f"G{j}" for j in RNG.choice(150, 12, replace=False)] for i in range(26)}
ELEMENTS = {"MHC": {"a": {"weight": 1.0, "genes": ("G1", "G2")}, "b": {"weight": -1.0, "genes": ("G3",)}}}


def signature():
    """One signature that has every part that any method reads."""
    up, down = tuple(GENES[:10]), tuple(GENES[10:16])
    return Signature(
        "all_parts",
        up,
        genes_down=down,
        weights={gene: 0.5 - i / 10 for i, gene in enumerate(up)},
        housekeeping=tuple(GENES[20:25]),
        pairs=tuple(zip(up[:5], up[5:], strict=True)),
        classes=ELEMENTS,
        centroids={"classes": ("C1", "C2"), **{gene: (i, -i % 7) for i, gene in enumerate(up)}},
    )


def asked(method):
    if method == "ipres_count":
        return supply_inputs(ipres_sets=SETS).subset("ipres26")
    return Signatures([signature()])


@pytest.fixture(scope="module")
def logs():
    """With ties, as real expression has."""
    values = np.round(RNG.gamma(0.8, 20.0, (8, 150)))
    return pd.DataFrame(np.log2(values + 1), columns=GENES, index=[f"S{i}" for i in range(8)])


def scored(frame, method):
    return score(make_assay(frame, unit="log2_tpm"), asked(method), method=method).iloc[:, 0]


@pytest.mark.parametrize("method", METHODS)
def test_the_order_of_genes_and_samples_does_not_matter(logs, method):
    usual = scored(logs, method)
    assert usual.notna().all()
    assert usual.nunique() > 2
    shuffled = scored(logs.sample(frac=1, random_state=1).sample(frac=1, axis=1, random_state=2), method)
    np.testing.assert_allclose(shuffled[usual.index], usual, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("method", [name for name in METHODS if SCORING[name].single_sample])
def test_any_subset_gives_the_same_numbers_to_the_last_digit(logs, method):
    usual = scored(logs, method)
    for chosen in (["S3"], ["S7", "S0"], ["S1", "S2", "S4", "S5", "S6"]):
        assert scored(logs.loc[chosen], method).tolist() == usual[chosen].tolist()


@pytest.mark.parametrize("method", [name for name in METHODS if not SCORING[name].single_sample])
def test_a_cohort_relative_score_does_change_with_the_company(logs, method):
    usual = scored(logs, method)
    fewer = scored(logs.loc[usual.sort_values().index[2:6]], method)
    assert not np.allclose(fewer, usual[fewer.index], equal_nan=True)


def test_the_promise_of_any_scale_is_made_by_the_rank_methods():
    assert set(ANY_SCALE) == {
        "singscore", "singscore_signed", "ssgsea", "ssgsea_normalized", "estimate", "ucell", "aucell", "pair_count",
    }  # fmt: skip


@pytest.mark.parametrize("method", ANY_SCALE)
def test_a_monotone_scale_of_each_sample_changes_nothing(logs, method):
    bent = logs.copy()
    for place_of, name in enumerate(bent.index):
        bent.loc[name] = (bent.loc[name] + 1) ** (1 + place_of / 20)
    np.testing.assert_array_equal(scored(bent, method), scored(logs, method))


def test_signed_gsva_is_the_up_genes_less_the_down_genes(logs):
    one = signature()
    assay = make_assay(logs, unit="log2_tpm")
    parts = score(assay, {"up": one.genes, "down": one.genes_down}, method="gsva")
    np.testing.assert_allclose(scored(logs, "gsva_signed"), parts["up"] - parts["down"], rtol=1e-12)


@pytest.mark.parametrize("method", ["mcp_counter", "danaher", "consensus", "nnls"])
def test_cells_of_a_sample_do_not_depend_on_the_others(method):
    genes = sorted(
        {
            gene
            for name, one in load_signatures().items()
            if "mcp" in name or "danaher" in name
            for gene in one.genes
        }
    )
    frame = pd.DataFrame(RNG.gamma(0.8, 20.0, (5, len(genes))), columns=genes, index=[f"S{i}" for i in range(5)])
    pure = pd.DataFrame(RNG.gamma(0.5, 30.0, (len(genes), 3)), index=genes, columns=["A", "B", "C"])
    given = {"nnls": pure, "consensus": {"a": genes[:8], "b": genes[5:20]}}.get(method)
    usual = deconvolve(make_assay(frame, unit="tpm"), method, reference=given, n_bootstrap=20)
    alone = deconvolve(make_assay(frame.loc[["S2"]], unit="tpm"), method, reference=given, n_bootstrap=20)
    row = usual.loc[usual["sample_id"] == "S2"].sort_values("cell_type", ignore_index=True)
    pd.testing.assert_frame_equal(alone.sort_values("cell_type", ignore_index=True), row, check_exact=True)


def test_a_place_and_a_class_stay_when_samples_and_genes_change_their_order():
    genes = sorted({gene for one in SHIPPED.values() for gene in one.genes})
    frame = pd.DataFrame(RNG.gamma(0.8, 20.0, (24, len(genes))), columns=genes, index=[f"S{i}" for i in range(24)])
    own = build_reference(make_assay(frame, unit="tpm"))
    mixed = frame.sample(frac=1, random_state=1).sample(frac=1, axis=1, random_state=2)
    again = build_reference(make_assay(mixed, unit="tpm"))
    for population, one in own.populations.items():
        np.testing.assert_allclose(one.quantiles, again.populations[population].quantiles, rtol=1e-12)
    one, other = (
        place(make_assay(f, unit="tpm"), own).set_index(["sample_id", "population"]) for f in (frame, mixed)
    )
    np.testing.assert_allclose(
        other.loc[one.index, "z"].astype(float), one["z"].astype(float), rtol=1e-9, atol=1e-12
    )
    for scheme in ("hot_cold", "sarcoma_immune_class"):
        usual = classify(make_assay(frame, unit="tpm"), scheme, reference=own)
        for chosen in (["S5"], ["S20", "S3", "S9"]):
            part = classify(make_assay(frame.loc[chosen], unit="tpm"), scheme, reference=own)
            expected = usual.set_index("sample_id").loc[chosen].reset_index()
            pd.testing.assert_frame_equal(part, expected[part.columns], check_exact=True)


SHIPPED = {
    name: one
    for name, one in load_signatures().items()
    if name.startswith("mcp_") or name in ("tis18_unweighted", "cyt")
}
