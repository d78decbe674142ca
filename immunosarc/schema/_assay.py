"""Molecular assays: units, platforms, and what an AnnData must say of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import anndata

__all__ = ["PLATFORMS", "UNITS", "assay_problems", "unit_problems"]

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
    if about.get("unit") not in UNITS:
        found.append(f"assay '{name}': unit {about.get('unit')!r} is not one of {', '.join(UNITS)}")
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
        What is wrong, and the row and the column of the first value that shows it.

    Examples
    --------
    >>> unit_problems(np.array([[3.0, 0.5]]), "counts")
    [('unit counts declared, but a decimal found', 0, 1)]
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
    if unit == "counts":
        checks["unit counts declared, but a decimal found"] = lambda values: values != np.floor(values)
    if unit.startswith("log2"):
        checks[f"unit {unit} declared, but a value above {LOG_LIMIT:g}"] = lambda values: values > LOG_LIMIT
    if unit == "fraction":
        checks["unit fraction declared, but a value above 1"] = lambda values: values > 1
    return checks
