"""Are there enough patients to model anything: the question before every model."""

from __future__ import annotations

from typing import NamedTuple

import pandas as pd

from immunosarc.models._analysis_set import PerPatient, analysis_set
from immunosarc.models._cross_validate_pipeline import Patients, patients_of
from immunosarc.models._landmark import endpoint_named

__all__ = ["ModelGate", "gate_of", "model_gate"]

_CUSTOMARY = 10


class ModelGate(NamedTuple):
    """Whether there are enough patients to fit anything, in numbers and in words.

    Attributes
    ----------
    n, n_events, n_parameters : int
        Patients, those with the event, candidate features and covariate columns.
    events_per_parameter : float
        The rarer outcome, divided by the candidates.
    open : bool
        Whether a model may be fitted.
    status : str
        ``"ok"``, ``"exploratory: ..."``, or ``"not enough data to model: ..."``.
    """

    n: int
    n_events: int
    n_parameters: int
    events_per_parameter: float
    open: bool
    status: str


def model_gate(
    table: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    endpoint: str,
    covariates: PerPatient = None,
    landmark_day: int | None = None,
    n_folds: int = 5,
    min_events_per_parameter: float = 10.0,
) -> ModelGate:
    """Whether there are enough patients to predict the endpoint from these features, before anything is fitted.

    Parameters
    ----------
    table : DataFrame
        ``schema.PATIENT_FEATURES``.
    outcomes : DataFrame
        ``schema.OUTCOMES``.
    endpoint : str
        A binary or time-to-event name of ``schema.ENDPOINTS``.
    covariates : Series or DataFrame, optional
        Indexed by patient; each column is a candidate too.
    landmark_day : int, optional
        As in :func:`associate`.
    n_folds : int
        Folds of the cross-validation; each needs an event.
    min_events_per_parameter : float
        Patients with the rarer outcome that each candidate needs.

    Returns
    -------
    ModelGate

    Raises
    ------
    UnknownNameError
        Unknown endpoint.
    PlanError, ImmortalTimeError
        As in :func:`cross_validate`.

    References
    ----------
    Peduzzi P et al. 1996, doi 10.1016/S0895-4356(96)00236-3; Riley RD et al. 2020, doi 10.1136/bmj.m441.

    Examples
    --------
    >>> import immunosarc as ims
    >>> cohort = ims.simulate_cohort(seed=7)
    >>> scores = ims.features.score(cohort["rna"])
    >>> gate = model_gate(
    ...     cohort.at("pre").per_patient(scores), ims.endpoints.derive(cohort), endpoint="objective_response"
    ... )
    >>> gate.open, gate.n_events
    (False, 10)
    """
    target = endpoint_named(endpoint)
    found = analysis_set(table, outcomes, target, covariates=covariates, landmark_day=landmark_day)
    return gate_of(patients_of(found), n_folds, min_events_per_parameter)


def gate_of(data: Patients, n_folds: int, needed: float) -> ModelGate:
    """Return the gate of patients who are aligned already."""
    n, n_events, n_parameters = len(data.event), int(data.event.sum()), data.x.shape[1]
    rarer = n_events if data.time is not None else min(n_events, n - n_events)
    each = rarer / n_parameters if n_parameters else float("inf")
    found = f"{rarer} events for {n_parameters} candidates, {each:.1f} for each"
    status = "ok"
    if not n_parameters:
        status = "not enough data to model: the table has no features"
    elif rarer < n_folds:
        status = f"not enough data to model: {rarer} events for {n_folds} folds, each needs one"
    elif each < needed:
        few = int(rarer / needed)
        cure = f"Name at most {few} in advance" if few else "Test single features with associate"
        status = (
            f"not enough data to model: {found}, {needed:g} needed. {cure}, or pass min_events_per_parameter=0 "
            "for exploratory numbers"
        )
    elif each < _CUSTOMARY:
        status = f"exploratory: {found} (10 are customary); read the interval, not the estimate"
    return ModelGate(n, n_events, n_parameters, each, not status.startswith("not enough"), status)
