"""Result table of searched cut points: no p-value in it forgets the search."""

from __future__ import annotations

from immunosarc.schema._table import Column, Table

__all__ = ["CUT_POINT"]


def _text(meaning: str, *, filled: bool = True) -> Column:
    return Column("text", meaning, required=True, filled=filled)


def _number(meaning: str, *, low: float | None = None, high: float | None = None) -> Column:
    return Column("number", meaning, required=True, low=low, high=high)


CUT_POINT = Table(
    "cut_point",
    {
        "feature": _text("feature"),
        "scoring": _text("scoring method", filled=False),
        "timepoint": _text("when the feature was measured"),
        "endpoint": _text("endpoint"),
        "population": _text("who was analyzed"),
        "stratified_by": _text("strata", filled=False),
        "n": _number("patients with feature and endpoint", low=0),
        "n_events": _number("of them with the event", low=0),
        "n_cuts": _number("cuts that were tried", low=0),
        "cut": _number("best cut; high is above it"),
        "cut_low": _number("lower limit of the bootstrap interval of the cut"),
        "cut_high": _number("upper limit; any cut up to the next value splits alike, so that value counts"),
        "n_high": _number("patients above the cut", low=0),
        "statistic": _number("standardized statistic at the best cut; positive: more events above it"),
        "p_corrected": _number("p that counts every cut tried on this feature", low=0, high=1),
        "p_maxt": _number("p that counts every cut of every feature of the panel", low=0, high=1),
        "measure": _text("log_hazard_ratio or risk_difference, above against below the cut"),
        "apparent": _number("effect in the patients who chose the cut: too good"),
        "out_of_bag": _number("mean effect in patients who chose neither cut nor direction, over bootstraps"),
        "n_bootstrap": _number("bootstrap samples that gave a cut and an effect outside it", low=0),
        "status": _text("'ok', or why there is no value"),
    },
)
