"""One value of one patient with the chain that led to it, for reading."""

from __future__ import annotations

import html
from dataclasses import dataclass

import pandas as pd

__all__ = ["Explanation"]


@dataclass(frozen=True, eq=False, repr=False)
class Explanation:
    """Why a patient has the value: the rows used, the rule, its version, the day, and what was rejected.

    Prints as text, and as a small table in Jupyter.

    Attributes
    ----------
    patient_id, name : str
        Whose value, and which.
    value : str
        The value in words; ``"missing"`` when there is none.
    status : str
        ``"ok"``, or why there is no value.
    rule : str
        The rule that decided, in one sentence.
    rule_set : str
        The rule sets, with their versions.
    day : float or None
        Study day that the value rests on, where there is one.
    rows : DataFrame
        The rows used, with the table they come from and their position in it (0 = first).
    rejected : tuple of str
        The other values that were possible, each with the reason against it.
    """

    patient_id: str
    name: str
    value: str
    status: str
    rule: str
    rule_set: str
    day: float | None
    rows: pd.DataFrame
    rejected: tuple[str, ...]

    def __repr__(self) -> str:
        rows = self.rows.to_string(index=False, na_rep="-") if len(self.rows) else "none"
        against = [f"  - {line}" for line in self.rejected] or ["  none"]
        return "\n".join(
            [*(f"{name}: {text}" for name, text in self._facts()), "rows used:", rows, "rejected:", *against]
        )

    def _facts(self) -> list[tuple[str, str]]:
        day = "-" if self.day is None else f"{self.day:g}"
        return [
            ("patient", self.patient_id),
            (self.name, self.value),
            ("status", self.status),
            ("day", day),
            ("rule", self.rule),
            ("rule set", self.rule_set),
        ]

    def _repr_html_(self) -> str:
        facts = "".join(
            f"<tr><th style='text-align:left'>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>"
            for name, text in self._facts()
        )
        against = "".join(f"<li>{html.escape(line)}</li>" for line in self.rejected) or "<li>none</li>"
        rows = self.rows.to_html(index=False, na_rep="-", border=0) if len(self.rows) else "<p>none</p>"
        return f"<table>{facts}</table><p>Rows used</p>{rows}<p>Rejected</p><ul>{against}</ul>"
