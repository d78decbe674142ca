"""Molecular assays: units, platforms, and what an AnnData must say of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from immunosarc.schema._imaging import CELL_UNITS

if TYPE_CHECKING:
    import anndata

__all__ = [
    "LOG_LIMIT",
    "MILLION",
    "PLATFORMS",
    "UNITS",
    "assay_problems",
    "sample_sums",
    "sum_problems",
    "unit_problems",
    "value_problems",
]

UNITS: Mapping[str, str] = MappingProxyType(
    {
        "counts": "reads per gene, whole numbers",
        "cpm": "counts per million",
        "tpm": "transcripts per million",
        "fpkm": "fragments per kilobase and million",
        "rsem_normalized": "upper-quartile normalized RSEM estimates",
        "log2_cpm": "log2(CPM + 1)",
        "log2_tpm": "log2(TPM + 1)",
        "log2_fpkm": "log2(FPKM + 1)",
        "log2_rsem_normalized": "log2(normalized RSEM + 1)",
        "log1p_cp10k": "ln(counts per 10,000 + 1) of a cell, as scanpy makes it",
        "log2": "log2 of something else; say the pseudocount",
        "score": "a ready-made score",
        "fraction": "a share between 0 and 1",
    }
)
"""What the numbers of an assay can be."""

PLATFORMS = ("polya_rnaseq", "ribo_depleted", "exome_capture", "nanostring", "microarray", "other")
"""How the RNA was captured or measured."""

LOG_LIMIT = 100.0
"""No log2 expression value reaches this: 2**100 molecules do not fit into a tube."""

MILLION, FAR_BEYOND = 1e6, 5.0
"""What a sample of TPM or CPM adds up to, and how many times that no rescaled sample reaches, but counts do."""

LEAST_REACH, WHOLE_TRANSCRIPTOME = 30.0, 5000
"""Linear values of so many genes reach further than this; what stays below has been logged already."""

_SHARES = ("tpm", "cpm")
_HIGHEST_SHARE = np.log1p(10_000.0) + 1e-3  # stored in single precision
_BLOCK = 256
_AT_ONCE = 8_000_000


def assay_problems(name: str, adata: anndata.AnnData) -> list[str]:
    """Return what an AnnData lacks to be an assay of a cohort.

    Parameters
    ----------
    name : str
        The assay's name in the cohort, for the messages.
    adata : AnnData
        ``uns["immunosarc"]`` must hold ``level`` ("sample" or "cell") and ``unit``.

    Returns
    -------
    list of str
        One line per problem.

    Examples
    --------
    >>> import anndata
    >>> assay_problems("rna", anndata.AnnData(np.ones((1, 1))))
    ["assay 'rna': uns['immunosarc'] is missing; build it with ims.make_assay(frame, unit=...)"]
    """
    about = adata.uns.get("immunosarc")
    if not isinstance(about, Mapping):
        return [f"assay '{name}': uns['immunosarc'] is missing; build it with ims.make_assay(frame, unit=...)"]
    found = []
    if about.get("level") not in ("sample", "cell"):
        found.append(f"assay '{name}': level {about.get('level')!r} is not 'sample' or 'cell'")
    if about.get("level") == "cell" and "sample_id" not in adata.obs:
        found.append(f"assay '{name}': a cell-level assay needs obs['sample_id']")
    known = [*UNITS, *CELL_UNITS] if about.get("level") == "cell" else [*UNITS]
    if about.get("unit") not in known:
        found.append(f"assay '{name}': unit {about.get('unit')!r} is not one of {', '.join(known)}")
    for axis, names in (("observation", adata.obs_names), ("variable", adata.var_names)):
        if not names.is_unique:
            repeated = list(dict.fromkeys(map(str, names[names.duplicated()])))[:5]
            found.append(f"assay '{name}': {axis} names repeated: {repeated}")
    return found


def unit_problems(values: Any, unit: str) -> list[tuple[str, int, int]]:
    """Return where the numbers contradict their declared unit.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_genes)
        Missing values are NaN and pass.
    unit : str
        One of :data:`UNITS`.

    Returns
    -------
    list of tuple
        What is wrong, and the row and the column of the first value that shows it. What no
        such number can be is found here; what is only doubtful, by ``features.check_units``.

    Examples
    --------
    >>> unit_problems(np.array([[3.0, 0.5]]), "counts")
    [('unit counts declared, but a decimal found', 0, 1)]
    >>> unit_problems(np.array([[9000000.0, 800000.0]]), "tpm")
    [('unit tpm declared, but a sample adds up to 9,800,000, a million is the whole', 0, 0)]
    """
    if found := value_problems(values, unit):
        return found
    sums = sum_problems(sample_sums(values, unit), unit)
    places = [(what, row, int(np.nanargmax(values[row]))) for what, row in sums]
    return places + _logged_already(values, unit)


def value_problems(values: Any, unit: str) -> list[tuple[str, int, int]]:
    """Return the values that the unit cannot have, each looked at alone; see :func:`unit_problems`.

    Parameters
    ----------
    values : ndarray of any two dimensions
        The stored values of a sparse assay will do.
    unit : str

    Returns
    -------
    list of tuple
        What is wrong, and the row and the column of the first value that shows it.

    Examples
    --------
    >>> value_problems(np.array([[0.2, 1.4]]), "fraction")
    [('unit fraction declared, but a value above 1', 0, 1)]
    """
    found: dict[str, tuple[str, int, int]] = {}
    checks = _unit_checks(unit)
    height = max(1, _AT_ONCE // max(values.shape[1], 1))
    for start in range(0, len(values), height):  # in parts, so that a large assay needs no second one beside it
        part = values[start : start + height]
        for what, is_wrong in checks.items():
            if what in found:
                continue
            wrong = is_wrong(part) & ~np.isnan(part)
            if wrong.any():
                row, column = (int(i) for i in np.argwhere(wrong)[0])
                found[what] = (what, start + row, column)
    return [found[what] for what in checks if what in found]


def _unit_checks(unit: str) -> dict[str, Callable[[Any], Any]]:
    """Return what is wrong with numbers of a unit, and how to see it."""
    checks: dict[str, Callable[[Any], Any]] = {"infinite value": np.isinf}
    if not unit.startswith("log2") and unit != "score":
        checks["negative value"] = lambda values: values < 0
    if unit.startswith("log2_"):
        checks["negative value, which log2(x + 1) never is"] = lambda values: values < 0
    if unit == "log1p_cp10k":
        checks["unit log1p_cp10k declared, but a value above ln(10,001): not a share of 10,000"] = lambda values: (
            values > _HIGHEST_SHARE
        )
    if unit == "counts":
        checks["unit counts declared, but a decimal found"] = lambda values: values != np.floor(values)
    if unit.startswith("log2"):
        checks[f"unit {unit} declared, but a value above {LOG_LIMIT:g}"] = lambda values: values > LOG_LIMIT
    if unit == "fraction":
        checks["unit fraction declared, but a value above 1"] = lambda values: values > 1
    return checks


def sample_sums(values: Any, unit: str) -> np.ndarray:
    """Return what each sample adds up to in the linear unit; missing values count nothing.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_genes)
    unit : str
        ``log2_*`` is taken back to below the logarithm first.

    Returns
    -------
    ndarray of shape (n_samples,)

    Examples
    --------
    >>> sample_sums(np.array([[1.0, 2.0, np.nan]]), "log2_tpm")
    array([4.])
    """
    sums = np.zeros(len(values))
    for start in range(0, len(values), _BLOCK):
        block = np.asarray(values[start : start + _BLOCK], dtype=float)
        linear = np.exp2(np.minimum(block, LOG_LIMIT)) - 1.0 if unit.startswith("log2") else block
        sums[start : start + _BLOCK] = np.nansum(linear, axis=1)
    return sums


def sum_problems(sums: Any, unit: str) -> list[tuple[str, int]]:
    """Return the first sample of TPM or CPM that adds up to far more than a million; none for other units.

    Parameters
    ----------
    sums : ndarray of shape (n_samples,)
        See :func:`sample_sums`.
    unit : str

    Returns
    -------
    list of tuple
        What is wrong, and the row.

    Examples
    --------
    >>> sum_problems(np.array([1e6, 7e6]), "log2_tpm")
    [('unit log2_tpm declared, but a sample adds up to 7,000,000 below the logarithm, a million is the whole', 1)]
    """
    above = sums > MILLION * FAR_BEYOND
    if unit.removeprefix("log2_") not in _SHARES or not above.any():
        return []
    row = int(np.argmax(above))
    below = " below the logarithm" if unit.startswith("log2") else ""
    return [
        (f"unit {unit} declared, but a sample adds up to {sums[row]:,.0f}{below}, a million is the whole", row)
    ]


def _logged_already(values: Any, unit: str) -> list[tuple[str, int, int]]:
    linear = unit in ("tpm", "cpm", "fpkm", "rsem_normalized")
    if not linear or not len(values) or values.shape[1] < WHOLE_TRANSCRIPTOME:
        return []
    if not 0 < np.fmax.reduce(values, axis=None) <= LEAST_REACH:
        return []
    place = np.unravel_index(np.nanargmax(values), values.shape)
    what = f"unit {unit} declared, but no value of {values.shape[1]:,} genes is above {LEAST_REACH:g}: logs"
    return [(what, int(place[0]), int(place[1]))]
