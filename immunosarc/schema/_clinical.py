"""Clinical tables: patients, samples and the long tables of a trial."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType

import pandas as pd

from immunosarc.schema._imaging import REGIONS
from immunosarc.schema._molecular import ANALYTES, CLONOTYPES, COPY_NUMBERS, NEOANTIGENS, VARIANT_TYPES
from immunosarc.schema._table import Column, Problem, RowRule, Table

__all__ = [
    "ADVERSE_EVENTS",
    "ASSESSMENTS",
    "EXPOSURES",
    "FIELDS",
    "LESIONS",
    "LESION_STATUS",
    "LONG_TABLES",
    "MEDICATIONS",
    "PATIENTS",
    "RESPONSES",
    "SAMPLES",
    "STOP_REASONS",
    "TIMEPOINTS",
    "VARIANTS",
    "VISIT_RESPONSES",
]

RESPONSES = ("CR", "PR", "SD", "PD", "NE")
"""Best overall response by RECIST 1.1, from best to not evaluable."""

VISIT_RESPONSES = ("CR", "PR", "SD", "NON-CR/NON-PD", "PD", "NE")
"""Response at one visit; NON-CR/NON-PD is for patients without a target lesion."""

LESION_STATUS = {
    "target": ("absent", "too_small", "merged", "split", "treated", "not_assessed"),
    "non_target": (
        "absent",
        "present",
        "too_small",
        "progression",
        "further_progression",
        "treated",
        "not_assessed",
    ),
    "new": ("unequivocal", "equivocal", "absent", "not_assessed"),
}
"""What may be said of a lesion beside its diameter, by its role; empty means measured."""

STOP_REASONS = ("toxicity", "progression", "completed", "withdrawal", "death", "other")
"""Why a patient's treatment was stopped."""

TIMEPOINTS = ("pre", "on", "post")
"""Before treatment, on treatment, and at or after progression."""

_DAY = "study day (first dose = 1, the day before = -1, there is no day 0)"


def _time_and_event(time: str, event: str) -> Callable[[pd.DataFrame], list[Problem]]:
    """A duration and its event flag come together."""

    def rule(frame: pd.DataFrame) -> list[Problem]:
        absent = pd.Series(pd.NA, index=frame.index)
        has_time = frame.get(time, absent).notna()
        has_event = frame.get(event, absent).notna()
        found = []
        for here, there, name, other in (
            (has_event, has_time, event, time),
            (has_time, has_event, time, event),
        ):
            alone = (here & ~there).to_numpy(dtype=bool)
            if alone.any():
                rows = tuple(int(i) for i in alone.nonzero()[0])
                found.append(Problem(name, f"given without {other}", rows))
        return found

    return rule


def _no_day_zero(frame: pd.DataFrame) -> list[Problem]:
    if "study_day" not in frame:
        return []
    rows = tuple(int(i) for i in (frame["study_day"] == 0).to_numpy().nonzero()[0])
    return (
        [Problem("study_day", "0 does not exist: the first dose is day 1, the day before -1", rows)]
        if rows
        else []
    )


def _timepoint_fits_day(frame: pd.DataFrame) -> list[Problem]:
    if "study_day" not in frame:
        return []
    late = (frame["timepoint"] == "pre") & (frame["study_day"] > 1)
    early = (frame["timepoint"] != "pre") & (frame["study_day"] < 1)
    found = []
    for mask, what in (
        (late, "after day 1 on a 'pre' sample"),
        (early, "before day 1 on an 'on' or 'post' sample"),
    ):
        rows = tuple(int(i) for i in mask.fillna(False).to_numpy(dtype=bool).nonzero()[0])
        if rows:
            found.append(Problem("study_day", what, rows))
    return found


PATIENTS = Table(
    "patients",
    {
        "histology": Column("text", "histologic subtype"),
        "age": Column("number", "years at first dose", low=0, high=120),
        "sex": Column("text", "sex", values=("female", "male")),
        "schedule_stage": Column("text", "stage of the protocol under which the patient was treated"),
        "best_overall_response": Column("text", "best overall response, RECIST 1.1", values=RESPONSES),
        "response_evaluable": Column(
            "flag", "whether response can be judged; derived from the best response when absent"
        ),
        "pfs_days": Column("number", "first dose to progression, death or censoring; days", low=0),
        "pfs_event": Column("flag", "true = progression or death, false = censored"),
        "os_days": Column("number", "first dose to death or censoring; days", low=0),
        "os_event": Column("flag", "true = death, false = censored"),
        "death_day": Column("number", f"death; {_DAY}"),
        "last_alive_day": Column("number", f"last known alive; {_DAY}"),
        "data_cut_day": Column("number", f"data cut; {_DAY}"),
        "new_therapy_day": Column("number", f"start of another anticancer therapy; {_DAY}"),
        "clinical_progression_day": Column("number", f"progression called without imaging; {_DAY}"),
        "rapid_progression": Column("flag", "the tumor grew so fast that a short exposure counts as exposure"),
        "stop_reason": Column("text", "why treatment was stopped", values=STOP_REASONS),
        "treatment_related_grade_3_4": Column(
            "flag", "had a treatment-related adverse event of CTCAE grade 3 or 4"
        ),
        "immune_event_immunosuppression": Column(
            "flag", "had an immune-mediated adverse event that needed systemic immunosuppression"
        ),
    },
    index="patient_id",
    rules=(_time_and_event("pfs_days", "pfs_event"), _time_and_event("os_days", "os_event")),
)

SAMPLES = Table(
    "samples",
    {
        "patient_id": Column("text", "the patient it was taken from", required=True, filled=True),
        "timepoint": Column(
            "text", "before, on or after treatment", required=True, filled=True, values=TIMEPOINTS
        ),
        "study_day": Column("number", f"day it was taken; {_DAY}"),
        "specimen": Column("text", "what was taken", values=("tumor", "blood", "normal", "other")),
        "site": Column("text", "anatomic site of the biopsy"),
        "batch": Column("text", "laboratory batch"),
        "purity": Column("number", "share of tumor cells, by the pathologist or by DNA", low=0, high=1),
        "callable_mb": Column(
            "number",
            "megabases of exome or panel in which a variant could be called; missing = not sequenced",
            low=0,
        ),
    },
    index="sample_id",
    rules=(_no_day_zero, _timepoint_fits_day),
)


def _long(name: str, *rules: RowRule, **columns: Column) -> Table:
    patient = Column("text", "the patient", required=True, filled=True)
    return Table(name, {"patient_id": patient, **columns}, rules=(_no_day_zero, *rules))


def _status_fits_role(frame: pd.DataFrame) -> list[Problem]:
    if "status" not in frame:
        return []
    found = []
    for role, allowed in LESION_STATUS.items():
        wrong = (frame["role"] == role) & frame["status"].notna() & ~frame["status"].isin(allowed)
        if wrong.any():
            rows = tuple(int(i) for i in wrong.to_numpy(dtype=bool).nonzero()[0])
            shown = sorted(frame.loc[wrong, "status"].unique())
            found.append(
                Problem("status", f"{shown} is not for a {role} lesion, which has {list(allowed)},", rows)
            )
    return found


def _absent_has_no_size(frame: pd.DataFrame) -> list[Problem]:
    if "status" not in frame or "diameter_mm" not in frame:
        return []
    gone = frame["status"].isin(["absent", "merged", "not_assessed"]) & (frame["diameter_mm"] > 0)
    rows = tuple(int(i) for i in gone.to_numpy(dtype=bool).nonzero()[0])
    return (
        [Problem("diameter_mm", "above 0 on a lesion that is absent, merged or not assessed", rows)]
        if rows
        else []
    )


LESIONS = _long(
    "lesions",
    _status_fits_role,
    _absent_has_no_size,
    study_day=Column("number", f"scan; {_DAY}", required=True, filled=True),
    lesion_id=Column("text", "the lesion, the same at every visit", required=True, filled=True),
    role=Column("text", "role by RECIST 1.1", required=True, filled=True, values=("target", "non_target", "new")),
    diameter_mm=Column("number", "longest diameter, or short axis of a node; mm", low=0),
    diameter_unit=Column("text", "unit of the diameter where the source names it; anything but mm contradicts"),
    nodal=Column("flag", "whether it is a lymph node"),
    reader=Column("text", "who measured"),
    method=Column("text", "how it was imaged: CT, MRI, FDG-PET, ..."),
    status=Column(
        "text",
        "what the diameter does not say: absent, too_small to measure (5 mm unless given), merged into another "
        "lesion, a part of a split one (lesion_id = lesion, dot, part), treated locally, not_assessed; of a "
        "non-target present, unequivocal progression, or further_progression after that; of a new lesion "
        "unequivocal or equivocal",
        values=tuple(dict.fromkeys(one for allowed in LESION_STATUS.values() for one in allowed)),
    ),
)
ASSESSMENTS = _long(
    "assessments",
    study_day=Column("number", f"visit; {_DAY}", required=True, filled=True),
    overall_response=Column("text", "response called at this visit", values=VISIT_RESPONSES),
    target_response=Column("text", "response of the target lesions called at this visit", values=RESPONSES),
    reader=Column("text", "who called it"),
)
EXPOSURES = _long(
    "exposures",
    study_day=Column("number", f"administration; {_DAY}", required=True, filled=True),
    drug=Column("text", "what was given", required=True, filled=True),
    dose=Column("number", "amount given", low=0),
    dose_unit=Column("text", "unit of the dose, the same for all doses of a drug"),
    planned_dose=Column("number", "amount that was planned, in the same unit", low=0),
)
MEDICATIONS = _long(
    "medications",
    study_day=Column("number", f"start; {_DAY}"),
    end_day=Column("number", f"end; {_DAY}"),
    drug=Column("text", "concomitant medication", required=True, filled=True),
    indication=Column("text", "why it was given"),
    route=Column("text", "how it was given: oral, intravenous, topical, inhaled, ..."),
    event_term=Column("text", "the adverse event it was given for: a term of adverse_events"),
    immunosuppressive=Column(
        "flag", "declared to be systemic immunosuppression, or not; goes before what drug and route say"
    ),
)
ADVERSE_EVENTS = _long(
    "adverse_events",
    study_day=Column("number", f"onset; {_DAY}"),
    term=Column("text", "CTCAE term", required=True, filled=True),
    grade=Column("number", "CTCAE grade, 1 to 5", required=True, filled=True),
    end_day=Column("number", f"end; {_DAY}"),
    related=Column("flag", "related to any study drug; derived from related_to when absent"),
    related_to=Column("text", "the drugs it is attributed to, separated by semicolons; 'none' = to no drug"),
    immune_mediated=Column("flag", "immune-mediated by attribution"),
)

VARIANTS = _long(
    "variants",
    sample_id=Column("text", "the sample it was found in", required=True, filled=True),
    gene=Column("text", "symbol of the gene", required=True, filled=True),
    consequence=Column("text", "what it does: Missense_Mutation, Silent, ... in the words of the source"),
    protein_change=Column("text", "change of the protein, as p.R273H"),
    chromosome=Column("text", "chromosome"),
    position=Column("number", "first base on the chromosome", low=1),
    reference_allele=Column("text", "bases of the reference"),
    alternate_allele=Column("text", "bases of the tumor"),
    alternate_reads=Column("number", "reads with the variant in the tumor", low=0),
    reference_reads=Column("number", "reads without it in the tumor", low=0),
    variant_type=Column("text", "what it does to the bases", values=VARIANT_TYPES),
)


def _one_area(frame: pd.DataFrame) -> list[Problem]:
    """One row for each field, or for each region or part of it; never a whole beside its regions."""
    parts = frame.reindex(columns=["sample_id", "field_id", "region", "part"])
    again = parts.duplicated(keep=False)
    whole = parts["region"].isna().groupby([parts["sample_id"], parts["field_id"]]).transform("any")
    mixed = whole & parts["region"].notna()
    return [
        Problem("area_mm2", what, tuple(int(i) for i in mask.to_numpy(dtype=bool).nonzero()[0]))
        for mask, what in (
            (again, "several areas of one region (a column part may name what each is of)"),
            (mixed, "the whole field has an area beside those of its regions; keep one of the two"),
        )
        if mask.any()
    ]


FIELDS = _long(
    "fields",
    _one_area,
    sample_id=Column("text", "the sample that the image shows", required=True, filled=True),
    field_id=Column("text", "the image, or the field of view", required=True, filled=True),
    region=Column("text", "tissue of the area; empty = the whole field", values=REGIONS),
    part=Column("text", "one of several annotations of a region, whose areas are added up"),
    area_mm2=Column("number", "area that was analyzed, square millimeters; empty = unknown", low=0),
)

_CLINICAL = (LESIONS, ASSESSMENTS, EXPOSURES, MEDICATIONS, ADVERSE_EVENTS)
_LONG = (*_CLINICAL, VARIANTS, COPY_NUMBERS, CLONOTYPES, NEOANTIGENS, ANALYTES, FIELDS)
LONG_TABLES = MappingProxyType({table.name: table for table in _LONG})
"""The tables that ``Cohort.tables`` may hold, by name."""
