"""One question along every declared path of analysis, and one p for all paths together."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from pydantic import ValidationError

from immunosarc import endpoints as outcomes_of
from immunosarc import features, models, schema, stats
from immunosarc.cohort import Cohort, marked
from immunosarc.errors import ImmunosarcError, PlanError, did_you_mean, raise_together
from immunosarc.study._paths import MODEL_OF_KIND, AnalysisPath, DeclaredPaths
from immunosarc.study._plan import Plan
from immunosarc.study._population import planned_patients
from immunosarc.study._tissue import tumor_samples
from immunosarc.workers import Workers

__all__ = ["multiverse", "multiverse_tables"]

_log = logging.getLogger("immunosarc")
_FEWEST = 20


class _Setting(NamedTuple):
    """What is the same on every path."""

    strata: str | None
    assay: str
    seed: int
    alpha: float = 0.05
    min_coverage: float = 0.8
    reader: str | None = None
    on_conflict: Literal["raise", "exclude_patient"] = "raise"


class _Step(NamedTuple):
    """One path with all that its answer depends on; a reason stands where there is no table."""

    patients: pd.DataFrame
    path: AnalysisPath
    table: pd.DataFrame | str
    outcomes: pd.DataFrame | str
    setting: _Setting


def multiverse(
    cohort: Cohort,
    signature: str,
    *,
    primary: Mapping[str, Any],
    methods: Sequence[str] = ("singscore",),
    endpoints: Sequence[str] = ("objective_response",),
    rule_sets: Sequence[str] = (next(iter(outcomes_of.RULE_SETS)),),
    covariates: Sequence[tuple[str, ...]] = ((),),
    populations: Mapping[str, Mapping[str, tuple[str, ...]]] | None = None,
    landmark_days: Sequence[int | None] = (None,),
    timepoint: str = "pre",
    strata: str | None = None,
    assay: str = "rna",
    n_permutations: int = 500,
    seed: int = 0,
    hands: Workers | None = None,
) -> pd.DataFrame:
    r"""Ask one question along every path that could have been taken, so that nobody picks the best one.

    Every combination of the declared choices is a path. The joint p asks how often the median z over all paths is
    as far from 0 when the signature's values are dealt out among the patients, the same deal for every path:
    :math:`p = (1 + \#\{|\tilde z_b| \ge |\tilde z|\}) / (B + 1)`. With covariates the deal also parts the feature
    from them. Binary endpoints are asked by Firth's logistic regression, times by Cox's. Source: Simonsohn,
    Simmons and Nelson 2020, doi 10.1038/s41562-020-0912-z.

    Parameters
    ----------
    cohort : Cohort
        With expression.
    signature : str
        A name of the catalog.
    primary : mapping
        The declared primary path: a choice for each dimension that has more than one, by the name of the
        column in the result; in ``covariates`` the tuple.
    methods, endpoints, rule_sets : sequence of str
        Scoring methods, endpoints, rules of response and censoring.
    covariates : sequence of tuple of str
        Columns of the patients to adjust for; ``()`` is none.
    populations : mapping, optional
        Name to who stays out, as ``Plan.exclude``; all patients unless given.
    landmark_days : sequence of int or None
        Study days on which the clock starts; None (or ``"first_dose"``) is the first dose.
    timepoint : str
        When the signature was measured.
    strata : str, optional
        Column of the patients that comparisons and deals stay within.
    assay : str
        The assay that is scored.
    n_permutations : int
        Deals, at least 20.
    seed : int
        Of the deals.
    hands : Workers, optional
        From :func:`immunosarc.workers.workers`; this process unless given. The numbers are the same.

    Returns
    -------
    DataFrame
        ``schema.MULTIVERSE``, one row per path, the primary one marked; ``n_paths`` and ``p_joint`` are the same
        in all. A path that is refused or has no effect keeps its row, with the reason, and no part in ``p_joint``.

    Raises
    ------
    PlanError
        When a name does not exist, or the primary path is not exactly one of the paths.

    Examples
    --------
    >>> import immunosarc as ims
    >>> cohort = ims.simulate_cohort(seed=7)
    >>> found = multiverse(
    ...     cohort, "cyt", methods=["singscore", "mean_log2"], primary={"method": "mean_log2"}, n_permutations=50
    ... )
    >>> found[["method", "primary", "n_paths"]].to_numpy().tolist()
    [['singscore', False, 2.0], ['mean_log2', True, 2.0]]
    """
    given: dict[str, Any] = {
        "primary": dict(primary),
        "methods": methods,
        "endpoints": endpoints,
        "rule_sets": rule_sets,
        "covariates": covariates,
        "populations": {"all": {}} if populations is None else populations,
        "landmark_days": landmark_days,
    }
    try:
        paths = DeclaredPaths(signature=signature, timepoint=timepoint, n_permutations=n_permutations, **given)
    except ValidationError as failure:
        lines = [f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in failure.errors()]
        raise PlanError(f"multiverse: {'; '.join(lines)}") from failure
    problems = paths.problems(cohort)
    if strata is not None and strata not in cohort.patients:
        hint = did_you_mean(strata, cohort.patients.columns)
        problems.append(f"patients have no column {strata!r}.{hint}")
    raise_together(PlanError, "multiverse", problems)
    return _walked(cohort, paths, _Setting(strata, assay, seed), hands)


def multiverse_tables(
    cohort: Cohort, plan: Plan, seed: int, hands: Workers | None = None
) -> dict[str, pd.DataFrame]:
    """Return the paths that the plan declares, and what each choice makes of them; none where it declares none."""
    if plan.multiverse is None:
        return {}
    paths = plan.multiverse.filled(rule_set=plan.rule_set, covariates=plan.covariates)
    _log.info("multiverse: %d paths", len(paths.paths()))
    setting = _Setting(plan.strata, plan.assay, seed, plan.alpha, plan.min_coverage, plan.reader, plan.on_conflict)
    found = _walked(cohort, paths, setting, hands)
    return {"multiverse": found, "multiverse_choices": _by_choice(found)}


def _walked(cohort: Cohort, declared: DeclaredPaths, setting: _Setting, hands: Workers | None) -> pd.DataFrame:
    """Walk every path, and deal out the values once for all of them."""
    paths = declared.paths()
    tables = _dealt(cohort, declared, setting)
    outcomes = _outcomes(cohort, declared, setting)
    steps = (
        _Step(cohort.patients, path, tables[path.method], outcomes[path.rule_set, path.population], setting)
        for path in paths
    )
    found = list((hands or Workers()).map(_walk, steps))
    z = np.array([np.resize(one, declared.n_permutations + 1) for _, one in found])
    known = np.isfinite(z[:, 0])
    p_joint = _joint(z[known]) if known.any() else float("nan")
    rows = [
        {
            **path._asdict(),
            "covariates": ", ".join(path.covariates) or "none",
            **row,
            "signature": declared.signature,
            "primary": declared.is_primary(path),
            "z": one[0],
            "n_paths": len(paths),
            "p_joint": p_joint,
        }
        for path, (row, one) in zip(paths, found, strict=True)
    ]
    table = pd.DataFrame(rows, columns=list(schema.MULTIVERSE.columns))
    return marked(schema.MULTIVERSE.check(table), simulated=cohort.simulated)


def _dealt(cohort: Cohort, declared: DeclaredPaths, setting: _Setting) -> dict[str, pd.DataFrame | str]:
    """Return for each method the signature of each patient, and the same values dealt out, a column per deal.

    Where a method gives no score, the reason stands in its place.
    """
    tumor = tumor_samples(cohort)
    chosen = features.signatures().subset(declared.signature)
    found: dict[str, pd.DataFrame | str] = {}
    for method in declared.methods:
        try:
            scores = features.score(
                cohort[setting.assay], chosen, method=method, min_coverage=setting.min_coverage
            )
            table = tumor.at(declared.timepoint).per_patient(scores[[declared.signature]])
        except ImmunosarcError as refusal:
            found[method] = str(refusal)
            continue
        found[method] = _with_deals(cohort, table, declared, setting)
    return found


def _with_deals(cohort: Cohort, table: pd.DataFrame, declared: DeclaredPaths, setting: _Setting) -> pd.DataFrame:
    seen = table[declared.signature]
    measured = np.flatnonzero(seen.notna())
    strata = cohort.patients[setting.strata] if setting.strata else pd.Series("", index=cohort.patients.index)
    codes = pd.factorize(strata.reindex(table.index[measured]).astype(str))[0]
    orders = stats.permute_within(codes, declared.n_permutations, setting.seed)
    values = np.full((len(table), declared.n_permutations), np.nan)
    values[measured] = seen.to_numpy(dtype=float)[measured][orders].T
    names = [f"deal {i}" for i in range(declared.n_permutations)]
    both = pd.concat([table, pd.DataFrame(values, index=table.index, columns=names)], axis=1)
    both.attrs = {}
    return both


def _outcomes(
    cohort: Cohort, declared: DeclaredPaths, setting: _Setting
) -> dict[tuple[str, str], pd.DataFrame | str]:
    """Return the outcomes by rule set and population, each derived once; a refusal in its place."""
    found: dict[tuple[str, str], pd.DataFrame | str] = {}
    wanted = dict.fromkeys((path.rule_set, path.population) for path in declared.paths())
    for rule_set, population in wanted:
        try:
            found[rule_set, population] = outcomes_of.derive(
                planned_patients(cohort, declared.populations[population]),
                rules=rule_set,
                reader=setting.reader,
                on_conflict=setting.on_conflict,
            )
        except ImmunosarcError as refusal:
            found[rule_set, population] = str(refusal)
    return found


def _walk(step: _Step) -> tuple[dict[str, Any], np.ndarray]:
    """Return the row of one path, and the z of the signature and of every deal."""
    patients, path, table, outcomes, setting = step
    if isinstance(table, str) or isinstance(outcomes, str):
        return {"status": table if isinstance(table, str) else str(outcomes)}, np.array([np.nan])
    kind = schema.ENDPOINTS[path.endpoint].kind
    try:
        rows = models.associate(
            table,
            outcomes,
            endpoint=path.endpoint,
            model=MODEL_OF_KIND[kind],
            covariates=patients[list(path.covariates)] if path.covariates else None,
            strata=patients[setting.strata] if setting.strata else None,
            landmark_day=path.landmark_day,
            per_sd=True,
            alpha=setting.alpha,
            n_permutations=_FEWEST,
        )
    except ImmunosarcError as refusal:
        return {"status": str(refusal)}, np.array([np.nan])
    error = rows["std_error"].to_numpy(dtype=float)
    z = np.divide(rows["estimate"].to_numpy(dtype=float), error, out=np.full(len(rows), np.nan), where=error > 0)
    row = rows.iloc[0][["measure", "n", "n_events", "estimate", "std_error", "conf_low", "conf_high", "status"]]
    worse = kind == "time_to_event" or path.endpoint.endswith("_resistance")
    return dict(row), -z if worse else z


def _joint(z: np.ndarray) -> float:
    """Return how often the median over paths is as far from 0 among the deals; column 0 is what was seen."""
    medians = np.abs(np.nanmedian(z, axis=0))
    return float((1 + (medians[1:] >= medians[0] - 1e-12).sum()) / len(medians))


def _by_choice(paths: pd.DataFrame) -> pd.DataFrame:
    """Return, for each choice of each dimension that has several, the paths that make it."""
    rows = []
    for dimension in schema.PATH_DIMENSIONS:
        said = paths[dimension].map(schema.choice_text)
        if len(said.unique()) == 1:
            continue
        for choice, part in paths.groupby(said, sort=False):
            z = part["z"].dropna()
            rows.append(
                {
                    "dimension": dimension,
                    "choice": choice,
                    "n_paths": len(part),
                    "n_estimated": len(z),
                    "z_median": z.median(),
                    "z_low": z.min(),
                    "z_high": z.max(),
                    "n_better": int((z > 0).sum()),
                }
            )
    table = pd.DataFrame(rows, columns=list(schema.MULTIVERSE_CHOICES.columns))
    return schema.MULTIVERSE_CHOICES.check(table)
