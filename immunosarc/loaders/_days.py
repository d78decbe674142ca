"""Study days from dates, or from days that some other program counted from another origin."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from immunosarc.errors import DataFileError, ManifestError, did_you_mean
from immunosarc.loaders._blocks import TableBlock
from immunosarc.loaders._cells import ColumnPlan, parse_number
from immunosarc.loaders._fault import Fault, in_lines
from immunosarc.loaders._rows import matching
from immunosarc.loaders._rules import DAY_COLUMNS, study_day
from immunosarc.loaders._table import RawTable

__all__ = ["in_study_days"]


def in_study_days(
    block: TableBlock,
    raw: RawTable,
    plans: Mapping[str, ColumnPlan],
    stays: pd.Series,
    faults: list[Fault],
    *,
    where: str,
) -> pd.DataFrame | None:
    """Return the cells of the rows that stay, columns of ours, with study days where the block says how."""
    cells = pd.DataFrame({name: raw.cells.loc[stays, plan.source] for name, plan in plans.items()})
    if block.first_dose:
        return _from_first_dose(block, raw, plans, cells, faults, where=where)
    if block.day_one is None:
        return cells
    if not _has_columns(raw, [block.day_one], faults, where=f"{where} day_one"):
        return None
    first = raw.cells.loc[stays, block.day_one]
    for name in sorted(DAY_COLUMNS & plans.keys()):
        dates, codes = cells[name], {"", *plans[name].missing}
        days = [
            text if text.strip() in codes else study_day(text, origin)
            for text, origin in zip(dates, first, strict=True)
        ]
        wrong = [line for line, day in zip(dates.index, days, strict=True) if day is None]
        if wrong:
            at = f"{raw.file} {in_lines(wrong)}, columns {plans[name].source!r} and {block.day_one!r}"
            cure = "write both as YYYY-MM-DD, or leave the day empty"
            faults.append(Fault(DataFileError, f"{at}: no study day, since one is not a complete date; {cure}"))
        cells[name] = ["" if day is None else str(day) for day in days]
    return cells


def _has_columns(raw: RawTable, names: list[str], faults: list[Fault], *, where: str) -> bool:
    found = [
        Fault(
            ManifestError,
            f"{raw.file} line {raw.head}: there is no column {name!r} ({where})."
            f"{did_you_mean(name, map(str, raw.cells.columns))}",
        )
        for name in names
        if name not in raw.cells.columns
    ]
    faults += found
    return not found


def _from_first_dose(
    block: TableBlock,
    raw: RawTable,
    plans: Mapping[str, ColumnPlan],
    cells: pd.DataFrame,
    faults: list[Fault],
    *,
    where: str,
) -> pd.DataFrame | None:
    """Return the cells with days counted from each patient's first dose; no dose, no study day."""
    if not _has_columns(raw, list(block.first_dose), faults, where=f"{where} first_dose"):
        return None
    if "study_day" not in plans or "patient_id" not in plans:
        what = f"{where} first_dose needs columns for patient_id and study_day, the day on which a dose was given"
        faults.append(Fault(ManifestError, what))
        return None
    dose = pd.Series(True, index=raw.cells.index)
    for column, wanted in block.first_dose.items():
        dose &= matching(raw.cells[column], wanted if isinstance(wanted, list) else [wanted])
    if not dose.any():
        wanted = " and ".join(f"{column} = {value!r}" for column, value in block.first_dose.items())
        faults.append(Fault(ManifestError, f"{raw.file}: {where} first_dose: no row has {wanted}; correct it"))
        return None
    days = raw.cells[plans["study_day"].source].map(_whole)
    first = days[dose].groupby(raw.cells.loc[dose, plans["patient_id"].source]).min()
    origin = cells["patient_id"].map(first)
    for name in sorted(DAY_COLUMNS & plans.keys()):
        codes = {"", *plans[name].missing}
        counted = cells[name].map(_whole)
        wrong = cells.index[counted.isna() & ~cells[name].str.strip().isin(codes)]
        if len(wrong):
            at = f"{raw.file} {in_lines(wrong)}, column {plans[name].source!r}"
            faults.append(Fault(DataFileError, f"{at}: a whole number of days is needed; correct it"))
        after = counted - origin
        study = after.where(after < 0, after + 1)
        cells[name] = ["" if day != day else str(int(day)) for day in study]
    return cells


def _whole(text: str) -> float:
    value = parse_number(text)
    return value if value is not None and value.is_integer() else float("nan")
