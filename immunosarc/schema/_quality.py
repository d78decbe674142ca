"""What quality control says before any test: one row for each thing that was looked at."""

from __future__ import annotations

from immunosarc.schema._clinical import TIMEPOINTS
from immunosarc.schema._table import Column, Table

__all__ = ["QC", "QC_LEVELS"]

QC_LEVELS = ("assay", "batch", "sample")
"""What a check looks at: a whole assay, the batches of a cohort, or one sample."""

QC = Table(
    "qc",
    {
        "check": Column("text", "what was looked at", required=True, filled=True),
        "level": Column("text", "what it is about", required=True, filled=True, values=QC_LEVELS),
        "assay": Column("text", "the assay, where there is one", required=True),
        "sample_id": Column("text", "the sample, where it is about one", required=True),
        "patient_id": Column("text", "whose sample it is", required=True),
        "timepoint": Column("text", "when it was taken", required=True, values=TIMEPOINTS),
        "value": Column("number", "the number that was looked at", required=True),
        "found": Column("text", "what was found, in words", required=True),
        "expected": Column("text", "what would raise no concern", required=True),
        "concern": Column("flag", "true = ask before this is used", required=True, filled=True),
        "status": Column(
            "text", "'ok', what is of concern, or why it was not assessed", required=True, filled=True
        ),
    },
)
"""Nothing is left out or corrected for what stands here."""
