"""Several measurements of one gene or one sample that become one, and the length that goes with them."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["merged_lengths", "one_of_several", "pooled_length", "with_lengths"]


def one_of_several(block: NDArray[np.float64], rule: str) -> tuple[NDArray[np.float64], int | None]:
    """Return one column for several, and which one stayed where one was chosen."""
    if rule == "sum":
        return block.sum(axis=1), None
    if rule == "mean":
        return block.mean(axis=1), None
    known = ~np.isnan(block)
    means = np.where(known, block, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    kept = int(np.argmax(np.where(known.any(axis=0), means, -np.inf)))
    return block[:, kept], kept


def pooled_length(
    values: NDArray[np.float64], lengths: NDArray[np.float64], *, unit: str, axis: int
) -> NDArray[np.float64]:
    r"""Return the length of several rows of a gene, or libraries of a sample, that became one.

    The length is the one that keeps the abundance: reads :math:`c` over length :math:`l` add up, so
    :math:`L = \sum c / \sum (c / l)` for counts, and :math:`L = \sum t l / \sum t` for abundances
    :math:`t`; the plain mean where nothing was measured and for logarithms.
    """
    plain = lengths.mean(axis=axis)
    if unit.startswith("log2") or unit in ("score", "fraction"):
        return plain
    reads = values if unit == "counts" else values * lengths
    molecules = values / lengths if unit == "counts" else values
    total = molecules.sum(axis=axis)
    measured = np.isfinite(total) & (total > 0)
    return np.where(measured, reads.sum(axis=axis) / np.where(measured, total, 1.0), plain)


def merged_lengths(
    values: NDArray[np.float64], lengths: NDArray[np.float64], plan: pd.DataFrame, *, rule: str | None, unit: str
) -> NDArray[np.float64]:
    """Return the lengths of genes after their rows were merged as ``plan`` and ``rule`` say."""
    codes = pd.factorize(plan["symbol"])[0]
    first = np.unique(codes, return_index=True)[1]
    several = np.flatnonzero(np.bincount(codes) > 1)
    if not len(several):
        return lengths[:, first]
    every = np.broadcast_to(lengths, values.shape)
    result = every[:, first].copy()
    for code in several:
        columns = np.flatnonzero(codes == code)
        kept = one_of_several(values[:, columns], str(rule))[1]
        if kept is None:
            result[:, code] = pooled_length(values[:, columns], every[:, columns], unit=unit, axis=1)
        else:
            result[:, code] = every[:, columns[kept]]
    return result


def with_lengths(adata: anndata.AnnData, lengths: NDArray[np.float64] | None) -> None:
    """Put lengths into an assay that was just made: ``var`` when all samples share them, else a layer."""
    if lengths is None:
        return
    if len(lengths) == 1:
        adata.var["gene_length"] = lengths[0]
    else:
        adata.layers["gene_length"] = lengths
