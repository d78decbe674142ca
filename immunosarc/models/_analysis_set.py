"""The analysis set: feature table, outcome, covariates and strata as aligned arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc import schema
from immunosarc.errors import PlanError, raise_together
from immunosarc.models._landmark import (
    endpoint_recorded,
    features_of_patients,
    landmark_flow,
    landmark_population,
    refuse_immortal_time,
)

__all__ = ["AnalysisSet", "analysis_set"]

Floats = NDArray[np.float64]
PerPatient: TypeAlias = "pd.Series | pd.DataFrame | None"


@dataclass(frozen=True)
class AnalysisSet:
    """Who is analyzed, and their numbers.

    Attributes
    ----------
    patients : list of str
        Who is analyzed, in the order of the rows.
    names : list of str
        Features.
    features : ndarray of shape (n_patients, n_features)
        Missing = NaN.
    event : ndarray of bool, shape (n_patients,)
        The binary endpoint, or whether the event happened.
    time : ndarray or None
        Months, for a time-to-event endpoint.
    grade : ndarray or None
        0, 1, ... from worst to best, for an ordinal endpoint; ``event`` then marks all above 0.
    covariates : ndarray of shape (n_patients, n_columns)
        Complete; factors as indicators. No columns where there are no covariates.
    strata : ndarray of int
        Stratum code per patient; all zero without strata.
    entry : ndarray or None
        Months at which the patient came under observation, where that is the day of the sample.
    timepoint, population, adjusted_for, stratified_by : str
        In words, for the result table.
    """

    patients: list[str]
    names: list[str]
    features: Floats
    event: NDArray[np.bool_]
    time: Floats | None
    grade: Floats | None
    covariates: Floats
    strata: NDArray[np.intp]
    entry: Floats | None
    timepoint: str
    population: str
    adjusted_for: str
    stratified_by: str

    def follow_up(self) -> Floats:
        """Months to the event or to censoring."""
        if self.time is None:
            raise PlanError("this endpoint has no follow-up time.")
        return self.time

    def grades(self) -> Floats:
        """The ordinal endpoint."""
        if self.grade is None:
            raise PlanError("this endpoint has no grades.")
        return self.grade


def analysis_set(
    table: pd.DataFrame,
    outcomes: pd.DataFrame,
    endpoint: schema.Endpoint,
    *,
    covariates: PerPatient = None,
    strata: PerPatient = None,
    landmark_day: int | None = None,
    from_sample: bool = False,
) -> AnalysisSet:
    """Align a feature table with outcomes; patients without the endpoint are left out.

    With a landmark so are those not at risk or not measured on that day, and time counts from it. With
    ``from_sample`` everybody is at risk from the day of the own sample on: left out is whose day is not known or
    whose follow-up was over by then.

    Raises
    ------
    SchemaError
        When the table is not ``schema.PATIENT_FEATURES`` or the outcomes not ``schema.OUTCOMES``.
    ImmortalTimeError
        When the features were measured on treatment and time defines the endpoint, and there is no
        landmark; or when responders are to be compared with non-responders.
    PlanError
        When covariates or strata are not indexed by these patients.
    """
    table = features_of_patients(table)
    outcomes = schema.OUTCOMES.check(outcomes)
    if not table.index.isin(outcomes.index).any():
        raise PlanError("no patient of the feature table has a row in the outcomes; derive both from one cohort.")
    everyone, outcomes = outcomes, outcomes.reindex(table.index)
    timepoint = _single_timepoint(table)
    if from_sample and landmark_day is not None:
        raise PlanError(
            "a time-dependent model starts each clock at the patient's sample; leave out landmark_day."
        )
    if landmark_day is None and not (from_sample and endpoint.kind == "time_to_event"):
        refuse_immortal_time(timepoint, endpoint)
    endpoint_recorded(outcomes, endpoint)
    grade = _grades(outcomes, endpoint)
    event = _events(outcomes, endpoint) if grade is None else (grade > 0).where(grade.notna())
    names = [name for name in table.columns if name not in schema.PATIENT_FEATURES.columns]
    known = event.notna() & table[names].notna().any(axis=1)
    adjusting = _indexed("covariates", covariates, table.index)
    stratifying = _indexed("strata", strata, table.index)
    schema.refuse_response_groups([*names, *adjusting.columns, *stratifying.columns], endpoint.name)
    for frame in (adjusting, stratifying):
        known &= frame.notna().all(axis=1)
    population = _population(timepoint, endpoint, [*adjusting.columns, *stratifying.columns])
    if landmark_day is not None:
        flow = landmark_flow(table, everyone, endpoint=endpoint.name, landmark_day=landmark_day)
        known &= flow["kept"].to_numpy(dtype=bool)
        population += "; " + landmark_population(table, flow, landmark_day)
    times = _times(outcomes, endpoint, landmark_day or 0)
    entry = None
    if from_sample and times is not None:
        day = table["measured_day"].to_numpy(dtype=float, na_value=np.nan)
        entry = (np.zeros(len(day)) if timepoint == "pre" else np.maximum(day, 0.0)) / schema.DAYS_PER_MONTH
        left_out = int((known & ~(entry < times)).sum())
        known &= entry < times
        population += f"; at risk from the day of the sample ({left_out} over by then or undated, left out)"
    design, codes = _design_columns(adjusting[known]), _codes(stratifying[known])
    _refuse_constant_covariates(design, codes)
    return AnalysisSet(
        patients=[str(one) for one in table.index[known]],
        names=names,
        features=table.loc[known, names].to_numpy(dtype=float, na_value=np.nan),
        event=event[known].to_numpy(dtype=bool),
        time=None if times is None else times[known.to_numpy()],
        grade=None if grade is None else grade[known].to_numpy(dtype=float),
        covariates=design,
        strata=codes,
        entry=None if entry is None else entry[known.to_numpy()],
        timepoint=timepoint,
        population=population,
        adjusted_for=", ".join(map(str, adjusting.columns)),
        stratified_by=", ".join(map(str, stratifying.columns)),
    )


def _single_timepoint(table: pd.DataFrame) -> str:
    found = list(dict.fromkeys(table["timepoint"]))
    if len(found) != 1:
        raise PlanError(f"features of one timepoint are needed, the table holds {found}; use cohort.at(...).")
    return str(found[0])


def _indexed(what: str, values: PerPatient, patients: pd.Index) -> pd.DataFrame:
    if values is None:
        return pd.DataFrame(index=patients)
    if isinstance(values, str) or not isinstance(values, pd.Series | pd.DataFrame):
        raise PlanError(
            f"{what} must be a Series or DataFrame indexed by patient_id, not {type(values).__name__}; "
            f"for example {what}=cohort.patients['schedule_stage']."
        )
    frame = values.to_frame(values.name or what) if isinstance(values, pd.Series) else values
    problems = []
    if frame.index.has_duplicates:
        problems.append("a patient occurs twice")
    if not frame.index.isin(patients).any():
        problems.append(f"none of its rows is a patient of the table (first rows: {list(frame.index[:3])})")
    raise_together(PlanError, what, problems, cure="Index it by patient_id.")
    return frame.reindex(patients)


def _events(outcomes: pd.DataFrame, endpoint: schema.Endpoint) -> pd.Series:
    return outcomes[f"{endpoint.name}_event" if endpoint.kind == "time_to_event" else endpoint.name]


def _grades(outcomes: pd.DataFrame, endpoint: schema.Endpoint) -> pd.Series | None:
    """Worst = 0; missing where the endpoint cannot be judged or is none of the grades."""
    if endpoint.kind != "ordinal":
        return None
    place = {name: float(i) for i, name in enumerate(endpoint.grades)}
    judged = (outcomes[endpoint.status] == "ok").fillna(False).astype(bool)
    return outcomes[endpoint.name].where(judged).map(place).astype(float)


def _times(outcomes: pd.DataFrame, endpoint: schema.Endpoint, landmark_day: int) -> Floats | None:
    if endpoint.kind != "time_to_event":
        return None
    months = outcomes[f"{endpoint.name}_time"].to_numpy(dtype=float, na_value=np.nan)
    return months - landmark_day / schema.DAYS_PER_MONTH


def _design_columns(frame: pd.DataFrame) -> Floats:
    """Numbers as they are, flags as 0/1, text as indicators of all but its first value."""
    if frame.empty:
        return np.zeros((len(frame), 0))
    factors = {name: frame[name].astype(object) for name in frame if frame[name].dtype == "category"}
    plain = frame.assign(**factors).convert_dtypes()  # a category that nobody has is no column
    return pd.get_dummies(plain, drop_first=True, dtype=float).to_numpy(dtype=float)


def _refuse_constant_covariates(design: Floats, codes: NDArray[np.intp]) -> None:
    """What is constant within every stratum is adjusted for already."""
    if not design.shape[1] or not len(design):
        return
    varies = np.zeros(design.shape[1], dtype=bool)
    for code in np.unique(codes):
        varies |= np.ptp(design[codes == code], axis=0) > 0
    if not varies.all():
        raise PlanError(
            "a covariate does not vary among the analyzed patients of any stratum; leave it out, "
            "the strata adjust for it already."
        )


def _codes(frame: pd.DataFrame) -> NDArray[np.intp]:
    if frame.shape[1] == 0:
        return np.zeros(len(frame), dtype=np.intp)
    return frame.groupby(list(frame.columns), sort=True).ngroup().to_numpy(dtype=np.intp)


_CONDITION = {
    "on": "; conditional on having an on-treatment sample",
    "post": "; conditional on having a sample after treatment",
}


def _population(timepoint: str, endpoint: schema.Endpoint, also_known: list[str]) -> str:
    known = ", ".join(map(str, dict.fromkeys([endpoint.label.lower(), *also_known])))
    return f"{known} known, {timepoint} sample measured{_CONDITION.get(timepoint, '')}"
