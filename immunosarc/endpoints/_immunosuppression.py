"""Which medications are systemic immunosuppression, and for which adverse event each was given."""

from __future__ import annotations

import pandas as pd

from immunosarc import schema

__all__ = ["given_for_events", "systemic_immunosuppression"]

CORTICOSTEROIDS = (
    "prednisone", "prednisolone", "methylprednisolone", "dexamethasone", "betamethasone", "hydrocortisone",
    "cortisone", "budesonide", "deflazacort", "triamcinolone",
)  # fmt: skip
OTHER_IMMUNOSUPPRESSANTS = (
    "infliximab", "vedolizumab", "adalimumab", "etanercept", "tocilizumab", "rituximab", "abatacept", "anakinra",
    "mycophenolate", "azathioprine", "cyclosporine", "ciclosporin", "tacrolimus", "sirolimus", "methotrexate",
    "cyclophosphamide", "immunoglobulin", "thymocyte globulin", "ruxolitinib", "tofacitinib",
)  # fmt: skip
LOCAL_ROUTES = (
    "topical", "cutaneous", "transdermal", "inhaled", "inhalation", "respiratory", "nasal", "intranasal",
    "ophthalmic", "ocular", "conjunctival", "otic", "auricular", "rectal", "intra-articular",
    "intraarticular", "intralesional", "vaginal", "oral rinse", "mouthwash",
)  # fmt: skip
REPLACEMENT = ("replacement", "substitution", "physiologic")
REPLACED_BY = ("hydrocortisone", "cortisone")
REPLACED_AT = ("adrenal insufficiency", "hypophysitis", "hypopituitarism", "addison")
OTHER_PURPOSE = ("antiemetic", "anti-emetic", "emesis", "nausea", "vomiting", "premedication", "prophylaxis")


def systemic_immunosuppression(medications: pd.DataFrame) -> pd.Series:
    """Return of each medication whether it suppresses the immune system as a whole; missing when unclear.

    Counted are corticosteroids and other immunosuppressants by name. Not counted: local routes,
    hormone replacement (said so, or hydrocortisone for a failing adrenal or pituitary gland), and
    what was given against or to prevent nausea, or as premedication. A corticosteroid whose route
    nobody recorded is missing. A declared ``immunosuppressive`` goes before all that.

    Parameters
    ----------
    medications : DataFrame
        ``schema.MEDICATIONS``.
    """
    drug, route, purpose = (_lower(medications, name) for name in ("drug", "route", "indication"))
    purpose = purpose + " " + _lower(medications, "event_term")
    gland = _names(drug, REPLACED_BY, whole=True) & _names(purpose, REPLACED_AT)
    steroid, other = _names(drug, CORTICOSTEROIDS), _names(drug, OTHER_IMMUNOSUPPRESSANTS)
    replaced = gland | _names(purpose, REPLACEMENT)
    not_meant = _names(route, LOCAL_ROUTES) | replaced | _names(purpose, OTHER_PURPOSE)
    found = ((steroid | other) & ~not_meant).astype("boolean")
    found = found.mask(steroid & ~not_meant & (route == ""))
    if "immunosuppressive" not in medications:
        return found
    declared = medications["immunosuppressive"]
    return declared.where(declared.notna(), found)


def given_for_events(medications: pd.DataFrame, events: pd.DataFrame) -> pd.Series:
    """Return of each event whether systemic immunosuppression was given for it; missing when unclear.

    A medication belongs to an event of the same patient whose term it names, as ``event_term`` or in
    its ``indication``. One that names neither, and starts on or after the event's onset, leaves the
    event unclear.

    Parameters
    ----------
    medications : DataFrame
        ``schema.MEDICATIONS``.
    events : DataFrame
        ``schema.ADVERSE_EVENTS``.
    """
    drugs = schema.MEDICATIONS.check(medications)
    systemic = systemic_immunosuppression(drugs)
    may_count = ~(systemic == False).fillna(False)  # noqa: E712
    drugs = pd.DataFrame(
        {
            "patient_id": drugs["patient_id"],
            "start": drugs["study_day"] if "study_day" in drugs else float("nan"),
            "systemic": systemic,
            "link": _lower(drugs, "event_term"),
            "purpose": _lower(drugs, "indication"),
        }
    )[may_count]
    known = pd.DataFrame(
        {
            "event": range(len(events)),
            "patient_id": events["patient_id"].to_numpy(),
            "term": events["term"].str.lower().str.strip().to_numpy(),
            "onset": events["study_day"].to_numpy() if "study_day" in events else float("nan"),
        }
    )
    pairs = known.merge(drugs, on="patient_id")
    linked = (pairs["link"] == pairs["term"]) | pd.Series(
        [term in purpose for term, purpose in zip(pairs["term"], pairs["purpose"], strict=True)],
        index=pairs.index,
        dtype=bool,
    )
    silent = (pairs["link"] == "") & (pairs["purpose"] == "") & ~(pairs["start"] < pairs["onset"])
    yes = pairs.loc[linked & pairs["systemic"].eq(True).fillna(False), "event"]
    unclear = pairs.loc[(linked & pairs["systemic"].isna()) | silent, "event"]
    given = pd.Series(False, index=range(len(events)), dtype="boolean")
    given[unclear.unique()] = pd.NA
    given[yes.unique()] = True
    return given.set_axis(events.index)


def _lower(table: pd.DataFrame, name: str) -> pd.Series:
    if name not in table:
        return pd.Series("", index=table.index, dtype="string")
    return table[name].fillna("").str.lower().str.strip()


def _names(text: pd.Series, words: tuple[str, ...], *, whole: bool = False) -> pd.Series:
    """Return which texts hold one of the words, or begin with one that is ``whole``."""
    pattern = "|".join(words)
    return text.str.contains(rf"^(?:{pattern})\b" if whole else rf"(?:{pattern})", regex=True).astype(bool)
