"""How much of each drug a patient was given, and how that compares with the plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.endpoints._wrong_rows import by_patient, refuse_rows
from immunosarc.errors import SchemaError, raise_together

__all__ = ["administrations", "derive_dosing", "mixed_units"]


def administrations(exposures: pd.DataFrame) -> pd.DataFrame:
    """Return the rows on which something was given; a dose of 0 was planned and left out.

    Parameters
    ----------
    exposures : DataFrame
        ``schema.EXPOSURES``; a missing dose counts as given.
    """
    doses = schema.EXPOSURES.check(exposures)
    return doses[~(doses["dose"] == 0)] if "dose" in doses else doses


def derive_dosing(
    exposures: pd.DataFrame,
    *,
    dosing_interval_days: int | Mapping[str, int] = 21,
    on_conflict: Literal["raise", "exclude_patient"] = "raise",
) -> pd.DataFrame:
    r"""Give for each patient and drug the doses, the cumulative dose, and the share of the planned intensity.

    Relative dose intensity is :math:`\frac{\sum \text{given} / e}{\bar p / i}`: what was given per day
    of exposure :math:`e = \text{last day} - \text{first day} + i`, over the mean planned dose
    :math:`\bar p` per dosing interval i. Cumulative doxorubicin is the row of doxorubicin.

    Source: Hryniuk and Bush 1984, doi 10.1200/JCO.1984.2.11.1281.

    Parameters
    ----------
    exposures : DataFrame
        ``schema.EXPOSURES``; a dose of 0 was left out and counts as planned only.
    dosing_interval_days : int or mapping of str to int
        Days from one planned dose to the next, the same for all drugs or by drug.
    on_conflict : {"raise", "exclude_patient"}
        What to do with doses of a drug in another unit than its first one: stop with all of them, or leave
        every value of the patient missing, with that status.

    Returns
    -------
    DataFrame
        ``schema.DOSING``: one row per patient and drug, in the order of their first row. A sum over a
        missing dose is missing, and ``status`` says so.

    Raises
    ------
    SchemaError
        When a drug has doses in several units, or a drug has no dosing interval.

    Examples
    --------
    >>> doses = pd.DataFrame(
    ...     {
    ...         "patient_id": "P1", "study_day": [1, 22, 50], "drug": "doxorubicin",
    ...         "dose": [75.0, 75.0, 60.0], "dose_unit": "mg/m2", "planned_dose": 75.0,
    ...     }
    ... )
    >>> dosing = derive_dosing(doses)
    >>> dosing["cumulative_dose"].tolist(), dosing["relative_dose_intensity"].round(3).tolist()
    ([210.0], [0.84])
    """
    doses = schema.EXPOSURES.check(exposures)
    absent = {name: np.nan for name in ("dose", "planned_dose") if name not in doses}
    doses = doses.assign(**absent)
    doses = (
        doses if "dose_unit" in doses else doses.assign(dose_unit=pd.array([pd.NA] * len(doses), dtype="string"))
    )
    interval = _intervals(doses, dosing_interval_days)
    wrong = by_patient(doses, mixed_units(doses))
    if on_conflict == "raise":
        refuse_rows("exposures", doses, mixed_units(doses), cure="Convert the doses of a drug to one unit.")
    given = doses["dose"] != 0
    key = [doses["patient_id"], doses["drug"]]
    by_pair = doses.assign(given=given, day=doses["study_day"].where(given)).groupby(key, sort=False)
    table = by_pair.agg(n_doses=("given", "sum"), first_day=("day", "min"), last_day=("day", "max"))
    table["dose_unit"] = by_pair["dose_unit"].first()
    every = table.index.get_level_values("drug").map(interval)
    table["exposure_days"] = table["last_day"] - table["first_day"] + every - _over_day_zero(table)
    for name, column in (("cumulative_dose", "dose"), ("planned_dose", "planned_dose")):
        total = by_pair[column].sum()
        table[name] = total.where(by_pair[column].count() == by_pair.size())
    planned_per_day = table["planned_dose"] / by_pair.size() / every
    table["relative_dose_intensity"] = table["cumulative_dose"] / table["exposure_days"] / planned_per_day
    table["status"] = _status(table)
    table = _without(table.reset_index()[list(schema.DOSING.columns)], wrong)
    return schema.DOSING.check(table)


def _without(table: pd.DataFrame, wrong: Mapping[str, str]) -> pd.DataFrame:
    """Return the table with nothing but the reason for patients whose doses contradict each other."""
    if not wrong:
        return table
    why = table["patient_id"].map(wrong)
    values = [name for name in table if name not in ("patient_id", "drug", "status")]
    kept = table[values].where(why.isna(), axis=0)
    return table.assign(**kept, status=table["status"].mask(why.notna(), why))


def _over_day_zero(table: pd.DataFrame) -> pd.Series:
    """There is no day 0: from -1 to 1 is one day."""
    return ((table["first_day"] < 0) & (table["last_day"] > 0)).astype(float)


def _intervals(doses: pd.DataFrame, interval: int | Mapping[str, int]) -> dict[str, int]:
    drugs = list(doses["drug"].unique())
    if not isinstance(interval, Mapping):
        return dict.fromkeys(drugs, interval)
    lines = [f"no dosing interval for {drug!r}" for drug in drugs if drug not in interval]
    raise_together(SchemaError, "dosing_interval_days", lines, cure="Give the days between planned doses.")
    return dict(interval)


def mixed_units(exposures: pd.DataFrame) -> list[tuple[int, str]]:
    """Return row and words of each dose whose unit is not the first one of its drug.

    Parameters
    ----------
    exposures : DataFrame
        ``schema.EXPOSURES``.
    """
    if "dose_unit" not in exposures:
        return []
    drug, unit = exposures["drug"], exposures["dose_unit"]
    usual = unit.groupby(drug).transform("first")
    other = np.flatnonzero((unit.notna() & (unit != usual)).to_numpy(dtype=bool, na_value=False))
    return [
        (int(row), f"dose of {drug.iloc[row]} in {unit.iloc[row]}, other doses in {usual.iloc[row]}")
        for row in other
    ]


def _status(table: pd.DataFrame) -> pd.Series:
    status = pd.Series("ok", index=table.index, dtype="string")
    status = status.mask(table["planned_dose"].isna(), "planned dose not recorded: no dose intensity")
    status = status.mask(table["cumulative_dose"].isna(), "a dose is not recorded: no cumulative dose")
    return status.mask(table["n_doses"] == 0, "never given")
