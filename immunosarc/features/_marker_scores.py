"""Scores of cell types: how strongly their marker genes are expressed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from immunosarc import catalog
from immunosarc.errors import ImmunosarcError
from immunosarc.features._deconvolution import DECONVOLUTION
from immunosarc.features._ranked import ssgsea

__all__ = ["consensus", "danaher", "mcp_counter"]


@DECONVOLUTION.register(
    "mcp_counter",
    label="MCP-counter",
    output="cell_score",
    scale="mean log2 expression of markers",
    reference="10.1186/s13059-016-1070-5",
    reads=(),
    needs=(),
    oracle="R MCPcounter 1.2.0",
)
def mcp_counter(frame: pd.DataFrame, min_coverage: float) -> list[dict[str, Any]]:
    """Return the ten MCP-counter scores; the endothelial marker CAVIN2 stands where public tables hold 'C'."""
    return _marker_means(frame, _labelled("mcp_", "MCP-counter "), min_coverage)


@DECONVOLUTION.register(
    "danaher",
    label="Danaher cell type scores",
    output="cell_score",
    scale="mean log2 expression of markers",
    reference="10.1186/s40425-017-0215-8",
    reads=(),
    needs=(),
    oracle="the definition, written in other terms",
)
def danaher(frame: pd.DataFrame, min_coverage: float) -> list[dict[str, Any]]:
    """Return the marker means of Danaher 2017."""
    return _marker_means(frame, _labelled("danaher", " (Danaher)"), min_coverage)


@DECONVOLUTION.register(
    "consensus",
    label="Enrichment of one's own consensus markers",
    output="cell_score",
    scale="ssgsea, not normalized",
    reference="10.1158/0008-5472.CAN-18-3560",
    reads=("reference",),
    needs=(),
    oracle="R GSVA 1.46 ssgsea, through the kernel",
)
def consensus(frame: pd.DataFrame, min_coverage: float, *, reference: Any) -> list[dict[str, Any]]:
    """Return the enrichment of each cell type's markers, from sets such as those of ConsensusTME.

    ``reference`` is a mapping or a GMT file of one set for each cell type; none is shipped (GPL-3). Nothing is
    divided by the range over the cohort, so a sample's score stays when others join.
    """
    if reference is None:
        raise ImmunosarcError(
            "'consensus' needs reference=: a mapping or a GMT file, one gene set for each cell type"
        )
    sets = catalog.as_signatures(reference)
    present = frame.columns[frame.notna().any()]
    members = np.column_stack([frame.columns.isin(present.intersection(one.genes)) for one in sets.values()])
    scores = ssgsea(frame.to_numpy(dtype=float), members)
    rows = []
    for place, one in enumerate(sets.values()):
        for row, sample in enumerate(frame.index):
            known = int(frame.loc[sample, members[:, place]].notna().sum())
            enough = members[:, place].sum() >= min_coverage * len(one.genes) and known > 0
            status = "ok" if enough else f"covers {known} of {len(one.genes)} markers, needs {min_coverage:.0%}"
            if enough and np.isnan(scores[row, place]):
                status = "lacks the value of a marker"
            rows.append(
                {
                    "sample_id": sample,
                    "cell_type": one.name,
                    "value": scores[row, place] if status == "ok" else np.nan,
                    "n_genes": len(one.genes),
                    "n_found": known,
                    "status": status,
                }
            )
    return rows


def _labelled(part: str, words: str) -> Mapping[str, catalog.Signature]:
    """Return the signatures whose name holds a part, by their label without the words about the source."""
    found = catalog.load_signatures()
    return {one.label.replace(words, ""): one for name, one in found.items() if part in name}


def _marker_means(
    frame: pd.DataFrame, markers: Mapping[str, catalog.Signature], min_coverage: float
) -> list[dict[str, Any]]:
    rows = []
    for cell_type, one in markers.items():
        columns, renamed = _columns(frame.columns, one)
        known = frame[columns].loc[:, frame[columns].notna().any()]
        enough = len(known.columns) > 0 and len(known.columns) >= min_coverage * len(one.genes)
        gaps = known.isna().any(axis=1)
        values = known.mean(axis=1, skipna=False)
        for sample in frame.index:
            status = (
                "ok"
                if enough
                else f"covers {len(known.columns)} of {len(one.genes)} markers, needs {min_coverage:.0%}"
            )
            if enough and gaps[sample]:
                status = "lacks the value of a marker"
            rows.append(
                {
                    "sample_id": sample,
                    "cell_type": cell_type,
                    "value": values[sample] if status == "ok" else np.nan,
                    "n_genes": len(one.genes),
                    "n_found": int(known.loc[sample].notna().sum()),
                    "status": status,
                    "note": f"found under a previous symbol: {', '.join(renamed)}" if renamed else "",
                }
            )
    return rows


def _columns(names: pd.Index, signature: catalog.Signature) -> tuple[list[str], list[str]]:
    """Return the columns of a signature's genes, and those found under a previous symbol only."""
    columns, renamed = [], []
    for gene in signature.genes:
        older = [old for old in signature.previous_symbols.get(gene, ()) if old in names]
        if gene in names:
            columns.append(gene)
        elif older:
            columns.append(older[0])
            renamed.append(f"{gene} as {older[0]}")
    return columns, renamed
