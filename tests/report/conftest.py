"""A study made by hand: every table that a report reads, from the simulated trial's patients."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pytest
from pydantic import BaseModel
from scipy.stats import norm

import immunosarc as ims
from immunosarc import catalog, schema, stats

HISTOLOGIES = ("angiosarcoma", "leiomyosarcoma", "UPS", "liposarcoma", "MPNST")
COVERED = 24


class Plan(BaseModel):
    """What the report reads of a plan."""

    name: str = "stand-in"
    endpoints: tuple[str, ...] = ("objective_response", "pfs")
    alpha: float = 0.05

    @property
    def sha256(self) -> str:
        return "0123456789abcdef" * 4


@dataclass(frozen=True)
class StandIn:
    """The attributes of a study that the report reads."""

    cohort: ims.Cohort
    tables: Mapping[str, pd.DataFrame]
    name: str = "stand_in"
    title: str = "Stand-in trial <of> a & b"
    simulated: bool = True
    plan: Plan = field(default_factory=Plan)
    stamp: str = "exploratory"
    stamp_reason: str = "there is no lock file"
    provenance: Mapping[str, Any] = field(default_factory=dict)
    methods: tuple[str, ...] = ("Response by RECIST 1.1 (Eisenhauer 2009, doi 10.1016/j.ejca.2008.10.026).",)

    def __getitem__(self, name: str) -> pd.DataFrame:
        return self.tables[name]


def build(seed: int = 7, *, simulated: bool = True, n_features: int = 30) -> StandIn:
    """Return a stand-in study; the same seed gives the same tables."""
    rng = np.random.default_rng(seed)
    cohort = _cohort(rng, simulated=simulated)
    names = list(catalog.load_signatures())[:n_features]
    scores = _scores(cohort, names, rng)
    outcomes = ims.endpoints.derive(cohort)
    stage = cohort.patients["schedule_stage"]
    associations = _associations(cohort, scores, outcomes, rng)
    paired, changes = _paired(cohort, scores, outcomes)
    tables = {
        "patients": cohort.patients,
        "outcomes": outcomes,
        "summary": ims.endpoints.summarize(outcomes, by=stage, null_rates={"pfs6": 0.434}),
        "survival": pd.concat(
            [
                ims.endpoints.survival_curve(outcomes, endpoint, by=by)
                for endpoint in ("pfs", "os")
                for by in (None, stage)
            ],
            ignore_index=True,
        ),
        "coverage": _coverage(names),
        "scores": scores,
        "associations": associations,
        "changes": changes,
        "paired": paired,
        "attrition": ims.attrition(cohort, outcomes, cohort.at("pre").per_patient(scores[names])),
        "signatures": catalog.load_signatures().subset(*names).table(),
        "families": associations.groupby("family", sort=False)
        .agg(n_features=("feature", "size"), noise_ceiling=("noise_ceiling", "max"))
        .reset_index()
        .assign(n_permutations=2000.0),
    }
    if simulated:
        tables = {name: table.assign(simulated="SIMULATED") for name, table in tables.items()}
    provenance = {
        "versions": {"immunosarc": ims.__version__, "numpy": np.__version__},
        "files": {"clinical.tsv": "ab" * 32},
        "seed": seed,
        "arguments": {"jobs": 1},
        "citation": "Wilky and others 2025",
        "license": "none",
        "caveats": ["a stand-in: <script>alert('x')</script>"],
    }
    return StandIn(cohort, MappingProxyType(tables), simulated=simulated, provenance=provenance)


def _cohort(rng: np.random.Generator, *, simulated: bool) -> ims.Cohort:
    rows = catalog.load_simulated_trial()
    rows = rows.reset_index() if "patient_id" not in rows.columns else rows
    patients = pd.DataFrame(
        {
            "patient_id": rows["patient_id"].astype(str),
            "histology": [HISTOLOGIES[i % len(HISTOLOGIES)] for i in range(len(rows))],
            "schedule_stage": rows["schedule_stage"].astype(str),
            "best_overall_response": rows["best_overall_response"].astype(str),
            "pfs_days": rows["pfs_days"].astype(float),
            "pfs_event": rows["pfs_event"].astype(bool),
            "os_days": rows["pfs_days"].astype(float) + rng.integers(20, 400, len(rows)),
            "os_event": rng.random(len(rows)) < 0.5,
            "treatment_related_grade_3_4": np.arange(len(rows)) < 15,
            "immune_event_immunosuppression": np.arange(len(rows)) < 3,
        }
    )
    ids = patients["patient_id"]
    pre, on = ids[:29], ids[6:28]
    samples = pd.DataFrame(
        {
            "sample_id": [*(f"{one}-pre" for one in pre), *(f"{one}-on" for one in on)],
            "patient_id": [*pre, *on],
            "timepoint": ["pre"] * len(pre) + ["on"] * len(on),
            "study_day": [-7.0] * len(pre) + [30.0] * len(on),
            "specimen": "tumor",
        }
    )
    expression = pd.DataFrame(rng.gamma(2, 20, (len(samples), 6)), index=samples["sample_id"]).rename(
        columns=lambda i: f"G{i}"
    )
    return ims.Cohort(
        patients=patients,
        samples=samples,
        assays={"rna": ims.make_assay(expression, unit="tpm")},
        provenance={"name": "stand_in", "simulated": simulated},
    )


def _scores(cohort: ims.Cohort, names: list[str], rng: np.random.Generator) -> pd.DataFrame:
    """Correlated scores; the first goes with response, the last six are not covered."""
    samples = cohort.samples
    shared = rng.normal(size=(len(samples), 1))
    values = 0.7 * shared + 0.7 * rng.normal(size=(len(samples), len(names)))
    responder = samples["patient_id"].map(cohort.patients["best_overall_response"]).isin(["CR", "PR"])
    values[:, 0] += 2.2 * responder.to_numpy(float)
    values[:, 1] += 1.2 * (samples["timepoint"] == "on").to_numpy(float)
    values[3, 2] = np.nan
    values[:, COVERED:] = np.nan
    frame = pd.DataFrame(values, index=samples.index, columns=names)
    return pd.concat([samples[["patient_id", "timepoint"]], frame], axis=1)


def _coverage(names: list[str]) -> pd.DataFrame:
    covered = np.arange(len(names)) < COVERED
    return schema.COVERAGE.check(
        pd.DataFrame(
            {
                "signature": names,
                "method": "mean_log2",
                "unit": "log2_tpm",
                "n_genes": 10,
                "n_found": np.where(covered, 10, 3),
                "coverage": np.where(covered, 1.0, 0.3),
                "missing": np.where(covered, None, "CD8B"),
                "status": np.where(covered, "ok", "covers 3 of 10 genes (30%), needs 80%"),
                "note": np.where(
                    np.arange(len(names)) == 1, "published form needs TPM, the assay has counts", None
                ),
            }
        )
    )


def _associations(
    cohort: ims.Cohort, scores: pd.DataFrame, outcomes: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    parts = []
    for timepoint in ("pre", "on"):
        table = cohort.at(timepoint).per_patient(scores.drop(columns=["patient_id", "timepoint"]))
        parts.append(_auc_family(table, outcomes, timepoint=timepoint))
    ratios = parts[0].assign(
        endpoint="pfs", model="cox", measure="log_hazard_ratio", family="pre/pfs/cox/catalog", stamp="exploratory"
    )
    spread = 0.25 + rng.random(len(ratios)) * 2
    shift = -(ratios["estimate"] - 0.5) * 4 * spread
    ratios = ratios.assign(estimate=shift, conf_low=shift - 0.9 * spread, conf_high=shift + 0.9 * spread)
    ratios["detectable_80"] = 1.3 * spread
    return schema.ASSOCIATION.check(pd.concat([*parts, ratios], ignore_index=True))


def _auc_family(table: pd.DataFrame, outcomes: pd.DataFrame, *, timepoint: str) -> pd.DataFrame:
    endpoint = "objective_response"
    known = table.index[outcomes[endpoint].notna()]
    features = table.loc[known].drop(columns=["timepoint", "measured_day", "status"])
    group = outcomes.loc[known, endpoint].to_numpy(bool)
    fits = stats.mann_whitney(features.to_numpy(float), group)
    orders = stats.permute_within(np.zeros(len(group), dtype=int), 400, 0)
    null = stats.rank_sum_null(features.to_numpy(float), group, orders)
    observed = stats.rank_sum_statistic(features.to_numpy(float), group)
    error = stats.auc_null_error(features.to_numpy(float), group)
    return pd.DataFrame(
        {
            "feature": features.columns,
            "scoring": "mean_log2 on log2_tpm",
            "timepoint": timepoint,
            "endpoint": endpoint,
            "population": "response-evaluable",
            "model": "mann_whitney",
            "measure": "auc",
            "adjusted_for": None,
            "stratified_by": "schedule_stage",
            "n": fits.n,
            "n_events": fits.n_events,
            "estimate": fits.estimate,
            "std_error": fits.std_error,
            "conf_low": fits.conf_low,
            "conf_high": fits.conf_high,
            "statistic": fits.statistic,
            "p_value": fits.p_value,
            "p_exact": fits.p_exact,
            "p_maxt": stats.step_down_maxt(observed, null),
            "q_value": stats.benjamini_hochberg(fits.p_value),
            "detectable_80": 0.5 + (norm.isf(0.025 / len(features.columns)) + norm.isf(0.2)) * error,
            "alpha": 0.05,
            "noise_ceiling": stats.noise_ceiling(null),
            "family": f"{timepoint}/{endpoint}/mann_whitney/catalog",
            "stamp": np.where(np.arange(len(features.columns)) == 3, "confirmatory", "exploratory"),
            "status": fits.status,
        }
    )


def _paired(cohort: ims.Cohort, scores: pd.DataFrame, outcomes: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    features = scores.columns[2:8]
    by = {when: scores[scores["timepoint"] == when].set_index("patient_id") for when in ("pre", "on")}
    group = outcomes["best_overall_response"].map({"CR": "CR/PR", "PR": "CR/PR", "SD": "SD", "PD": "PD"})
    pairs, shifts = [], []
    for feature in features:
        before, after = (by[when][feature].reindex(cohort.patients.index) for when in ("pre", "on"))
        frame = pd.DataFrame({"before": before, "after": after, "group": group, "feature": feature})
        frame = frame.assign(change=after - before, status="ok").rename_axis("patient_id").reset_index()
        frame.loc[frame["change"].isna(), "status"] = "no pair"
        pairs.append(frame)
        for name in ("all", "CR/PR", "SD", "PD"):
            part = frame if name == "all" else frame[frame["group"] == name]
            shifts.append(_shift(part["change"].dropna().to_numpy(float), feature=feature, group=name))
    return schema.PAIRED.check(pd.concat(pairs, ignore_index=True)), schema.CHANGE.check(pd.DataFrame(shifts))


def _shift(differences: np.ndarray, *, feature: str, group: str) -> dict[str, Any]:
    walsh = np.add.outer(differences, differences)[np.triu_indices(len(differences))] / 2
    enough = len(differences) >= 3
    return {
        "feature": feature,
        "scoring": "mean_log2 on log2_tpm",
        "before": "pre",
        "after": "on",
        "group": group,
        "n": len(differences),
        "median_change": np.median(differences) if enough else np.nan,
        "alpha": 0.05,
        "hodges_lehmann": np.median(walsh) if enough else np.nan,
        "conf_low": np.quantile(walsh, 0.05) if enough else np.nan,
        "conf_high": np.quantile(walsh, 0.95) if enough else np.nan,
        "statistic": np.nan,
        "p_value": 0.02 if enough else np.nan,
        "p_maxt": 0.11 if enough else np.nan,
        "q_value": 0.09 if enough else np.nan,
        "family": f"pre-on/{group}/catalog",
        "stamp": "exploratory",
        "status": "ok" if enough else f"needs 3 pairs, has {len(differences)}",
    }


@pytest.fixture(scope="session")
def study() -> StandIn:
    return build()
