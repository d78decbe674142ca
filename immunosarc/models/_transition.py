"""From cold to hot: which class each tumor had before and after, and whether the classes moved."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import special

from immunosarc import schema, stats
from immunosarc.cohort import Cohort, marked
from immunosarc.errors import CohortError, PlanError

__all__ = ["class_probabilities", "compare_classes", "pair_classes"]

TEMPERATURES = ("cold", "intermediate", "hot")
_UNKNOWN = ("indeterminate",)
_PRIOR = 0.5  # Jeffreys


def class_probabilities(
    classes: pd.DataFrame, *, error: float | None = None, limits: tuple[float, float] = (1 / 3, 2 / 3)
) -> pd.DataFrame:
    r"""How sure each sample's class is: the probability of every class.

    Taken from the column ``posteriors`` where the scheme gives them. Where it gives a score and two limits, as
    ``hot_cold`` does, and ``error`` is the standard error of that score, the score is taken as normal:

    .. math:: P(\text{cold}) = \Phi\Big(\frac{l - s}{e}\Big), \quad P(\text{hot}) = \Phi\Big(\frac{s - u}{e}\Big)

    Parameters
    ----------
    classes : DataFrame
        ``schema.CLASSES`` of one scheme, one row per sample.
    error : float, optional
        Standard error of the score of one sample, above 0, for example from replicate biopsies.
    limits : tuple of float
        Highest score that is cold and lowest that is hot.

    Returns
    -------
    DataFrame of shape (n_samples, n_classes)
        Indexed by sample; rows sum to 1, or are missing where nothing says how sure the class is.

    Raises
    ------
    PlanError
        When a sample has two rows, the error is not above 0 or the limits are not in order.

    Examples
    --------
    >>> one = {"sample_id": ["S1"], "scheme": "hot_cold", "reference": "own", "guard": "own cohort"}
    >>> row = {"label": "hot", "nearest": "hot", "score": 0.8, "margin": 0.13, "status": "ok"}
    >>> blank = {"posterior": None, "posteriors": None, "note": None}
    >>> table = pd.DataFrame(one | row | blank)
    >>> class_probabilities(table, error=0.1).round(2).iloc[0].to_dict()
    {'cold': 0.0, 'intermediate': 0.09, 'hot': 0.91}
    """
    table = _one_scheme(classes)
    if error is not None and not error > 0:
        raise PlanError(f"class_probabilities: error must be above 0, is {error}.")
    if not limits[0] < limits[1]:
        raise PlanError(f"class_probabilities: limits must rise, are {limits}.")
    if table["posteriors"].notna().any():
        parsed = [_parsed(text) for text in table["posteriors"]]
        return pd.DataFrame(parsed, index=table.index).astype(float)
    found = pd.DataFrame(np.nan, index=table.index, columns=list(TEMPERATURES))
    if error is not None:
        score = table["score"].to_numpy(dtype=float)
        cold, hot = special.ndtr((limits[0] - score) / error), special.ndtr((score - limits[1]) / error)
        found = found.assign(cold=cold, intermediate=1 - cold - hot, hot=hot)
    return found


def pair_classes(
    cohort: Cohort,
    classes: pd.DataFrame,
    *,
    probabilities: pd.DataFrame | None = None,
    transition: tuple[str, str] = ("cold", "hot"),
    before: str = "pre",
    after: str = "on",
) -> pd.DataFrame:
    """Each patient's class before and after, and how probable it is that the tumor went from cold to hot.

    The probability is that of the first class before times that of the second after: the errors of two
    biopsies are taken as independent.

    Parameters
    ----------
    cohort : Cohort
        At most one classified sample per patient and timepoint.
    classes : DataFrame
        ``schema.CLASSES`` of one scheme, for example of ``features.classify``.
    probabilities : DataFrame, optional
        From :func:`class_probabilities`; what ``classes`` says by itself unless given.
    transition : tuple of str
        The class before and the class after whose probability is asked for.
    before, after : str
        Timepoints.

    Returns
    -------
    DataFrame
        ``schema.CLASS_CHANGE``: one row for every patient, with the reason where there is no pair.

    Raises
    ------
    CohortError
        When the two timepoints are the same, or a patient has two samples at one of them.
    PlanError
        When the classes are of several schemes, or a class of the transition is unknown.

    Examples
    --------
    >>> import immunosarc as ims
    >>> cohort = ims.simulate_cohort(seed=7)
    >>> own = ims.features.build_reference(cohort.at("pre")["rna"])
    >>> classes = ims.features.classify(cohort["rna"], reference=own)
    >>> pairs = pair_classes(cohort, classes, probabilities=class_probabilities(classes, error=0.1))
    >>> len(pairs) == len(cohort.patients), int((pairs["status"] == "ok").sum())
    (True, 20)
    """
    table = _one_scheme(classes)
    sure = class_probabilities(classes) if probabilities is None else probabilities
    for name in transition:
        if sure.notna().any(axis=None) and name not in sure:
            raise PlanError(f"no class {name!r} to move from or to; the classes are {list(sure.columns)}.")
    sides = [_side(cohort, table, sure, timepoint) for timepoint in _two(before, after)]
    first, second = sides
    status = first["status"].where(first["status"] != "ok", second["status"])
    chance = first.get(transition[0], np.nan) * second.get(transition[1], np.nan)
    rows = pd.DataFrame(
        {
            "patient_id": cohort.patients.index,
            "scheme": table["scheme"].iloc[0] if len(table) else "none",
            "before": before,
            "after": after,
            "class_before": first["label"].to_numpy(),
            "class_after": second["label"].to_numpy(),
            "probability": np.asarray(chance * np.ones(len(first)), dtype=float),
            "status": status.to_numpy(),
        }
    )
    return marked(schema.CLASS_CHANGE.check(rows), simulated=cohort.simulated)


def compare_classes(
    cohort: Cohort,
    classes: pd.DataFrame,
    *,
    probabilities: pd.DataFrame | None = None,
    order: Sequence[str] | None = None,
    before: str = "pre",
    after: str = "on",
    level: float = 0.95,
) -> pd.DataFrame:
    """Where the tumors of each class went, and whether the classes are as frequent after as before.

    The share of a class that went to another is the posterior mean under Jeffreys' prior (one half for every
    cell), with its equal-tailed credible interval: with five cold tumors it stays wide, and that is the
    answer. The test is :func:`immunosarc.stats.marginal_homogeneity`, exact, on the labels; a tumor near a
    limit may cross it by the noise of one biopsy, so ``expected`` counts each patient by the probability
    of the classes.

    Parameters
    ----------
    cohort, classes, probabilities
        As in :func:`pair_classes`.
    order : sequence of str, optional
        The classes along their scale. Cold, intermediate, hot where these are the labels; otherwise
        alphabetical, and no trend is tested.
    before, after : str
        Timepoints.
    level : float
        Of the credible intervals.

    Returns
    -------
    DataFrame
        ``schema.TRANSITION``: one row for each pair of classes, k x k of them.

    Raises
    ------
    CohortError, PlanError
        As in :func:`pair_classes`; also when ``order`` lacks a class that occurs.

    References
    ----------
    Stuart A. Biometrika 1955;42:412-416, doi:10.1093/biomet/42.3-4.412.

    Examples
    --------
    >>> import immunosarc as ims
    >>> cohort = ims.simulate_cohort(seed=7)
    >>> own = ims.features.build_reference(cohort.at("pre")["rna"])
    >>> moves = compare_classes(cohort, ims.features.classify(cohort["rna"], reference=own))
    >>> int(moves["n"].sum()) == len(cohort.pairs)
    True
    """
    table = _one_scheme(classes)
    sure = class_probabilities(classes) if probabilities is None else probabilities
    sides = [_side(cohort, table, sure, timepoint) for timepoint in _two(before, after)]
    known = ((sides[0]["status"] == "ok") & (sides[1]["status"] == "ok")).to_numpy(dtype=bool)
    first, second = (side[known] for side in sides)
    names, ordered = _ordered(pd.concat([first["label"], second["label"]]), order)
    counts = pd.crosstab(first["label"], second["label"]).reindex(index=names, columns=names, fill_value=0)
    test = stats.marginal_homogeneity(counts.to_numpy())
    rows = [
        _cell(a, b, counts=counts, level=level, expected=_expected(first, second, a, b))
        for a in names
        for b in names
    ]
    status = "ok" if known.any() else f"no patient has a class {before} and {after}"
    result = pd.DataFrame(rows).assign(
        scheme=table["scheme"].iloc[0] if len(table) else "none",
        reference=table["reference"].iloc[0] if len(table) else "none",
        before=before,
        after=after,
        statistic=test.statistic,
        p_exact=test.p_exact if known.any() else np.nan,
        p_trend=test.p_trend if ordered and known.any() else np.nan,
        status=status,
    )
    return marked(schema.TRANSITION.check(result), simulated=cohort.simulated)


def _two(before: str, after: str) -> tuple[str, str]:
    if before == after:
        raise CohortError(f"before and after are both {before!r}; choose two timepoints.")
    return before, after


def _one_scheme(classes: pd.DataFrame) -> pd.DataFrame:
    table = schema.CLASSES.check(classes)
    schemes = list(dict.fromkeys(table["scheme"]))
    if len(schemes) > 1:
        raise PlanError(f"classes of one scheme are needed, the table holds {schemes}; choose one.")
    if table["sample_id"].duplicated().any():
        raise PlanError("a sample has two rows in the class table; keep one.")
    return table.set_index("sample_id")


def _parsed(text: str | None) -> dict[str, float]:
    """Read what the column says, such as "A 0.700, B 0.300"."""
    if text is None or pd.isna(text):
        return {}
    return {name: float(share) for name, share in (part.rsplit(" ", 1) for part in str(text).split(", "))}


def _side(cohort: Cohort, table: pd.DataFrame, sure: pd.DataFrame, timepoint: str) -> pd.DataFrame:
    """Label, status and probabilities of each patient at one timepoint."""
    mine = cohort.samples[cohort.samples["timepoint"] == timepoint]
    twice = mine.loc[mine["patient_id"].duplicated(), "patient_id"]
    if len(twice):
        raise CohortError(
            f"patients with two samples at '{timepoint}': {list(twice[:5])}; choose with cohort.select(...)."
        )
    rows = table.reindex(mine.index)
    label = rows["label"].mask(rows["label"].isin(_UNKNOWN))
    status = rows["status"].fillna("sample is not classified")
    status = status.mask((status == "ok") & label.isna(), "class is indeterminate")
    side = pd.concat([label.rename("label"), status.rename("status"), sure.reindex(mine.index)], axis=1)
    side.index = pd.Index(mine["patient_id"].to_numpy(), name="patient_id")
    side = side.reindex(cohort.patients.index)
    return side.assign(status=side["status"].fillna(f"no {timepoint} sample"))


def _ordered(labels: pd.Series, order: Sequence[str] | None) -> tuple[list[str], bool]:
    found = sorted(map(str, labels.unique()))
    if order is None:
        return (list(TEMPERATURES), True) if set(found) <= set(TEMPERATURES) else (found, False)
    if lacking := [name for name in found if name not in order]:
        raise PlanError(f"order lacks the classes {lacking}; name every class that occurs.")
    return list(order), True


def _expected(first: pd.DataFrame, second: pd.DataFrame, a: str, b: str) -> float:
    if a not in first or b not in second or first[a].isna().any() or second[b].isna().any():
        return float("nan")
    return float((first[a].to_numpy() * second[b].to_numpy()).sum())


def _cell(a: str, b: str, *, counts: pd.DataFrame, level: float, expected: float) -> dict[str, object]:
    n, n_from = int(counts.loc[a, b]), int(counts.loc[a].sum())
    more, rest = n + _PRIOR, n_from - n + _PRIOR * (len(counts) - 1)
    low, high = special.betaincinv(more, rest, [(1 - level) / 2, (1 + level) / 2])
    return {
        "from_class": a,
        "to_class": b,
        "n": n,
        "n_from": n_from,
        "expected": expected,
        "share": more / (more + rest) if n_from else np.nan,
        "conf_low": low if n_from else np.nan,
        "conf_high": high if n_from else np.nan,
    }
