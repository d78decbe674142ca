"""Numbers and names in the words of a figure; the report prints the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from immunosarc import schema

__all__ = [
    "CONDITIONAL",
    "DASH",
    "Measure",
    "alpha_text",
    "counted",
    "endpoint_label",
    "family_condition",
    "family_title",
    "interval_text",
    "measure",
    "number_text",
    "p_text",
    "percent_text",
    "signed_text",
    "spelled",
    "stratum_label",
]

DASH = "–"
CONDITIONAL = "conditional on having an on-treatment sample"
"""What an on-treatment feature can speak for; a patient must have lived to have it."""

_CONDITIONS = {"on": CONDITIONAL, "post": "conditional on having a sample after treatment"}
_WHEN = {"pre": "before treatment", "on": "on treatment", "post": "after treatment"}
_MODELS = {
    "mann_whitney": "Mann-Whitney",
    "firth_logistic": "Firth logistic regression",
    "cox": "Cox regression",
}
_MEASURES = {
    "auc": ("AUC", 0.5),
    "log_odds_ratio": ("Odds ratio", 0.0),
    "log_hazard_ratio": ("Hazard ratio", 0.0),
    "rank_correlation": ("Rank correlation", 0.0),
}
_LABELS = {
    "pfs6_kaplan_meier": "Progression-free at 6 months, Kaplan-Meier",
    "median_pfs": "Median progression-free survival",
    "median_os": "Median overall survival",
    "treatment_related_grade_3_4": "Treatment-related event of grade 3-4",
    "immune_event_immunosuppression": "Immune-mediated event needing immunosuppression",
}
_LARGE, _SMALL = 9999.5, 0.001


@dataclass(frozen=True)
class Measure:
    """How an effect is shown to a reader.

    Attributes
    ----------
    name, label : str
        As in ``schema.ASSOCIATION``, and in words.
    ratio : bool
        Whether the table holds the log and the reader sees the ratio.
    null : float
        The value of no effect, as the reader sees it.
    """

    name: str
    label: str
    ratio: bool
    null: float

    def shown(self, values: Any) -> Any:
        """Return table values as the reader sees them: ratios instead of their logs."""
        numbers = np.asarray(values, dtype=float)
        if not self.ratio:
            return numbers
        with np.errstate(over="ignore"):  # a limit beyond 1e308 is shown as endless
            return np.exp(numbers)

    def text(self, value: float) -> str:
        """Return one table value as the reader sees it, rounded."""
        seen = float(self.shown(value))
        return number_text(seen) if self.ratio else number_text(seen, decimals=2)


def measure(name: str) -> Measure:
    """Return how the effect ``name`` of an association table is shown.

    Parameters
    ----------
    name : str
        The column ``measure``: ``"auc"``, ``"log_odds_ratio"``, ``"log_hazard_ratio"``, with or
        without ``"_per_sd"``.

    Returns
    -------
    Measure

    Examples
    --------
    >>> measure("log_odds_ratio_per_sd").label
    'Odds ratio per SD'
    >>> measure("log_odds_ratio").text(0.6931)
    '2.00'
    """
    stem = name.removesuffix("_per_sd")
    ratio = stem.startswith("log_")
    label, null = _MEASURES.get(stem, (spelled(stem.removeprefix("log_")), 0.0))
    scale = " per SD" if stem != name else " per unit" if ratio else ""
    return Measure(name, label + scale, ratio, 1.0 if ratio else null)


def alpha_text(alpha: float) -> str:
    """Return an error level as it is printed: ``.05``.

    Parameters
    ----------
    alpha : float
        Between 0 and 1.

    Returns
    -------
    str

    Examples
    --------
    >>> alpha_text(0.05)
    '.05'
    """
    return f"{alpha:g}".lstrip("0")


def p_text(p: float) -> str:
    """Return a p-value as it is printed: three decimals, never zero, a dash when missing.

    Parameters
    ----------
    p : float
        Between 0 and 1; missing = NaN.

    Returns
    -------
    str

    Examples
    --------
    >>> p_text(0.00004), p_text(0.0444), p_text(float("nan"))
    ('< .001', '.044', '–')
    """
    if pd.isna(p):
        return DASH
    if p < 0.001:
        return "< .001"
    return f"{p:.3f}".removeprefix("0")


def number_text(value: float, *, decimals: int | None = None) -> str:
    """Return a number rounded for reading: three significant digits, two below 1; or fixed decimals.

    Parameters
    ----------
    value : float
        Missing = NaN gives a dash; infinity its sign.
    decimals : int, optional
        Fixed decimals instead.

    Returns
    -------
    str

    Examples
    --------
    >>> number_text(0.012345), number_text(1234.5), number_text(float("inf"))
    ('0.012', '1,234', '∞')
    """
    if pd.isna(value):
        return DASH
    if np.isinf(value):
        return "∞" if value > 0 else "-∞"
    if decimals is not None:
        return f"{value:.{decimals}f}"
    size = abs(value)
    if size == 0:
        return "0"
    if size >= _LARGE or size < _SMALL:
        return f"{value:.1e}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
    places = max(0, (2 if size >= 1 else 1) - int(np.floor(np.log10(size))))
    return f"{value:,.{places}f}"


def signed_text(value: float) -> str:
    """Return a difference with its sign.

    Parameters
    ----------
    value : float
        Missing = NaN gives a dash.

    Returns
    -------
    str

    Examples
    --------
    >>> signed_text(1.146), signed_text(-0.00312), signed_text(0.0)
    ('+1.15', '-0.0031', '0')
    """
    return f"{'+' if value > 0 else ''}{number_text(value)}"


def interval_text(estimate: float, low: float, high: float, *, how: Measure) -> str:
    """Return an estimate with its interval as the reader sees them.

    Parameters
    ----------
    estimate, low, high : float
        Table values: ratios as logs.
    how : Measure
        See :func:`measure`.

    Returns
    -------
    str

    Examples
    --------
    >>> interval_text(0.734, 0.55, 0.87, how=measure("auc"))
    '0.73 [0.55, 0.87]'
    """
    if pd.isna(estimate):
        return DASH
    if pd.isna(low) and pd.isna(high):
        return how.text(estimate)
    return f"{how.text(estimate)} [{how.text(low)}, {how.text(high)}]"


def percent_text(estimate: float, low: float, high: float) -> str:
    """Return a proportion with its interval in percent.

    Parameters
    ----------
    estimate, low, high : float
        Between 0 and 1; missing = NaN.

    Returns
    -------
    str

    Examples
    --------
    >>> percent_text(13 / 28, 0.275, 0.661)
    '46.4% [27.5, 66.1]'
    """
    if pd.isna(estimate):
        return DASH
    limits = [DASH if pd.isna(value) else f"{100 * value:.1f}" for value in (low, high)]
    return f"{100 * estimate:.1f}% [{', '.join(limits)}]"


def endpoint_label(name: str) -> str:
    """Return an endpoint, or a measure of ``schema.SUMMARY``, in words.

    Parameters
    ----------
    name : str
        As in a result table.

    Returns
    -------
    str

    Examples
    --------
    >>> endpoint_label("pfs6"), endpoint_label("median_os")
    ('Progression-free at 6 months', 'Median overall survival')
    """
    if name in schema.ENDPOINTS:
        return schema.ENDPOINTS[name].label
    return _LABELS.get(name, spelled(name))


def family_title(associations: pd.DataFrame) -> str:
    """Return what one family of associations is about, in one line for a reader in the clinic.

    Parameters
    ----------
    associations : DataFrame
        ``schema.ASSOCIATION``, the rows of one family, not empty.

    Returns
    -------
    str
        Endpoint, time of measurement and model.

    Examples
    --------
    >>> row = {"timepoint": "pre", "endpoint": "objective_response", "model": "mann_whitney"}
    >>> family_title(pd.DataFrame([row]))
    'Objective response: features before treatment (Mann-Whitney)'
    """
    row = associations.iloc[0]
    when = _WHEN.get(str(row["timepoint"]), str(row["timepoint"]))
    model = _MODELS.get(str(row["model"]), spelled(str(row["model"])))
    return f"{endpoint_label(str(row['endpoint']))}: features {when} ({model})"


def family_condition(associations: pd.DataFrame) -> str:
    """Return the condition under which one family of associations holds; empty when there is none.

    Parameters
    ----------
    associations : DataFrame
        ``schema.ASSOCIATION``, the rows of one family, not empty.

    Returns
    -------
    str
        A feature measured on treatment speaks only for patients who had the sample.

    Examples
    --------
    >>> family_condition(pd.DataFrame({"timepoint": ["on"]}))
    'conditional on having an on-treatment sample'
    """
    return _CONDITIONS.get(str(associations["timepoint"].iloc[0]), "")


def stratum_label(stratum: str) -> str:
    """Return a stratum in words; a bare number says what it is."""
    if stratum == "all":
        return "all patients"
    return f"stratum {stratum}" if stratum.isdigit() else stratum


def spelled(name: str) -> str:
    """Return an identifier as words."""
    words = name.replace("_", " ").strip()
    return words[:1].upper() + words[1:]


def counted(number: float, noun: str) -> str:
    """Return a number with its noun.

    Parameters
    ----------
    number : float
        A count.
    noun : str
        In the singular; takes an s for any other count than 1.

    Returns
    -------
    str

    Examples
    --------
    >>> counted(1, "cohort"), counted(1200, "patient")
    ('1 cohort', '1,200 patients')
    """
    return f"{int(number):,} {noun}{'' if number == 1 else 's'}"
