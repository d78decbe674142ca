"""The methods section, written from what was done."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from immunosarc import features, models
from immunosarc.cohort import Cohort
from immunosarc.study._imaging import imaging_paragraphs
from immunosarc.study._molecular import molecular_paragraphs
from immunosarc.study._plan import Plan
from immunosarc.study._single_cells import cell_paragraphs

__all__ = ["methods_text"]


def methods_text(
    cohort: Cohort, plan: Plan, tables: Mapping[str, pd.DataFrame], versions: Mapping[str, str]
) -> tuple[str, ...]:
    """Return the methods in paragraphs, ready for a supplement.

    Parameters
    ----------
    cohort : Cohort
        What was analyzed.
    plan : Plan
        What was declared.
    tables : mapping of str to DataFrame
        The results, for the counts.
    versions : mapping of str to str
        Of the programs that were used.

    Returns
    -------
    tuple of str
    """
    paragraphs = [_endpoint_paragraph(plan, tables["outcomes"])]
    if len(tables.get("coverage", ())):
        paragraphs.append(_score_paragraph(plan, tables["coverage"]))
    paragraphs += _ready_made_paragraphs(plan)
    paragraphs += imaging_paragraphs({p.assay or plan.assay: p.imaging for p in plan.panels if p.imaging})
    paragraphs += cell_paragraphs({p.assay or plan.assay: p.cells for p in plan.panels if p.cells})
    paragraphs += molecular_paragraphs({one.name: one.molecular for one in plan.panels if one.molecular})
    if len(tables["associations"]):
        paragraphs.append(_association_paragraph(plan, tables["associations"]))
    if plan.multiverse is not None:
        paragraphs.append(_multiverse_paragraph(tables["multiverse"], plan.multiverse.n_permutations))
    if len(tables["changes"]):
        paragraphs.append(_change_paragraph(plan))
    paragraphs += _prediction_paragraphs(plan, tables)
    if cohort.simulated:
        paragraphs.append("All patients, samples and measurements are SIMULATED.")
    used = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (*paragraphs, f"Computed with {used}.")


def _endpoint_paragraph(plan: Plan, outcomes: pd.DataFrame) -> str:
    rules = ", ".join(dict.fromkeys(outcomes["rule_set"]))
    text = (
        f"Endpoints follow RECIST 1.1 (Eisenhauer 2009, doi:10.1016/j.ejca.2008.10.026), rule set {rules}. "
        "Best overall responses are taken as recorded; whether they were confirmed is not known. "
        "Proportions have exact Clopper-Pearson intervals among the patients in whom the endpoint is known. "
        "Progression-free survival at six months (day 183) is given twice: as a binomial proportion of patients "
        "whose status is known, and as the Kaplan-Meier estimate. Kaplan-Meier intervals are log-log; where a "
        "curve rests at exactly one half, the median is the midpoint."
    )
    if plan.exclude:
        who = "; ".join(f"{column} {' or '.join(values)}" for column, values in plan.exclude.items())
        text = f"The plan leaves out patients whose {who}. " + text
    if plan.null_rates:
        rates = ", ".join(f"{name} {rate:.1%}" for name, rate in plan.null_rates.items())
        text += f" Historical rates ({rates}) are compared by the exact one-sided binomial test."
    return text


def _score_paragraph(plan: Plan, coverage: pd.DataFrame) -> str:
    methods = [features.SCORING[name] for name in dict.fromkeys(coverage["method"])]
    units = ", ".join(dict.fromkeys(coverage["unit"]))
    described = "; ".join(
        f"{record.name} ({record.label}{', doi:' + record.reference if record.facts.get('reference') else ''}"
        f"{'' if record.single_sample else '; cohort-relative: changes when samples join'})"
        for record in methods
    )
    scored = int((coverage["status"] == "ok").sum())
    return (
        f"Signatures were scored on {units} by {described}. A signature with less than {plan.min_coverage:.0%} of "
        f"its genes in the assay has no score: {scored} of {len(coverage)} combinations were scored."
    )


def _ready_made_paragraphs(plan: Plan) -> list[str]:
    taken = {panel.assay or plan.assay: panel.columns for panel in plan.panels if panel.columns}
    return [
        f"Columns of the assay {assay} were taken as features as they were loaded: {', '.join(columns)}. How they "
        "were computed, and whether on a scale of this cohort alone, is not known here."
        for assay, columns in taken.items()
    ]


def _association_paragraph(plan: Plan, associations: pd.DataFrame) -> str:
    strata = f" within strata of {plan.strata}" if plan.strata else ""
    text = (
        f"Each feature was associated with each endpoint by {'; '.join(_models_used(plan, associations))}. "
        "Family-wise error within each "
        "family (timepoint, endpoint, model, panel) is controlled by step-down maxT (Westfall, Young 1993) over "
        f"{plan.n_permutations:,} permutations of outcomes{strata}; the permuted statistic is the standardized "
        "rank sum for binary and the standardized log-rank score for time-to-event endpoints, whichever model "
        "gives the effect. The detectable effect is the smallest one found with 80% power at the family's own "
        "threshold. q is Benjamini-Hochberg's within the "
        "family. Intervals of an AUC are DeLong's on the logit scale, with strata Newcombe's."
    )
    if (associations["timepoint"] != "pre").any():
        text += (
            " Features measured on treatment were tested against objective response only, conditional on having "
            "an on-treatment sample, because endpoints that time defines would be subject to immortal-time bias."
        )
    return text


def _multiverse_paragraph(paths: pd.DataFrame, n_permutations: int) -> str:
    return (
        f"{paths['signature'].iloc[0]} was put to its question along all {len(paths)} declared paths of analysis, "
        "the primary one marked (specification curve, doi:10.1038/s41562-020-0912-z). Their joint p compares the "
        f"median z over paths with that of {n_permutations:,} deals of the signature's values among the patients, "
        "each deal the same for every path."
    )


def _models_used(plan: Plan, associations: pd.DataFrame) -> list[str]:
    used = []
    for name in dict.fromkeys(associations["model"]):
        record = models.MODELS[name]
        adjusted = f", adjusted for {', '.join(plan.covariates)}" if plan.covariates and record.covariates else ""
        used.append(f"{record.label} (doi:{record.reference}){adjusted}")
    return used


def _prediction_paragraphs(plan: Plan, tables: Mapping[str, pd.DataFrame]) -> list[str]:
    asked, found = plan.prediction, []
    if asked is not None and tables.get("prediction", pd.DataFrame({"estimate": []}))["estimate"].notna().any():
        found.append(
            f"{asked.endpoint} was predicted from {', '.join(asked.features)} by {asked.model or 'ridge'} "
            f"regression in {asked.n_repeats} rounds of {asked.n_folds} nested folds, imputation, scaling and "
            "penalty within each; discrimination is averaged over test folds; optimism and intervals come from "
            f"{asked.n_bootstrap} bootstraps of the whole pipeline (Harrell 1996, "
            "doi:10.1002/(SICI)1097-0258(19960229)15:4<361::AID-SIM168>3.0.CO;2-4)."
        )
    for name in dict.fromkeys(tables["transport"]["model"]) if "transport" in tables else ():
        found.append(
            f"The model {name} was locked on another cohort and is applied as it stands; what must be fitted anew "
            "is decided by a closed test (Vergouwe 2017, doi:10.1002/sim.7179)."
        )
    return found


def _change_paragraph(plan: Plan) -> str:
    return (
        f"Change from {plan.before} to {plan.after} in patients with both samples: exact Wilcoxon signed rank; "
        "median change, and the Hodges-Lehmann shift with its exact interval (doi:10.1214/aoms/1177704172); "
        "step-down maxT by flipping the sign of whole patients. A rise of an immune score does not by itself show "
        "influx of immune cells: loss of tumor cells raises it too."
    )
