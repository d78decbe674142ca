"""A clinical table: from a block of the manifest and its file to typed, checked rows."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from immunosarc import schema
from immunosarc.errors import DataFileError, ManifestError, did_you_mean
from immunosarc.loaders._blocks import TableBlock, TimeUnit
from immunosarc.loaders._cdisc_block import completed_block
from immunosarc.loaders._cells import ColumnPlan, naming_faults, read_cells, value_problem
from immunosarc.loaders._days import in_study_days
from immunosarc.loaders._distinct import distinct_rows
from immunosarc.loaders._fault import Fault, in_lines, listed
from immunosarc.loaders._limits import with_limits
from immunosarc.loaders._long_block import LongTableBlock
from immunosarc.loaders._redcap import decoded
from immunosarc.loaders._rows import kept_rows
from immunosarc.loaders._rules import DAY_COLUMNS, RULES
from immunosarc.loaders._source import Source
from immunosarc.loaders._table import RawTable, read_table

__all__ = ["TIMES", "ReadTable", "read_block"]

TIMES = {"pfs_time": "pfs_days", "os_time": "os_days"}
"""Names for durations in the manifest's time unit -> the day columns they become."""

DAYS_PER: Mapping[str, float] = {"days": 1.0, "weeks": 7.0, "months": schema.DAYS_PER_MONTH, "years": 365.25}
_IDS = ("patient_id", "sample_id")
_NEAR = 0.87
_CURES = {
    "given without": "fill in both, or leave both empty",
    "no value": "fill it in, remove the row, or leave the row out with keep",
    "below": "correct the file",
    "above": "correct the file",
    "0 does not exist": "correct the file",
}


@dataclass(frozen=True)
class ReadTable:
    """The rows of a table that stay, and those that ``keep`` left out.

    Attributes
    ----------
    file : str
    table : schema.Table
    frame : DataFrame
        Typed columns, ids among them; the index is the line in the file.
    raw : RawTable
        Every cell of the file as it was.
    plans : mapping of str to ColumnPlan
        By our name; ``pfs_days`` for what the manifest calls ``pfs_time``.
    left_out : DataFrame
        As ``frame``, for the rows that ``keep`` does not match, with a column ``reason``.
    """

    file: str
    table: schema.Table
    frame: pd.DataFrame
    raw: RawTable
    plans: Mapping[str, ColumnPlan]
    left_out: pd.DataFrame = field(default_factory=pd.DataFrame)

    def place(self, name: str, lines: Any) -> str:
        """Return file, line and column of some cells."""
        column = f", column {self.plans[name].source!r}" if name in self.plans else ""
        return f"{self.file} {in_lines(lines)}{column}"


def read_block(
    block: TableBlock,
    table: schema.Table,
    source: Source,
    faults: list[Fault],
    *,
    where: str,
    time_unit: TimeUnit | None,
    first_doses: Mapping[str, str] | None = None,
) -> ReadTable | None:
    """Read one clinical table; None when it has no usable shape, and why is added.

    Cells and rows that a fault names are missing from the result, so that what follows finds
    other mistakes and not the same ones again.
    """
    text = source.open(block, where, faults)
    raw = (distinct_rows(text, block, faults) if block.distinct else read_table(text, faults)) if text else None
    if raw is not None and block.dictionary is not None:
        raw = decoded(raw, block, source, faults, where=where)
    if raw is None:
        return None
    if isinstance(block, LongTableBlock) and block.limits is not None:
        apart = with_limits(block, raw, faults, below=block.limits.below, where=where)
        if apart is None:
            return None
        block, raw = apart
    if block.cdisc is not None:
        completed = completed_block(block, raw, source, faults, where=where, first_doses=first_doses or {})
        if completed is None:
            return None
        block, raw = completed
    plans = _plans(block, table, raw, faults, where=where)
    plans = _with_days(plans, where, time_unit, faults)
    kept = kept_rows(block, raw, faults, where=where)
    if plans is None or kept is None:
        return None
    stays = kept == ""
    if not stays.any():
        asked = " and ".join(key for key in ("keep", "drop") if getattr(block, key))
        faults.append(Fault(ManifestError, f"{block.file}: {where} {asked} leaves no row; {kept.iloc[0]}"))
        return None
    cells = in_study_days(block, raw, plans, stays, faults, where=where)
    if cells is None:
        return None
    frame, wrong = _read_columns(block.file, cells, plans, faults, factor=DAYS_PER[time_unit or "days"])
    frame = frame.assign(
        **{name: _constant(table, name, value, frame.index) for name, value in block.constants.items()}
    )
    ids = {name: raw.cells.loc[~stays, plans[name].source] for name in _IDS if name in plans}
    left_out = pd.DataFrame({**ids, "reason": kept[~stays]})
    if block.event_without_time == "missing":
        frame = _without_lone_events(frame, wrong)
    result = ReadTable(block.file, table, frame, raw, plans, left_out)
    faults += _schema_faults(result, wrong)
    return result


def _plans(
    block: TableBlock, table: schema.Table, raw: RawTable, faults: list[Fault], *, where: str
) -> dict[str, ColumnPlan] | None:
    known = [*([table.index] if table.index else []), *table.columns]
    if table is schema.PATIENTS:
        known += TIMES
    columns = block.columns or {name: name for name in known if name in raw.cells.columns}
    found = _column_faults(columns, known, table, raw, where=where, constants=block.constants)
    found += _constant_faults(block, table, columns, where=where)
    found += _transform_faults(block, table, columns, where=where)
    found += [
        f"{where} {what}: {name!r} is not among the columns of this table.{did_you_mean(name, columns)}"
        for what, names in (("recode", block.recode), ("transform", block.transform))
        for name in names
        if name not in columns
    ]
    plans = {
        name: ColumnPlan(
            name,
            source,
            where,
            column=_schema_column(table, name),
            is_id=name in _IDS,
            recode=block.recode.get(name),
            missing=tuple(block.missing),
            rule=RULES[block.transform[name]] if name in block.transform else None,
            gate=raw.gate,
        )
        for name, source in columns.items()
    }
    for name, codes in block.recode.items():
        for code, value in codes.items():
            problem = value_problem(plans[name], value) if name in plans else None
            found += [f"{where} recode.{name}: code {code!r}: {problem}"] if problem else []
    faults += [Fault(ManifestError, text) for text in found]
    return None if found else plans


def _schema_column(table: schema.Table, name: str) -> schema.Column | None:
    if name == table.index:
        return schema.Column("text", "id", filled=True)
    return table.columns.get(TIMES.get(name, name) if table is schema.PATIENTS else name)


def _column_faults(
    columns: Mapping[str, str],
    known: list[str],
    table: schema.Table,
    raw: RawTable,
    *,
    where: str,
    constants: Mapping[str, Any],
) -> list[str]:
    names = [str(name) for name in raw.cells.columns]
    found = []
    for name, source in columns.items():
        if source not in names:
            split = _other_delimiter(names)
            hint = split or did_you_mean(source, names)
            found.append(
                f"{raw.file} line {raw.head}: there is no column {source!r} ({where} columns.{name}).{hint}"
            )
        found += _misspelt(name, known, f"{where} columns")
    for name in constants:
        found += _misspelt(name, known, f"{where} constants")
    needed = [table.index] if table.index else []
    needed += [name for name, column in table.columns.items() if column.required]
    for name in needed:
        if name not in columns and name not in constants:
            hint = _other_delimiter(names) or f" The file has {listed(names)}."
            found.append(f'{raw.file}: {where} needs a column for {name!r}: columns = {{ {name} = "..." }}.{hint}')
    return found


def _misspelt(name: str, known: list[str], where: str) -> list[str]:
    near = difflib.get_close_matches(name, known, n=1, cutoff=_NEAR)
    if name in known or not near:
        return []
    return [
        f"{where}: {name!r} is not a column of this table. Did you mean {near[0]!r}? "
        "A further column needs a name less like one of ours"
    ]


def _constant_faults(
    block: TableBlock, table: schema.Table, columns: Mapping[str, str], *, where: str
) -> list[str]:
    found = []
    for name, value in block.constants.items():
        plan = ColumnPlan(name, name, where, column=_schema_column(table, name))
        if name in (*_IDS, *TIMES):
            found.append(f"{where} constants: {name!r} differs from row to row; name its column in columns")
        elif name in columns:
            found.append(f"{where} constants: {name!r} is also in columns; keep one")
        elif problem := value_problem(plan, value):
            found.append(f"{where} constants.{name}: {problem}")
    return found


def _transform_faults(
    block: TableBlock, table: schema.Table, columns: Mapping[str, str], *, where: str
) -> list[str]:
    found = []
    for name, rule in block.transform.items():
        column, gives = _schema_column(table, name), RULES[rule].gives
        if name in TIMES:
            found.append(
                f"{where} transform.{name}: time_unit converts it already; map the column to {TIMES[name]!r}"
            )
        elif column is not None and column.kind != gives:
            found.append(f"{where} transform.{name}: {rule!r} gives a {gives}, the column holds a {column.kind}")
    origin = "day_one" if block.day_one is not None else "first_dose"
    if (block.day_one is not None or block.first_dose) and not DAY_COLUMNS & columns.keys():
        found.append(f"{where} {origin}: none of {', '.join(sorted(DAY_COLUMNS))} is among the columns; remove it")
    return found


def _constant(table: schema.Table, name: str, value: Any, index: pd.Index) -> pd.Series:
    """Return a value that every row has, in the type that a column of the file would have."""
    kind = {bool: "boolean", str: "string"}.get(type(value), "float64")
    column = table.columns.get(name)
    return pd.Series(value, index=index, dtype="float64" if column and column.kind == "number" else kind)


def _other_delimiter(names: list[str]) -> str:
    if len(names) != 1:
        return ""
    used = next((mark for mark in ("\t", ";", ",", "|") if mark in names[0]), "")
    return (
        f" The file has one column, {names[0][:60]!r}: is its delimiter {used!r}? Say delimiter = ..."
        if used
        else ""
    )


def _with_days(
    plans: dict[str, ColumnPlan] | None, where: str, time_unit: TimeUnit | None, faults: list[Fault]
) -> dict[str, ColumnPlan] | None:
    """Return the plans with durations under the names of their day columns."""
    if plans is None or not any(name in plans for name in TIMES):
        return plans
    found = []
    if time_unit is None:
        used = " and ".join(name for name in TIMES if name in plans)
        found.append(f"time_unit is missing: {used} need 'days', 'weeks', 'months' or 'years'")
    found += [
        f"{where} columns: both {name!r} and {days!r} are given; keep one"
        for name, days in TIMES.items()
        if name in plans and days in plans
    ]
    faults += [Fault(ManifestError, text) for text in found]
    return None if found else {TIMES.get(name, name): plan for name, plan in plans.items()}


def _without_lone_events(frame: pd.DataFrame, wrong: pd.Series) -> pd.DataFrame:
    """Make event flags missing whose time is empty; where the time could not be read a fault says so."""
    flags = {}
    for days in TIMES.values():
        event = days.replace("_days", "_event")
        if days in frame and event in frame:
            flags[event] = frame[event].mask(frame[days].isna() & ~wrong)
    return frame.assign(**flags)


def _read_columns(
    file: str, cells: pd.DataFrame, plans: Mapping[str, ColumnPlan], faults: list[Fault], *, factor: float
) -> tuple[pd.DataFrame, pd.Series]:
    wrong = pd.Series(False, index=cells.index)
    read = {}
    owners = cells.get("patient_id")
    for name, plan in plans.items():
        values, failed = read_cells(file, cells[name], plan, faults)
        faults += naming_faults(file, cells[name], plan, owners=owners)
        in_time_unit = plan.name in TIMES
        read[name] = values * factor if in_time_unit else values
        wrong |= failed
    return pd.DataFrame(read), wrong


def _schema_faults(read: ReadTable, wrong: pd.Series) -> list[Fault]:
    """Check the rows whose cells could all be read; rules that compare columns come second."""
    found = []
    frame = read.frame[~wrong]
    for _ in range(2):
        plain = frame.reset_index(drop=True)
        if read.table.index:  # repeated ids are told with their lines elsewhere
            plain = plain.drop(columns=read.table.index).set_axis([f"{i}" for i in range(len(plain))])
        problems = [problem for problem in read.table.problems(plain) if problem.rows]
        found += [Fault(DataFileError, _in_words(read, frame, problem)) for problem in problems]
        bad = sorted({row for problem in problems for row in problem.rows})
        frame = frame.drop(index=frame.index[bad])
        if not bad or frame.empty:
            break
    if read.table.index:
        blank = read.frame.index[read.frame[read.table.index].isna() & ~wrong]
        if len(blank):
            found.append(
                Fault(DataFileError, f"{read.place(read.table.index, blank)}: no value; {_CURES['no value']}")
            )
    return found


def _in_words(read: ReadTable, frame: pd.DataFrame, problem: schema.Problem) -> str:
    lines = frame.index[list(problem.rows)]
    plan = read.plans.get(problem.column)
    shown = ""
    if plan is not None and problem.what != "no value":
        shown = f", found {listed(dict.fromkeys(read.raw.cells.loc[lines, plan.source]))}"
    ours = f" ({plan.name})" if plan is not None and plan.name != plan.source else ""
    cure = next((words for start, words in _CURES.items() if problem.what.startswith(start)), "correct the file")
    return f"{read.place(problem.column, lines)}{ours}: {problem.what}{shown}; {cure}"
