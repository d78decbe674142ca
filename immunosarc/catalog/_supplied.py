"""Signatures whose published form needs something that cannot be shipped: the user supplies it."""

from __future__ import annotations

import dataclasses
import math
from os import PathLike, fspath
from typing import TYPE_CHECKING, Any

from immunosarc.catalog._files import freeze
from immunosarc.catalog._sets import as_signatures
from immunosarc.catalog._signatures import Signature, Signatures, load_signatures
from immunosarc.errors import DataFileError, SchemaError, raise_together

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["supply_inputs"]

_SETS = 26
_CINSARC = ("C1", "C2")


def supply_inputs(
    signatures: Signatures | None = None,
    *,
    ipres_sets: Any = None,
    cinsarc_centroids: pd.DataFrame | str | PathLike[str] | None = None,
) -> Signatures:
    """Return the signatures with what two of them need to be scored: sets of IPRES, centroids of CINSARC.

    Neither is free to ship. With them ``score(..., method="published")`` scores ``ipres26`` and ``cinsarc67`` too;
    both are relative to the cohort.

    Parameters
    ----------
    signatures : Signatures, optional
        Default: the
    ipres_sets : mapping or path, optional
        The 26 gene sets of Hugo 2016, such as a GMT file.
    cinsarc_centroids : DataFrame of shape (n_genes, 2) or path, optional
        Columns ``C1`` (low risk) and ``C2`` (high risk), index gene symbol, from a cohort with known metastasis;
        at least two thirds of the 67 genes. As a path: tab-separated, with a header.

    Returns
    -------
    Signatures
        All others unchanged.

    Raises
    ------
    SchemaError
        When the sets are not 26, or the centroids are not two columns of numbers over the genes.
    DataFileError
        When a file cannot be read.

    Examples
    --------
    >>> import pandas as pd
    >>> genes = load_signatures()["cinsarc67"].genes
    >>> centroids = pd.DataFrame({"C1": range(67, 0, -1), "C2": range(67)}, index=genes)
    >>> supply_inputs(cinsarc_centroids=centroids)["cinsarc67"].centroids["classes"]
    ('C1', 'C2')
    """
    known = dict(load_signatures() if signatures is None else signatures)
    if ipres_sets is not None:
        known["ipres26"] = _with_sets(load_signatures()["ipres26"], as_signatures(ipres_sets))
    if cinsarc_centroids is not None:
        known["cinsarc67"] = _with_centroids(load_signatures()["cinsarc67"], cinsarc_centroids)
    return Signatures(list(known.values()))


def _with_sets(signature: Signature, sets: Signatures) -> Signature:
    if len(sets) != _SETS:
        raise SchemaError(f"ipres26 counts {_SETS} sets, found {len(sets)}: another number is another score")
    genes = dict.fromkeys(gene for one in sets.values() for gene in one.genes)
    elements = {name: {"weight": 1.0, "genes": one.genes} for name, one in sets.items()}
    return dataclasses.replace(signature, genes=tuple(genes), classes=freeze({"sets": elements}))


def _with_centroids(signature: Signature, given: pd.DataFrame | str | PathLike[str]) -> Signature:
    table = _table(given) if isinstance(given, (str, PathLike)) else given
    problems = [f"column {name!r} is missing" for name in _CINSARC if name not in table]
    found = [gene for gene in signature.genes if gene in table.index]
    if 3 * len(found) < 2 * len(signature.genes):
        problems.append(f"{len(found)} of the {len(signature.genes)} genes; two thirds are needed")
    if repeated := table.index[table.index.duplicated()].tolist():
        problems.append(f"genes repeated: {repeated[:5]}")
    raise_together(SchemaError, "the CINSARC centroids", problems)
    rows = {gene: tuple(table.loc[gene, list(_CINSARC)]) for gene in found}
    odd = [gene for gene, pair in rows.items() if not all(map(_is_number, pair))]
    raise_together(SchemaError, "the CINSARC centroids", [f"no number for {', '.join(odd[:5])}"] if odd else [])
    content = {"classes": _CINSARC, **{gene: tuple(map(float, pair)) for gene, pair in rows.items()}}
    return dataclasses.replace(signature, centroids=freeze(content))


def _is_number(value: Any) -> bool:
    try:
        return math.isfinite(value)
    except TypeError:
        return False


def _table(path: str | PathLike[str]) -> pd.DataFrame:
    import pandas as pd

    try:
        return pd.read_csv(path, sep="\t", index_col=0)
    except FileNotFoundError:
        raise DataFileError(f"{fspath(path)!r} does not exist; check the path") from None
    except (OSError, ValueError, IndexError) as error:
        raise DataFileError(f"{fspath(path)!r} is no tab-separated table: {error}") from None
