"""What two repertoires have in common: of all pairs of samples, and of a tumor with its patient's blood."""

from __future__ import annotations

import numpy as np
import pandas as pd

from immunosarc import schema, stats
from immunosarc.cohort import Cohort, marked
from immunosarc.errors import CohortError
from immunosarc.features._clones import Clones, Depth, clones_of, too_few

__all__ = ["repertoire_overlap", "tumor_blood_overlap"]

_MEASURES = ("shared", "jaccard", "morisita", "morisita_horn")


def repertoire_overlap(
    cohort: Cohort,
    *,
    depth: Depth,
    locus: str | None = None,
    clone: str = "nucleotide",
    draws: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """Say of every two samples how many receptors they share: one patient's should, two patients' should not.

    Strangers that share much speak for an exchanged or contaminated sample. Every sample is first reduced to
    ``depth`` productive receptors; the numbers are means over the draws (``stats.clone_overlap``).

    Parameters
    ----------
    cohort : Cohort
        With the table ``clonotypes``.
    depth : int or "smallest"
        Receptors drawn from every sample; see :func:`repertoire`.
    locus : {"TRA", "TRB", ...}, optional
        The chain; needed when the table holds several.
    clone : {"nucleotide", "amino_acid"}
        What makes two receptors one clone.
    draws : int
        Random draws.
    seed : int
        For the draws.

    Returns
    -------
    DataFrame
        ``schema.REPERTOIRE_OVERLAP``, one row for every pair.

    Raises
    ------
    CohortError, UnknownNameError
        As :func:`repertoire`.

    Examples
    --------
    >>> rows = pd.DataFrame({"patient_id": ["P1", "P1", "P2"], "sample_id": ["S1", "S1", "S2"]})
    >>> rows = rows.assign(productive=True, cdr3_nt=["TGTA", "TGTC", "TGTA"], count=[5, 5, 10])
    >>> owners = pd.DataFrame({"sample_id": ["S1", "S2"], "patient_id": ["P1", "P2"], "timepoint": "pre"})
    >>> toy = Cohort(pd.DataFrame({"patient_id": ["P1", "P2"]}), owners, tables={"clonotypes": rows})
    >>> repertoire_overlap(toy, depth=10)[["shared_clones", "morisita_horn"]].round(3).values.tolist()
    [[1.0, 0.667]]
    """
    clones = clones_of(cohort, locus=locus, clone=clone)
    wanted = clones.depth(depth)
    able = np.flatnonzero(clones.totals >= wanted)
    means = _mean_overlap(clones, able, wanted, seed=seed, draws=draws)
    place = {int(sample): at for at, sample in enumerate(able)}
    owner = cohort.samples["patient_id"].reindex(clones.samples)
    lacking = [
        too_few(int(total), int(rows), wanted) for total, rows in zip(clones.totals, clones.rows, strict=True)
    ]
    rows = []
    for i in range(len(clones.samples)):
        for j in range(i + 1, len(clones.samples)):
            both = i in place and j in place
            found = {name: means[name][place[i], place[j]] if both else np.nan for name in _MEASURES}
            reasons = [f"{clones.samples[k]} {lacking[k]}" for k in (i, j) if lacking[k]]
            rows.append(
                {
                    "sample_1": clones.samples[i],
                    "sample_2": clones.samples[j],
                    "patient_1": owner.iloc[i],
                    "patient_2": owner.iloc[j],
                    "depth": wanted,
                    "status": "; ".join(reasons) or "ok",
                    **found,
                }
            )
    if not rows:
        return marked(schema.REPERTOIRE_OVERLAP.empty(), simulated=cohort.simulated)
    table = pd.DataFrame(rows).rename(columns={"shared": "shared_clones"})
    return marked(schema.REPERTOIRE_OVERLAP.check(table), simulated=cohort.simulated)


def _mean_overlap(
    clones: Clones, samples: np.ndarray, depth: int, *, seed: int, draws: int
) -> dict[str, np.ndarray]:
    sums = {name: np.zeros((len(samples), len(samples))) for name in _MEASURES}
    for draw in range(draws if len(samples) else 0):
        found = stats.clone_overlap(clones.drawn(samples, depth, seed=seed, draw=draw))
        for name in _MEASURES:
            sums[name] += getattr(found, name)
    return {name: total / draws for name, total in sums.items()}


def tumor_blood_overlap(
    cohort: Cohort,
    *,
    depth: Depth,
    locus: str | None = None,
    clone: str = "nucleotide",
    draws: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """Say how far the T cells of a tumor also circulate in the patient's blood of the same timepoint.

    Parameters
    ----------
    cohort : Cohort
        With the table ``clonotypes`` and the column ``specimen`` of the samples.
    depth : int or "smallest"
        Receptors drawn from every sample; see :func:`repertoire`.
    locus : {"TRA", "TRB", ...}, optional
        The chain; needed when the table holds several.
    clone : {"nucleotide", "amino_acid"}
        What makes two receptors one clone.
    draws : int
        Random draws.
    seed : int
        For the draws.

    Returns
    -------
    DataFrame
        Index ``sample_id`` of the tumors; ``shared_clone_share`` (of the tumor's clones),
        ``shared_receptor_share`` (of its receptors), ``morisita_horn``, ``status``.

    Raises
    ------
    CohortError, UnknownNameError
        As :func:`repertoire`; when no specimen is declared, or a patient has two samples of blood at one time.

    Examples
    --------
    >>> rows = pd.DataFrame({"patient_id": "P1", "sample_id": ["T", "T", "B"], "productive": True})
    >>> rows = rows.assign(cdr3_nt=["TGTA", "TGTC", "TGTA"], count=[6, 4, 10])
    >>> owners = pd.DataFrame({"sample_id": ["T", "B"], "patient_id": "P1", "timepoint": "pre"})
    >>> owners["specimen"] = ["tumor", "blood"]
    >>> toy = Cohort(pd.DataFrame({"patient_id": ["P1"]}), owners, tables={"clonotypes": rows})
    >>> tumor_blood_overlap(toy, depth=10).round(3).iloc[:, :2].to_numpy(dtype=float).tolist()
    [[0.5, 0.6]]
    """
    if "specimen" not in cohort.samples:
        raise CohortError("the samples do not say what was taken; map the column 'specimen' (tumor, blood, ...)")
    clones = clones_of(cohort, locus=locus, clone=clone)
    wanted = clones.depth(depth)
    about = cohort.samples.reindex(clones.samples)
    blood = _blood_of(about)
    lacking = [
        too_few(int(total), int(rows), wanted) for total, rows in zip(clones.totals, clones.rows, strict=True)
    ]
    rows: list[dict[str, object]] = []
    names = []
    for i in np.flatnonzero((about["specimen"] == "tumor").to_numpy(dtype=bool, na_value=False)):
        when = (about["patient_id"].iloc[i], about["timepoint"].iloc[i])
        names.append(clones.samples[i])
        other = blood.get(when)
        reason = lacking[i] if other is None or lacking[i] else lacking[other] and f"blood {lacking[other]}"
        if other is None:
            reason = reason or f"no blood of {when[1]}"
        if reason or other is None:
            rows.append({"status": reason})
        else:
            rows.append({**_of_pair(clones, (int(i), other), wanted, seed=seed, draws=draws), "status": "ok"})
    columns = ["shared_clone_share", "shared_receptor_share", "morisita_horn", "status"]
    table = pd.DataFrame(rows, index=pd.Index(names, name="sample_id", dtype=object), columns=columns)
    table = table.astype(dict.fromkeys(columns[:3], float) | {"status": "string"})
    table.attrs = {"scoring": dict.fromkeys(columns[:3], f"{clones.locus or 'clonotypes'} at depth {wanted:,}")}
    return table


def _blood_of(about: pd.DataFrame) -> dict[tuple[str, str], int]:
    found: dict[tuple[str, str], int] = {}
    for i in np.flatnonzero((about["specimen"] == "blood").to_numpy(dtype=bool, na_value=False)):
        when = (about["patient_id"].iloc[i], about["timepoint"].iloc[i])
        if when in found:
            raise CohortError(
                f"patient {when[0]} has two samples of blood with receptors at '{when[1]}' "
                f"({about.index[found[when]]}, {about.index[i]}); choose one with cohort.select(samples=...)"
            )
        found[when] = int(i)
    return found


def _of_pair(clones: Clones, pair: tuple[int, int], depth: int, *, seed: int, draws: int) -> dict[str, float]:
    """Return the shares of the first sample's clones and receptors that the second has too, and their likeness."""
    found = np.zeros((draws, 3))
    for draw in range(draws):
        drawn = clones.drawn(pair, depth, seed=seed, draw=draw)
        first, second = (drawn[[k]].toarray().ravel() for k in (0, 1))
        in_both = (first > 0) & (second > 0)
        horn = stats.clone_overlap(drawn).morisita_horn[0, 1]
        found[draw] = in_both.sum() / (first > 0).sum(), first[in_both].sum() / first.sum(), horn
    return dict(
        zip(("shared_clone_share", "shared_receptor_share", "morisita_horn"), found.mean(axis=0), strict=True)
    )
