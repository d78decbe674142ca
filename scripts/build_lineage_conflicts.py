"""Build the histology-by-gene table of the genes that sarcoma cells make themselves.

Usage: python scripts/build_lineage_conflicts.py QUARTILES.tsv.gz OUT.tsv

QUARTILES holds q1, median and q3 of TPM by gene and subtype, taken from pirl-trufflepig 1.30.4 (see NOTICE).
Only genes that a signature of the catalog reads are looked at. A row comes from

quartiles
    the median of log2(TPM+1) in one histology lies at least 2 above the median of the other histologies, and 2
    farther above than lymphocyte markers do, and at least 1 above all of them but one; not in a histology
    whose lymphocyte markers lie 1 above;
everywhere
    a gene of a signature flagged ``sarcoma_cell_intrinsic_risk`` whose lower quartile is 20 TPM or more in every
    histology, those almost without stroma included;
catalog
    what the notes of the catalog say: fibroblast and TGF-beta response genes and CD276 everywhere, 12q13-15 in
    dedifferentiated liposarcoma, endothelial genes in endothelial tumors.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from immunosarc.catalog import Signature, load_signatures

CODES = {"LMS": "LMS", "UPS": "UPS", "MFS": "MFS", "LPS": "LPS", "SYN": "SS"}
CODES |= {code: code for code in ("OS", "EWS", "ERMS", "ARMS")}
EVERYWHERE = ("LMS", "UPS", "MFS", "LPS", "SYN", "OS")
LYMPHOCYTES = ["CD2", "CD3D", "CD3E", "CD3G", "CD8A", "GZMA", "NKG7", "PRF1"]
Y_LINKED = {"DDX3Y", "EIF1AY", "KDM5D", "RPS4Y1", "USP9Y", "UTY", "ZFY"}
FAR, APART, LYMPHOCYTES_BELOW, LEAST_TPM = 2.0, 1.0, 1.0, 20.0
SOURCE = "quartiles of pirl-trufflepig 1.30.4 (Treehouse 25.01 PolyA)"
RISK = "sarcoma_cell_intrinsic_risk"
ENDOTHELIAL = "endothelial differentiation defines the tumor: WHO Classification, Soft Tissue and Bone, 2020"
Row = tuple[str, str, str, float | str, str]


def main(arguments: list[str]) -> None:
    """Read the quartiles, write the table."""
    quartiles = pd.read_csv(arguments[0], sep="\t", index_col=0)
    Path(arguments[1]).write_text(as_text(quartiles), encoding="utf-8")


def as_text(quartiles: pd.DataFrame) -> str:
    """Return the table as it is shipped."""
    rows = [*by_quartiles(quartiles), *everywhere(quartiles), *by_catalog()]
    table = pd.DataFrame(rows, columns=["histology", "gene", "kind", "log2_excess", "source"])
    table = table.sort_values(["histology", "gene", "kind"]).drop_duplicates(["histology", "gene"])
    return table.to_csv(sep="\t", index=False, lineterminator="\n")


def by_quartiles(quartiles: pd.DataFrame) -> Iterator[Row]:
    """Yield the genes that stand far above in one histology."""
    genes = [gene for gene in read_genes() if gene in quartiles.index and gene not in Y_LINKED]
    medians = np.log2(quartiles[[f"{code}_median" for code in CODES]] + 1).set_axis(list(CODES), axis=1)
    for code, histology in CODES.items():
        others = np.sort(medians.drop(columns=code).to_numpy(), axis=1)
        above = medians[code] - np.median(others, axis=1)
        lymphocytes = above[LYMPHOCYTES].median()
        if lymphocytes >= LYMPHOCYTES_BELOW:
            continue  # an inflamed histology: what is higher there may be the immune cells'
        apart = medians[code] - others[:, -2]
        for gene in genes:
            if above[gene] - max(lymphocytes, 0.0) >= FAR and apart[gene] >= APART:
                words = f"{SOURCE}: lymphocyte markers {lymphocytes:+.1f}"
                yield histology, gene, "quartiles", round(float(above[gene]), 1), words


def everywhere(quartiles: pd.DataFrame) -> Iterator[Row]:
    """Yield the genes of flagged signatures that no sarcoma lacks."""
    flagged = [one for one in load_signatures().values() if any(flag.startswith(RISK) for flag in one.flags)]
    for signature in flagged:
        for gene in (*signature.genes, *signature.genes_down):
            if gene in quartiles.index:
                least = min(quartiles.loc[gene, f"{code}_q1"] for code in EVERYWHERE)
                if least >= LEAST_TPM:
                    words = f"{SOURCE}: lower quartiles from {least:.0f} TPM; {signature.name}"
                    yield "any", gene, "everywhere", "", words


def by_catalog() -> Iterator[Row]:
    """Yield what the catalog's notes say."""
    found = load_signatures()
    for name in ("mcp_fibroblasts", "f_tbrs19"):
        yield from _rows("any", found[name])
    yield "any", "CD276", "catalog", "", f"note of gep18_tcell_inflamed; {_cited(found['gep18_tcell_inflamed'])}"
    yield from _rows("DDLPS", found["amp12q_mdm2_cdk4"])
    endothelial = [*found["mcp_endothelial"].genes, "CD34", "ESM1", "KDR", "PECAM1"]
    for histology in ("AS", "EHE"):
        for gene in endothelial:
            yield histology, gene, "catalog", "", f"{ENDOTHELIAL}; {_cited(found['mcp_endothelial'])}"


def read_genes() -> list[str]:
    """Return the genes that any signature of the catalog reads."""
    return sorted({gene for one in load_signatures().values() for gene in one.all_genes})


def _rows(histology: str, signature: Signature) -> Iterator[Row]:
    for gene in signature.genes:
        yield histology, gene, "catalog", "", f"note of {signature.name}; {_cited(signature)}"


def _cited(signature: Signature) -> str:
    return f"doi:{signature.doi}" if signature.doi else signature.citation


if __name__ == "__main__":
    main(sys.argv[1:])
