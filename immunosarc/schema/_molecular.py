"""Long tables of molecular assays: receptors, neoantigens, analytes of blood; and what features of them say."""

from __future__ import annotations

import pandas as pd

from immunosarc.schema._table import Column, Problem, Table

__all__ = [
    "ALTERATIONS",
    "ANALYTES",
    "CHANGED_CLONES",
    "CLONOTYPES",
    "COPY_NUMBERS",
    "LOCI",
    "NEOANTIGENS",
    "REPERTOIRE_OVERLAP",
    "SOLUBLE",
    "VARIANT_TYPES",
]

LOCI = ("TRA", "TRB", "TRG", "TRD", "IGH", "IGK", "IGL")
"""Loci of T- and B-cell receptors; no two of them are compared with each other."""

VARIANT_TYPES = ("SNP", "DNP", "TNP", "ONP", "MNP", "INS", "DEL")
"""What a variant does to the bases, in the words of a MAF."""

_DIRECTIONS = ("expanded", "contracted", "unchanged")
_PATIENT = Column("text", "the patient", required=True, filled=True)
_SAMPLE = Column("text", "the sample", required=True, filled=True)


def _has_a_sequence(frame: pd.DataFrame) -> list[Problem]:
    """A receptor without any sequence is no clonotype; an unproductive one may lack the amino acids."""
    known = pd.Series(False, index=frame.index)
    for name in ("cdr3_nt", "cdr3_aa"):
        if name in frame:
            known |= frame[name].notna()
    rows = tuple(int(i) for i in (~known).to_numpy(dtype=bool).nonzero()[0])
    return [Problem("cdr3_aa", "no value, and none in cdr3_nt either", rows)] if rows else []


def _above_zero(frame: pd.DataFrame) -> list[Problem]:
    rows = tuple(int(i) for i in (frame["count"] <= 0).to_numpy(dtype=bool, na_value=False).nonzero()[0])
    return [Problem("count", "not above 0", rows)] if rows else []


def _whole_counts(frame: pd.DataFrame) -> list[Problem]:
    broken = (frame["count"] % 1 != 0).to_numpy(dtype=bool, na_value=False)
    rows = tuple(int(i) for i in broken.nonzero()[0])
    return [Problem("count", "not a whole number", rows)] if rows else []


CLONOTYPES = Table(
    "clonotypes",
    {
        "patient_id": _PATIENT,
        "sample_id": _SAMPLE,
        "cdr3_nt": Column("text", "bases of the CDR3, or of the read that holds it; the same in all samples"),
        "cdr3_aa": Column("text", "amino acids of the CDR3"),
        "v_call": Column("text", "V gene, in the words of the source"),
        "j_call": Column("text", "J gene, in the words of the source"),
        "productive": Column(
            "flag",
            "in frame and without a stop; where not known, not counted as productive",
            required=True,
        ),
        "count": Column(
            "number", "templates, molecules, cells or reads of this receptor", required=True, filled=True, low=0
        ),
        "locus": Column("text", "the chain", values=LOCI),
    },
    rules=(_has_a_sequence, _above_zero, _whole_counts),
)

COPY_NUMBERS = Table(
    "copy_numbers",
    {
        "patient_id": _PATIENT,
        "sample_id": _SAMPLE,
        "gene": Column("text", "symbol of the gene", required=True, filled=True),
        "call": Column(
            "text",
            "what was found; neutral where it was looked at and nothing was",
            required=True,
            values=("deep_deletion", "loss", "neutral", "gain", "amplification"),
        ),
    },
)

NEOANTIGENS = Table(
    "neoantigens",
    {
        "patient_id": _PATIENT,
        "sample_id": _SAMPLE,
        "gene": Column("text", "symbol of the mutated gene"),
        "peptide": Column("text", "amino acids of the mutated peptide"),
        "hla_allele": Column("text", "the allele that presents it"),
        "affinity_nm": Column("number", "predicted binding affinity; nM, low binds well", low=0),
        "rank_percent": Column("number", "predicted rank among random peptides; percent", low=0, high=100),
        "count": Column("number", "how many neoantigens the row stands for; 1 without this column", low=0),
    },
)

ANALYTES = Table(
    "analytes",
    {
        "patient_id": _PATIENT,
        "sample_id": _SAMPLE,
        "analyte": Column("text", "what was measured", required=True, filled=True),
        "value": Column("number", "the reading; missing or the limit where below_limit", required=True, low=0),
        "unit": Column("text", "unit of the reading, one for each analyte"),
        "limit_of_detection": Column("number", "smallest value told from none; same unit", low=0),
        "below_limit": Column("flag", "true = less than the limit of detection was found"),
    },
)

SOLUBLE = Table(
    "soluble",
    {
        "analyte": Column("text", "what was measured", required=True, filled=True),
        "timepoint": Column("text", "when", required=True, filled=True),
        "unit": Column("text", "unit of the readings", required=True),
        "n": Column("number", "samples with a reading or a limit", required=True, low=0),
        "n_below": Column("number", "of them below the limit of detection", required=True, low=0),
        "mean_log2": Column("number", "mean of log2, allowing for the limits", required=True),
        "sd_log2": Column("number", "standard deviation of log2", required=True, low=0),
        "conf_low": Column("number", "lower end of the interval of the mean", required=True),
        "conf_high": Column("number", "upper end", required=True),
        "conf_level": Column("number", "its level", required=True, low=0, high=1),
        "status": Column("text", "'ok', or why there is no mean", required=True, filled=True),
    },
)

REPERTOIRE_OVERLAP = Table(
    "repertoire_overlap",
    {
        "sample_1": Column("text", "one sample", required=True, filled=True),
        "sample_2": Column("text", "the other", required=True, filled=True),
        "patient_1": Column("text", "whose sample the first is", required=True, filled=True),
        "patient_2": Column("text", "whose sample the other is", required=True, filled=True),
        "depth": Column("number", "receptors drawn from each", required=True),
        "shared_clones": Column("number", "clones drawn from both, mean over the draws", required=True, low=0),
        "jaccard": Column("number", "shared clones among all clones drawn", required=True, low=0, high=1),
        "morisita": Column("number", "Morisita's index; little moved by depth", required=True, low=0),
        "morisita_horn": Column("number", "Horn's form of it, 0 to 1", required=True, low=0, high=1),
        "status": Column("text", "'ok', or why there is no value", required=True, filled=True),
    },
)

_ALTERATION_KINDS = (
    *("truncating", "frameshift", "splice", "start_stop", "inframe", "missense"),
    *("deep_deletion", "amplification", "none", "not_assessed"),
)

ALTERATIONS = Table(
    "alterations",
    {
        "patient_id": _PATIENT,
        "sample_id": _SAMPLE,
        "gene": Column("text", "symbol of the gene", required=True, filled=True),
        "kind": Column("text", "what was found in it", required=True, filled=True, values=_ALTERATION_KINDS),
        "protein_change": Column("text", "changes of the protein", required=True),
        "status": Column("text", "'ok', or what was not looked at", required=True, filled=True),
    },
)

CHANGED_CLONES = Table(
    "changed_clones",
    {
        "patient_id": _PATIENT,
        "clone": Column("text", "what names the clone", required=True, filled=True),
        "cdr3_aa": Column("text", "amino acids of its CDR3", required=True),
        "v_call": Column("text", "V gene", required=True),
        "before_sample": Column("text", "the first sample", required=True, filled=True),
        "after_sample": Column("text", "the second sample", required=True, filled=True),
        "before_count": Column("number", "receptors in the first", required=True, low=0),
        "after_count": Column("number", "receptors in the second", required=True, low=0),
        "log2_ratio": Column("number", "log2 of the shares, each with half a receptor added", required=True),
        "q_value": Column(
            "number", "false discovery rate among the patient's clones", required=True, low=0, high=1
        ),
        "direction": Column(
            "text",
            "what happened to it",
            required=True,
            filled=True,
            values=("expanded", "contracted", "unchanged"),
        ),
    },
)
"""Receptors, not patients: q_value says which clones moved beyond sampling, never that a treatment works."""
