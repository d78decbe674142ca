"""Endpoints as tables in the shape of CDISC ADaM, for statisticians who work from those."""

from __future__ import annotations

import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.errors import SchemaError, raise_together

__all__ = ["to_adrs", "to_adtr", "to_adtte"]

_ORDER = ("CR", "PR", "SD", "NON-CR/NON-PD", "PD", "NE", "MISSING")
_BEST = {
    "BOR": ("Best Overall Response (confirmation not required)", "best_overall_response"),
    "CBOR": ("Best Overall Response (confirmed)", "best_overall_response_confirmed"),
}
_FIRST_DOSE = 1.0


def to_adrs(visits: pd.DataFrame, course: pd.DataFrame, *, study_id: str = "STUDY") -> pd.DataFrame:
    """Give the responses of all visits and the best responses in the shape of ADRS.

    ``OVR`` is the response of a visit, ``BOR`` the best one without and ``CBOR`` with confirmation;
    every patient has the last two, ``MISSING`` where there was nothing to judge.

    Parameters
    ----------
    visits : DataFrame
        ``schema.RECIST``, see :func:`derive_recist`.
    course : DataFrame
        ``schema.RESPONSE_COURSE``, see :func:`derive_course`.
    study_id : str
        What ``STUDYID`` says.

    Returns
    -------
    DataFrame
        ``schema.ADRS``; study days instead of dates.

    Examples
    --------
    >>> import immunosarc as ims
    >>> cohort = ims.simulate_cohort(seed=7)
    >>> visits = ims.endpoints.derive_recist(cohort.tables["lesions"])
    >>> table = to_adrs(visits, ims.endpoints.derive_course(visits, cohort.patients))
    >>> table.loc[table["PARAMCD"] == "BOR", "AVALC"].value_counts()["PR"]
    np.int64(9)
    """
    seen = schema.RECIST.check(visits)
    seen = seen[seen["overall_response"].notna()]
    parts = [
        pd.DataFrame(
            {
                "USUBJID": seen["patient_id"],
                "PARAMCD": "OVR",
                "PARAM": "Overall Response",
                "RSEVAL": seen["reader"],
                "ADY": seen["study_day"],
                "AVALC": seen["overall_response"],
            }
        )
    ]
    for code, (words, name) in _BEST.items():
        best = course[name].astype("string").fillna("MISSING")
        nobody = pd.array([pd.NA] * len(best), dtype="string")
        day = course["response_day" if code == "BOR" else "response_day_confirmed"].astype("float64")
        frame = {"USUBJID": best.index, "PARAMCD": code, "PARAM": words, "RSEVAL": nobody, "ADY": day.to_numpy()}
        parts.append(pd.DataFrame({**frame, "AVALC": best.to_numpy()}))
    table = pd.concat(parts, ignore_index=True)
    value = table["AVALC"].map({name: place for place, name in enumerate(_ORDER, start=1)})
    return schema.ADRS.check(table.assign(STUDYID=study_id, AVAL=value.astype("float64"))[[*schema.ADRS.columns]])


def to_adtr(visits: pd.DataFrame, *, study_id: str = "STUDY") -> pd.DataFrame:
    """Give the sum of diameters of every visit, with its change from baseline and nadir, in the shape of ADTR.

    Visits at which not every target was assessed have no sum, and no row.

    Parameters
    ----------
    visits : DataFrame
        ``schema.RECIST``, see :func:`derive_recist`.
    study_id : str
        What ``STUDYID`` says.

    Returns
    -------
    DataFrame
        ``schema.ADTR``; study days instead of dates, millimeters. A percentage of a sum of 0 is missing.

    Examples
    --------
    >>> from immunosarc.endpoints import derive_recist
    >>> lesions = pd.DataFrame(
    ...     {
    ...         "patient_id": "P1", "study_day": [-5, 43, 85], "lesion_id": "T1", "role": "target",
    ...         "diameter_mm": [50.0, 35.0, 42.0],
    ...     }
    ... )
    >>> to_adtr(derive_recist(lesions))[["AVAL", "PCHG", "PCHGNAD"]].to_numpy().tolist()
    [[50.0, 0.0, nan], [35.0, -30.0, -30.0], [42.0, -16.0, 20.0]]
    """
    seen = schema.RECIST.check(visits)
    complete = (seen["n_targets"] > 0) & (seen["n_assessed"] == seen["n_targets"])
    started = (seen["status"] == "baseline") | seen["nadir_mm"].notna()
    seen = seen[complete & started]
    base, nadir, now = (seen[name].astype("float64") for name in ("baseline_mm", "nadir_mm", "sum_mm"))
    at_baseline = seen["status"] == "baseline"
    table = pd.DataFrame(
        {
            "STUDYID": study_id,
            "USUBJID": seen["patient_id"],
            "PARAMCD": "SDIAM",
            "PARAM": "Sum of Diameters of Target Lesions (mm)",
            "TREVAL": seen["reader"],
            "ADY": seen["study_day"],
            "AVAL": now,
            "BASE": base,
            "CHG": now - base,
            "PCHG": 100 * (now - base) / base.where(base > 0),
            "NADIR": nadir,
            "CHGNAD": now - nadir,
            "PCHGNAD": 100 * (now - nadir) / nadir.where(nadir > 0),
            "ABLFL": at_baseline.map({True: "Y"}).astype("string"),
        }
    )
    return schema.ADTR.check(table.reset_index(drop=True))


def to_adtte(
    outcomes: pd.DataFrame, course: pd.DataFrame | None = None, *, study_id: str = "STUDY"
) -> pd.DataFrame:
    """Give progression-free and overall survival, and the duration of response, in the shape of ADTTE.

    ``CNSR`` is the opposite of an event: 0 where it happened. A patient without a time has no row;
    ``outcomes`` says why. The duration of response (``RSD``) is there for responders, with ``course``.

    Parameters
    ----------
    outcomes : DataFrame
        ``schema.OUTCOMES``, see :func:`derive`.
    course : DataFrame, optional
        ``schema.RESPONSE_COURSE``, see :func:`derive_course`: the reasons, and the duration.
    study_id : str
        What ``STUDYID`` says.

    Returns
    -------
    DataFrame
        ``schema.ADTTE``; days.

    Raises
    ------
    SchemaError
        When ``course`` lacks a patient.

    Examples
    --------
    >>> import immunosarc as ims
    >>> table = to_adtte(ims.endpoints.derive(ims.simulate_cohort(seed=7)))
    >>> table.groupby("PARAMCD")["CNSR"].sum().to_dict()
    {'OS': 16.0, 'PFS': 9.0}
    """
    known = schema.OUTCOMES.check(outcomes)
    if course is not None:
        absent = [str(one) for one in known.index if one not in course.index]
        raise_together(SchemaError, "course", [f"patient {one!r} is missing" for one in absent[:5]])
    reason = None if course is None else course["pfs_reason"].reindex(known.index)
    parts = [
        _times(known["pfs_days"], known["pfs_event"], ("PFS", "Progression-Free Survival"), reason=reason),
        _times(known["os_days"], known["os_event"], ("OS", "Overall Survival"), happened="death"),
    ]
    if course is not None:
        held = course.reindex(known.index)
        start = held["ttr_days"].astype("float64")
        parts.append(
            _times(
                held["dor_days"], held["dor_event"], ("RSD", "Duration of Response"), reason=reason, start=start
            )
        )
    return schema.ADTTE.check(
        pd.concat(parts, ignore_index=True).assign(STUDYID=study_id)[[*schema.ADTTE.columns]]
    )


def _times(
    days: pd.Series,
    event: pd.Series,
    named: tuple[str, str],
    *,
    happened: str = "progression or death",
    reason: pd.Series | None = None,
    start: pd.Series | None = None,
) -> pd.DataFrame:
    kept = days.notna() & event.notna()
    first = pd.Series(_FIRST_DOSE, index=days.index) if start is None else start
    said = pd.Series(pd.NA, index=days.index, dtype="string") if reason is None else reason.astype("string")
    occurred = event.fillna(False).astype(bool)
    table = pd.DataFrame(
        {
            "USUBJID": days.index,
            "PARAMCD": named[0],
            "PARAM": named[1],
            "STARTDY": first.to_numpy(dtype=np.float64),
            "ADY": (first + days - 1).to_numpy(dtype=np.float64),
            "AVAL": days.to_numpy(dtype=np.float64),
            "AVALU": "DAYS",
            "CNSR": np.where(occurred, 0.0, 1.0),
            "EVNTDESC": said.fillna(happened).where(occurred).to_numpy(),
            "CNSDTDSC": said.where(~occurred).to_numpy(),
        }
    )
    text = dict.fromkeys(("EVNTDESC", "CNSDTDSC"), "string")
    return table[kept.to_numpy(dtype=bool)].astype(text)
