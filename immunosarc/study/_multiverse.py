"""One question along every declared path of analysis, and one p for all paths together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from immunosarc import endpoints as outcomes_of
from immunosarc import features, models, schema, stats
from immunosarc.cohort import Cohort, marked
from immunosarc.errors import ImmunosarcError, PlanError, did_you_mean, raise_together
from immunosarc.study._population import exclusion_problems, planned_patients
from immunosarc.study._tissue import tumor_samples

__all__ = ["multiverse"]

_MODEL = {"binary": "firth_logistic", "time_to_event": "cox"}
_FEWEST = 20


class _Path(NamedTuple):
    method: str
    endpoint: str
    rule_set: str
    covariates: tuple[str, ...]
    population: str
    landmark_day: int | None


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
        Study days on which the clock starts; None is the first dose.
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
    groups = {"all": {}} if populations is None else {name: dict(out) for name, out in populations.items()}
    paths = [
        _Path(*one)
        for one in product(methods, endpoints, rule_sets, map(tuple, covariates), groups, landmark_days)
    ]
    marks = [_is_primary(path, primary) for path in paths]
    problems = _problems(cohort, paths, groups, strata=strata)
    problems += [
        f"primary: unknown choice {n!r}.{did_you_mean(n, _Path._fields)}"
        for n in primary
        if n not in _Path._fields
    ]
    if sum(marks) != 1:
        problems.append(f"primary: exactly one of the {len(paths)} paths must be meant, {sum(marks)} are")
    if n_permutations < _FEWEST:
        problems.append(f"n_permutations: at least {_FEWEST}, have {n_permutations}")
    if signature not in features.signatures():
        problems.append(f"signature: unknown {signature!r}.{did_you_mean(signature, features.signatures())}")
    raise_together(PlanError, "multiverse", problems)
    tables = _dealt(cohort, signature, methods, when=(timepoint, assay, strata), deals=(n_permutations, seed))
    found = [_walk(cohort, path, groups[path.population], tables[path.method], strata=strata) for path in paths]
    z = np.array([one for _, one in found])
    known = np.isfinite(z[:, 0])
    p_joint = _joint(z[known]) if known.any() else float("nan")
    rows = [
        {
            **path._asdict(),
            "covariates": ", ".join(path.covariates) or "none",
            **row,
            "signature": signature,
            "primary": mark,
            "z": one[0],
            "n_paths": len(paths),
            "p_joint": p_joint,
        }
        for path, mark, (row, one) in zip(paths, marks, found, strict=True)
    ]
    table = pd.DataFrame(rows, columns=list(schema.MULTIVERSE.columns))
    return marked(schema.MULTIVERSE.check(table), simulated=cohort.simulated)


def _is_primary(path: _Path, primary: Mapping[str, Any]) -> bool:
    chosen = {name: tuple(value) if name == "covariates" else value for name, value in primary.items()}
    return all(getattr(path, name, None) == value for name, value in chosen.items())


def _problems(
    cohort: Cohort, paths: Sequence[_Path], groups: Mapping[str, dict[str, tuple[str, ...]]], *, strata: str | None
) -> list[str]:
    """Return every name that no registry and no cohort knows."""
    found = [features.SCORING.why_not(one) for one in dict.fromkeys(path.method for path in paths)]
    for one in dict.fromkeys(path.endpoint for path in paths):
        known = [name for name, end in schema.ENDPOINTS.items() if end.kind in _MODEL]
        found.append("" if one in known else f"endpoint: unknown or ordinal {one!r}.{did_you_mean(one, known)}")
    for one in dict.fromkeys(path.rule_set for path in paths):
        rules = outcomes_of.RULE_SETS
        found.append("" if one in rules else f"rule_set: unknown {one!r}.{did_you_mean(one, rules)}")
    columns = [*dict.fromkeys(name for path in paths for name in path.covariates), *([strata] if strata else [])]
    found += [
        f"patients have no column {one!r}.{did_you_mean(one, cohort.patients.columns)}"
        for one in columns
        if one not in cohort.patients
    ]
    for out in groups.values():
        found += exclusion_problems(cohort, out)
    return [line for line in found if line]


def _dealt(
    cohort: Cohort,
    signature: str,
    methods: Sequence[str],
    *,
    when: tuple[str, str, str | None],
    deals: tuple[int, int],
) -> dict[str, pd.DataFrame]:
    """Return for each method the signature of each patient, and the same values dealt out, a column per deal."""
    timepoint, assay, strata = when
    tumor = tumor_samples(cohort)
    chosen = features.signatures().subset(signature)
    found = {}
    for method in dict.fromkeys(methods):
        scores = features.score(cohort[assay], chosen, method=method)[[signature]]
        table = tumor.at(timepoint).per_patient(scores)
        measured = np.flatnonzero(table[signature].notna())
        codes = cohort.patients[strata].reindex(table.index[measured]) if strata else pd.Series(0, index=measured)
        orders = stats.permute_within(pd.factorize(codes.astype(str))[0], deals[0], deals[1])
        values = np.full((len(table), deals[0]), np.nan)
        values[measured] = table[signature].to_numpy(dtype=float)[measured][orders].T
        names = [f"deal {i}" for i in range(deals[0])]
        found[method] = pd.concat([table, pd.DataFrame(values, index=table.index, columns=names)], axis=1)
        found[method].attrs = {}
    return found


def _walk(
    cohort: Cohort, path: _Path, out: Mapping[str, tuple[str, ...]], table: pd.DataFrame, *, strata: str | None
) -> tuple[dict[str, Any], np.ndarray]:
    """Return the row of one path, and the z of the signature and of every deal."""
    n_deals = sum(str(name).startswith("deal ") for name in table.columns)
    try:
        outcomes = outcomes_of.derive(planned_patients(cohort, dict(out)), rules=path.rule_set)
        kind = schema.ENDPOINTS[path.endpoint].kind
        rows = models.associate(
            table,
            outcomes,
            endpoint=path.endpoint,
            model=_MODEL[kind],
            covariates=cohort.patients[list(path.covariates)] if path.covariates else None,
            strata=cohort.patients[strata] if strata else None,
            landmark_day=path.landmark_day,
            per_sd=True,
            n_permutations=_FEWEST,
        )
    except ImmunosarcError as refusal:
        return {"status": str(refusal)}, np.full(n_deals + 1, np.nan)
    error = rows["std_error"].to_numpy(dtype=float)
    z = np.divide(rows["estimate"].to_numpy(dtype=float), error, out=np.full(len(rows), np.nan), where=error > 0)
    row = rows.iloc[0][["measure", "n", "n_events", "estimate", "std_error", "conf_low", "conf_high", "status"]]
    worse = kind == "time_to_event" or path.endpoint.endswith("_resistance")
    return dict(row), -z if worse else z


def _joint(z: np.ndarray) -> float:
    """Return how often the median over paths is as far from 0 among the deals; column 0 is what was seen."""
    medians = np.abs(np.nanmedian(z, axis=0))
    return float((1 + (medians[1:] >= medians[0] - 1e-12).sum()) / len(medians))
