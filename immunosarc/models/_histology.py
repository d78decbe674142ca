"""Is the marker just histology? Associations without one group at a time, and within groups."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from immunosarc import schema, stats
from immunosarc.cohort import is_simulated, marked
from immunosarc.errors import PlanError
from immunosarc.models._association import associate

__all__ = ["explained_by_group", "leave_one_group_out"]

EVERYBODY = "nobody"
"""The value of ``left_out`` in the rows of the whole cohort."""

_SHUFFLES = 2000


def leave_one_group_out(
    table: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    endpoint: str,
    model: str,
    groups: pd.Series,
    **options: Any,
) -> pd.DataFrame:
    """Repeat an association without each histology in turn: a finding that one of them carries falls.

    Parameters
    ----------
    table, outcomes, endpoint, model
        As in :func:`associate`.
    groups : Series
        Histology, or another group, of each patient; indexed by patient. Patients without a group stay
        in every analysis.
    **options
        Whatever else :func:`associate` takes.

    Returns
    -------
    DataFrame
        ``schema.ASSOCIATION`` with a further column ``left_out``: first the rows of everybody
        ("nobody" left out), then those without each group, in the order of the groups.

    Raises
    ------
    PlanError
        When the groups are not a Series that knows these patients.
    ImmunosarcError
        As in :func:`associate`.

    Examples
    --------
    >>> import immunosarc as ims
    >>> cohort = ims.simulate_cohort(seed=7)
    >>> scores = ims.features.score(cohort["rna"])[["cyt"]]
    >>> rows = leave_one_group_out(
    ...     cohort.at("pre").per_patient(scores),
    ...     ims.endpoints.derive(cohort),
    ...     groups=cohort.patients["sex"],
    ...     endpoint="objective_response",
    ...     model="mann_whitney",
    ...     n_permutations=200,
    ... )
    >>> rows["left_out"].tolist()
    ['nobody', 'female', 'male']
    """
    of_patient = _groups(groups, table)
    parts = []
    for name in (EVERYBODY, *sorted(of_patient.dropna().unique())):
        kept = table[(of_patient != name).fillna(True).to_numpy(dtype=bool)]
        if kept.empty:
            continue
        rows = associate(kept, outcomes, endpoint=endpoint, model=model, **options)
        parts.append(rows.assign(left_out=name))
    return schema.ASSOCIATION.check(pd.concat(parts, ignore_index=True))


def explained_by_group(
    table: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    endpoint: str,
    model: str,
    groups: pd.Series,
    alpha: float = 0.05,
    **options: Any,
) -> pd.DataFrame:
    r"""Ask of each feature whether it goes with outcome only because both go with histology.

    Beside the association in everybody stands the one within groups (groups as strata), and the share of the
    feature's rank variance that lies between groups,

    .. math:: \eta^2 = \frac{H}{n - 1}

    with the Kruskal-Wallis H; its p deals the feature out among the patients, because groups of two or three are
    too small for its limiting distribution. A feature is flagged when groups differ in it (p at most alpha) and
    within groups less than half of its effect is left, with a p above alpha or none. The flag says that the
    data cannot tell the feature from its groups, not that the feature has no effect: within small groups
    little can be seen, and ``n_within`` says how many patients can be compared there. A feature that
    goes with nothing may be flagged too; its own ``p_value`` says so.

    Parameters
    ----------
    table, outcomes, endpoint, model
        As in :func:`associate`.
    groups : Series
        Histology, or another group, of each patient; indexed by patient. Patients without one are left
        out of both analyses.
    alpha : float
        For both p-values, each of the feature alone.
    **options
        Whatever else :func:`associate` takes, but not ``strata``.

    Returns
    -------
    DataFrame
        One row per feature: ``feature, endpoint, model, measure, grouped_by, n, n_groups, eta_squared,
        p_groups, estimate, p_value, n_within, estimate_within, p_within, flagged, status``.

    Raises
    ------
    PlanError
        When the groups are not a Series that knows these patients, or strata are passed.
    ImmunosarcError
        As in :func:`associate`.

    References
    ----------
    Kruskal WH, Wallis WA. J Am Stat Assoc 1952;47:583-621, doi:10.1080/01621459.1952.10483441.

    Examples
    --------
    >>> import immunosarc as ims
    >>> cohort = ims.simulate_cohort(seed=7)
    >>> scores = ims.features.score(cohort["rna"])[["mcp_endothelial", "cyt"]]
    >>> found = explained_by_group(
    ...     cohort.at("pre").per_patient(scores),
    ...     ims.endpoints.derive(cohort),
    ...     groups=cohort.patients["histology"],
    ...     endpoint="objective_response",
    ...     model="mann_whitney",
    ...     n_permutations=200,
    ... )
    >>> bool(found["eta_squared"][0] > found["eta_squared"][1])
    True
    """
    if "strata" in options:
        raise PlanError("explained_by_group sets the strata itself, from groups; pass no strata.")
    of_patient = _groups(groups, table)
    known = table[of_patient.notna().to_numpy()]
    labels = of_patient.dropna()
    ask = {"endpoint": endpoint, "model": model, "alpha": alpha, **options}
    raw = associate(known, outcomes, **ask)
    within = associate(known, outcomes, strata=labels, **ask)
    shuffled = functools.cache(_shuffles)
    seed = int(options.get("seed", 0))
    between = [
        _kruskal(known[name].to_numpy(dtype=float), labels.to_numpy(), lambda n: shuffled(n, seed))
        for name in raw["feature"]
    ]
    eta, p_groups, n_groups = (np.array(column) for column in zip(*between, strict=True))
    flagged = (p_groups <= alpha) & _lost(raw, within, alpha)
    settled = _settled(outcomes, endpoint).reindex(known.index)
    found = pd.DataFrame(
        {
            "feature": raw["feature"],
            "endpoint": endpoint,
            "model": model,
            "measure": raw["measure"],
            "grouped_by": labels.name or "group",
            "n": raw["n"],
            "n_groups": n_groups,
            "eta_squared": eta,
            "p_groups": p_groups,
            "estimate": raw["estimate"],
            "p_value": raw["p_value"],
            "n_within": [_comparable(known[name], labels, settled) for name in raw["feature"]],
            "estimate_within": within["estimate"],
            "p_within": within["p_value"],
            "flagged": flagged,
            "status": raw["status"].where(raw["status"] != "ok", within["status"]),
        }
    )
    return marked(found, simulated=is_simulated(outcomes))


def _groups(groups: pd.Series, table: pd.DataFrame) -> pd.Series:
    if not isinstance(groups, pd.Series):
        raise PlanError(
            f"groups must be a Series indexed by patient_id, not {type(groups).__name__}; "
            "for example groups=cohort.patients['histology']."
        )
    if groups.index.has_duplicates or not groups.index.isin(table.index).any():
        raise PlanError("groups must name each patient of the table once; index it by patient_id.")
    named = groups.reindex(table.index)
    return named.astype("string").astype(object).where(named.notna())


def _lost(raw: pd.DataFrame, within: pd.DataFrame, alpha: float) -> np.ndarray:
    """Whether less than half of the effect is left within groups, and no small p."""
    neutral = np.where(raw["measure"] == "auc", 0.5, 0.0)
    effect, left = (table["estimate"].to_numpy(dtype=float) - neutral for table in (raw, within))
    weak = ~(left * np.sign(effect) >= np.abs(effect) / 2)
    unsure = ~(within["p_value"] <= alpha).fillna(False).to_numpy(dtype=bool)
    return np.asarray(np.isfinite(effect) & weak & unsure, dtype=bool)


def _shuffles(n: int, seed: int) -> np.ndarray:
    return stats.permute_within(np.zeros(n, dtype=int), _SHUFFLES, seed)


def _kruskal(
    values: np.ndarray, labels: np.ndarray, shuffles: Callable[[int], np.ndarray]
) -> tuple[float, float, int]:
    """Share of rank variance between groups, its permutation p, and the groups with a measured patient."""
    has = ~np.isnan(values)
    names, code = np.unique(labels[has].astype(str), return_inverse=True)
    n = int(has.sum())
    if n < 3 or len(names) < 2 or np.ptp(values[has]) == 0:
        return np.nan, np.nan, len(names)
    ranks = pd.Series(values[has]).rank().to_numpy()
    centred = ranks - ranks.mean()
    member = np.eye(len(names))[code]
    size = member.sum(axis=0)
    orders = shuffles(n)
    between = float(((centred @ member) ** 2 / size).sum())
    null = ((centred[orders] @ member) ** 2 / size).sum(axis=1)
    p = (1 + int((null >= between * (1 - 1e-12)).sum())) / (1 + _SHUFFLES)
    return between / float((centred**2).sum()), p, len(names)


def _settled(outcomes: pd.DataFrame, endpoint: str) -> pd.Series:
    """The endpoint's value, or whether the event happened."""
    kind = schema.ENDPOINTS[endpoint].kind
    return outcomes[f"{endpoint}_event" if kind == "time_to_event" else endpoint]


def _comparable(feature: pd.Series, labels: pd.Series, settled: pd.Series) -> int:
    """Measured patients of the groups in which the endpoint takes more than one value."""
    has = (feature.notna() & settled.notna()).to_numpy()
    by_group = settled[has].groupby(labels[has])
    varied = by_group.agg(lambda known: len(set(known)) > 1).astype(bool)
    return int(by_group.size()[varied].sum())
