"""Clones that grew or shrank between two samples of one patient, and how many of them each patient has."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from immunosarc import schema, stats
from immunosarc.cohort import Cohort, marked
from immunosarc.errors import CohortError
from immunosarc.features._clones import Clones, clones_of

__all__ = ["changed_clones", "clonal_expansion"]

_SIDES = ("expanded", "contracted", "unchanged")


def changed_clones(
    cohort: Cohort,
    *,
    before: str = "pre",
    after: str = "on",
    locus: str | None = None,
    clone: str = "nucleotide",
    min_count: int = 5,
    fdr: float = 0.05,
) -> pd.DataFrame:
    """List the T-cell clones of each patient that changed their share more than sampling alone would.

    Within a patient each clone with at least ``min_count`` receptors in the two samples together is put against
    all others (``stats.clone_shift``; the sum says nothing of the direction), and the false discovery rate is
    held among them. It is a statement about the two samples of one patient: how patients differ is asked of
    :func:`clonal_expansion`. Where counts are reads and not molecules, copies of one molecule make changes look
    surer than they are.

    Parameters
    ----------
    cohort : Cohort
        With the table ``clonotypes``.
    before, after : str
        The timepoints; samples declared to be no tumor are left out.
    locus : {"TRA", "TRB", ...}, optional
        The chain; needed when the table holds several.
    clone : {"nucleotide", "amino_acid"}
        What makes two receptors one clone.
    min_count : int
        Receptors that a clone needs in both samples together.
    fdr : float
        False discovery rate among the clones of a patient.

    Returns
    -------
    DataFrame
        ``schema.CHANGED_CLONES``: every clone with ``min_count``, the surest first within each patient.

    Raises
    ------
    CohortError, UnknownNameError
        As :func:`repertoire`; when a patient has two such samples at one timepoint.

    Examples
    --------
    >>> rows = pd.DataFrame({"patient_id": "P1", "sample_id": list("AABB"), "productive": True})
    >>> rows = rows.assign(cdr3_nt=["TGTA", "TGTC"] * 2, count=[2, 98, 40, 60])
    >>> owners = pd.DataFrame({"sample_id": ["A", "B"], "patient_id": "P1", "timepoint": ["pre", "on"]})
    >>> toy = Cohort(pd.DataFrame({"patient_id": ["P1"]}), owners, tables={"clonotypes": rows})
    >>> changed_clones(toy)[["clone", "direction"]].values.tolist()
    [['TGTA', 'expanded'], ['TGTC', 'contracted']]
    """
    clones = clones_of(cohort, locus=locus, clone=clone)
    pairs = _pairs(cohort, clones, before, after)
    return marked(_listed(clones, pairs, min_count=min_count, fdr=fdr), simulated=cohort.simulated)


def clonal_expansion(
    cohort: Cohort,
    *,
    before: str = "pre",
    after: str = "on",
    locus: str | None = None,
    clone: str = "nucleotide",
    min_count: int = 5,
    fdr: float = 0.05,
) -> pd.DataFrame:
    """Say of each patient how many T-cell clones grew on treatment, and what share of the later sample they hold.

    More clones pass the test in a deeper pair of samples: compare patients of like depth, and read the shares
    rather than the counts.

    Parameters
    ----------
    cohort : Cohort
        With the table ``clonotypes``.
    before, after : str
        The timepoints.
    locus : {"TRA", "TRB", ...}, optional
        The chain; needed when the table holds several.
    clone : {"nucleotide", "amino_acid"}
        What makes two receptors one clone.
    min_count : int
        Receptors that a clone needs in both samples together.
    fdr : float
        False discovery rate among the clones of a patient.

    Returns
    -------
    DataFrame
        Index ``sample_id`` of the later sample, so that the feature is known on the day of that sample;
        ``expanded_clones, contracted_clones, expanded_share`` (of the receptors after), ``contracted_share`` (of
        those before), ``tested_clones``, ``status``.

    Raises
    ------
    CohortError, UnknownNameError
        As :func:`changed_clones`.

    Examples
    --------
    >>> rows = pd.DataFrame({"patient_id": "P1", "sample_id": list("AABB"), "productive": True})
    >>> rows = rows.assign(cdr3_nt=["TGTA", "TGTC"] * 2, count=[2, 98, 40, 60])
    >>> owners = pd.DataFrame({"sample_id": ["A", "B"], "patient_id": "P1", "timepoint": ["pre", "on"]})
    >>> toy = Cohort(pd.DataFrame({"patient_id": ["P1"]}), owners, tables={"clonotypes": rows})
    >>> clonal_expansion(toy)[["expanded_clones", "expanded_share", "status"]].values.tolist()
    [[1.0, 0.4, 'ok']]
    """
    clones = clones_of(cohort, locus=locus, clone=clone)
    pairs = _pairs(cohort, clones, before, after)
    listed = _listed(clones, pairs, min_count=min_count, fdr=fdr)
    total = pd.Series(clones.totals, index=clones.samples)
    later = cohort.samples.reindex(clones.samples)
    rows: dict[str, dict[str, object]] = {}
    for sample in later.index[(later["timepoint"] == after).to_numpy(dtype=bool) & _of_tumor(later)]:
        patient = str(later.loc[sample, "patient_id"])
        pair = pairs.get(patient)
        if pair is None:
            rows[sample] = {"status": f"no receptors of {before} to compare with"}
            continue
        first, second = (clones.samples[i] for i in pair)
        empty = [f"no productive receptor in {one}" for one in (first, second) if not total[one]]
        own = listed[listed["patient_id"] == patient]
        rows[sample] = {"status": "; ".join(empty)} if empty else _counted(own, total[first], total[second])
    names = ["expanded_clones", "contracted_clones", "expanded_share", "contracted_share", "tested_clones"]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=[*names, "status"])
    table.index = pd.Index(table.index, name="sample_id", dtype=object)
    table = table.astype(dict.fromkeys(names, float) | {"status": "string"})
    words = f"{clones.locus or 'clonotypes'}, {before} to {after}, fdr {fdr:g}"
    table.attrs = {"scoring": dict.fromkeys(names, words)}
    return table


def _listed(
    clones: Clones, pairs: Mapping[str, tuple[int, int] | None], *, min_count: int, fdr: float
) -> pd.DataFrame:
    if min_count < 1 or not 0 < fdr < 1:
        raise CohortError(
            f"min_count of at least 1 and fdr between 0 and 1 are needed, found {min_count} and {fdr}"
        )
    parts = [
        _of_patient(clones, pair, min_count=min_count, fdr=fdr).assign(patient_id=patient)
        for patient, pair in pairs.items()
        if pair is not None and min(clones.totals[list(pair)]) > 0
    ]
    return (
        schema.CHANGED_CLONES.check(pd.concat(parts, ignore_index=True))
        if parts
        else schema.CHANGED_CLONES.empty()
    )


def _counted(own: pd.DataFrame, total_before: float, total_after: float) -> dict[str, object]:
    grown, shrunk = (own[own["direction"] == side] for side in _SIDES[:2])
    return {
        "expanded_clones": len(grown),
        "contracted_clones": len(shrunk),
        "expanded_share": grown["after_count"].sum() / total_after,
        "contracted_share": shrunk["before_count"].sum() / total_before,
        "tested_clones": len(own),
        "status": "ok",
    }


def _of_tumor(samples: pd.DataFrame) -> np.ndarray:
    if "specimen" not in samples:
        return np.ones(len(samples), dtype=bool)
    return (samples["specimen"].fillna("tumor") == "tumor").to_numpy(dtype=bool)


def _pairs(cohort: Cohort, clones: Clones, before: str, after: str) -> dict[str, tuple[int, int] | None]:
    """Return each patient's two samples by place; None where one of them was not sequenced."""
    about = cohort.samples.reindex(clones.samples)
    about = about.assign(place=np.arange(len(about)))[_of_tumor(about)]
    found: dict[str, dict[str, int]] = {}
    for sample, row in about.iterrows():
        if row["timepoint"] not in (before, after):
            continue
        own = found.setdefault(str(row["patient_id"]), {})
        if row["timepoint"] in own:
            raise CohortError(
                f"patient {row['patient_id']} has two samples with receptors at '{row['timepoint']}' "
                f"({clones.samples[own[row['timepoint']]]}, {sample}); choose one with cohort.select(samples=...)"
            )
        own[row["timepoint"]] = int(row["place"])
    return {
        patient: (own[before], own[after]) if before in own and after in own else None
        for patient, own in found.items()
    }


def _of_patient(clones: Clones, pair: tuple[int, int], *, min_count: int, fdr: float) -> pd.DataFrame:
    first, second = pair
    both = clones.counts[[first, second]].tocsc()
    seen = np.flatnonzero(np.diff(both.indptr))
    x, y = both[:, seen].toarray()
    total_x, total_y = x.sum(), y.sum()
    kept = np.flatnonzero(x + y >= min_count)
    x, y, seen = x[kept], y[kept], seen[kept]
    p = stats.clone_shift(x, y, totals=(int(total_x), int(total_y)))
    q = stats.benjamini_hochberg(p)
    grew = y / total_y > x / total_x
    ratio = np.log2((y + 0.5) / (total_y + 0.5)) - np.log2((x + 0.5) / (total_x + 0.5))
    about = clones.about.iloc[seen].reset_index(drop=True)
    names = [name for name in about if name in ("cdr3_nt", "v_call", "j_call")]
    names = names if "cdr3_nt" in names else ["cdr3_aa"]
    table = pd.DataFrame(
        {
            "clone": _named(about[names]),
            "cdr3_aa": about["cdr3_aa"],
            "v_call": about["v_call"],
            "before_sample": clones.samples[first],
            "after_sample": clones.samples[second],
            "before_count": x,
            "after_count": y,
            "log2_ratio": ratio,
            "q_value": q,
            "direction": np.where(q < fdr, np.where(grew, *_SIDES[:2]), _SIDES[2]),
        }
    )
    order = np.lexsort((-np.abs(ratio), p.round(12)))
    return table.iloc[order]


def _named(about: pd.DataFrame) -> pd.Series:
    """Return what tells the clones apart, in one text each."""
    texts = about.astype("string").fillna("")
    first = texts.iloc[:, 0]
    return first.str.cat(texts.iloc[:, 1:], sep=" ").str.strip() if texts.shape[1] > 1 else first
