"""From samples to patients: one row for every patient, with the reason where there is no number."""

from __future__ import annotations

import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.errors import CohortError

__all__ = ["patient_features", "refuse_cells"]

_SHOWN = 5


def patient_features(patients: pd.DataFrame, samples: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """Return sample features as ``schema.PATIENT_FEATURES``; see :meth:`Cohort.per_patient`."""
    refuse_cells(features)
    timepoint = _single_timepoint(samples)
    sample_of = _sample_of_patient(samples)
    if len(sample_of) and not features.index.isin(samples.index).any():
        raise CohortError(
            "none of the feature table's rows is a sample of this cohort "
            f"(rows: {list(map(str, features.index[:3]))}, samples: {list(samples.index[:3])}). "
            "Index the features by sample_id."
        )
    sample = sample_of.reindex(patients.index)
    rows = features.drop(columns="status", errors="ignore").reindex(sample.fillna("").to_numpy())
    rows.index = patients.index
    reasons = features.get("status", pd.Series(dtype="string")).reindex(sample.fillna("").to_numpy())
    day = samples.get("study_day", pd.Series(np.nan, index=samples.index))
    reserved = pd.DataFrame(
        {
            "timepoint": timepoint,
            "measured_day": day.reindex(sample.fillna("").to_numpy()).to_numpy(dtype=float),
            "status": _status(sample, rows, reasons, measured=sample.isin(features.index), timepoint=timepoint),
        },
        index=patients.index,
    )
    table = schema.PATIENT_FEATURES.check(pd.concat([reserved, rows], axis=1))
    table.attrs = dict(features.attrs)
    return table


def refuse_cells(features: pd.DataFrame) -> None:
    """Raise where rows are cells: however many there are, n is the number of the patients.

    Parameters
    ----------
    features : DataFrame
        Scores of cells say so in ``attrs["level"]``.

    Raises
    ------
    CohortError
        With the call that makes a table of samples of them.

    Examples
    --------
    >>> refuse_cells(pd.DataFrame({"cyt": [1.0]}, index=["S1"]))
    """
    if features.attrs.get("level") == "cell":
        raise CohortError(
            f"the rows are {len(features):,} cells, and cells are not patients: a test would take their number "
            "for n. Make one row for each sample first (features.cell_composition, cell_states or pseudobulk of "
            "features.profile_cells), then cohort.at('pre').per_patient(table), and associate that."
        )


def _status(
    sample: pd.Series, rows: pd.DataFrame, reasons: pd.Series, *, measured: pd.Series, timepoint: str
) -> pd.Series:
    status = pd.Series("ok", index=sample.index, dtype="string")
    status[~measured] = "sample was not measured"
    status[sample.isna()] = f"no {timepoint} sample"
    empty = measured & rows.isna().all(axis=1)
    status[empty] = "every feature is missing"
    own = reasons.set_axis(sample.index).astype("string")
    return status.mask(empty & (own != "ok").fillna(False), own)


def _single_timepoint(samples: pd.DataFrame) -> str:
    found = list(dict.fromkeys(samples["timepoint"]))
    if len(found) == 1:
        return str(found[0])
    what = f"samples of {len(found)} timepoints ({', '.join(found)})" if found else "no samples"
    raise CohortError(f"per_patient needs one timepoint, the cohort has {what}. Use cohort.at('pre').")


def _sample_of_patient(samples: pd.DataFrame) -> pd.Series:
    owner = samples["patient_id"]
    twice = owner[owner.duplicated(keep=False)]
    if len(twice):
        shown = [f"{patient}: {', '.join(twice.index[twice == patient])}" for patient in twice.unique()[:_SHOWN]]
        raise CohortError(
            f"{twice.nunique()} patient(s) have more than one sample here ({'; '.join(shown)}). "
            "Choose one each with cohort.select(samples=...), or declare a replicate rule in the manifest."
        )
    return pd.Series(owner.index.to_numpy(dtype=object), index=owner.to_numpy(dtype=object), dtype=object)
