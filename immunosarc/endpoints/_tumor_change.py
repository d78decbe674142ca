"""How the measured tumors of each patient changed from baseline, visit by visit."""

from __future__ import annotations

import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.endpoints._course_visits import of_reader
from immunosarc.errors import SchemaError, raise_together

__all__ = ["derive_tumor_change"]


def derive_tumor_change(visits: pd.DataFrame, course: pd.DataFrame, *, reader: str | None = None) -> pd.DataFrame:
    r"""Say by how many percent the target lesions of each patient grew or shrank since baseline.

    :math:`100 (S - B) / B` with S the sum of diameters at the visit and B that at baseline, for
    visits at which every target was assessed. The best change is the smallest after baseline, up to
    and including the first progression and not after another therapy; of equal ones the earliest.

    Parameters
    ----------
    visits : DataFrame
        ``schema.RECIST``, see :func:`derive_recist`.
    course : DataFrame
        ``schema.RESPONSE_COURSE`` of the same visits, see :func:`derive_course`: who the patients
        are, and what ended their progression-free survival.
    reader : str, optional
        Whose measurements count; needed when there are several readers.

    Returns
    -------
    DataFrame
        ``schema.TUMOR_CHANGE``: one row per patient and visit from baseline on, patients in the
        order of ``course``; a patient without a baseline visit has one row that says so.

    Raises
    ------
    SchemaError
        When a visit's patient is not in ``course``, or several readers wait for a choice.
    UnknownNameError
        When ``reader`` measured nothing.

    Examples
    --------
    >>> from immunosarc.endpoints import derive_course, derive_recist
    >>> lesions = pd.DataFrame(
    ...     {
    ...         "patient_id": "P1", "study_day": [-5, 43, 85], "lesion_id": "T1", "role": "target",
    ...         "diameter_mm": [50.0, 30.0, 40.0],
    ...     }
    ... )
    >>> visits = derive_recist(lesions)
    >>> course = derive_course(visits, pd.DataFrame(index=pd.Index(["P1"], name="patient_id")))
    >>> derive_tumor_change(visits, course)[["study_day", "change_percent", "best"]].to_numpy().tolist()
    [[-5.0, 0.0, False], [43.0, -40.0, True], [85.0, -20.0, False]]
    """
    seen = of_reader(schema.RECIST.check(visits), reader)
    unknown = sorted(set(seen["patient_id"]) - set(course.index))
    raise_together(SchemaError, "visits", [f"patient {one!r} is not in the course" for one in unknown[:5]])
    place = course.index.get_indexer(seen["patient_id"])
    seen = seen.assign(place=place).sort_values(["place", "study_day"], kind="stable", ignore_index=True)
    start = (seen["status"] == "baseline").groupby(seen["patient_id"]).cummax()
    seen = seen[start.astype(bool)]
    table = pd.concat([_changes(seen, course), _without_baseline(seen, course)], ignore_index=True)
    table = table.sort_values(["place", "study_day"], kind="stable", ignore_index=True)
    last = ~table["patient_id"].duplicated(keep="last")
    reason = table["patient_id"].map(course["pfs_reason"]).astype("string")
    return schema.TUMOR_CHANGE.check(table.assign(ended=reason.where(last)).drop(columns="place"))


def _changes(seen: pd.DataFrame, course: pd.DataFrame) -> pd.DataFrame:
    baseline = seen["status"] == "baseline"
    measured = (seen["n_targets"] > 0) & (seen["n_assessed"] == seen["n_targets"]) & (seen["baseline_mm"] > 0)
    change = (100 * (seen["sum_mm"] - seen["baseline_mm"]) / seen["baseline_mm"]).where(measured)
    table = seen[["patient_id", "study_day", "overall_response", "new_lesion", "place"]].assign(
        change_percent=change,
        status=_status(seen, measured),
    )
    counts = ~baseline & measured & (table["study_day"] <= _window(seen, course))
    best = change.where(counts).groupby(seen["patient_id"]).idxmin().dropna() if counts.any() else []
    return table.assign(best=pd.array(table.index.isin(best), dtype="boolean"))


def _window(seen: pd.DataFrame, course: pd.DataFrame) -> pd.Series:
    """The last day that counts for each row's patient: the first progression, or the end of the clock."""
    progressed = seen[seen["overall_response"] == "PD"].groupby("patient_id")["study_day"].min()
    censored = course["pfs_reason"].str.contains("another therapy").fillna(False).astype(bool)
    until = course["pfs_days"].astype("float64").where(censored, np.inf)
    first = progressed.reindex(until.index).astype("float64").fillna(np.inf)
    return seen["patient_id"].map(np.minimum(until, first)).astype("float64")


def _status(seen: pd.DataFrame, measured: pd.Series) -> pd.Series:
    words = pd.Series("ok", index=seen.index, dtype="string")
    assessed, needed = (seen[name].astype("Int64").astype("string") for name in ("n_assessed", "n_targets"))
    short = assessed + " of " + needed
    words = words.mask(~measured, short + " target lesions assessed")
    words = words.mask(seen["n_targets"] == 0, "no target lesion at baseline")
    return words.mask((seen["n_targets"] > 0) & (seen["baseline_mm"] == 0), "sum of diameters at baseline is 0")


def _without_baseline(seen: pd.DataFrame, course: pd.DataFrame) -> pd.DataFrame:
    absent = np.flatnonzero(~course.index.isin(seen["patient_id"]))
    nothing = pd.array([pd.NA] * len(absent), dtype="string")
    return pd.DataFrame(
        {
            "patient_id": pd.array(course.index[absent], dtype="string"),
            "study_day": np.full(len(absent), np.nan),
            "overall_response": nothing,
            "new_lesion": nothing,
            "place": absent,
            "change_percent": np.full(len(absent), np.nan),
            "status": pd.array(["no baseline visit"] * len(absent), dtype="string"),
            "best": pd.array([False] * len(absent), dtype="boolean"),
        }
    )
