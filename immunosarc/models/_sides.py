"""Which way a finding may go: both, or the one that was stated beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias

import numpy as np

from immunosarc import stats
from immunosarc.errors import PlanError, did_you_mean, raise_together
from immunosarc.models._analysis_set import AnalysisSet, Floats

__all__ = ["Alternative", "one_sided", "sides_of"]

Alternative: TypeAlias = "str | Mapping[str, str]"
_SIDES = {"two-sided": 0.0, "greater": 1.0, "less": -1.0}


def sides_of(alternative: Alternative, names: list[str]) -> tuple[list[str], Floats]:
    """Each feature's alternative in words, and as the sign that its statistic must have (0 for either)."""
    named = {} if isinstance(alternative, str) else dict(alternative)
    default = alternative if isinstance(alternative, str) else "two-sided"
    words = [str(named.get(name, default)) for name in names]
    problems = [
        f"unknown alternative {word!r}.{did_you_mean(word, list(_SIDES))}"
        for word in dict.fromkeys([*words, *map(str, named.values())])
        if word not in _SIDES
    ]
    problems += [
        f"no feature is called {name!r}.{did_you_mean(name, names)}" for name in named if name not in names
    ]
    raise_together(PlanError, "alternative", problems, cure="Write 'two-sided', 'greater' or 'less'.")
    return words, np.array([_SIDES[word] for word in words])


def one_sided(fits: stats.Fits, data: AnalysisSet, sides: Floats) -> stats.Fits:
    """The p of the stated side: half of the two-sided one, or what is left of 1 on the other side.

    Exact where the two-sided one is: a rank sum takes few values, and both sides count the one seen.
    """
    stated = sides != 0
    if not stated.any():
        return fits
    half = fits.p_value / 2.0
    p = np.where(fits.statistic * sides > 0, half, 1.0 - half)
    exact = np.isfinite(fits.p_exact)
    p_exact = fits.p_exact
    if exact.any():
        counted = stats.mann_whitney(data.features, data.event, strata=data.strata, sides=sides)
        p, p_exact = np.where(exact, counted.p_value, p), counted.p_exact
    return replace(fits, p_value=np.where(stated, p, fits.p_value), p_exact=p_exact)
