"""Run a plan on a cohort: endpoints, scores, associations, changes, flow, methods."""

from __future__ import annotations

import importlib.metadata
import logging
import platform
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import pandas as pd

from immunosarc import __version__, endpoints, features, models, schema
from immunosarc.cohort import Cohort, attrition, marked
from immunosarc.study._agreement import agreement_tables
from immunosarc.study._associations import associations_of, families_of, measured_features
from immunosarc.study._biopsies import biopsy_tables
from immunosarc.study._cards import card_table
from immunosarc.study._changes import change_tables
from immunosarc.study._default_plan import plan_for
from immunosarc.study._groups import group_tables
from immunosarc.study._landmarks import landmark_tables
from immunosarc.study._ledger import ledger
from immunosarc.study._lock import stamp_rows, standing
from immunosarc.study._methods import methods_text
from immunosarc.study._molecular import molecular_tables
from immunosarc.study._multiverse import multiverse_tables
from immunosarc.study._next_trial import next_trial_tables
from immunosarc.study._plan import Plan
from immunosarc.study._population import planned_patients, planned_status
from immunosarc.study._prediction import prediction_tables, transport_tables
from immunosarc.study._profile import profile_tables
from immunosarc.study._question_tasks import asked
from immunosarc.study._replicate import Replication
from immunosarc.study._scores import score_panels, score_tables
from immunosarc.study._study import Study
from immunosarc.study._tissue import specimen_status, tumor_samples
from immunosarc.study._trial import trial_tables
from immunosarc.workers import Workers, workers

__all__ = ["run"]

_log = logging.getLogger("immunosarc")
_STATED = ("numpy", "scipy", "pandas", "anndata", "matplotlib")


def run(
    cohort: Cohort,
    plan: Plan | Mapping[str, Any] | None = None,
    *,
    locked_models: Sequence[models.LockedModel] = (),
    replication: Replication | None = None,
    seed: int = 0,
    jobs: int = 1,
    scheduler: str | None = None,
    client: Any = None,
) -> Study:
    """Do everything that the plan declares, and nothing else.

    Parameters
    ----------
    cohort : Cohort
        From ``load_cohort``, ``simulate_cohort`` or your own frames.
    plan : Plan or mapping, optional
        The cohort's own plan unless given; the default plan if it has none.
    locked_models : sequence of LockedModel, optional
        Models of other cohorts (:func:`immunosarc.study.lock_signatures`), to be tried on this one.
    replication : Replication, optional
        What other cohorts say to the same plan; the ledger repeats it beside each claim.
    seed : int
        For the permutations. The same cohort, plan and seed give identical tables.
    jobs : int
        Processes on this machine that share the work; 1 is this one alone. The tables are the same to the bit,
        here and with the two that follow; a script then needs ``if __name__ == "__main__":``.
    scheduler : str, optional
        Address of a running dask scheduler, ``tcp://host:8786``.
    client : distributed.Client, optional
        A client of a cluster that is yours; it is left open.

    Returns
    -------
    Study
        Tables ``patients, outcomes, summary, survival, populations, progression_incidence, pfs_sensitivity,
        follow_up, two_stage, qc, molecular, repertoire_depths, mutational_burden, alterations,
        neoantigen_burden, soluble, signatures, coverage, scores, imaging, single_cell,
        cell_quality, cells, classes, placement,
        placed_change, lineage, associations, families, landmarks, concordance, reliability, concordance_ranks,
        strata_sizes, shrinkage, explained_by_histology, without_histology, paired, changes, adjusted_changes,
        change_by_response, biopsied, transitions, class_changes, shift, progression_changes, feature_course,
        prediction, left_out_predictions, calibration, decision_curve, leakage, transport, historical_controls,
        next_trial, multiverse, multiverse_choices, ledger, attrition``, as far as there is anything for them;
        and where the cohort has such rows those of :func:`immunosarc.endpoints.derive_trial_tables`.

    Raises
    ------
    PlanError
        When the plan names something that does not exist, or a locked model does not say how samples are scored.
    CoverageError
        When the assay lacks genes that a locked model ranks among.
    ImmunosarcError
        When more than one of ``jobs``, ``scheduler`` and ``client`` is given, or nobody answers there.

    Examples
    --------
    >>> import immunosarc as ims
    >>> study = run(ims.simulate_cohort(seed=7), ims.Plan(timepoints=("pre",), n_permutations=200))
    >>> study.stamp
    'exploratory'
    """
    chosen = plan_for(cohort, plan)
    with workers(jobs=jobs, scheduler=scheduler, client=client) as hands:
        return _run(cohort, chosen, seed, others=(locked_models, replication), hands=hands)


def _run(
    cohort: Cohort,
    chosen: Plan,
    seed: int,
    *,
    others: tuple[Sequence[models.LockedModel], Replication | None],
    hands: Workers,
) -> Study:
    """Fill the tables; ``others`` is what other cohorts brought: locked models, and a replication."""
    locked_models, replication = others
    analyzed = planned_patients(cohort, chosen.exclude)
    _log.info("endpoints of %d patients", len(analyzed.patients))
    outcomes = endpoints.derive(
        analyzed, rules=chosen.rule_set, reader=chosen.reader, on_conflict=chosen.on_conflict
    )
    by = cohort.patients[chosen.strata] if chosen.strata else None
    tables: dict[str, pd.DataFrame] = {
        "patients": cohort.patients,
        "outcomes": outcomes,
        "summary": endpoints.summarize(outcomes, by=by, null_rates=chosen.null_rates, level=1 - chosen.alpha),
        "survival": _curves(outcomes, by, 1 - chosen.alpha),
    }
    tables |= trial_tables(analyzed, chosen, outcomes, by=by)
    tables |= transport_tables(locked_models, analyzed, chosen, outcomes)
    tumor = tumor_samples(analyzed)
    _log.info("quality of %d samples", len(tumor.samples))
    tables["qc"] = features.qc(tumor, outcomes, seed=seed)
    tables |= molecular_tables(analyzed)
    scored = score_panels(tumor, chosen, everyone=analyzed, hands=hands)
    tables |= score_tables(analyzed, scored)
    tables |= profile_tables(tumor, chosen, seed)
    measured = measured_features(tumor, chosen, scored)
    stamp, reason = standing(cohort, chosen, seed=seed)
    questions = list(asked(cohort, chosen, outcomes, measured, seed))
    tables["associations"] = stamp_rows(associations_of(questions, hands), chosen, stamp)
    tables["detectability"] = card_table(questions, hands)
    tables["families"] = families_of(tables["associations"], chosen)
    tables |= landmark_tables(chosen, outcomes, measured)
    tables |= prediction_tables(chosen, outcomes, measured, seed, hands)
    tables |= agreement_tables(chosen.concordance, outcomes, measured, level=1 - chosen.alpha, seed=seed)
    tables |= group_tables(analyzed, chosen, outcomes, measured, tables["associations"])
    tables |= change_tables(tumor, chosen, outcomes, scored, seed=seed, hands=hands)
    of_tumor = {name: part for name, part in scored.items() if part.cohort is None}
    tables |= biopsy_tables(tumor, chosen, outcomes, of_tumor, seed)
    tables |= next_trial_tables(analyzed, chosen, outcomes, measured=measured, tables=tables)
    tables |= multiverse_tables(analyzed, chosen, seed, hands)
    tables["ledger"] = ledger(tables, chosen, replication=replication, cohort=cohort.name)
    left_out = planned_status(cohort, chosen.exclude)
    everyone = _measured_status(chosen, measured)
    tables["attrition"] = attrition(cohort, *left_out, outcomes, *specimen_status(analyzed), *everyone)
    tables = {name: marked(table, simulated=cohort.simulated) for name, table in tables.items()}
    provenance = _provenance(cohort, chosen, seed)
    if replication is not None:
        provenance["replication"] = list(dict.fromkeys(replication.effects["cohort"]))
    return Study(
        cohort=cohort,
        plan=chosen,
        tables=MappingProxyType(tables),
        stamp=stamp,
        stamp_reason=reason,
        methods=methods_text(cohort, chosen, tables, provenance["versions"]),
        provenance=MappingProxyType(provenance),
    )


def _curves(outcomes: pd.DataFrame, by: pd.Series | None, level: float) -> pd.DataFrame:
    """The curve of all patients and those of the strata, for each endpoint that is recorded."""
    named = [e.name for e in schema.ENDPOINTS.values() if e.kind == "time_to_event"]
    curves = [
        endpoints.survival_curve(outcomes, name, by=strata, level=level)
        for name in named
        if outcomes[f"{name}_event"].notna().any()
        for strata in ([None] if by is None else [None, by])
    ]
    return pd.concat(curves, ignore_index=True) if curves else schema.SURVIVAL_CURVE.empty()


def _measured_status(plan: Plan, measured: Mapping[str, Mapping[str, pd.DataFrame]]) -> list[pd.DataFrame]:
    """One table of statuses by timepoint and assay: who was measured, and why the rest was not."""
    read = {panel.name: panel.source or plan.assay for panel in plan.panels}
    single = len(set(read.values())) == 1
    return [
        panels[panel][["timepoint", "status"]].rename(columns={} if single else {"status": f"{assay}_status"})
        for panels in measured.values()
        for assay, panel in {assay: panel for panel, assay in reversed(read.items())}.items()
        if panel in panels
    ]


def _provenance(cohort: Cohort, plan: Plan, seed: int) -> dict[str, Any]:
    versions = {name: importlib.metadata.version(name) for name in _STATED}
    carried = {k: v for k, v in cohort.provenance.items() if k not in ("plan", "lock", "loading", "truth", "seed")}
    if "seed" in cohort.provenance:
        carried["simulation_seed"] = cohort.provenance["seed"]
    return {
        **carried,
        "plan_sha256": plan.sha256,
        "seed": seed,
        "versions": {"immunosarc": __version__, "python": platform.python_version(), **versions},
    }
