"""What cBioPortal calls the columns of a cohort: one dictionary to read study folders and to write them."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

__all__ = ["CBIOPORTAL_CODES", "CBIOPORTAL_COLUMNS"]

CBIOPORTAL_COLUMNS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "patients": {
            "patient_id": "PATIENT_ID",
            "age": "AGE",
            "sex": "SEX",
            "os_time": "OS_MONTHS",
            "os_event": "OS_STATUS",
            "pfs_time": "PFS_MONTHS",
            "pfs_event": "PFS_STATUS",
        },
        "samples": {"sample_id": "SAMPLE_ID", "patient_id": "PATIENT_ID"},
        "timeline": {
            "patient_id": "PATIENT_ID",
            "study_day": "START_DATE",
            "end_day": "STOP_DATE",
            "drug": "AGENT",
        },
        "variants": {
            "sample_id": "Tumor_Sample_Barcode",
            "gene": "Hugo_Symbol",
            "consequence": "Variant_Classification",
            "protein_change": "HGVSp_Short",
            "chromosome": "Chromosome",
            "position": "Start_Position",
            "reference_allele": "Reference_Allele",
            "alternate_allele": "Tumor_Seq_Allele2",
            "alternate_reads": "t_alt_count",
            "reference_reads": "t_ref_count",
            "variant_type": "Variant_Type",
        },
    }
)
"""By file: our name -> the column that the format defines; every other column is the study's own."""

CBIOPORTAL_CODES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "sex": {"Male": "male", "Female": "female", "MALE": "male", "FEMALE": "female"},
        "os_event": {"1:DECEASED": True, "0:LIVING": False},
        "pfs_event": {"1:PROGRESSION": True, "1:PROGRESSED": True, "0:CENSORED": False},
    }
)
"""By our name: code of the format -> value; the first code of a value is the one to write."""
