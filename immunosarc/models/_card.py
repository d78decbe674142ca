"""The detectability card: what a family of this size could have found, before anything is found."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri

from immunosarc import stats
from immunosarc.cohort import is_simulated, marked
from immunosarc.models._analysis_set import AnalysisSet, Floats, PerPatient, analysis_set
from immunosarc.models._association import asked, check_fit, spreads
from immunosarc.models._family import permutation_null, reachable
from immunosarc.models._landmark import endpoint_named
from immunosarc.models._methods import MODELS, prepared
from immunosarc.models._sides import Alternative, sides_of
from immunosarc.registry import Record

__all__ = ["detectability"]


def detectability(
    table: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    endpoint: str,
    model: str,
    covariates: PerPatient = None,
    strata: PerPatient = None,
    landmark_day: int | None = None,
    alternative: Alternative = "two-sided",
    panel: str = "panel",
    alpha: float = 0.05,
    n_permutations: int = 10_000,
    seed: int = 0,
) -> pd.DataFrame:
    """What this panel could find in these patients, and how far a discovery would be off.

    From the patients, events, split, strata and the panel's own correlation, never from an observed
    effect. A test has to pass the threshold that the family's alpha leaves it: the quantile of the
    best of the panel under permutation. Effects are those of the panel's median feature, log ratios
    per standard deviation. Where every feature has a stated direction, so have the threshold, which is then lower,
    the effects and their errors: a discovery cannot have the wrong sign. Where some have, the threshold is the
    one they all share and the errors are those of a two-sided feature.

    Parameters
    ----------
    table, outcomes, endpoint, model, covariates, strata, landmark_day, alternative
        As in :func:`associate`.
    panel, alpha, n_permutations, seed
        As in :func:`associate`.

    Returns
    -------
    DataFrame
        One row per statement, in the column ``what``: effects detectable with 80% and 90% power,
        half of the former, and what the best of the panel reaches by chance in every second trial
        and in a share alpha of trials. ``power``, ``type_s`` (a discovery has the wrong sign) and
        ``type_m`` (factor by which it is exaggerated on average) belong to that true effect; they
        are missing for the rows on chance. Also ``family, measure, n, n_events, n_features, alpha,
        threshold`` (of z, absolute where two-sided), ``alternative`` and ``status``.

    Raises
    ------
    ImmunosarcError
        As in :func:`associate`.

    References
    ----------
    Gelman A, Carlin J. Perspect Psychol Sci 2014;9:641-651, doi:10.1177/1745691614551642.

    Examples
    --------
    >>> import immunosarc as ims
    >>> cohort = ims.simulate_cohort(seed=7)
    >>> scores = ims.features.score(cohort["rna"])[["cyt", "mcp_b_lineage"]]
    >>> card = detectability(
    ...     cohort.at("pre").per_patient(scores),
    ...     ims.endpoints.derive(cohort),
    ...     endpoint="pfs",
    ...     model="cox",
    ...     n_permutations=500,
    ... )
    >>> card["what"].tolist()[:2], bool(card["type_m"][2] > card["type_m"][0] > 1)
    (['detectable with 80% power', 'detectable with 90% power'], True)
    """
    record = MODELS[model]
    target = endpoint_named(endpoint)
    data = analysis_set(
        table,
        outcomes,
        target,
        covariates=covariates,
        strata=strata,
        landmark_day=landmark_day,
        from_sample=bool(record.facts.get("entry")),
    )
    check_fit(record, target, data)
    data = prepared(record, data)
    words, sides = sides_of(alternative, data.names)
    family = f"{data.timepoint}/{asked(endpoint, landmark_day)}/{model}/{panel}"
    per_sd = record.measure.startswith("log_") and not record.facts.get("split")
    facts = {
        "family": family,
        "measure": record.measure + ("_per_sd" if per_sd else ""),
        "n": len(data.event),
        "n_events": int(data.event.sum()),
        "n_features": len(data.names),
        "alpha": alpha,
        "alternative": _alternatives(words),
    }
    rows = pd.DataFrame(_rows(record, data, sides, alpha=alpha, n_permutations=n_permutations, seed=seed))
    known = rows["effect"].notna()
    status = pd.Series("ok", index=rows.index).where(known, "no effect is strong enough in these patients")
    return marked(rows.assign(**facts, status=status), simulated=is_simulated(outcomes))


def _rows(
    record: Record, data: AnalysisSet, sides: Floats, *, alpha: float, n_permutations: int, seed: int
) -> list[dict[str, object]]:
    null = permutation_null(data, n_permutations, seed)[1] if len(data.event) else np.empty((0, 0))
    if not np.isfinite(null).any():
        return [{"what": "detectable with 80% power", "effect": np.nan, "threshold": np.nan} | _NOTHING]
    threshold = stats.noise_ceiling(null, level=1 - alpha, sides=sides)
    typical = stats.noise_ceiling(null, level=0.5, sides=sides)
    row = partial(_row, threshold=threshold, one_sided=bool((sides != 0).all()))
    rows: list[dict[str, object]] = []
    for power in (0.8, 0.9):
        effect = _effect(record, data, threshold, power=power)
        rows.append(row(f"detectable with {power:.0%} power", effect, threshold + ndtri(power)))
    neutral = 0.5 if record.measure == "auc" else 0.0
    half = neutral + (_effect(record, data, threshold, power=0.8) - neutral) / 2
    rows.append(row("half of what 80% power detects", half, (threshold + ndtri(0.8)) / 2))
    for words, cut in (("in every second trial", typical), (f"in {alpha:.0%} of trials", threshold)):
        effect = _effect(record, data, cut, power=0.5)
        rows.append(
            {"what": f"best of the panel by chance, {words}", "effect": effect, "threshold": cut} | _NOTHING
        )
    return rows


_NOTHING = {"power": np.nan, "type_s": np.nan, "type_m": np.nan}


def _alternatives(words: list[str]) -> str:
    """The direction of the family: that of all its features, or of how many."""
    kinds = set(words)
    if len(kinds) == 1:
        return words[0]
    stated = sum(word != "two-sided" for word in words)
    return "one-sided" if stated == len(words) else f"one-sided for {stated} of {len(words)}"


def _row(what: str, effect: float, signal: float, *, threshold: float, one_sided: bool) -> dict[str, object]:
    level = (1 if one_sided else 2) * ndtr(-threshold)
    errors = stats.discovery_errors(signal, level, one_sided=one_sided)
    power, type_s, type_m = (float(x) for x in errors)
    if np.isnan(effect):
        power = type_s = type_m = np.nan
    return {
        "what": what,
        "effect": effect,
        "threshold": threshold,
        "power": power,
        "type_s": type_s,
        "type_m": type_m,
    }


def _effect(record: Record, data: AnalysisSet, threshold: float, *, power: float) -> float:
    """The effect on the median feature that passes the threshold with this power."""
    effects = reachable(record.measure, data, threshold, power=power)
    if record.measure.startswith("log_") and not record.facts.get("split"):
        effects = effects * spreads(data)
    known = effects[~np.isnan(effects)]
    # where most of the features cannot reach the threshold, neither can the median one
    return float(np.median(known)) if 2 * len(known) > len(effects) else float("nan")
