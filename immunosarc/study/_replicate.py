"""The same plan in several cohorts, and what all of them together say."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats as distributions

from immunosarc import endpoints, schema, stats
from immunosarc.cohort import Cohort, marked
from immunosarc.errors import CohortError, DataFileError, PlanError
from immunosarc.study._associations import associations_of, measured_features
from immunosarc.study._check import checked_cohort
from immunosarc.study._default_plan import plan_for
from immunosarc.study._plan import Plan
from immunosarc.study._population import planned_patients
from immunosarc.study._question_tasks import asked
from immunosarc.study._same_patient import refuse_shared_patients
from immunosarc.study._scores import score_panels
from immunosarc.study._tissue import tumor_samples
from immunosarc.workers import Workers

__all__ = ["Replication", "read_replication", "replicate"]

_KEY = ["family", "feature"]
_TELLING = 5
"""Cohorts from which on a prediction interval says something of the spread between cohorts."""
_KEPT = [
    "scoring",
    "n",
    "n_events",
    "estimate",
    "std_error",
    "conf_low",
    "conf_high",
    "p_value",
    "p_maxt",
    "status",
]


class Replication(NamedTuple):
    """What several cohorts say to one plan.

    Attributes
    ----------
    effects : DataFrame
        ``schema.COHORT_EFFECTS``, one row per cohort and question.
    pooled : DataFrame
        ``schema.POOLED_EFFECTS``, one row per question.
    without : DataFrame
        ``schema.WITHOUT_COHORT``, the pooled effect without each cohort in turn.
    """

    effects: pd.DataFrame
    pooled: pd.DataFrame
    without: pd.DataFrame


def replicate(
    cohorts: Sequence[Cohort | str | PathLike[str]],
    plan: Plan | Mapping[str, Any] | None = None,
    *,
    data_root: str | PathLike[str] | None = None,
    namesakes: Collection[str] = (),
    level: float = 0.95,
    interval: stats.PoolingInterval = "hartung_knapp_truncated",
    seed: int = 0,
    hands: Workers | None = None,
) -> Replication:
    r"""Put the same questions to several cohorts, and pool what they answer.

    Effects are log ratios per standard deviation of the feature within each cohort, so that platforms may differ;
    an AUC is not pooled. The first cohort is the original. Each other one is compared with it: does it point
    the same way, with which one-sided p, and does the original's effect fit it better than none
    (:func:`immunosarc.stats.replication_bayes_factor`)? All together give the average effect and where the next
    cohort's may lie (:func:`immunosarc.stats.pool_effects`); with fewer than five cohorts that interval is
    stamped uninformative. Everything here is exploratory.

    Parameters
    ----------
    cohorts : sequence of Cohort or path
        At least two, with different names; a path is a manifest. The first is the original.
    plan : Plan or mapping, optional
        For all of them; the default plan unless given. A cohort's own plan is not used.
    data_root : path, optional
        For manifests.
    namesakes : collection of str
        Patient ids that several cohorts use for different people. Needed where neither sex nor the day of
        death tells them apart.
    level : float
        Of all intervals but those of single cohorts, which the plan sets.
    interval : {"hartung_knapp_truncated", "hartung_knapp"}
        Of the average effect; see :func:`immunosarc.stats.pool_effects`.
    seed : int
        Of permutations and of the prediction interval.
    hands : Workers, optional
        From :func:`immunosarc.workers.workers`; this process unless given. The numbers are the same.

    Returns
    -------
    Replication
        Questions that a cohort cannot answer keep a row there, with the reason.

    Raises
    ------
    CohortError
        With fewer than two cohorts, equal names, or a patient who stands in two of them.
    PlanError
        When the plan does not fit a cohort, its effects are not per standard deviation, or none is a log ratio.

    Examples
    --------
    >>> replicate([])
    Traceback (most recent call last):
    ...
    immunosarc.errors.CohortError: replication needs at least 2 cohorts, have 0
    """
    loaded = [one if isinstance(one, Cohort) else checked_cohort(one, data_root=data_root) for one in cohorts]
    named = {one.name: one for one in loaded}
    if len(loaded) < 2:
        raise CohortError(f"replication needs at least 2 cohorts, have {len(loaded)}")
    if len(named) < len(loaded):
        raise CohortError(
            f"cohorts need different names, have {', '.join(one.name for one in loaded)}: one twice?"
        )
    refuse_shared_patients(named, namesakes)
    chosen = {name: plan_for(one, plan if plan is not None else Plan()) for name, one in named.items()}
    if not all(one.per_sd for one in chosen.values()):
        raise PlanError("cohorts compare only per standard deviation of a feature: set per_sd = true in the plan")
    effects = pd.concat(
        [_effects(one, chosen[name], seed, hands).assign(cohort=name) for name, one in named.items()],
        ignore_index=True,
    )
    if effects.empty:
        raise PlanError(
            "nothing to pool: an AUC or a rank correlation has no common scale over cohorts. Plan a model that "
            "gives a ratio (firth_logistic, logistic, cox) and timepoints that the cohorts have samples of."
        )
    simulated = any(one.simulated for one in loaded)
    pool = partial(stats.pool_effects, level=level, interval=interval, seed=seed)
    return _pooled_tables(effects, list(named), pool=pool, simulated=simulated)


def read_replication(folder: str | PathLike[str]) -> Replication:
    """Return what ``immunosarc replicate`` or ``report.write_replication`` wrote to a folder.

    Parameters
    ----------
    folder : path
        The folder of the report; its ``tables`` are read.

    Returns
    -------
    Replication

    Raises
    ------
    DataFileError
        When a table is not there or cannot be read.
    SchemaError
        When a table is not what it was.

    Examples
    --------
    >>> read_replication("nowhere")
    Traceback (most recent call last):
    ...
    immunosarc.errors.DataFileError: nowhere: no replication: tables/cohort_effects.tsv is not there.
    """
    tables = (schema.COHORT_EFFECTS, schema.POOLED_EFFECTS, schema.WITHOUT_COHORT)
    found = []
    for table in tables:
        file = Path(folder) / "tables" / f"{table.name}.tsv"
        if not file.is_file():
            raise DataFileError(f"{folder}: no replication: tables/{file.name} is not there.")
        try:
            frame = pd.read_csv(
                file, sep="\t", keep_default_na=False, na_values=[""], float_precision="round_trip"
            )
        except (ValueError, OSError) as failure:  # parser and decoding errors are ValueErrors
            raise DataFileError(f"{file}: cannot be read as a tab-separated table: {failure}") from failure
        found.append(table.check(frame))
    return Replication(*found)


def _effects(cohort: Cohort, plan: Plan, seed: int, hands: Workers | None) -> pd.DataFrame:
    """The answers of one cohort that are log ratios."""
    analyzed = planned_patients(cohort, plan.exclude)
    outcomes = endpoints.derive(analyzed, rules=plan.rule_set, reader=plan.reader, on_conflict=plan.on_conflict)
    tumor = tumor_samples(analyzed)
    measured = measured_features(tumor, plan, score_panels(tumor, plan))
    found = associations_of(asked(cohort, plan, outcomes, measured, seed), hands)
    return found[found["measure"].str.startswith("log_").fillna(False)]


def _pooled_tables(
    effects: pd.DataFrame, names: list[str], *, pool: Callable[..., stats.Pooled], simulated: bool
) -> Replication:
    """Compare with the original, pool, and leave each cohort out; questions in the order of their first cohort."""
    compared, pooled, without = [], [], []
    for (family, feature), rows in effects.groupby(_KEY, sort=False):
        rows = rows.set_index("cohort").reindex(names)
        what = {"feature": feature, "family": family, "measure": rows["measure"].dropna().iloc[0]}
        summary = _pool(rows, pool)
        compared.append(_against_original(rows, summary.weights).assign(**what))
        pooled.append(what | _counts(rows) | _told(summary) | _direction(compared[-1]))
        for name in names if len(names) > 2 else ():
            rest = rows.drop(index=name)
            without.append(what | {"left_out": name} | _counts(rest) | _told(_pool(rest, pool)))
    table = pd.DataFrame(pooled)
    several = table["p_value"].where(table["status"] == "ok")
    by_family = several.groupby(table["family"], sort=False)
    table["q_value"] = by_family.transform(lambda p: stats.benjamini_hochberg(p.to_numpy(dtype=float)))
    columns = list(schema.COHORT_EFFECTS.columns)
    every = pd.concat(compared).reset_index(names="cohort")[columns]
    left = pd.DataFrame(without, columns=list(schema.WITHOUT_COHORT.columns))
    return Replication(
        marked(schema.COHORT_EFFECTS.check(every), simulated=simulated),
        marked(schema.POOLED_EFFECTS.check(table[list(schema.POOLED_EFFECTS.columns)]), simulated=simulated),
        marked(schema.WITHOUT_COHORT.check(left), simulated=simulated),
    )


def _pool(rows: pd.DataFrame, pool: Callable[..., stats.Pooled]) -> stats.Pooled:
    effect, error = (rows[name].to_numpy(dtype=float) for name in ("estimate", "std_error"))
    usable = np.isfinite(effect) & np.isfinite(error) & (error > 0)
    return pool(np.where(usable, effect, np.nan), np.where(usable, error, np.nan))


def _against_original(rows: pd.DataFrame, weights: np.ndarray) -> pd.DataFrame:
    """Each cohort beside the first one; the first has nothing to be compared with."""
    table = rows[_KEPT].assign(weight=weights, status=rows["status"].fillna("no such samples or outcome"))
    effect, error = (rows[name].to_numpy(dtype=float) for name in ("estimate", "std_error"))
    first = (effect[0], error[0])
    agrees, p_direction, factor = [], [], []
    for i, one in enumerate(zip(effect, error, strict=True)):
        both = i > 0 and bool(np.isfinite([*first, *one]).all()) and min(first[1], one[1]) > 0
        agrees.append(bool(np.sign(one[0]) == np.sign(first[0])) if both else None)
        p_direction.append(float(distributions.norm.sf(np.sign(first[0]) * one[0] / one[1])) if both else np.nan)
        factor.append(stats.replication_bayes_factor(first, one) if both else np.nan)
    flags = pd.array(agrees, dtype="boolean")
    return table.assign(same_direction=flags, p_direction=p_direction, bayes_factor=factor)


def _counts(rows: pd.DataFrame) -> dict[str, Any]:
    used = rows[rows["estimate"].notna() & (rows["std_error"] > 0)]
    return {"n_cohorts": len(used), "n": used["n"].sum(), "n_events": used["n_events"].sum()}


def _told(found: stats.Pooled) -> dict[str, Any]:
    return {name: value for name, value in found._asdict().items() if name != "weights"}


def _direction(compared: pd.DataFrame) -> dict[str, Any]:
    """How many replications agree, and how much the prediction interval can say."""
    n_cohorts = int((compared["weight"] > 0).sum())
    if n_cohorts < 3:
        prediction = f"none: {n_cohorts} cohort(s), 3 are needed"
    elif n_cohorts < _TELLING:
        prediction = f"uninformative: {n_cohorts} cohorts say little of the spread between cohorts"
    else:
        prediction = f"from {n_cohorts} cohorts"
    return {
        "prediction": prediction,
        "n_same_direction": int(compared["same_direction"].fillna(False).sum()),
        "n_replications": int(compared["same_direction"].notna().sum()),
        "stamp": "exploratory",
        "status": "ok" if n_cohorts > 1 else f"{n_cohorts} cohort(s) with an estimate, pooling needs 2",
    }
