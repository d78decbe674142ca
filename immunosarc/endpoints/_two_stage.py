"""A binary endpoint after a two-stage trial, and who counts for which number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.cohort import is_simulated, marked
from immunosarc.endpoints._strata import ALL, split
from immunosarc.endpoints._summary import summarize
from immunosarc.errors import UnknownNameError, did_you_mean
from immunosarc.stats import two_stage_inference

__all__ = ["summarize_populations", "summarize_two_stage"]

_METHOD = "two-stage: unbiased estimate (UMVU), exact interval and p-value by the order of outcomes"
_DEFINITIONS = {
    "treated": (None, "every patient of the cohort"),
    "response-evaluable": ("response_status", "a best overall response other than NE, or declared evaluable"),
    "evaluable for durable benefit": (
        "durable_status",
        "response-evaluable, and stable disease followed for six months or to an event",
    ),
    "PFS6-evaluable": ("pfs6_status", f"progression or death by day {schema.SIX_MONTHS_DAYS}, or free beyond it"),
}


def summarize_populations(outcomes: pd.DataFrame, *, by: pd.Series | None = None) -> pd.DataFrame:
    """Say who counts for which number: each population with its definition, its size and who is left out.

    Parameters
    ----------
    outcomes : DataFrame
        ``schema.OUTCOMES``, see :func:`derive`.
    by : Series, optional
        Stratum of each patient, indexed by patient: adds the same rows for each stratum.

    Returns
    -------
    DataFrame
        ``schema.POPULATIONS``; ``reasons`` counts why patients are not in the population.

    Examples
    --------
    >>> import immunosarc as ims
    >>> table = summarize_populations(ims.endpoints.derive(ims.simulate_cohort(seed=7)))
    >>> table.set_index("population")["n"].to_dict()
    {'treated': 33.0, 'response-evaluable': 30.0, 'evaluable for durable benefit': 28.0, 'PFS6-evaluable': 28.0}
    """
    known = schema.OUTCOMES.check(outcomes)
    rows = [
        _population(part, stratum, name)
        for stratum, part in {ALL: known, **split(known, by)}.items()
        for name in _DEFINITIONS
    ]
    return marked(schema.POPULATIONS.check(pd.DataFrame(rows)), simulated=is_simulated(outcomes))


def _population(part: pd.DataFrame, stratum: str, name: str) -> dict[str, Any]:
    status, definition = _DEFINITIONS[name]
    out = part[:0] if status is None else part[part[status] != "ok"]
    reasons = [] if status is None else [f"{why} ({n})" for why, n in out[status].value_counts().items()]
    return {
        "population": name,
        "stratum": stratum,
        "definition": definition,
        "n": len(part) - len(out),
        "n_left_out": len(out),
        "reasons": "; ".join(sorted(reasons)) or pd.NA,
    }


def summarize_two_stage(
    outcomes: pd.DataFrame,
    *,
    design: tuple[int, int, int],
    p0: float,
    endpoint: str = "pfs6",
    level: float = 0.90,
) -> pd.DataFrame:
    r"""Give the rate of a finished two-stage trial without the bias of its first look.

    The first row is the plain proportion, the second the unbiased estimate with the exact interval
    and p-value, see :func:`immunosarc.stats.two_stage_inference` (Jung and Kim 2004, doi
    10.1002/sim.1653). The number evaluable must be the design's n, or n1 when the trial stopped
    after its first stage; else the second row has no estimate and says so.

    Parameters
    ----------
    outcomes : DataFrame
        ``schema.OUTCOMES``, see :func:`derive`.
    design : (r1, n1, n)
        Stopping limit of the first stage, its patients, the patients of both stages.
    p0 : float
        The historical rate to beat, strictly between 0 and 1.
    endpoint : str
        A binary endpoint.
    level : float
        Confidence level; 0.90 belongs to a one-sided test at 0.05.

    Returns
    -------
    DataFrame
        ``schema.SUMMARY``, two rows.

    Raises
    ------
    UnknownNameError
        When ``endpoint`` is not a binary endpoint.
    ImmunosarcError
        When design or rate are outside their range.

    Examples
    --------
    >>> import immunosarc as ims
    >>> outcomes = ims.endpoints.derive(ims.simulate_cohort(seed=7))
    >>> table = summarize_two_stage(outcomes, design=(6, 15, 28), p0=0.434)
    >>> table[["n_events", "n", "estimate", "p_value"]].round(3).to_numpy().tolist()
    [[13.0, 28.0, 0.464, 0.444], [13.0, 28.0, 0.518, 0.353]]
    """
    binary = [one.name for one in schema.ENDPOINTS.values() if one.kind == "binary"]
    if endpoint not in binary:
        raise UnknownNameError(f"no binary endpoint {endpoint!r}.{did_you_mean(endpoint, binary)}")
    plain = summarize(outcomes, null_rates={endpoint: p0}, level=level)
    naive = plain[(plain["measure"] == endpoint) & (plain["stratum"] == ALL)].drop(
        columns="simulated", errors="ignore"
    )
    table = pd.concat([naive, pd.DataFrame([_unbiased_row(naive.iloc[0], design, p0, level)])], ignore_index=True)
    return marked(schema.SUMMARY.check(table), simulated=is_simulated(outcomes))


def _unbiased_row(naive: pd.Series, design: tuple[int, int, int], p0: float, level: float) -> dict[str, Any]:
    r1, n1, n = design
    x, found = int(naive["n_events"]), int(naive["n"])
    # checks design and rate even where the number of patients does not fit
    checked = two_stage_inference(min(x, n), design, p0=p0, level=level)
    row = {**naive.to_dict(), "measure": f"{naive['measure']}_two_stage", "method": _METHOD}
    if (found == n and x > r1) or (found == n1 and x <= r1):
        numbers = {"estimate": checked.estimate, "conf_low": checked.conf_low, "conf_high": checked.conf_high}
        return {**row, **numbers, "p_value": checked.p_value, "status": "ok"}
    needed = f"{n} evaluable patients with more than {r1} successes, or {n1} with at most {r1}"
    absent = dict.fromkeys(("estimate", "conf_low", "conf_high", "p_value"), np.nan)
    return {**row, **absent, "status": f"the design has {needed}; found {x} of {found}"}
