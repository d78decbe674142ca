"""Tables of samples placed on a frozen reference, and of the classes read off there."""

from __future__ import annotations

from immunosarc.schema._table import Column, Table

__all__ = ["CLASSES", "PLACED_CHANGE", "PLACEMENT"]


def _text(meaning: str, *, filled: bool = False) -> Column:
    return Column("text", meaning, required=True, filled=filled)


def _number(meaning: str, *, low: float | None = None, high: float | None = None) -> Column:
    return Column("number", meaning, required=True, low=low, high=high)


PLACEMENT = Table(
    "placement",
    {
        "sample_id": _text("sample", filled=True),
        "reference": _text("name of the reference", filled=True),
        "population": _text("which genes were averaged", filled=True),
        "n_genes": _number("genes of the population", low=0),
        "n_found": _number("of them with a value in the sample", low=0),
        "score": _number("mean log2 expression after the scale factor"),
        "z": _number("standard deviations above the mean of the reference"),
        "percentile": _number(
            "share of the reference that is lower; ends at the outermost quantiles", low=0, high=1
        ),
        "log2_factor": _number("median log2 ratio to the reference, which was taken off; 0 = none"),
        "r_length": _number("correlation of the residual with gene length", low=-1, high=1),
        "r_reference": _number("correlation with the mean profile of the reference", low=-1, high=1),
        "guard": _text("measured, declared or own cohort", filled=True),
        "status": _text("'ok', or why there is no value", filled=True),
        "note": _text("what else to know"),
    },
)

PLACED_CHANGE = Table(
    "placed_change",
    {
        "patient_id": _text("patient", filled=True),
        "population": _text("which genes were averaged", filled=True),
        "reference": _text("name of the reference", filled=True),
        "sample_before": _text("sample at the earlier timepoint"),
        "sample_after": _text("sample at the later timepoint"),
        "z_before": _number("standard deviations above the mean of the reference, earlier"),
        "z_after": _number("the same, later"),
        "difference": _number("z_after less z_before"),
        "status": _text("'ok', or why there is no difference", filled=True),
    },
)

CLASSES = Table(
    "classes",
    {
        "sample_id": _text("sample", filled=True),
        "scheme": _text("class scheme", filled=True),
        "reference": _text("name of the reference", filled=True),
        "label": _text("the class; missing where there is none"),
        "nearest": _text("the nearest class, even where the label is indeterminate"),
        "score": _number("what the scheme reads: mean percentile, or distance to the nearest centroid"),
        "margin": _number("distance to the nearest limit, or by how much the second centroid is farther", low=0),
        "posterior": _number("share of plausible pipeline offsets that keep the nearest class", low=0, high=1),
        "posteriors": _text("the same for every class"),
        "guard": _text("measured, declared or own cohort", filled=True),
        "status": _text("'ok', or why there is no class", filled=True),
        "note": _text("what else to know"),
    },
)
