"""The landmark: who is still at risk and already measured on a fixed day, from which the clock restarts."""

from __future__ import annotations

import pandas as pd

from immunosarc import schema
from immunosarc.cohort import is_simulated, marked, refuse_cells
from immunosarc.errors import ImmortalTimeError, PlanError, SchemaError, UnknownNameError, did_you_mean

__all__ = [
    "endpoint_named",
    "endpoint_recorded",
    "features_of_patients",
    "landmark_flow",
    "landmark_population",
    "refuse_immortal_time",
]

_KEPT = "ok"


def endpoint_named(name: str) -> schema.Endpoint:
    """Return the endpoint, or raise with the names there are."""
    if name not in schema.ENDPOINTS:
        raise UnknownNameError(f"unknown endpoint {name!r}.{did_you_mean(name, schema.ENDPOINTS)}")
    return schema.ENDPOINTS[name]


def endpoint_recorded(outcomes: pd.DataFrame, endpoint: schema.Endpoint) -> None:
    """Refuse outcomes that do not have the endpoint at all, with what would give it."""
    column = f"{endpoint.name}_event" if endpoint.kind == "time_to_event" else endpoint.name
    if column in outcomes:
        return
    cure = (
        "pass the ready-made classes through models.with_resistance(outcomes, resistance), or give the "
        "cohort visits and doses"
        if endpoint.name.endswith("_resistance")
        else "derive them from a cohort that has it, with endpoints.derive"
    )
    raise PlanError(f"the outcomes have no column '{column}': {cure}.")


def features_of_patients(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table checked; one that does not say when it was measured is refused with the cure."""
    refuse_cells(table)
    if "timepoint" not in table:
        raise SchemaError(
            "table 'patient_features' has 1 problem(s):\n  - timepoint: column is missing\n"
            "When a feature was measured decides what it may be tested against. Make the table with "
            "cohort.at('pre').per_patient(scores), or add timepoint, measured_day and status ('ok')."
        )
    return schema.PATIENT_FEATURES.check(table)


def landmark_flow(
    table: pd.DataFrame, outcomes: pd.DataFrame, *, endpoint: str, landmark_day: int
) -> pd.DataFrame:
    """Say which patients a landmark analysis keeps, and of each other why not.

    Kept are those who on the landmark day were still followed and free of the event, and had been
    measured by then. For a binary endpoint the follow-up is that of progression-free survival.
    Days count from the first dose = day 1, so that ``pfs_days`` is the study day of the event.

    Parameters
    ----------
    table : DataFrame
        ``schema.PATIENT_FEATURES``. A sample without ``measured_day`` is taken to have been measured
        in time: choose a landmark that the protocol's biopsy window ends before.
    outcomes : DataFrame
        ``schema.OUTCOMES``.
    endpoint : str
        A name of ``schema.ENDPOINTS`` that time defines.
    landmark_day : int
        Study day, at least 1.

    Returns
    -------
    DataFrame
        ``schema.ATTRITION``: one row per patient of the table, in its order.

    Raises
    ------
    PlanError
        When the landmark is not a day, time does not define the endpoint, or everybody's value
        is settled by then.
    UnknownNameError
        Unknown endpoint.

    References
    ----------
    Anderson JR, Cain KC, Gelber RD. J Clin Oncol 1983;1:710-719, doi:10.1200/JCO.1983.1.11.710.

    Examples
    --------
    >>> import immunosarc as ims
    >>> cohort = ims.simulate_cohort(seed=7)
    >>> scores = ims.features.score(cohort["rna"])[["cyt"]]
    >>> flow = landmark_flow(
    ...     cohort.at("on").per_patient(scores), ims.endpoints.derive(cohort), endpoint="pfs", landmark_day=60
    ... )
    >>> len(flow) == len(cohort.patients), int(flow["kept"].sum()) < len(flow)
    (True, True)
    """
    target = endpoint_named(endpoint)
    _check_day(landmark_day, target)
    table = features_of_patients(table)
    simulated = is_simulated(outcomes)
    outcomes = schema.OUTCOMES.check(outcomes).reindex(table.index)
    reason = _reasons(table, outcomes, target, landmark_day)
    flow = pd.DataFrame(
        {
            "step": f"{endpoint} from landmark day {landmark_day}",
            "level": "patient",
            "patient_id": table.index.astype(str),
            "sample_id": pd.NA,
            "kept": (reason == _KEPT).to_numpy(),
            "reason": reason.mask(reason == _KEPT).to_numpy(),
        }
    )
    return marked(schema.ATTRITION.check(flow), simulated=simulated)


def landmark_population(table: pd.DataFrame, flow: pd.DataFrame, landmark_day: int) -> str:
    """Return in words who a landmark analysis speaks for, with the number left out."""
    measured = (table["status"] == "ok").to_numpy(dtype=bool)
    left_out = int((measured & ~flow["kept"].to_numpy(dtype=bool)).sum())
    undated = int((measured & table["measured_day"].isna().to_numpy()).sum()) if _on_treatment(table) else 0
    words = f"at risk and measured on day {landmark_day} (landmark; {left_out} of {int(measured.sum())} left out)"
    return words + (f"; day of {undated} samples not recorded" if undated else "")


def refuse_immortal_time(timepoint: str, endpoint: schema.Endpoint) -> None:
    """Refuse a feature measured on treatment against an endpoint that time defines, from baseline."""
    if timepoint == "pre" or not endpoint.time_defined:
        return
    raise ImmortalTimeError(
        f"features measured '{timepoint}' treatment cannot be tested against {endpoint.name} from baseline: a "
        "patient had to live progression-free long enough to be biopsied, so early events can only fall among "
        "patients without the feature (immortal time), and the test finds associations where there are none. "
        "Pass landmark_day=, the study day by which the biopsies were taken: it keeps the patients still at risk "
        "on that day and restarts their clock. Or take model='cox_time_dependent' (time to an event), or the "
        "features at 'pre', or endpoint='objective_response'."
    )


def _check_day(day: int, endpoint: schema.Endpoint) -> None:
    if isinstance(day, bool) or day != int(day) or day < 1:
        raise PlanError(f"landmark_day must be a study day, a whole number of at least 1, not {day!r}.")
    if not endpoint.time_defined:
        raise PlanError(f"{endpoint.name} is not defined by time and takes no landmark_day; leave it out.")
    settled = endpoint.decided_on_day
    if settled is not None and day >= settled:
        raise PlanError(f"{endpoint.name} is settled on day {settled}; landmark_day={day} must be earlier.")


def _reasons(table: pd.DataFrame, outcomes: pd.DataFrame, endpoint: schema.Endpoint, day: int) -> pd.Series:
    """'ok', or the first reason that holds."""
    days, event = outcomes[f"{endpoint.clock}_days"], outcomes[f"{endpoint.clock}_event"]
    over = (days <= day).fillna(False).astype(bool)
    happened = event.fillna(False).astype(bool)
    when = days.map("{:g}".format).astype("string")
    sampled = table["measured_day"].map("{:g}".format).astype("string")
    late = (table["measured_day"] > day).fillna(False).astype(bool)
    unknown = days.isna() | event.isna()
    status = outcomes[f"{endpoint.clock}_status"].fillna("no row in the outcomes")
    reasons = (
        (table["status"] != "ok", table["status"]),
        (unknown, status.mask(status == "ok", "follow-up incomplete")),
        (over & happened, "event on day " + when + f", not after landmark day {day}"),
        (over & ~happened, "follow-up ended on day " + when + f", not after landmark day {day}"),
        (late, "sample of day " + sampled + f", after landmark day {day}"),
    )
    found = pd.Series(_KEPT, index=table.index, dtype="string")
    for holds, words in reversed(reasons):
        found = found.mask(holds.astype(bool), words)
    return found


def _on_treatment(table: pd.DataFrame) -> bool:
    return bool((table["timepoint"] != "pre").any())
