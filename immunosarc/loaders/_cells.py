"""One column: from the text of its cells to values, with a sentence for every cell that fails."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.errors import DataFileError, ImmunosarcError, ManifestError, PrivacyError
from immunosarc.loaders._fault import Fault, few, in_lines
from immunosarc.loaders._privacy import Gate, holds_free_text, one_of_its_own, revealing
from immunosarc.loaders._rules import RULES, Rule, image_name

__all__ = ["ColumnPlan", "naming_faults", "parse_number", "read_cells", "value_problem"]

FLAGS = {
    "true": True,
    "True": True,
    "TRUE": True,
    "1": True,
    "false": False,
    "False": False,
    "FALSE": False,
    "0": False,
}
_NUMBER = re.compile(r"[ \t]*[+-]?([0-9]+(?:\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?[ \t]*")
_LEADING_ZERO = re.compile(r"[ \t]*[+-]?0[0-9]")


@dataclass(frozen=True)
class ColumnPlan:
    """What the manifest and the schema say of one column.

    Attributes
    ----------
    name, source : str
        Our name, and the column of the file.
    block : str
        ``"[patients]"``, for the cure.
    column : schema.Column or None
        None when the column is extra: kept as it is.
    is_id : bool
        Whether it holds patient or sample ids, which must not carry blanks at their ends.
    recode : mapping or None
        Code in the file -> value.
    missing : tuple of str
        Codes that mean "missing", beside the empty cell.
    rule : Rule or None
        What is done to each value after it was read or recoded.
    gate : Gate
        What the user lets through by name.
    """

    name: str
    source: str
    block: str
    column: schema.Column | None = None
    is_id: bool = False
    recode: Mapping[str, Any] | None = None
    missing: tuple[str, ...] = field(default=())
    rule: Rule | None = None
    gate: Gate = field(default_factory=Gate)

    @property
    def is_open(self) -> bool:
        """Whether any text may stand in the column."""
        return not (self.is_id or self.recode or self.values) and self.kind in (None, "text")

    @property
    def kind(self) -> str | None:
        """What a cell has to be: what the rule reads, or what the column holds; None when it is free."""
        if self.rule is not None:
            return self.rule.reads
        return self.column.kind if self.column is not None else None

    @property
    def values(self) -> tuple[str, ...]:
        """The values allowed before a rule."""
        return self.column.values if self.column is not None and self.rule is None else ()


def parse_number(text: str) -> float | None:
    """Return the number a cell says, or None; no decimal comma, no thousands separator."""
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def read_cells(file: str, cells: pd.Series, plan: ColumnPlan, faults: list[Fault]) -> tuple[pd.Series, pd.Series]:
    """Return the values of a column, and which cells could not be read.

    Parameters
    ----------
    file : str
        For the messages.
    cells : Series of str
        The index is the line in the file.
    plan : ColumnPlan
    faults : list of Fault
        What is wrong is added here.

    Returns
    -------
    values, wrong : Series
        Missing cells are NA; ``wrong`` marks cells that a fault names.
    """
    missing = (cells.str.strip() == "") | cells.isin(plan.missing)
    wrong = _privacy_faults(file, cells, plan, faults)
    readable = ~missing & ~wrong
    read, problem = _reader(plan, cells[readable])
    values = pd.Series(pd.NA, index=cells.index, dtype=object)
    parsed = {text: read(text) for text in dict.fromkeys(cells[readable])}
    failed = [text for text, value in parsed.items() if value is None]
    told = []
    ruled = _ruled(plan, parsed)
    failed += ruled
    for text in failed:
        kind, words = problem(text) if text not in ruled else _no_answer(plan, text)
        at = in_lines(cells.index[readable & (cells == text)])
        told.append(Fault(kind, f"{file} {at}, column {plan.source!r}: {words}"))
    faults += few(told, f"values in column {plan.source!r}")
    wrong |= readable & cells.isin(failed)
    fine = readable & ~wrong
    values[fine] = cells[fine].map(parsed)
    return _typed(values, plan), wrong


def _ruled(plan: ColumnPlan, parsed: dict[str, Any]) -> list[str]:
    """Apply the rule of a column to what was read; return the cells for which it has no answer."""
    if plan.rule is None:
        return []
    without = []
    for text, value in parsed.items():
        if value is not None:
            parsed[text] = plan.rule.apply(value)
            without += [text] if parsed[text] is None else []
    return without


def _no_answer(plan: ColumnPlan, text: str) -> tuple[type[ImmunosarcError], str]:
    rule = next(name for name, one in RULES.items() if one is plan.rule)
    says = plan.rule.says if plan.rule is not None else ""
    return ManifestError, (
        f"{text!r} has no answer by the rule {rule!r} ({says}); recode it first, or list it in "
        f"missing = [{_quoted(text)}] if it means missing"
    )


def _privacy_faults(file: str, cells: pd.Series, plan: ColumnPlan, faults: list[Fault]) -> pd.Series:
    """Mark the cells that may name a person, unless the user lets the column through."""
    wrong = pd.Series(False, index=cells.index)
    shown = cells.map(image_name) if plan.rule is RULES["image_name"] else cells
    for found, what in revealing(shown, are_ids=plan.is_id, open_text=plan.is_open):
        if found.any() and not plan.gate.lets(plan.source):
            at = f"{file} {in_lines(cells.index[found])}, column {plan.source!r}"
            faults.append(Fault(PrivacyError, f"{at}: {what}"))
            wrong |= found
    if plan.is_open and holds_free_text(plan.source) and not plan.gate.lets(plan.source):
        what = "holds free text by its name, which may name a person; leave it out, or recode each value"
        faults.append(Fault(PrivacyError, f"{file}, column {plan.source!r}: {what}"))
    return wrong


def naming_faults(file: str, cells: pd.Series, plan: ColumnPlan, *, owners: pd.Series | None) -> list[Fault]:
    """Return what is wrong with a column that names or numbers the patients; it takes all its cells."""
    if (
        not plan.is_open
        or (what := one_of_its_own(cells[~cells.isin(plan.missing)], owners, name=plan.source)) is None
    ):
        return []
    if plan.gate.lets(plan.source):
        return []
    cure = (
        "leave the column out of the manifest. If it names nobody, let it through: "
        f"--allow-column {_quoted(plan.source)}"
    )
    return [Fault(PrivacyError, f"{file}, column {plan.source!r}: holds {what}; {cure}")]


Read = Callable[[str], Any]
Problem = Callable[[str], tuple[type[ImmunosarcError], str]]


def _reader(plan: ColumnPlan, cells: pd.Series) -> tuple[Read, Problem]:
    """Return how a cell of this column is read, and what to say when it cannot be."""
    if plan.recode is not None:
        recode = plan.recode
        return recode.get, lambda text: (
            ManifestError,
            f"code {text!r} is not listed in {plan.block} recode.{plan.name}; add it to recode",
        )
    if plan.kind is None:
        return _extra_reader(cells), lambda text: (DataFileError, f"{text!r} cannot be read")
    if plan.kind == "number":
        return parse_number, lambda text: (DataFileError, _not_a_number(text))
    if plan.kind == "flag":
        return FLAGS.get, lambda text: (
            ManifestError,
            f"{text!r} is not true/false/1/0; "
            f"say under recode, for {plan.name}, whether {_quoted(text)} means true or false",
        )
    if plan.values:
        allowed = {value: value for value in plan.values}
        return allowed.get, lambda text: (
            ManifestError,
            f"{text!r} is not one of {', '.join(allowed)}; say what it means: "
            f'{plan.block} recode = {{ {plan.name} = {{ {_quoted(text)} = "{plan.values[0]}" }} }}, '
            "or whichever it is, for every code of the column",
        )
    if plan.is_id:
        return _id, lambda text: (DataFileError, f"{text!r} {_what_an_id_may_not_have(text)}; remove it")
    return str, lambda text: (DataFileError, f"{text!r} cannot be read")


def _id(text: str) -> str | None:
    return text if text == text.strip() and text.isprintable() else None


def _what_an_id_may_not_have(text: str) -> str:
    return (
        "has a blank at its end or beginning" if text != text.strip() else "holds a character that cannot be seen"
    )


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _not_a_number(text: str) -> str:
    if parse_number(text.replace(",", "")) is not None or parse_number(text.replace(",", ".")) is not None:
        return f"{text!r} is not a number; write a decimal point and no thousands separator"
    return f"{text!r} is not a number; correct it, or list it in missing = [{_quoted(text)}] if it means missing"


def _extra_reader(cells: pd.Series) -> Read:
    """An extra column is numeric when every cell is a number; 007 is a name and not a number."""
    distinct = cells.unique()
    numeric = len(distinct) > 0 and all(
        parse_number(text) is not None and not _LEADING_ZERO.match(text) for text in distinct
    )
    return parse_number if numeric else str


def _typed(values: pd.Series, plan: ColumnPlan) -> pd.Series:
    if plan.column is not None:
        kind = plan.column.kind
    elif plan.rule is not None:
        kind = plan.rule.gives
    else:
        filled = values.dropna()
        if len(filled) and all(isinstance(value, bool) for value in filled):
            kind = "flag"
        elif len(filled) and all(
            isinstance(value, int | float) and not isinstance(value, bool) for value in filled
        ):
            kind = "number"
        else:
            kind = "text"
    if kind == "number":
        return values.where(values.notna(), np.nan).astype(float)
    if kind == "flag":
        return values.astype("boolean")
    return values.map(str, na_action="ignore").astype("string")


def value_problem(plan: ColumnPlan, value: Any) -> str | None:
    """Return why a recoded value does not fit its column; None when it does."""
    if plan.kind == "flag" and not isinstance(value, bool):
        return f"{value!r} is not true or false"
    if plan.kind == "number" and (isinstance(value, bool) or not isinstance(value, int | float)):
        return f"{value!r} is not a number"
    if plan.kind == "text" and not isinstance(value, str):
        return f"{value!r} is not text; put it in quotes"
    if plan.values and value not in plan.values:
        return f"{value!r} is not one of {', '.join(plan.values)}"
    return None
