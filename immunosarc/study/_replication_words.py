"""What other cohorts say to the claims of one study, in a line each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from immunosarc.study._replicate import Replication

__all__ = ["replications_in_words"]

_KEY = ["family", "feature"]
_NO_COHORT = "not asked: no other cohort"
_NOT_THERE = "not asked: not a question of the replication"
_SAME = 1e-6
"""Relative difference from which on two estimates are not those of one analysis."""


def replications_in_words(rows: pd.DataFrame, replication: Replication | None, cohort: str) -> list[str]:
    """Return one line for each claim: direction in the other cohorts, their average, the prediction.

    Parameters
    ----------
    rows : DataFrame
        ``family, feature, raw`` of each claim.
    replication : Replication or None
    cohort : str
        Whose claims they are; in the replication it is no replication of itself.
    """
    if replication is None:
        return [_NO_COHORT] * len(rows)
    effects = dict(tuple(replication.effects.groupby(_KEY, sort=False)))
    pooled = {(row["family"], row["feature"]): row for row in replication.pooled.to_dict(orient="records")}
    others = replication.without[replication.without["left_out"] == cohort]
    without = {(row["family"], row["feature"]): row for row in others.to_dict(orient="records")}
    found = []
    for claim in rows.to_dict(orient="records"):
        key = (claim["family"], claim["feature"])
        if key in pooled:
            found.append(_line(claim, effects[key], pooled[key], without=without.get(key), cohort=cohort))
        else:
            found.append(_NOT_THERE)
    return found


def _line(
    claim: dict[str, Any],
    effects: pd.DataFrame,
    pooled: dict[str, Any],
    *,
    without: dict[str, Any] | None,
    cohort: str,
) -> str:
    own = effects.loc[effects["cohort"] == cohort, "estimate"]
    if len(own) and not np.isclose(own.iloc[0], claim["raw"], rtol=_SAME, atol=1e-9):
        return (
            f"asked otherwise: {cohort} has {own.iloc[0]:.2f} there and {claim['raw']:.2f} here; use the same plan"
        )
    rest = effects[(effects["cohort"] != cohort) & effects["estimate"].notna()]
    if rest.empty:
        return "no other cohort has this effect"
    same = int((np.sign(rest["estimate"].astype(float)) == np.sign(claim["raw"])).sum())
    words = f"{same} of {len(rest)} other cohorts in the same direction ({', '.join(rest['cohort'])})"
    if without is not None and without["n_cohorts"] > 0:
        words += f"; the others alone {_effect(without)}"
    if pooled["status"] == "ok":
        words += f"; all pooled {_effect(pooled)}"
    return f"{words}; prediction {pooled['prediction']}"


def _effect(row: dict[str, Any]) -> str:
    return f"{row['estimate']:.2f} [{row['conf_low']:.2f}, {row['conf_high']:.2f}]"
