"""What happened between two biopsies of a patient, in the units of a frozen reference."""

from __future__ import annotations

from typing import Any

import pandas as pd

from immunosarc import schema
from immunosarc.errors import SchemaError, UnknownNameError, did_you_mean

__all__ = ["placed_change"]


def placed_change(
    placed: pd.DataFrame, samples: pd.DataFrame, *, before: str = "pre", after: str = "on"
) -> pd.DataFrame:
    """Return how far each patient moved on each frozen axis, in standard deviations of the reference.

    What a pipeline adds to every sample alike falls out of the difference, so it is safer than either place.
    Nothing depends on other patients.

    Parameters
    ----------
    placed : DataFrame
        ``schema.PLACEMENT``, from :func:`place`.
    samples : DataFrame
        ``cohort.samples``: index ``sample_id``; columns ``patient_id`` and ``timepoint``.
    before, after : str
        The two timepoints.

    Returns
    -------
    DataFrame
        ``schema.PLACED_CHANGE``, one row for each patient with a placed sample, and population: ``z_before``,
        ``z_after`` and ``difference`` (after less before). ``status`` says why there is none: no sample, several
        samples (choose one with ``Cohort.select``), or a sample that was not placed.

    Raises
    ------
    SchemaError
        When ``placed`` is no placement, or holds samples that ``samples`` does not.
    UnknownNameError
        When nobody has a sample at one of the timepoints.

    Examples
    --------
    >>> from immunosarc.cohort import make_assay
    >>> from immunosarc.features import place
    >>> cyt = pd.DataFrame({"GZMA": [3.0, 15.0], "PRF1": [1.0, 7.0]}, index=["a", "b"])
    >>> placed = place(make_assay(cyt, unit="tpm"), guard="declared")
    >>> samples = pd.DataFrame({"patient_id": "P1", "timepoint": ["pre", "on"]}, index=["a", "b"])
    >>> found = placed_change(placed, samples).set_index("population")
    >>> float(found.loc["CYT", "difference"].round(3))  # two doublings, over the SD of 1.432
    1.397
    """
    placed = schema.PLACEMENT.check(placed)
    absent = [name for name in dict.fromkeys(placed["sample_id"]) if name not in samples.index]
    if absent:
        raise SchemaError(f"samples has no row for {', '.join(map(str, absent[:5]))}, which were placed")
    known = samples.loc[list(dict.fromkeys(placed["sample_id"]))]
    for when in (before, after):
        if when not in set(known["timepoint"]):
            raise UnknownNameError(
                f"no placed sample at {when!r}.{did_you_mean(when, map(str, known['timepoint'].dropna()))}"
            )
    rows = placed.set_index(["sample_id", "population"])
    table = [
        _row(rows, patient, population, [_of(group, before), _of(group, after)])
        for patient, group in known.groupby("patient_id", sort=False)
        for population in dict.fromkeys(placed["population"])
    ]
    return schema.PLACED_CHANGE.check(pd.DataFrame(table, columns=list(schema.PLACED_CHANGE.columns)))


def _of(group: pd.DataFrame, when: str) -> tuple[str, list[str]]:
    return when, [str(name) for name in group.index[group["timepoint"] == when]]


def _row(rows: pd.DataFrame, patient: str, population: str, pair: list[tuple[str, list[str]]]) -> dict[str, Any]:
    reasons, z, names = [], [float("nan")] * 2, [""] * 2
    for side, (when, found) in enumerate(pair):
        if len(found) != 1:
            reasons.append(f"no sample at {when}" if not found else f"{len(found)} samples at {when}: choose one")
            continue
        names[side] = found[0]
        one = rows.loc[(found[0], population)]
        if one["status"] == "ok":
            z[side] = float(one["z"])
        else:
            reasons.append(f"{when}: {one['status']}")
    return {
        "patient_id": patient,
        "population": population,
        "reference": rows["reference"].iloc[0],
        "sample_before": names[0],
        "sample_after": names[1],
        "z_before": z[0],
        "z_after": z[1],
        "difference": z[1] - z[0],
        "status": "; ".join(reasons) or "ok",
    }
