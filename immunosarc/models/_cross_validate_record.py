"""The answer of a cross-validation, which may be that there is too little to model."""

from __future__ import annotations

import html
from dataclasses import dataclass

import pandas as pd

__all__ = ["Prediction"]


@dataclass(frozen=True)
class Prediction:
    """How well new patients could be predicted, or why that cannot be said.

    Attributes
    ----------
    endpoint, model : str
        What was predicted, and by which name of ``models.PREDICTORS``.
    status : str
        ``"ok"``, ``"exploratory: ..."``, or ``"not enough data to model: ..."``.
    n, n_events, n_parameters : int
        Patients, those with the event, candidate features and covariate columns.
    events_per_parameter : float
        The rarer outcome, divided by the candidates.
    performance : DataFrame
        ``schema.PERFORMANCE``.
    predictions : DataFrame
        ``schema.PREDICTIONS``: of each patient, by models that never saw the patient.
    calibration : DataFrame
        ``schema.RISK_GROUPS``: predicted and observed by thirds of the predicted risk (of a time-to-event
        endpoint where ``risk_by`` was asked for).
    decision_curve : DataFrame
        ``schema.DECISION_CURVE``, of the same risks.
    """

    endpoint: str
    model: str
    status: str
    n: int
    n_events: int
    n_parameters: int
    events_per_parameter: float
    performance: pd.DataFrame
    predictions: pd.DataFrame
    calibration: pd.DataFrame
    decision_curve: pd.DataFrame

    @property
    def modelled(self) -> bool:
        """Whether there was enough to fit anything."""
        return not self.status.startswith("not enough data")

    def estimate(self, measure: str, estimator: str = "cross_validated") -> float:
        """Return one number of ``performance``; NaN where it is not there."""
        table = self.performance
        rows = table[(table["measure"] == measure) & (table["estimator"] == estimator)]
        return float(rows["estimate"].iloc[0]) if len(rows) else float("nan")

    def _sentences(self) -> list[str]:
        head = (
            f"{self.model} for {self.endpoint}: {self.n} patients, {self.n_events} with the event, "
            f"{self.n_parameters} candidates ({self.events_per_parameter:.1f} events each)"
        )
        rows = self.performance
        first = rows[(rows["estimator"] == "cross_validated") & rows["measure"].isin(["auc", "concordance"])]
        told = [
            f"{row.measure} {row.estimate:.2f} ({row.conf_low:.2f} to {row.conf_high:.2f}), {row.method}"
            for row in first.itertuples()
            if self.modelled
        ]
        return [head, self.status, *told]

    def __repr__(self) -> str:
        return "\n  ".join(self._sentences())

    def _repr_html_(self) -> str:
        lines = "".join(f"<p>{html.escape(line)}</p>" for line in self._sentences())
        shown = self.performance[["measure", "estimator", "estimate", "conf_low", "conf_high", "status"]]
        return lines + (shown.to_html(index=False, na_rep="-", border=0) if self.modelled else "")
