"""Adverse events: the worst grade of each term and patient, what caused it and what it needed."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal

import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.endpoints._dosing import administrations
from immunosarc.endpoints._immunosuppression import given_for_events
from immunosarc.endpoints._wrong_rows import by_patient, refuse_rows
from immunosarc.errors import ImmunosarcError

__all__ = ["ToxicityRules", "derive_toxicity", "wrong_grades"]


@dataclass(frozen=True)
class ToxicityRules:
    """Which adverse events count as treatment-emergent.

    Attributes
    ----------
    window_days : int
        An event counts from the first dose until so many days after the last; 30, 90 or 100 are usual.
    name : str
        Name and version.

    Examples
    --------
    >>> ToxicityRules(window_days=90).label
    'ctcae_5/1 window_days=90'
    """

    window_days: int = 30
    name: str = "ctcae_5/1"

    def __post_init__(self) -> None:
        if not isinstance(self.window_days, int) or isinstance(self.window_days, bool) or self.window_days < 0:
            raise ImmunosarcError(f"window_days: need a whole number of at least 0, have {self.window_days!r}.")

    @property
    def label(self) -> str:
        """Name, version, and what differs from the defaults."""
        changed = [f"{f.name}={getattr(self, f.name)}" for f in fields(self) if getattr(self, f.name) != f.default]
        return " ".join([self.name, *(one for one in changed if not one.startswith("name="))])


def derive_toxicity(
    adverse_events: pd.DataFrame,
    *,
    exposures: pd.DataFrame | None = None,
    medications: pd.DataFrame | None = None,
    rules: ToxicityRules | None = None,
    on_conflict: Literal["raise", "exclude_patient"] = "raise",
) -> pd.DataFrame:
    """Give for each patient and CTCAE term the worst grade, and whether treatment or immunity caused it.

    Rules ``ctcae_5/1``: an event is treatment-emergent when it began on or after day 1 and at most
    ``window_days`` after the patient's last dose of any drug; related when attributed to any study
    drug (each drug stays named in ``related_to``); immune-mediated by attribution. It needed
    immunosuppression when a systemic corticosteroid or another immunosuppressant was given for it:
    hormone replacement, local steroids and antiemetic dexamethasone do not count. Grade 5 stays 5.

    Source: CTCAE version 5.0, National Cancer Institute 2017.

    Parameters
    ----------
    adverse_events : DataFrame
        ``schema.ADVERSE_EVENTS``: one row per event, in any order. Left unchanged.
    exposures : DataFrame, optional
        ``schema.EXPOSURES``. Without it the window has no end.
    medications : DataFrame, optional
        ``schema.MEDICATIONS``. Without it nobody can say what needed immunosuppression: missing.
    rules : ToxicityRules, optional
        The window.
    on_conflict : {"raise", "exclude_patient"}
        What to do with grades outside 1 to 5: stop with all of them, or leave the patient's grades missing
        with that status.

    Returns
    -------
    DataFrame
        ``schema.TOXICITY``: one row per patient and term, in the order of their first row. What an
        event's missing onset or attribution leaves open is missing, and ``status`` says so.

    Raises
    ------
    SchemaError
        When a grade is not 1, 2, 3, 4 or 5, with patient and row; when a column is missing or wrong.

    Examples
    --------
    >>> events = pd.DataFrame(
    ...     {
    ...         "patient_id": "P1", "study_day": [5, 30, 40], "term": ["Anemia", "Anemia", "Colitis"],
    ...         "grade": [2, 3, 3], "related_to": ["doxorubicin", "doxorubicin", "zalifrelimab"],
    ...         "immune_mediated": [False, False, True],
    ...     }
    ... )
    >>> steroid = pd.DataFrame(
    ...     {"patient_id": ["P1"], "drug": ["prednisone"], "route": ["oral"], "event_term": ["Colitis"]}
    ... )
    >>> toxicity = derive_toxicity(events, medications=steroid)
    >>> toxicity["grade_related"].tolist(), toxicity["immunosuppression"].tolist()
    ([3.0, 3.0], [False, True])
    """
    chosen = rules or ToxicityRules()
    found = wrong_grades(adverse_events)
    if on_conflict == "raise":
        refuse_rows("adverse_events", adverse_events, found, cure="CTCAE grades are 1, 2, 3, 4 and 5.")
    wrong = by_patient(adverse_events, found)
    out = adverse_events["patient_id"].isin(list(wrong)) if wrong else pd.Series(False, index=adverse_events.index)
    events = schema.ADVERSE_EVENTS.check(adverse_events.assign(grade=adverse_events["grade"].mask(out, 1)))
    judged = _judged(events.reset_index(drop=True), exposures, medications, chosen)
    table = _by_term(judged)
    why = table["patient_id"].map(wrong)
    missing = [name for name in table if name not in ("patient_id", "term", "n_events", "status")]
    table[missing] = table[missing].where(why.isna(), axis=0)
    table["status"] = table["status"].mask(why.notna(), why)
    return schema.TOXICITY.check(table.assign(rule_set=chosen.label))


def wrong_grades(events: pd.DataFrame) -> list[tuple[int, str]]:
    """Return row and words of each grade that CTCAE does not have.

    Parameters
    ----------
    events : DataFrame
        Rows of adverse events, not yet checked.
    """
    if "grade" not in events or "patient_id" not in events:
        return []
    grade = events["grade"]
    known = pd.to_numeric(grade, errors="coerce").isin([1, 2, 3, 4, 5])
    wrong = np.flatnonzero((grade.notna() & ~known).to_numpy(dtype=bool))
    return [(int(row), f"grade {_plain(grade.iloc[row])}, CTCAE has 1 to 5") for row in wrong]


def _plain(grade: object) -> str:
    return f"{grade:g}" if isinstance(grade, float) else str(grade)


def _judged(
    events: pd.DataFrame, exposures: pd.DataFrame | None, medications: pd.DataFrame | None, rules: ToxicityRules
) -> pd.DataFrame:
    """Return each event with what it is; missing where nobody can know."""
    onset = events["study_day"] if "study_day" in events else pd.Series(np.nan, index=events.index)
    last = pd.Series(np.inf, index=events.index)
    if exposures is not None:
        last = events["patient_id"].map(administrations(exposures).groupby("patient_id")["study_day"].max())
    emergent = ((onset >= 1) & (onset <= last + rules.window_days)).astype("boolean").where(onset.notna())
    immune = events["immune_mediated"] if "immune_mediated" in events else _unknown(events)
    treated = _unknown(events) if medications is None else given_for_events(medications, events)
    return events.assign(
        onset=onset,
        emergent=emergent,
        related=emergent & _related(events),
        immune=emergent & immune,
        suppressed=emergent & immune & treated,
        drugs=events["related_to"] if "related_to" in events else pd.Series(pd.NA, events.index, dtype="string"),
    )


def _unknown(events: pd.DataFrame) -> pd.Series:
    return pd.Series(pd.NA, index=events.index, dtype="boolean")


def _related(events: pd.DataFrame) -> pd.Series:
    """Return whether each event was attributed to a study drug; a flag goes before the drugs named."""
    named = _unknown(events)
    if "related_to" in events:
        drugs = events["related_to"].str.strip().str.lower()
        named = (drugs != "none").astype("boolean").where(drugs.notna())
    flag = events["related"] if "related" in events else _unknown(events)
    return flag.where(flag.notna(), named)


_GRADES = ("grade_treatment_emergent", "grade_related", "grade_immune_mediated")


def _by_term(events: pd.DataFrame) -> pd.DataFrame:
    """Return one row per patient and term."""
    counted = {
        "emergent": "grade_treatment_emergent",
        "related": "grade_related",
        "immune": "grade_immune_mediated",
    }
    yes = {name: events[name].fillna(False).astype(bool) for name in (*counted, "suppressed")}
    parts = {grade: events["grade"].where(yes[name]) for name, grade in counted.items()}
    unclear = events["suppressed"].isna() & ~yes["suppressed"]
    flat = pd.DataFrame(
        {
            "patient_id": events["patient_id"],
            "term": events["term"],
            "grade": events["grade"],
            **parts,
            "onset_day": events["onset"].where(yes["emergent"]),
            "immune_onset_day": events["onset"].where(yes["immune"]),
            "suppressed": yes["suppressed"],
            "unclear": unclear,
            "no_onset": events["emergent"].isna(),
            "no_cause": events["related"].isna() & events["emergent"].fillna(True),
        }
    )
    groups = flat.groupby(["patient_id", "term"], sort=False)
    table = groups.agg(
        n_events=("grade", "size"),
        grade=("grade", "max"),
        **{grade: (grade, "max") for grade in parts},
        onset_day=("onset_day", "min"),
        immune_onset_day=("immune_onset_day", "min"),
        suppressed=("suppressed", "any"),
        unclear=("unclear", "any"),
        no_onset=("no_onset", "any"),
        no_cause=("no_cause", "any"),
    )
    table["immunosuppression"] = (
        table["suppressed"].astype("boolean").mask(~table["suppressed"] & table["unclear"])
    )
    table["related_to"] = _drugs_named(events)
    table["status"] = _status(table)
    return table.reset_index()[[name for name in schema.TOXICITY.columns if name != "rule_set"]]


def _drugs_named(events: pd.DataFrame) -> pd.Series:
    """Return all drugs that a patient's term was attributed to, in the order of their first mention."""
    named = events.assign(drug=events["drugs"].str.split(";")).explode("drug")
    named["drug"] = named["drug"].astype("string").str.strip()
    named = named[named["drug"].fillna("").ne("") & named["drug"].str.lower().ne("none")]
    distinct = named.drop_duplicates(["patient_id", "term", "drug"])
    return distinct.groupby(["patient_id", "term"], sort=False)["drug"].agg("; ".join)


def _status(table: pd.DataFrame) -> pd.Series:
    status = pd.Series("ok", index=table.index, dtype="string")
    open_question = table["immunosuppression"].isna()
    status = status.mask(open_question, "whether immunosuppression was given for it is not recorded")
    status = status.mask(table["no_cause"], "whether treatment caused it is not recorded")
    return status.mask(table["no_onset"], "onset of an event is not recorded")
