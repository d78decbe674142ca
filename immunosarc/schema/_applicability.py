"""The card of a signature: what its score depends on, in this assay."""

from __future__ import annotations

from immunosarc.schema._table import Column, Table

__all__ = ["APPLICABILITY", "LINEAGE"]


def _text(meaning: str, *, filled: bool = False, values: tuple[str, ...] = ()) -> Column:
    return Column("text", meaning, required=True, filled=filled, values=values)


def _number(meaning: str, *, low: float | None = None, high: float | None = None) -> Column:
    return Column("number", meaning, required=True, low=low, high=high)


APPLICABILITY = Table(
    "applicability",
    {
        "signature": _text("signature", filled=True),
        "method": _text("scoring method", filled=True),
        "status": _text("'ok', or why there is no score", filled=True),
        "n_genes": _number("genes of the signature", low=0),
        "n_found": _number("of them usable in the assay", low=0),
        "coverage": _number("n_found / n_genes", low=0, high=1),
        "missing": _text("the genes that are not in the assay"),
        "depends_on": _text("whether other samples change the score", values=("sample", "cohort")),
        "all_genes": Column("flag", "whether every gene of the assay changes the score", required=True),
        "scale": _text("the scale that the method reads"),
        "needs": _text("the linear unit that the published form needs; missing where any will do"),
        "low": _number("lowest possible score"),
        "high": _number("highest possible score"),
        "direction": _text("key of the stated direction", filled=True),
        "platform_fit": _text("'ok', or what the published form needs"),
        "sex_linked": _text("genes on the Y chromosome"),
        "lineage_conflict": _text("which of its genes sarcoma cells themselves make, by histology"),
        "loss_correlation": _number("median Spearman correlation with the score after random loss of genes"),
        "loss_correlation_low": _number("its 5th percentile over the draws"),
        "coverage_rule": _text("which share it needs"),
        "license": _text("terms of use seen"),
        "patent": _text("known patents"),
        "reference": _text("publication of the method"),
        "oracle": _text("what the implementation was checked against"),
    },
)

LINEAGE = Table(
    "lineage",
    {
        "sample_id": _text("sample", filled=True),
        "signature": _text("signature", filled=True),
        "method": _text("scoring method", filled=True),
        "histology": _text("code; missing where it is not known"),
        "n_genes": _number("genes of the signature", low=0),
        "n_conflict": _number("of them made by the sarcoma cells of this histology", low=0),
        "genes": _text("these genes"),
        "flagged": Column("flag", "whether there are any", required=True),
        "score": _number("the score as it is"),
        "score_without": _number("the score without these genes"),
        "status": _text("'ok', or why there is no second score", filled=True),
    },
)
