"""The vocabulary: clinical, molecular and result tables, their columns, units and values."""

from immunosarc.schema._applicability import APPLICABILITY
from immunosarc.schema._assay import PLATFORMS, UNITS, assay_problems, unit_problems
from immunosarc.schema._cells import CELL_OUTPUTS, CELLS
from immunosarc.schema._classes import CLASSES, PLACEMENT
from immunosarc.schema._clinical import (
    ADVERSE_EVENTS,
    ASSESSMENTS,
    EXPOSURES,
    LESION_STATUS,
    LESIONS,
    LONG_TABLES,
    MEDICATIONS,
    PATIENTS,
    RESPONSES,
    SAMPLES,
    TIMEPOINTS,
    VISIT_RESPONSES,
)
from immunosarc.schema._endpoint import (
    DAYS_PER_MONTH,
    ENDPOINTS,
    SIX_MONTHS_DAYS,
    Endpoint,
    refuse_response_groups,
)
from immunosarc.schema._recist import RECIST, RESPONSE_COURSE
from immunosarc.schema._results import (
    ASSOCIATION,
    ATTRITION,
    CHANGE,
    COVERAGE,
    OUTCOMES,
    PAIRED,
    PATIENT_FEATURES,
    STAMPS,
    SUMMARY,
    SURVIVAL_CURVE,
    significant,
)
from immunosarc.schema._table import Column, Problem, Table
from immunosarc.schema._trial import ATTRIBUTIONS, EVENT_COUNTS, TIMELINE, TIMELINE_KINDS, TUMOR_CHANGE

__all__ = [
    "ADVERSE_EVENTS",
    "APPLICABILITY",
    "ASSESSMENTS",
    "ASSOCIATION",
    "ATTRIBUTIONS",
    "ATTRITION",
    "CELLS",
    "CELL_OUTPUTS",
    "CHANGE",
    "CLASSES",
    "COVERAGE",
    "DAYS_PER_MONTH",
    "ENDPOINTS",
    "EVENT_COUNTS",
    "EXPOSURES",
    "LESIONS",
    "LESION_STATUS",
    "LONG_TABLES",
    "MEDICATIONS",
    "OUTCOMES",
    "PAIRED",
    "PATIENTS",
    "PATIENT_FEATURES",
    "PLACEMENT",
    "PLATFORMS",
    "RECIST",
    "RESPONSES",
    "RESPONSE_COURSE",
    "SAMPLES",
    "SIX_MONTHS_DAYS",
    "STAMPS",
    "SUMMARY",
    "SURVIVAL_CURVE",
    "TIMELINE",
    "TIMELINE_KINDS",
    "TIMEPOINTS",
    "TUMOR_CHANGE",
    "UNITS",
    "VISIT_RESPONSES",
    "Column",
    "Endpoint",
    "Problem",
    "Table",
    "assay_problems",
    "refuse_response_groups",
    "significant",
    "unit_problems",
]
