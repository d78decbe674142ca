"""Units: the arithmetic by hand, what is refused and why."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from immunosarc import schema
from immunosarc.cohort import make_assay
from immunosarc.errors import SchemaError, UnitError, UnknownNameError
from immunosarc.features import convert

LENGTHS = pd.Series({"C": 4000.0, "A": 1000.0, "B": 2000.0})
LINEAR = ("cpm", "tpm", "fpkm", "rsem_normalized")


def assay(rows, unit, genes=None):
    frame = pd.DataFrame(
        rows, index=[f"S{i}" for i in range(len(rows))], columns=genes or [*"ABCDEF"[: len(rows[0])]]
    )
    return make_assay(frame, unit=unit)


def in_plain_python(row):
    return [math.log(1e6 * value / math.fsum(row) + 1, 2) for value in row]


def test_counts_become_cpm_per_sample():
    rows = [[1, 3, 0, 12], [5, 0, 0, 5]]
    given = assay(rows, "counts")
    assert convert(given, to="cpm").X.tolist() == [[62500, 187500, 0, 750000], [500000, 0, 0, 500000]]
    logged = convert(given)
    assert logged.uns["immunosarc"]["unit"] == "log2_cpm"
    assert logged.uns["immunosarc"]["converted_from"] == "counts"
    np.testing.assert_allclose(logged.X, [in_plain_python(row) for row in rows], rtol=1e-14)


@pytest.mark.parametrize("unit", LINEAR)
def test_linear_units_become_log2(unit):
    rows = [[0.0, 1.0, 7.5]]
    result = convert(assay(rows, unit), to=f"log2_{unit}")
    np.testing.assert_allclose(result.X, [[0.0, 1.0, math.log2(8.5)]], rtol=1e-15)


@pytest.mark.parametrize("unit", LINEAR)
def test_log2_comes_back(unit):
    rows = [[0.0, 1.0, 7.5, 1e-9, np.nan], [2e5, 3.0, 0.0, 0.0, 0.0]]
    logged = convert(assay(rows, unit), to=f"log2_{unit}")
    np.testing.assert_allclose(convert(logged, to=unit).X, rows, rtol=1e-12, atol=1e-15)
    thin = convert(assay([[0.0, 1.0, 7.5]], unit), to=f"log2_{unit}")
    thin.X = sparse.csr_matrix(thin.X)
    back = convert(thin, to=unit).X
    assert sparse.issparse(back)
    np.testing.assert_allclose(back.toarray(), [[0.0, 1.0, 7.5]], rtol=1e-15)


def test_fpkm_become_tpm_as_the_same_reads_would():
    """Reads over length and library, then rescaled, are reads over length rescaled: the library drops out."""
    reads = assay([[10, 20, 0], [300, 4, 8]], "counts")
    lengths = LENGTHS[["A", "B", "C"]].to_numpy()
    fpkm = reads.X / (lengths / 1e3) / (reads.X.sum(axis=1, keepdims=True) / 1e6)
    tpm = convert(reads, to="tpm", lengths=LENGTHS).X
    np.testing.assert_allclose(convert(assay(fpkm, "fpkm"), to="tpm").X, tpm, rtol=1e-13)
    np.testing.assert_allclose(convert(assay(fpkm, "fpkm"), to="log2_tpm").X, np.log2(tpm + 1), rtol=1e-13)
    assert np.isnan(convert(assay([[0.0, 0.0], [1.0, 1.0]], "fpkm"), to="tpm").X[0]).all()


@pytest.mark.parametrize("unit", list(schema.UNITS))
def test_the_same_unit_is_a_copy(unit):
    given = assay([[0.0, 1.0]], unit)
    result = convert(given, to=unit)
    assert result is not given
    result.X[0, 0] = 1.0
    assert given.X[0, 0] == 0.0
    assert "converted_from" not in result.uns["immunosarc"]


@pytest.mark.parametrize(
    ("unit", "to", "why"),
    [
        ("counts", "tpm", "length of each gene"),
        ("counts", "log2_tpm", "length of each gene"),
        ("log2_cpm", "log2_fpkm", "start from the counts; log2_cpm converts to cpm$"),
        ("tpm", "cpm", "start from the counts; tpm converts to log2_tpm$"),
        ("counts", "fpkm", r"converts to cpm, log2_cpm, tpm \(with lengths\), log2_tpm \(with lengths\)$"),
        ("tpm", "counts", "reads cannot be recovered"),
        ("log2", "log2_tpm", "'log2' names no unit"),
        ("score", "log2_cpm", "ready-made values"),
        ("counts", "fraction", "ready-made values"),
        ("counts", "rsem_normalized", "counts converts to cpm, log2_cpm"),
        ("tpm", "fpkm", "it is not offered; tpm converts to log2_tpm$"),
        ("log2_fpkm", "tpm", "it is not offered; log2_fpkm converts to fpkm$"),
    ],
)
def test_undefined_conversions_name_what_they_need(unit, to, why):
    with pytest.raises(UnitError, match=f"cannot convert {unit} to {to}: .*{why}"):
        convert(assay([[0.0, 1.0]], unit), to=to)


@pytest.mark.parametrize("unit", list(schema.UNITS))
def test_every_other_conversion_is_defined_or_says_why(unit):
    defined = {"counts": {"cpm", "log2_cpm"}} | {linear: {f"log2_{linear}"} for linear in LINEAR}
    defined |= {f"log2_{linear}": {linear} for linear in LINEAR}
    defined["fpkm"] |= {"tpm", "log2_tpm"}
    defined["log1p_cp10k"] = {"log2_cpm"}
    for to in schema.UNITS:
        given = assay([[0.0, 1.0]], unit)
        if to == unit or to in defined.get(unit, set()):
            assert convert(given, to=to).uns["immunosarc"]["unit"] == to
            continue
        with pytest.raises(UnitError, match=f"^cannot convert {unit} to {to}: .{{20}}"):
            convert(given, to=to)


def test_logs_of_cells_are_the_counts_they_came_from():
    """ln(CP10K + 1) back to a share, as millionths on the log2 scale."""
    counts = np.array([[3.0, 1.0, 6.0], [0.0, 2.0, 2.0]])
    logs = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4)
    expected = np.log2(counts / counts.sum(axis=1, keepdims=True) * 1e6 + 1)
    np.testing.assert_allclose(convert(assay(logs, "log1p_cp10k"), to="log2_cpm").X, expected, rtol=1e-12)


def test_sparse_stays_sparse_and_equal():
    rows = [[1, 3, 0, 12], [5, 0, 0, 5], [0, 0, 7, 1]]
    given = assay(rows, "counts")
    thin = given.copy()
    for form in (sparse.csr_matrix, sparse.csc_matrix):
        thin.X = form(given.X)
        result = convert(thin)
        assert sparse.issparse(result.X)
        np.testing.assert_allclose(result.X.toarray(), convert(given).X, rtol=1e-15)


def test_a_sample_without_library_size_has_no_cpm():
    given = assay([[1, 3], [0, 0], [np.nan, 4]], "counts")
    result = convert(given).X
    assert not np.isnan(result[0]).any()
    assert np.isnan(result[1:]).all()
    thin = assay([[1, 3], [0, 0]], "counts")
    thin.X = sparse.csr_matrix(thin.X)
    assert np.isnan(convert(thin).X[1]).all()


def test_missing_values_stay_missing():
    assert np.isnan(convert(assay([[np.nan, 1.0]], "tpm"), to="log2_tpm").X[0, 0])


def test_numbers_that_contradict_their_unit():
    given = assay([[1.0, 2.0]], "counts")
    given.X[0, 1] = 2.5
    with pytest.raises(UnitError, match=r"a decimal found: sample S0, gene B(?s:.*)Declare the unit"):
        convert(given)
    given.X = sparse.csr_matrix([[1.0, -2.0]])
    with pytest.raises(UnitError, match="negative value"):
        convert(given)
    logged = assay([[1.0, 2.0]], "log2_tpm")
    logged.X[0, 1] = 500.0
    with pytest.raises(UnitError, match="above 100: sample S0, gene B"):
        convert(logged, to="log2_tpm")


def test_an_assay_that_does_not_say_what_it_is():
    given = assay([[1.0]], "tpm")
    cells = given.copy()
    cells.uns["immunosarc"] = {"level": "cell", "unit": "counts"}
    cells.obs["sample_id"] = "S0"
    with pytest.raises(SchemaError, match="one row is one cell"):
        convert(cells)
    del given.uns["immunosarc"]
    with pytest.raises(SchemaError, match="is missing"):
        convert(given)
    with pytest.raises(UnknownNameError, match=r"unknown unit 'log2cpm'\. Did you mean 'log2_cpm'"):
        convert(assay([[1.0]], "counts"), to="log2cpm")


def test_sparse_input_is_unchanged():
    given = assay([[1.0, 3.0]], "tpm")
    given.X = sparse.csr_matrix(given.X)
    assert convert(given, to="log2_tpm").X.toarray().tolist() == [[1.0, 2.0]]
    assert given.X.toarray().tolist() == [[1.0, 3.0]]


def test_input_is_unchanged():
    given = assay([[1, 3], [5, 0]], "counts")
    before, about = given.X.copy(), dict(given.uns["immunosarc"])
    convert(given)
    assert np.array_equal(given.X, before)
    assert dict(given.uns["immunosarc"]) == about


def test_counts_with_lengths_become_tpm():
    given = assay([[10, 20, 0], [0, 4, 8]], "counts")
    result = convert(given, to="tpm", lengths=LENGTHS)
    np.testing.assert_allclose(result.X, [[5e5, 5e5, 0], [0, 5e5, 5e5]])
    assert result.uns["immunosarc"]["unit"] == "tpm"
    logged = convert(given, to="log2_tpm", lengths=LENGTHS)
    np.testing.assert_allclose(logged.X, np.log2(result.X + 1))
    by_sample = pd.DataFrame([LENGTHS.replace(2000.0, 500.0), LENGTHS], index=["S1", "S0"])
    np.testing.assert_allclose(
        convert(given, to="tpm", lengths=by_sample).X, [[5e5, 5e5, 0], [0, 8e5, 2e5]], rtol=1e-12
    )


def test_tmm_changes_the_library_size():
    rng = np.random.default_rng(2)
    given = assay(rng.poisson(80, size=(3, 6)), "counts")
    from immunosarc.stats import tmm_factors

    expected = 1e6 * given.X / (given.X.sum(axis=1) * tmm_factors(given.X))[:, None]
    result = convert(given, to="cpm", library_size="tmm")
    np.testing.assert_allclose(result.X, expected)
    assert result.uns["immunosarc"]["library_size"] == "tmm"
    logged = convert(given, library_size="tmm")
    np.testing.assert_allclose(logged.X, np.log2(expected + 1))


@pytest.mark.parametrize(
    ("unit", "how", "message"),
    [
        ("counts", {"to": "tpm", "lengths": LENGTHS.drop("B")}, r"1 genes of the assay have none \('B'\)"),
        ("counts", {"to": "tpm", "lengths": LENGTHS.replace(2000.0, 0.0)}, "gene 'B' has no length above 0"),
        ("counts", {"to": "tpm", "lengths": pd.DataFrame([LENGTHS], index=["S9"])}, "1 samples of the assay"),
        ("counts", {"to": "cpm", "lengths": LENGTHS}, "lengths are not used from counts to cpm"),
        ("fpkm", {"to": "log2_fpkm", "library_size": "tmm"}, "is not used from fpkm to log2_fpkm"),
        ("cpm", {"to": "tpm", "lengths": LENGTHS}, "cannot convert cpm to tpm"),
        ("counts", {"to": "cpm", "library_size": "tmn"}, "unknown library_size 'tmn'. Did you mean 'tmm'"),
    ],
)
def test_lengths_and_library_sizes_that_do_not_fit(unit, how, message):
    with pytest.raises((UnitError, UnknownNameError), match=message):
        convert(assay([[1, 2, 3]], unit), **how)
