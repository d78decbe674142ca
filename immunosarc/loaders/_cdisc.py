"""The clinical domains of CDISC: which variables mean what, so that a manifest need not say it again.

Source: CDISC SDTM Implementation Guide 3.4 and ADaM Implementation Guide 1.3. What the standard leaves
to the sponsor (which PARAMCD, which reader, codes of its own) stays with the manifest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import pandas as pd

from immunosarc.errors import DataFileError, ManifestError, did_you_mean
from immunosarc.loaders._cdisc_rows import (
    CENSORED,
    OVERALL,
    READER,
    STATE,
    TARGET,
    USED,
    VISIT,
    lesion_cells,
    time_to_event_cells,
    visit_cells,
)
from immunosarc.loaders._fault import Fault
from immunosarc.loaders._table import RawTable

__all__ = ["DOMAINS", "Domain", "Standard", "first_doses", "standard_parts"]

FIRST_DOSE = "(first dose)"


@dataclass(frozen=True)
class Domain:
    """One domain or analysis data set.

    Attributes
    ----------
    table : str
        The table of a cohort that it becomes.
    columns : mapping of str to str
        Our name -> variable that has to be there.
    optional : mapping of str to tuple of str
        Our name -> variables, of which the first that the file has is read.
    days : mapping of str to (str, str)
        Our name of a study day -> its variable in study days, and the one with dates.
    recode, keep, missing
        As in a manifest.
    prepare : callable, optional
        What has to be made of the cells first.
    reference : tuple of str
        Variables with the date of the first dose, in the same file.
    """

    table: str
    columns: Mapping[str, str]
    optional: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    days: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    recode: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    keep: Mapping[str, Any] = field(default_factory=dict)
    transform: Mapping[str, str] = field(default_factory=dict)
    missing: tuple[str, ...] = ()
    prepare: Callable[[RawTable, RawTable | None, list[Fault]], RawTable | None] | None = None
    reference: tuple[str, ...] = ()


_ID = {"patient_id": "USUBJID"}
_SEX = {"sex": {"F": "female", "M": "male"}}
_RESPONSES = {name: name for name in ("CR", "PR", "SD", "PD", "NE")}
_TIMES = {"pfs_time": "AVAL", "pfs_event": CENSORED}

DOMAINS: Mapping[str, Domain] = MappingProxyType(
    {
        "DM": Domain(
            "patients",
            {**_ID},
            {"age": ("AGE",), "sex": ("SEX",), "arm": ("ARM",)},
            days={"death_day": ("", "DTHDTC")},
            recode=_SEX,
            missing=("U", "UNDIFFERENTIATED"),
            reference=("RFXSTDTC", "RFSTDTC"),
        ),
        "ADSL": Domain(
            "patients",
            {**_ID},
            {"age": ("AGE",), "sex": ("SEX",), "arm": ("TRT01A", "ARM")},
            days={"death_day": ("", "DTHDT"), "last_alive_day": ("", "LSTALVDT")},
            recode=_SEX,
            missing=("U", "UNDIFFERENTIATED"),
            reference=("TRTSDT",),
        ),
        "DS": Domain(
            "patients",
            {**_ID, "disposition": "DSDECOD"},
            {"disposition_day": ("DSSTDY",)},
            keep={"DSCAT": "DISPOSITION EVENT"},
        ),
        "ADRS": Domain(
            "patients",
            {**_ID, "best_overall_response": "AVALC"},
            keep={"PARAMCD": "BOR"},
            recode={"best_overall_response": {**_RESPONSES, "NON-CR/NON-PD": "SD"}},
            missing=("MISSING",),
        ),
        "ADTTE": Domain("patients", {**_ID, **_TIMES}, keep={"PARAMCD": "PFS"}, prepare=time_to_event_cells),
        "AE": Domain(
            "adverse_events",
            {**_ID, "term": "AEDECOD"},
            {"grade": ("AETOXGR",), "relationship": ("AEREL",)},
            days={"study_day": ("AESTDY", "AESTDTC"), "end_day": ("AEENDY", "AEENDTC")},
        ),
        "ADAE": Domain(
            "adverse_events",
            {**_ID, "term": "AEDECOD"},
            {"grade": ("ATOXGRN", "AETOXGRN", "ATOXGR", "AETOXGR"), "relationship": ("AREL", "AEREL")},
            days={"study_day": ("ASTDY", "ASTDT"), "end_day": ("AENDY", "AENDT")},
            reference=("TRTSDT",),
        ),
        "EX": Domain(
            "exposures",
            {**_ID, "drug": "EXTRT"},
            {"dose": ("EXDOSE",), "dose_unit": ("EXDOSU",)},
            days={"study_day": ("EXSTDY", "EXSTDTC")},
        ),
        "CM": Domain(
            "medications",
            {**_ID},
            {"drug": ("CMDECOD", "CMTRT"), "indication": ("CMINDC",), "route": ("CMROUTE",)},
            days={"study_day": ("CMSTDY", "CMSTDTC"), "end_day": ("CMENDY", "CMENDTC")},
        ),
        "RS": Domain(
            "assessments",
            {**_ID},
            {"overall_response": (OVERALL,), "target_response": (TARGET,), "reader": (READER,)},
            days={"study_day": ("RSDY", "RSDTC")},
            keep={VISIT: "new"},
            prepare=visit_cells,
        ),
        "TR": Domain(
            "lesions",
            {**_ID, "lesion_id": "TRLNKID", "role": "TRGRPID", "diameter_mm": "(diameter)"},
            {"status": (STATE,), "reader": (READER,), "method": ("TRMETHOD",), "nodal": ("(nodal)",)},
            days={"study_day": ("TRDY", "TRDTC")},
            keep={USED: "yes"},
            recode={
                "role": {"TARGET": "target", "NON-TARGET": "non_target", "NEW": "new"},
                "status": {
                    "NOT DONE": "not_assessed",
                    "TOO SMALL TO MEASURE": "too_small",
                    "NON-TARGET PRESENT": "present",
                    "NON-TARGET ABSENT": "absent",
                    "NON-TARGET UNEQUIVOCAL": "progression",
                    "NON-TARGET UNEQUIVOCAL INCREASE": "progression",
                    "NON-TARGET UNEQUIVOCAL PROGRESSION": "progression",
                    "NEW UNEQUIVOCAL": "unequivocal",
                    "NEW EQUIVOCAL": "equivocal",
                    "NEW ABSENT": "absent",
                    "TARGET ABSENT": "absent",
                },
            },
            prepare=lesion_cells,
        ),
    }
)
"""What ``cdisc = "..."`` in a block may name."""


@dataclass(frozen=True)
class Standard:
    """What a manifest's block says by naming a domain: the cells prepared, and the keys it need not give."""

    raw: RawTable
    columns: dict[str, str]
    recode: dict[str, dict[str, Any]]
    keep: dict[str, Any]
    missing: list[str]
    day_one: str | None


def standard_parts(
    name: str,
    raw: RawTable,
    faults: list[Fault],
    *,
    where: str,
    given: Mapping[str, str],
    day_one: str | None,
    origins: Mapping[str, str],
    tumors: RawTable | None,
) -> Standard | None:
    """Return what a domain declares of a file; None when the file is not of that domain.

    Parameters
    ----------
    name : str
        A key of :data:`DOMAINS`.
    raw : RawTable
        The file.
    faults : list of Fault
    where : str
        The block, for messages.
    given : mapping of str to str
        The columns that the manifest names itself; these are not looked for.
    day_one : str or None
        The column of first doses that the manifest names.
    origins : mapping of str to str
        Patient -> date of the first dose, from the table of patients.
    tumors : RawTable or None
        The TU domain, where the block names it.
    """
    domain = DOMAINS[name]
    before = len(faults)
    prepared = domain.prepare(raw, tumors, faults) if domain.prepare else raw
    if prepared is None or len(faults) > before:
        return None
    names = [str(one) for one in prepared.cells.columns]
    missing = [v for ours, v in domain.columns.items() if ours not in given and v not in names]
    if missing:
        hint = did_you_mean(missing[0], names)
        what = f"{where} cdisc = {name!r} needs the variable {missing[0]!r}, which the file does not have.{hint}"
        faults.append(Fault(ManifestError, f"{raw.file} line 1: {what}"))
        return None
    columns = {ours: v for ours, v in domain.columns.items() if ours not in given}
    for ours, variables in domain.optional.items():
        found = next((v for v in variables if v in names), None)
        if ours not in given and found is not None:
            columns[ours] = found
    dated = _with_days(domain, prepared, columns, given=given, day_one=day_one, origins=origins)
    if isinstance(dated, str):
        faults.append(Fault(DataFileError, f"{raw.file}: {where}: {dated}"))
        return None
    prepared, columns, day_one = dated
    return Standard(
        prepared,
        columns,
        {ours: dict(codes) for ours, codes in domain.recode.items() if ours in {*columns, *given}},
        dict(domain.keep),
        list(domain.missing),
        day_one,
    )


def _with_days(
    domain: Domain,
    raw: RawTable,
    columns: dict[str, str],
    *,
    given: Mapping[str, str],
    day_one: str | None,
    origins: Mapping[str, str],
) -> tuple[RawTable, dict[str, str], str | None] | str:
    """Read study days where the file has them, else dates against the first dose; never both.

    A manifest that names a variable of dates as ``study_day`` prefers the dates.
    """
    names = set(raw.cells.columns)
    dates = {date for _, date in domain.days.values()}
    chosen = {ours: variable for ours, variable in given.items() if ours in domain.days}
    if day_one is None and not any(variable in dates for variable in chosen.values()):
        in_days = {ours: day for ours, (day, _) in domain.days.items() if ours not in given and day in names}
        if chosen or "study_day" in in_days:
            return raw, columns | in_days, None
    in_dates = {ours: date for ours, (_, date) in domain.days.items() if ours not in given and date in names}
    in_dates |= {ours: variable for ours, variable in chosen.items() if variable in dates & names}
    if not in_dates:
        return raw, columns, day_one
    if day_one is None:
        day_one = next((one for one in domain.reference if one in names), None)
    if day_one is None and not origins:
        return (
            "dates become study days by the first dose, which neither this file nor the patients' file has; give "
            "[patients] cdisc = 'DM' or 'ADSL', or day_one"
        )
    if day_one is None:
        first = raw.cells["USUBJID"].map(origins).fillna("") if "USUBJID" in names else ""
        raw = RawTable(raw.file, raw.cells.assign(**{FIRST_DOSE: first}))
        day_one = FIRST_DOSE
    return raw, columns | {ours: date for ours, date in in_dates.items() if ours not in given}, day_one


def first_doses(name: str | None, raw: RawTable) -> dict[str, str]:
    """Return the date of the first dose of each patient, from DM or ADSL; empty from anything else."""
    domain = DOMAINS.get(name or "")
    if domain is None or "USUBJID" not in raw.cells:
        return {}
    column = next((one for one in domain.reference if one in raw.cells), None)
    if column is None:
        return {}
    dates = pd.Series(raw.cells[column].to_numpy(), index=raw.cells["USUBJID"].to_numpy())
    return {str(patient): str(date) for patient, date in dates[dates != ""].items()}
