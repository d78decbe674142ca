"""What a locked model is worth in another cohort, and the rule by which that is said."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

__all__ = ["Evidence", "Transport", "verdict_of"]

_LEAST_PREDICTED = 0.8
_FEWEST = 5


class Evidence(NamedTuple):
    """What the verdict rests on.

    Attributes
    ----------
    measure, estimate, conf_low, conf_high : str and float
        AUC or concordance in this cohort.
    in_training : float
        What honest cross-validation gave in the training cohort; NaN where the model does not say.
    n, n_predicted, n_rarer : int
        Patients with the outcome known, those who could be predicted, and of them the rarer outcome.
    needed : str
        What must be fitted anew, from ``stats.Recalibration.needed``.
    p_as_it_is : float
        The test that says so.
    """

    measure: str
    estimate: float
    conf_low: float
    conf_high: float
    in_training: float
    n: int
    n_predicted: int
    n_rarer: int
    needed: str
    p_as_it_is: float


def verdict_of(one: Evidence) -> tuple[str, str]:
    """Return the verdict and its reasons, by the rule stated in :func:`transport`."""
    against = []
    if one.n_predicted < _LEAST_PREDICTED * one.n:
        against.append(f"only {one.n_predicted} of {one.n} patients can be predicted")
    enough = one.n_rarer >= _FEWEST
    if enough and one.needed not in ("nothing", "unknown"):
        against.append(f"its {one.needed} must be fitted anew (p = {one.p_as_it_is:.2g})")
    if enough and np.isfinite(one.in_training) and one.conf_high < one.in_training:
        against.append(
            f"{one.measure} at most {one.conf_high:.2f}, below the {one.in_training:.2f} of the training cohort"
        )
    if enough and one.conf_high <= 0.5:
        against.append(f"{one.measure} at most {one.conf_high:.2f}: no better than a coin")
    if against:
        return "transports poorly", "; ".join(against)
    if not enough:
        return "undecided", f"{one.n_rarer} patients with the rarer outcome, {_FEWEST} are needed to say anything"
    told = f"{one.measure} {one.estimate:.2f} [{one.conf_low:.2f}, {one.conf_high:.2f}]"
    if not one.conf_low > 0.5:
        return "undecided", f"{told}: a coin cannot be excluded"
    return "transports", f"{told}, and its calibration is not refuted (p = {one.p_as_it_is:.2g})"


@dataclass(frozen=True)
class Transport:
    """What a locked model is worth in patients of another cohort.

    Attributes
    ----------
    model, endpoint : str
        Which locked model, and what it predicts.
    verdict : str
        ``"transports"``, ``"transports poorly"`` or ``"undecided"``.
    reason : str
        Why, in numbers.
    performance : DataFrame
        ``schema.TRANSPORT``, one row per measure.
    predictions : DataFrame
        ``schema.PREDICTED`` of every patient whose outcome is known, with ``event`` and ``time``.
    calibration : DataFrame
        ``schema.RISK_GROUPS`` (binary endpoints).
    decision_curve : DataFrame
        ``schema.DECISION_CURVE`` (binary endpoints).
    """

    model: str
    endpoint: str
    verdict: str
    reason: str
    performance: pd.DataFrame
    predictions: pd.DataFrame
    calibration: pd.DataFrame
    decision_curve: pd.DataFrame

    def estimate(self, measure: str) -> float:
        """Return one number of ``performance``; NaN where it is not there."""
        rows = self.performance.loc[self.performance["measure"] == measure, "estimate"]
        return float(rows.iloc[0]) if len(rows) else float("nan")

    def _sentences(self) -> list[str]:
        differs = str(self.performance["differs"].iloc[0])
        return [
            f"{self.model} for {self.endpoint}: {self.verdict}",
            self.reason,
            *([f"another assay than the model was made from: {differs}"] if differs != "nothing" else []),
        ]

    def __repr__(self) -> str:
        return "\n  ".join(self._sentences())

    def _repr_html_(self) -> str:
        lines = "".join(f"<p>{html.escape(line)}</p>" for line in self._sentences())
        shown = self.performance[["measure", "estimate", "conf_low", "conf_high", "in_training", "status"]]
        return lines + str(shown.to_html(index=False, na_rep="-", border=0))
