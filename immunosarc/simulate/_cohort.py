"""The embedded default trial: invented patients with the published counts, and known truth."""

from __future__ import annotations

from typing import Any

import numpy as np

from immunosarc import catalog
from immunosarc.cohort import Cohort, make_assay
from immunosarc.errors import ImmunosarcError, raise_together
from immunosarc.simulate._expression import Planted, cold_tumors, expression
from immunosarc.simulate._genes import PROGRAMS, GeneModel, gene_model
from immunosarc.simulate._scans import scan_tables
from immunosarc.simulate._treatment import treatment_tables
from immunosarc.simulate._trial import read_trial, trial_patients, trial_samples

__all__ = ["simulate_cohort"]

_RESPONSE_STAGE = "1"
_VASCULAR = {
    "angiosarcoma": 3.0,
    "endometrial stromal sarcoma": 2.0,
    "malignant solitary fibrous tumor": 2.0,
}
_MOSTLY = 0.8  # a signature carries what was planted when this share of its genes does


def simulate_cohort(
    seed: int = 0, *, n_null: int = 40, response_effect: float = 2.6, hot_shift: float = 1.5
) -> Cohort:
    """Make a SIMULATED trial of 33 patients in which it is known what goes with response.

    The patients are invented, the same for every seed, and give through
    :mod:`immunosarc.endpoints` the published counts of NCT04028063 (Wilky 2025, doi
    10.1158/1078-0432.CCR-25-0618): from the outcomes in ``patients`` as well as, without those,
    from the rows of lesions, visits, doses, medications and events. The seed varies the
    expression of their biopsies, the sizes of their lesions and their minor events. Planted:

    - the B lineage program is higher, before and on treatment, in responders of schedule
      stage 1 than in its non-responders; in stage 2 it is not;
    - the endothelial program marks histologies, some of which happen to respond: associated
      with response over all, not within a histology;
    - on treatment, the T cell and interferon programs rise in tumors that were cold before;
      cold ones would rise a little in any case, by regression to the mean;
    - null sets of genes that nothing moves.

    Parameters
    ----------
    seed : int
        At least 0. The same seed gives the same matrix, bit by bit, with one version of numpy.
    n_null : int
        Number of null sets, twelve genes each.
    response_effect : float
        Shift of the B lineage program in stage 1 responders, in its standard deviations within
        a response group; 0 plants nothing.
    hot_shift : float
        Rise on treatment in cold tumors, in standard deviations of the program.

    Returns
    -------
    Cohort
        33 patients, 29 biopsies before and 22 on treatment (20 pairs, 2 patients without
        tissue), the assay ``"rna"`` in TPM with every gene of the catalog, and the five tables
        of ``schema.LONG_TABLES``. Doses are invented; the order of the drugs is the trial's.
        ``provenance["truth"]`` says what was planted; ``provenance["truth"]["null_panel"]``
        is a mapping from name to genes that scoring accepts as signatures.

    Raises
    ------
    ImmunosarcError
        When the seed or the number of null sets is not a whole number of at least 0, or an
        effect is not finite.

    Examples
    --------
    >>> cohort = simulate_cohort(seed=7)
    >>> cohort
    Cohort simulated_trial [SIMULATED]: 33 patients, 51 samples (29 pre, 22 on), 20 pre-on pairs
      rna: 51 samples x 3,917 features, tpm
      lesions: 739 rows
      assessments: 154 rows
      exposures: 627 rows
      medications: 154 rows
      adverse_events: 90 rows
    >>> sorted(cohort.provenance["truth"])
    ['cold_to_hot', 'histology_marker', 'null_panel', 'response_signature']
    """
    _check_arguments(
        {"seed": seed, "n_null": n_null}, {"response_effect": response_effect, "hot_shift": hot_shift}
    )
    trial = read_trial()
    patients, samples, model = trial_patients(trial), trial_samples(trial), gene_model(int(n_null))
    responds = patients["best_overall_response"].isin(["CR", "PR"])
    raised = responds & (patients["schedule_stage"] == _RESPONSE_STAGE)
    planted = Planted(response=raised * float(response_effect), histology=_VASCULAR, hot=float(hot_shift))
    tpm = expression(patients, samples, model, planted=planted, seed=int(seed))
    cold = cold_tumors(patients, int(seed))
    lesions, assessments = scan_tables(trial, seed=int(seed))
    rows = {"lesions": lesions, "assessments": assessments, **treatment_tables(trial, seed=int(seed))}
    truth = _truth(model, planted, effect=float(response_effect), cold=list(cold.index[cold]))
    return Cohort(
        patients=patients.drop(columns="histology_code"),
        samples=samples,
        tables=rows,
        assays={"rna": make_assay(tpm, unit="tpm", source="simulated", platform="polya_rnaseq")},
        provenance=_provenance(int(seed)) | {"truth": truth, "plan": _plan(truth["null_panel"])},
    )


def _check_arguments(whole: dict[str, Any], effects: dict[str, Any]) -> None:
    problems = [
        f"{name}: need a whole number of at least 0, have {value!r}"
        for name, value in whole.items()
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0
    ]
    problems += [
        f"{name}: need a finite number, have {value!r}"
        for name, value in effects.items()
        if not isinstance(value, int | float | np.number) or not np.isfinite(value)
    ]
    raise_together(ImmunosarcError, "simulate_cohort", problems)


def _provenance(seed: int) -> dict[str, Any]:
    return {
        "name": "simulated_trial",
        "title": "SIMULATED trial of doxorubicin plus checkpoint inhibitors in soft-tissue sarcoma",
        "simulated": True,
        "citation": "No patient is real. The counts are those published by Wilky BA et al., "
        "Clin Cancer Res 2025;31(14):2945-2956, doi:10.1158/1078-0432.CCR-25-0618 (NCT04028063)",
        "license": "BSD-3-Clause, as the package",
        "source": "immunosarc.simulate_cohort",
        "seed": seed,
    }


def _plan(null_panel: dict[str, list[str]]) -> dict[str, Any]:
    """The plan that this trial would have declared: three published signatures, and noise beside them."""
    return {
        "title": "Plan of the simulated trial",
        "strata": "schedule_stage",
        "null_rates": {"pfs6": 0.434},
        "dosing_interval_days": {"zalifrelimab": 42},
        "next_trial": {"controls": "doxorubicin", "published": {"b_lineage_mean_log2": "tls"}},
        "two_stage": {"r1": 6, "n1": 15, "r": 15, "n": 28, "p0": 0.434},
        "panels": [
            {
                "name": "primary",
                "features": {
                    "b_lineage_mean_log2": {"signature": "mcp_b_lineage", "method": "mean_log2"},
                    "cyt_mean_log2": {"signature": "cyt", "method": "mean_log2"},
                    "tis_mean_z": {"signature": "tis18_unweighted", "method": "mean_z"},
                },
            },
            {"name": "catalog", "signatures": "all", "method": "singscore"},
            {"name": "noise", "gene_sets": null_panel, "method": "singscore"},
        ],
        "hypotheses": [{"feature": "b_lineage_mean_log2", "model": "mann_whitney"}],
    }


def _truth(model: GeneModel, planted: Planted, *, effect: float, cold: list[str]) -> dict[str, Any]:
    return {
        "response_signature": {
            **_moved(model, ("b_lineage",)),
            "endpoint": "objective_response",
            "schedule_stage": _RESPONSE_STAGE,
            "effect_sd": effect,
            "meaning": "higher before and on treatment in responders of schedule stage 1; no effect in stage 2",
        },
        "histology_marker": {
            **_moved(model, ("endothelial",)),
            "shift_sd": dict(planted.histology),
            "meaning": "higher in these histologies; no association with response within a histology",
        },
        "cold_to_hot": {
            **_moved(model, planted.hot_programs),
            "shift_sd": planted.hot,
            "patients": cold,
            "meaning": "rises on treatment in these patients, whose tumors were cold before",
        },
        "null_panel": {name: list(genes) for name, genes in model.null_sets.items()},
    }


def _moved(model: GeneModel, programs: tuple[str, ...]) -> dict[str, Any]:
    """Return the genes of some programs, and the catalog signatures that consist of them."""
    positions = [list(PROGRAMS).index(name) for name in programs]
    genes = sorted(map(str, model.names[np.isin(model.program, positions)]))
    members = set(genes)
    signatures = [
        name
        for name, one in catalog.load_signatures().items()
        if one.genes and sum(gene in members for gene in one.genes) >= _MOSTLY * len(one.genes)
    ]
    return {"programs": list(programs), "signatures": signatures, "genes": genes}
