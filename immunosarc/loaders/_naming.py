"""From the names in a file to the genes of an assay, as the manifest declares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from immunosarc.errors import DataFileError, ManifestError, did_you_mean
from immunosarc.loaders._assay_block import AssayBlock
from immunosarc.loaders._blocks import Block
from immunosarc.loaders._fault import Fault, in_lines, listed
from immunosarc.loaders._genes import ENSEMBL, planned_names
from immunosarc.loaders._source import Source
from immunosarc.loaders._table import read_table

__all__ = ["ensembl_fault", "planned_genes", "read_gene_map"]

_MAP_COLUMNS = ("gene_id", "gene_name")


def read_gene_map(block: AssayBlock, source: Source, faults: list[Fault], *, where: str) -> dict[str, str] | None:
    """Return the symbol of each Ensembl id of ``gene_map``; None without one, or when it cannot be read."""
    if block.gene_map is None:
        return None
    text = source.open(Block(file=block.gene_map), where, faults)
    raw = read_table(text, faults) if text else None
    if raw is None:
        return None
    absent = [name for name in _MAP_COLUMNS if name not in raw.cells.columns]
    if absent:
        hint = did_you_mean(absent[0], raw.cells.columns)
        what = f"there is no column {absent[0]!r}; a gene map has gene_id and gene_name.{hint}"
        faults.append(Fault(DataFileError, f"{raw.file} line 1: {what}"))
        return None
    pairs = raw.cells[list(_MAP_COLUMNS)].assign(gene_id=raw.cells["gene_id"].map(_without_version))
    pairs = pairs[pairs["gene_name"] != ""].drop_duplicates()
    twice = pairs[pairs["gene_id"].duplicated(keep=False)]
    if len(twice):
        name = twice["gene_id"].iloc[0]
        lines = in_lines(twice.index[twice["gene_id"] == name])
        faults.append(Fault(DataFileError, f"{raw.file} {lines}: {name!r} has several symbols; keep one"))
    return dict(zip(pairs["gene_id"], pairs["gene_name"], strict=True))


def planned_genes(
    names: Sequence[str],
    block: AssayBlock,
    faults: list[Fault],
    *,
    symbols: Sequence[str] | Mapping[str, str] | None,
) -> pd.DataFrame | None:
    """Return the symbol that each name becomes; None when they collide, and why is added.

    Parameters
    ----------
    names : sequence of str
        As the file has them.
    block : AssayBlock
    faults : list of Fault
    symbols : sequence or mapping of str, optional
        Symbols beside the names, or by Ensembl id without version.
    """
    start = [_without_version(name) for name in names] if block.gene_id == "ensembl" else list(names)
    if isinstance(symbols, Mapping):
        symbols = [symbols.get(name, "") for name in start]
    given = symbols if symbols is not None else [""] * len(start)
    if block.repair_symbols:
        plan = planned_names(start, symbols=given)
    else:
        became = [symbol or name for symbol, name in zip(given, start, strict=True)]
        plan = pd.DataFrame({"given": start, "symbol": became, "action": "kept", "why": ""})
        plan.loc[plan["symbol"] != plan["given"], ["action", "why"]] = ["renamed", "symbol declared for this id"]
    plan["given"] = list(names)
    cut = plan["action"].eq("kept") & plan["symbol"].ne(plan["given"]) & plan["why"].eq("")
    plan.loc[cut, ["action", "why"]] = ["renamed", "version cut off"]
    twice = plan["symbol"][plan["symbol"].duplicated()]
    if len(twice) and block.duplicates is None:
        what = f"{twice.nunique()} gene(s) stand in several rows: {listed(twice.unique())}"
        cure = "declare how to merge them: duplicates = 'sum', 'mean' or 'highest_mean'"
        faults.append(Fault(DataFileError, f"{block.file}: {what}; {cure}"))
        return None
    return plan


def _without_version(name: str) -> str:
    found = ENSEMBL.fullmatch(name)
    return found[1] if found else name


def ensembl_fault(file: str, names: Sequence[str]) -> list[Fault]:
    """Return a fault when most names are no Ensembl ids."""
    ids = sum(ENSEMBL.fullmatch(name) is not None for name in names)
    if 2 * ids > len(names):
        return []
    strange = [name for name in names if ENSEMBL.fullmatch(name) is None]
    what = f"gene_id = 'ensembl' is declared, but {len(strange)} of {len(names)} names are none"
    return [Fault(ManifestError, f"{file}: {what} ({listed(strange[:2])}); declare gene_id = 'symbol'")]
