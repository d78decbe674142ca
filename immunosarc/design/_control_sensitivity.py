"""One count against every historical rate it could be compared with: the choice decides the conclusion."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy import special

from immunosarc import schema
from immunosarc.design._single_stage import ahern
from immunosarc.errors import ImmunosarcError, raise_together
from immunosarc.stats import binomial_p_greater, clopper_pearson

__all__ = ["control_sensitivity"]

_NEEDED = ("label", "role", "rate", "evidence", "citation")


def control_sensitivity(
    x: int,
    n: int,
    controls: pd.DataFrame,
    *,
    endpoint: str,
    alpha: float = 0.10,
    power: float = 0.80,
    gain: float = 0.20,
    level: float = 0.95,
) -> pd.DataFrame:
    r"""Show how much of a single-arm trial's conclusion hangs on the historical rate it is compared with.

    For each rate the exact one-sided p, :math:`P(X \ge x \mid n, p_0)`, whether it is below alpha, and how many
    patients a next trial needs to find the gain over that rate. ``break_even`` is the highest rate that these
    patients would beat: the lower Clopper-Pearson limit of level :math:`1 - 2\alpha`.

    Parameters
    ----------
    x, n : int
        Patients with the endpoint, and patients in whom it is known.
    controls : DataFrame
        Columns ``label, role, rate, evidence, citation``, one row per rate: rows of
        :func:`immunosarc.catalog.load_historical_controls`, or one's own.
    endpoint : str
        What is counted; goes into the table.
    alpha, power : float
        One-sided level of the conclusion and of the next trial, and its power.
    gain : float
        What the next trial is to find above the historical rate.
    level : float
        Of the interval of the rate.

    Returns
    -------
    DataFrame
        ``schema.HISTORICAL_CONTROL``, one row per rate from the lowest to the highest.

    Raises
    ------
    ImmunosarcError
        When counts are impossible, a column is missing or a number is outside its range.

    Examples
    --------
    >>> from immunosarc.catalog import load_historical_controls
    >>> rates = load_historical_controls().query("endpoint == 'pfs6' and role == 'doxorubicin'")
    >>> found = control_sensitivity(13, 28, rates, endpoint="pfs6")
    >>> found[["p0", "p_value", "superior"]].round(3).to_numpy().tolist()
    [[0.336, 0.11, False], [0.434, 0.444, False]]
    """
    _check(x, n, controls, alpha=alpha, gain=gain)
    rows = controls.sort_values("rate", kind="stable").reset_index(drop=True)
    p0 = rows["rate"].to_numpy(dtype=float)
    p_value = binomial_p_greater(x, n, p0)
    low, high = clopper_pearson(x, n, level)
    table = pd.DataFrame(
        {
            "endpoint": endpoint,
            "control": rows["label"],
            "role": rows["role"],
            "p0": p0,
            "x": float(x),
            "n": float(n),
            "rate": x / n,
            "conf_low": float(low),
            "conf_high": float(high),
            "p_value": p_value,
            "alpha": alpha,
            "superior": p_value < alpha,
            "break_even": 0.0 if x == 0 else float(special.betaincinv(x, n - x + 1, alpha)),
            "n_next": [_next(one, one + gain, alpha, power) for one in p0],
            "gain": gain,
            "evidence": rows["evidence"],
            "citation": rows["citation"],
        }
    )
    return schema.HISTORICAL_CONTROL.check(table)


def _next(p0: float, p1: float, alpha: float, power: float) -> float:
    return float(ahern(p0=p0, p1=p1, alpha=alpha, power=power).n) if p1 < 1.0 else np.nan


def _check(x: int, n: int, controls: pd.DataFrame, *, alpha: float, gain: float) -> None:
    problems = [f"controls: no column {name!r}" for name in _NEEDED if name not in controls]
    if "rate" in controls and not controls["rate"].between(0, 1, inclusive="neither").all():
        problems.append(f"controls: need rates between 0 and 1, have {controls['rate'].tolist()}")
    if not (0 <= x <= n and n >= 1):
        problems.append(f"x and n: need 0 <= x <= n and n >= 1, have {x} and {n}")
    if not 0.0 < alpha < 1.0:
        problems.append(f"alpha: need a number in (0, 1), have {alpha!r}")
    if not 0.0 < gain < 1.0:
        problems.append(f"gain: need a gain in (0, 1), have {gain!r}")
    raise_together(ImmunosarcError, "the call of control_sensitivity", problems)
