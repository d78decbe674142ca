"""How much each stratum says: who can be compared in it, and the size of a plain trial that says as much."""

from __future__ import annotations

from typing import Any

import pandas as pd

from immunosarc import schema
from immunosarc.cohort import is_simulated, marked
from immunosarc.errors import PlanError
from immunosarc.models._landmark import endpoint_named, features_of_patients

__all__ = ["effective_sizes"]


def effective_sizes(
    table: pd.DataFrame, outcomes: pd.DataFrame, *, endpoint: str, strata: pd.Series | None = None
) -> pd.DataFrame:
    r"""How many patients each stratum has, and how many patients of an even trial they are worth.

    Within a stratum only patients who differ in outcome can be compared. With m patients who have the endpoint
    and k who do not, the comparison is as sure as in an even trial of

    .. math:: n_{\text{eff}} = \frac{4 m k}{m + k}

    patients, half with it and half without; strata add up. One responder among fourteen is worth 3.7
    patients, a stratum without one none. For a time-to-event endpoint it is the number of events of strata
    with at least two patients.

    Parameters
    ----------
    table : DataFrame
        ``schema.PATIENT_FEATURES``: the patients who have a sample.
    outcomes : DataFrame
        ``schema.OUTCOMES``.
    endpoint : str
        A name of ``schema.ENDPOINTS``; an ordinal one counts as its best half against the others, its
        lowest grade against all above.
    strata : Series, optional
        Stratum of each patient, indexed by patient; everybody is one stratum unless given.

    Returns
    -------
    DataFrame
        One row per stratum, ``all`` last: ``endpoint, timepoint, stratified_by, stratum, n, n_events, n_effective,
        status``.

    Raises
    ------
    UnknownNameError
        Unknown endpoint.
    PlanError
        When the strata are not a Series indexed by patient.

    Examples
    --------
    >>> import immunosarc as ims
    >>> cohort = ims.simulate_cohort(seed=7)
    >>> scores = ims.features.score(cohort["rna"])[["cyt"]]
    >>> sizes = effective_sizes(
    ...     cohort.at("pre").per_patient(scores),
    ...     ims.endpoints.derive(cohort),
    ...     endpoint="objective_response",
    ...     strata=cohort.patients["schedule_stage"],
    ... )
    >>> sizes["n_events"].tolist()
    [9, 1, 10]
    """
    target = endpoint_named(endpoint)
    if strata is not None and not isinstance(strata, pd.Series):
        raise PlanError(f"strata must be a Series indexed by patient_id, not {type(strata).__name__}.")
    table = features_of_patients(table)
    event = _event(schema.OUTCOMES.check(outcomes).reindex(table.index), target)
    named = pd.Series("all", index=table.index) if strata is None else strata.reindex(table.index)
    known = event.notna() & (table["status"] == "ok") & named.notna()
    label, happened = named[known].astype(str), event[known].astype(bool)
    rows = [_row(name, happened[(label == name).to_numpy()], target) for name in sorted(label.unique())]
    whole = _row("all", happened, target) | {"n_effective": sum(float(row["n_effective"]) for row in rows)}
    if not known.any():
        whole["status"] = "no patient with this endpoint and a sample"
    result = pd.DataFrame([*(rows if strata is not None else []), whole])
    result.insert(0, "endpoint", endpoint)
    result.insert(1, "timepoint", table["timepoint"].iloc[0] if len(table) else "")
    result.insert(2, "stratified_by", "" if strata is None else str(strata.name or "strata"))
    return marked(result, simulated=is_simulated(outcomes))


def _event(outcomes: pd.DataFrame, endpoint: schema.Endpoint) -> pd.Series:
    if endpoint.kind == "time_to_event":
        return outcomes[f"{endpoint.name}_event"]
    if endpoint.kind == "binary":
        return outcomes[endpoint.name]
    judged = outcomes[endpoint.name].where(outcomes[endpoint.status] == "ok")
    return (judged != endpoint.grades[0]).where(judged.notna())


def _row(name: str, event: pd.Series, endpoint: schema.Endpoint) -> dict[str, Any]:
    n, m = len(event), int(event.sum())
    if endpoint.kind == "time_to_event":
        worth = float(m) if n > 1 else 0.0
        status = "ok" if worth else "no event, or nobody to compare with: tells nothing"
    else:
        worth = 4.0 * m * (n - m) / n if n else 0.0
        status = "ok" if worth else "one class only: tells nothing"
    return {"stratum": name, "n": n, "n_events": m, "n_effective": worth, "status": status}
