"""Gene names: versions cut off, older names and spreadsheet dates repaired, one row for each gene."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc import schema
from immunosarc.catalog import load_gene_aliases
from immunosarc.errors import ImmunosarcError, UnitError, UnknownNameError, did_you_mean
from immunosarc.loaders._pooling import merged_lengths, one_of_several, with_lengths

if TYPE_CHECKING:
    import anndata

__all__ = ["ENSEMBL", "MERGE_RULES", "merge_fault", "merged", "planned_names", "repair_genes"]

ENSEMBL = re.compile(r"(ENS[A-Z]*G[0-9]{11})(?:\.[0-9]+)?(?:_PAR_[XY])?")
"""An Ensembl gene id; the first group is the id without its version."""

MERGE_RULES = ("sum", "mean", "highest_mean")
"""How several rows of one gene become one."""

_SUMMED = ("counts", "cpm", "tpm", "fpkm", "rsem_normalized")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY_MONTH = re.compile(r"(\d{1,2})[-. ]?([A-Za-z]{3})(?:t|ch)?", re.IGNORECASE)
_MONTH_DAY = re.compile(r"([A-Za-z]{3})[-. ](\d{1,2})")
_ISO = re.compile(r"(?:19|20)\d\d-(\d\d)-(\d\d)(?:[T ]00:00:00)?")


def repair_genes(adata: anndata.AnnData, *, duplicates: str | None = None) -> anndata.AnnData:
    """Return an assay under approved gene symbols, with a log of every name that changed.

    A gene that its file calls by an older name is not found by a signature and quietly counts as
    absent. An older name is replaced only where that is safe: never when it is itself the approved
    symbol of another gene, and never when the file has a row under the approved symbol too, or two
    rows with older names of one gene: then they are different genes to whoever made the file. Symbols
    that a spreadsheet turned into dates (``2-Sep``) are repaired where only one gene can be meant;
    1-Mar and 2-Mar can be MARCHF or MTARC genes and stay.

    Parameters
    ----------
    adata : AnnData of shape (n_samples, n_genes)
        See ``ims.make_assay``; names in ``var_names``.
    duplicates : {"sum", "mean", "highest_mean"}, optional
        How rows of the same name are merged: counts and other linear units by ``sum``, logarithms and
        scores by ``mean``; ``highest_mean`` keeps the row with the highest mean in the assay.
        Without it, names must be unique.

    Returns
    -------
    AnnData
        A new assay. ``var`` is the log: ``given`` (names in the file, joined by ``;``), ``action``
        (``kept``, ``renamed``, ``merged``) and ``why``.

    Raises
    ------
    UnitError
        When the rule does not fit the unit.
    UnknownNameError
        When there is no such rule.
    ImmunosarcError
        When a name stands twice and no rule is given.

    Examples
    --------
    >>> from immunosarc.cohort import make_assay
    >>> frame = pd.DataFrame({"SDPR": [1.0], "2-Sep": [4.0], "HGF": [2.0]}, index=["S1"])
    >>> repaired = repair_genes(make_assay(frame, unit="tpm"))
    >>> list(repaired.var_names), repaired.var["action"].tolist()
    (['CAVIN2', 'SEPTIN2', 'HGF'], ['renamed', 'renamed', 'kept'])
    """
    import anndata

    about = adata.uns.get("immunosarc")
    if not isinstance(about, Mapping) or about.get("unit") not in schema.UNITS:
        raise UnitError("the assay does not say its unit; build it with ims.make_assay(frame, unit=...)")
    if duplicates is not None and (fault := merge_fault(duplicates, str(about["unit"]))):
        raise UnknownNameError(fault) if duplicates not in MERGE_RULES else UnitError(fault)
    values = np.array(adata.X.toarray() if hasattr(adata.X, "toarray") else adata.X, dtype=np.float64)
    plan = planned_names([str(name) for name in adata.var_names])
    result, log = merged(values, plan, rule=duplicates)
    repaired = anndata.AnnData(X=result, obs=adata.obs.copy(), var=log.rename_axis("feature"), uns=dict(adata.uns))
    lengths = adata.layers.get("gene_length")
    if lengths is None and "gene_length" in adata.var:
        lengths = adata.var["gene_length"].to_numpy(dtype=np.float64)[None, :]
    if lengths is not None:
        with_lengths(repaired, merged_lengths(values, lengths, plan, rule=duplicates, unit=str(about["unit"])))
    return repaired


def merge_fault(rule: str, unit: str) -> str | None:
    """Return why a merge rule does not fit a unit; None when it does."""
    if rule not in MERGE_RULES:
        return f"unknown rule {rule!r} for duplicates.{did_you_mean(rule, MERGE_RULES)}"
    if rule == "sum" and unit not in _SUMMED:
        return f"duplicates = 'sum' does not fit the unit {unit!r}: a sum of logarithms or scores means nothing"
    if rule == "mean" and unit in _SUMMED:
        return f"duplicates = 'mean' does not fit the unit {unit!r}: reads of one gene add up; use 'sum'"
    return None


def planned_names(names: Sequence[str], *, symbols: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the symbol that each name becomes, and why.

    Parameters
    ----------
    names : sequence of str
        As the file has them; they may repeat.
    symbols : sequence of str, optional
        The symbols that a file or a map gives for these names; empty where it gives none.

    Returns
    -------
    DataFrame
        Columns ``given, symbol, action, why``, one row for each name, in order.
    """
    start = list(names) if symbols is None else [one or name for one, name in zip(symbols, names, strict=True)]
    present, wanted = set(start), {name: _wanted(name) for name in dict.fromkeys(start)}
    targets = Counter(symbol for symbol, _ in wanted.values())
    again = Counter(start)
    rows, seen = [], Counter[str]()
    for given, name in zip(names, start, strict=True):
        symbol, why = wanted[name]
        seen[name] += 1
        if symbol != name and symbol in present:
            symbol, why = name, f"stays, since {symbol} is in the file too"
        elif symbol != name and targets[symbol] > 1:
            symbol, why = name, f"stays, since {targets[symbol]} names of the file would become {symbol}"
        elif symbol == name and why and again[name] > 1:
            symbol = f"{name}#{seen[name]}"  # two genes that one date can mean are not one gene
        rows.append((given, symbol, "kept" if symbol == given else "renamed", why or _mapped(given, symbol)))
    return pd.DataFrame(rows, columns=["given", "symbol", "action", "why"])


def _mapped(given: str, symbol: str) -> str:
    return "" if given == symbol else "symbol declared for this id"


def merged(
    values: NDArray[np.float64], plan: pd.DataFrame, *, rule: str | None
) -> tuple[NDArray[np.float64], pd.DataFrame]:
    """Bring the columns of one gene together.

    Parameters
    ----------
    values : ndarray of shape (n_samples, n_names)
    plan : DataFrame
        From :func:`planned_names`.
    rule : {"sum", "mean", "highest_mean"} or None
        None where no symbol stands twice.

    Returns
    -------
    ndarray of shape (n_samples, n_genes), DataFrame
        Genes in the order of their first name, and the log indexed by symbol.
    """
    codes, symbols = pd.factorize(plan["symbol"])
    several = np.flatnonzero(np.bincount(codes) > 1)
    log = plan.drop_duplicates("symbol").set_index("symbol").rename_axis(None)
    if not len(several):
        return values, log
    if rule is None:
        raise ImmunosarcError(f"gene {symbols[several[0]]!r} stands in several rows; declare how to merge them")
    result = values[:, np.unique(codes, return_index=True)[1]]
    for code in several:
        columns = np.flatnonzero(codes == code)
        block = values[:, columns]
        chosen, kept = one_of_several(block, rule)
        result[:, code] = chosen
        given = plan["given"].to_numpy()[columns]
        about = f"{rule} of {len(columns)} rows" + (f", kept {given[kept]}" if kept is not None else "")
        log.loc[symbols[code], ["given", "action", "why"]] = [";".join(given), "merged", about]
    return result, log


def _wanted(name: str) -> tuple[str, str]:
    """Return the symbol that a name stands for by itself, and why."""
    aliases = _aliases()
    if name in aliases:
        return aliases[name], f"older name of {aliases[name]}"
    day = _month_and_day(name)
    if day is None:
        return name, ""
    symbols = _dated_symbols(*day)
    if len(symbols) == 1:
        return symbols[0], f"a spreadsheet's date for {symbols[0]}"
    meant = f"can be {' or '.join(symbols)}" if symbols else "no gene is known that becomes this date"
    return name, f"looks like a spreadsheet's date; {meant}"


@lru_cache(maxsize=1)
def _aliases() -> Mapping[str, str]:
    """Older name -> approved symbol, where there is exactly one and the name is no symbol itself."""
    table = load_gene_aliases()
    targets = table.groupby("alias")["approved"].nunique()
    single = table[table["alias"].map(targets).eq(1) & ~table["alias"].isin(table["approved"])]
    return dict(zip(single["alias"], single["approved"], strict=True))


def _month_and_day(name: str) -> tuple[str, int] | None:
    if found := _DAY_MONTH.fullmatch(name):
        day, month = int(found[1]), found[2].lower()
    elif found := _MONTH_DAY.fullmatch(name):
        day, month = int(found[2]), found[1].lower()
    elif (found := _ISO.fullmatch(name)) and 1 <= int(found[1]) <= 12:
        day, month = int(found[2]), _MONTHS[int(found[1]) - 1]
    else:
        return None
    return (month, day) if month in _MONTHS and 1 <= day <= 31 else None


def _dated_symbols(month: str, day: int) -> list[str]:
    """Return the genes whose former symbol a spreadsheet shows as this date."""
    if month == "sep" and (1 <= day <= 12 or day == 14):
        return [f"SEPTIN{day}"]
    if month == "sep" and day == 15:
        return ["SELENOF"]
    if month == "mar" and day in (1, 2):
        return [f"MARCHF{day}", f"MTARC{day}"]
    if month == "mar" and 3 <= day <= 11:
        return [f"MARCHF{day}"]
    if month == "dec" and day == 1:
        return ["DELEC1"]
    return []
