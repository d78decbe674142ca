"""Each table as tab-separated text, and beside it what it is and where it comes from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pandas as pd

from immunosarc import schema
from immunosarc.report._results import indexed, json_text
from immunosarc.study import Study

__all__ = ["MEANINGS", "SCHEMAS", "about_study", "columns_of", "table_files"]

SCHEMAS: Mapping[str, schema.Table] = MappingProxyType(
    {
        "patients": schema.PATIENTS,
        "outcomes": schema.OUTCOMES,
        "summary": schema.SUMMARY,
        "survival": schema.SURVIVAL_CURVE,
        "qc": schema.QC,
        "coverage": schema.COVERAGE,
        "imaging": schema.IMAGING,
        "single_cell": schema.SINGLE_CELL,
        "cell_quality": schema.CELL_QUALITY,
        "associations": schema.ASSOCIATION,
        "changes": schema.CHANGE,
        "adjusted_changes": schema.ADJUSTED_CHANGE,
        "transitions": schema.TRANSITION,
        "class_changes": schema.CLASS_CHANGE,
        "shift": schema.SHIFT,
        "paired": schema.PAIRED,
        "attrition": schema.ATTRITION,
        "applicability": schema.APPLICABILITY,
        "lineage": schema.LINEAGE,
        "cells": schema.CELLS,
        "cell_fractions": schema.CELLS,
        "classes": schema.CLASSES,
        "placement": schema.PLACEMENT,
        "placed_change": schema.PLACED_CHANGE,
        "strata": schema.STRATA,
        "concordance": schema.CONCORDANCE,
        "reliability": schema.RELIABILITY,
        "concordance_ranks": schema.CONCORDANCE_RANKS,
        "ledger": schema.LEDGER,
        "prediction": schema.PERFORMANCE,
        "left_out_predictions": schema.PREDICTIONS,
        "calibration": schema.RISK_GROUPS,
        "decision_curve": schema.DECISION_CURVE,
        "leakage": schema.LEAKAGE,
        "predicted": schema.PREDICTED,
        "transport": schema.TRANSPORT,
        "transport_calibration": schema.RISK_GROUPS,
        "transport_decisions": schema.DECISION_CURVE,
        "transport_predictions": schema.PREDICTED,
        "next_trial": schema.NEXT_TRIAL,
        "historical_controls": schema.HISTORICAL_CONTROL,
        "multiverse": schema.MULTIVERSE,
        "multiverse_choices": schema.MULTIVERSE_CHOICES,
        "cohort_effects": schema.COHORT_EFFECTS,
        "pooled_effects": schema.POOLED_EFFECTS,
        "without_cohort": schema.WITHOUT_COHORT,
        "visits": schema.RECIST,
        "course": schema.RESPONSE_COURSE,
        "tumor_change": schema.TUMOR_CHANGE,
        "timeline": schema.TIMELINE,
        "event_counts": schema.EVENT_COUNTS,
        "populations": schema.POPULATIONS,
        "pfs_sensitivity": schema.PFS_SENSITIVITY,
        "follow_up": schema.SUMMARY,
        "two_stage": schema.SUMMARY,
        "immune_visits": schema.IMMUNE_RECIST,
        "immune_course": schema.IMMUNE_COURSE,
        "resistance": schema.RESISTANCE,
        "dosing": schema.DOSING,
        "toxicity": schema.TOXICITY,
        "patient_toxicity": schema.PATIENT_TOXICITY,
        "toxicity_rates": schema.TOXICITY_RATES,
        "alterations": schema.ALTERATIONS,
        "soluble": schema.SOLUBLE,
        "adrs": schema.ADRS,
        "adtr": schema.ADTR,
        "adtte": schema.ADTTE,
    }
)
"""The schema of each table that has one."""

MEANINGS: Mapping[str, str] = MappingProxyType(
    {
        "patients": "one row per patient, as loaded",
        "outcomes": "one row per patient: endpoints, and why a value is missing",
        "summary": "rates and medians with their intervals",
        "survival": "Kaplan-Meier curves",
        "qc": "what speaks against the unit, the batches and each sample; nothing was corrected",
        "coverage": "which signatures could be scored, and why the others could not",
        "imaging": "one row per sample and feature of its images: value, cells counted, and why there is none",
        "single_cell": "one row per sample and feature of its single cells: value, and why there is none",
        "cell_quality": "one row per sample with single cells: how many, how good, how many unassigned",
        "scores": "one row per sample: signature scores; missing = not covered",
        "associations": "feature against endpoint; ratios are logs",
        "detectability": "what each family could have found, and how far a discovery would be off",
        "families": "how many features were looked at together",
        "landmarks": "who each landmark analysis keeps, and why not the others",
        "strata_sizes": "patients of each stratum, and what they are worth",
        "shrinkage": "each effect beside what the spread of its family leaves of it; logs",
        "explained_by_histology": "each association in everybody and within histologies",
        "without_histology": "the leading associations without each histology",
        "prediction": "how well new patients could be predicted, or that there is too little to model",
        "left_out_predictions": "what models that never saw the patient predicted",
        "calibration": "predicted and observed shares by thirds of the predicted risk",
        "decision_curve": "what treating by the left-out predictions would have been worth",
        "leakage": "certificate: what the pipeline could know from where it should not",
        "predicted": "risk of each new patient by a locked model, or why there is none",
        "transport": "what locked models of other cohorts are worth in this one",
        "transport_calibration": "predicted and observed shares by thirds, of locked models of other cohorts",
        "transport_decisions": "what treating by a locked model of another cohort would have been worth",
        "transport_predictions": "what locked models of other cohorts predict, patient by patient",
        "multiverse": "one question along every declared path, with one p for all of them",
        "multiverse_choices": "what each choice makes of the paths",
        "ledger": "everything found, ranked, with what would settle it",
        "changes": "change between two timepoints, by response group",
        "adjusted_changes": "change beyond loss of tumor, another biopsy site and a low start",
        "change_by_response": "how much higher responders end than others who began alike",
        "progression_changes": "change from before treatment to progression, by response group",
        "feature_course": "mean of each feature at each timepoint, by a mixed model",
        "progression_incidence": "progression and death without it, as competing risks",
        "biopsied": "baseline of patients with and without the second biopsy",
        "transitions": "tumors by class before and after",
        "class_changes": "class before and after, per patient, and the probability of cold to hot",
        "shift": "move of the immunogenicity panel, per patient",
        "paired": "the values before and after, per patient",
        "attrition": "who and what was left out where",
        "signatures": "the signatures, with source and license",
        "applicability": "what each score depends on in this assay",
        "lineage": "scores with and without the genes that sarcoma cells make themselves",
        "cells": "scores of cell types; compare samples, not cell types",
        "cell_fractions": "shares of cell types, with intervals over resampled genes",
        "classes": "immune classes on a frozen reference",
        "placement": "where each sample lies on a frozen reference",
        "placed_change": "change between two timepoints in frozen units, per patient",
        "strata": "the stratum of each sample by a frozen rule, or why it has none",
        "cohort_effects": "the same questions in each cohort, beside the original",
        "pooled_effects": "the same questions over all cohorts, and where a new cohort may lie",
        "without_cohort": "the pooled effects without each cohort in turn",
        "next_trial": "candidate next trials: whom to select, how many to screen and treat, power and assurance",
        "historical_controls": "the count of each endpoint against every rate it could be compared with",
        "concordance": "agreement of several measures of one thing",
        "reliability": "how much of each measure is what all of them measure, and associations freed of error",
        "concordance_ranks": "where each patient stands by each pair of measures, and who is discordant",
        "visits": "one row per visit: RECIST 1.1 from the lesion rows, and why there is no call",
        "course": "one row per patient: what the visits add up to",
        "tumor_change": "change of the target lesions from baseline, visit by visit",
        "timeline": "what happened to each patient on which day",
        "populations": "who counts for which number",
        "pfs_sensitivity": "progression-free at 24 weeks, 26 weeks and 6 months, by three estimators",
        "follow_up": "median follow-up (reverse Kaplan-Meier) and restricted mean survival",
        "two_stage": "the rate after a two-stage design, as it is and without the bias of the first look",
        "immune_visits": "one row per visit: iRECIST beside RECIST 1.1, with the cause of progression",
        "immune_course": "one row per patient: what the visits add up to by iRECIST",
        "resistance": "primary or secondary resistance of each patient, or why neither",
        "dosing": "doses, cumulative dose and dose intensity, per patient and drug",
        "toxicity": "highest grade per patient and term, by cause",
        "patient_toxicity": "highest grades of each patient, and immunosuppression",
        "toxicity_rates": "patients with each adverse event among the treated, and per time at risk",
        "molecular": "long tables of receptors, variants and analytes, and why one is not described",
        "repertoire_depths": "receptors and clones of each sample; choose the depth of comparison by it",
        "mutational_burden": "mutations of each sample, and per declared callable megabase",
        "neoantigen_burden": "predicted neoantigens of each sample",
        "alterations": "altered genes of a panel, and what was not looked at",
        "soluble": "means of analytes, allowing for limits of detection",
        "adrs": "responses in the shape of ADaM ADRS",
        "adtr": "sums of diameters in the shape of ADaM ADTR",
        "adtte": "times to events in the shape of ADaM ADTTE; CNSR 0 = event",
        "event_counts": "patients with each adverse event, by highest grade",
    }
)
"""What each table is, in one line."""

_COMMON = MappingProxyType(
    {
        "patient_id": "the patient",
        "sample_id": "the sample",
        "simulated": "SIMULATED: made by simulation, no patient",
    }
)


def columns_of(name: str, table: pd.DataFrame) -> list[dict[str, str]]:
    """Return the data dictionary of a table: its schema's words, and the type of what it adds."""
    declared = SCHEMAS[name].columns if name in SCHEMAS else {}
    return [
        {
            "column": str(column),
            "type": str(values.dtype),
            "meaning": declared[column].meaning if column in declared else _COMMON.get(str(column), ""),
        }
        for column, values in indexed(table).items()
    ]


def table_files(tables: Mapping[str, pd.DataFrame], folder: Path, *, about: Mapping[str, Any]) -> None:
    """Write every table as TSV with its JSON, which says what it is and carries ``about``."""
    folder.mkdir()
    for name, table in tables.items():
        text = indexed(table).to_csv(sep="\t", index=False, lineterminator="\n")
        facts = {
            "table": name,
            "meaning": MEANINGS.get(name, ""),
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
            "rows": len(table),
            "columns": columns_of(name, table),
            **about,
        }
        (folder / f"{name}.tsv").write_text(text, encoding="utf-8", newline="\n")
        (folder / f"{name}.json").write_text(json_text(facts), encoding="utf-8", newline="\n")


def about_study(study: Study) -> dict[str, Any]:
    """Return what stands beside every table of a study."""
    return {
        "study": study.name,
        "simulated": study.simulated,
        "stamp": study.stamp,
        "stamp_reason": study.stamp_reason,
        "plan_sha256": study.plan.sha256,
        "provenance": study.provenance,
    }
