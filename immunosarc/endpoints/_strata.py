"""Patients split by a stratum that is passed as a Series, never named."""

from __future__ import annotations

import pandas as pd

from immunosarc.errors import SchemaError, raise_together

__all__ = ["ALL", "split"]

ALL = "all"
"""The stratum that holds every patient."""

_UNKNOWN = "not recorded"


def split(outcomes: pd.DataFrame, by: pd.Series | None) -> dict[str, pd.DataFrame]:
    """Return the outcomes of each stratum, in the order of the stratum's name.

    Parameters
    ----------
    outcomes : DataFrame
        ``schema.OUTCOMES``.
    by : Series or None
        Stratum of each patient, indexed by patient; None means no strata. Patients without a
        value are the stratum ``"not recorded"``, so that the strata add up.

    Returns
    -------
    dict of str to DataFrame
        Empty when ``by`` is None.

    Raises
    ------
    SchemaError
        When a patient is not in ``by`` or is there twice, or a stratum is called ``"all"``.
    """
    if by is None:
        return {}
    raise_together(SchemaError, "by", _problems(outcomes, by), cure="Pass one value per patient_id.")
    stratum = by.reindex(outcomes.index).astype("string").fillna(_UNKNOWN)
    return {str(name): outcomes[stratum == name] for name in sorted(stratum.unique())}


def _problems(outcomes: pd.DataFrame, by: pd.Series) -> list[str]:
    if not isinstance(by, pd.Series):
        return [f"need a Series indexed by patient, have {type(by).__name__}"]
    twice = list(dict.fromkeys(map(str, by.index[by.index.duplicated()])))
    absent = [str(patient) for patient in outcomes.index if patient not in by.index]
    found = [f"patients occur twice: {twice[:5]}"] if twice else []
    found += [f"{len(absent)} patient(s) have no entry: {absent[:5]}"] if absent else []
    return found + (["a stratum is called 'all', which is kept for everybody"] if (by == ALL).any() else [])
