"""Repertoires as features: how varied the T- or B-cell receptors of each sample are, at one depth for all."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd

from immunosarc import stats
from immunosarc.cohort import Cohort
from immunosarc.features._clones import SMALLEST, Clones, Depth, by_seed, clones_of, too_few

__all__ = ["repertoire", "repertoire_depths"]


def repertoire(
    cohort: Cohort,
    *,
    depth: Depth,
    locus: str | None = None,
    clone: str = "nucleotide",
    draws: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """Say of each sample how many T-cell clones there are and how far a few of them dominate.

    Only productive receptors of one locus count. Every sample is first reduced to ``depth`` receptors
    (``stats.rarefied_diversity``), because a deeper sample shows more clones of the same tissue. Richness and
    entropy are exact expectations, the other numbers means over ``draws``, each drawn by the seed and the name of
    the sample alone.

    Parameters
    ----------
    cohort : Cohort
        With the table ``clonotypes``; its samples that have rows there.
    depth : int or "smallest"
        Productive receptors drawn from every sample; poorer samples have no numbers. With "smallest", as many as
        the poorest sample has: then the numbers change when other samples join. :func:`repertoire_depths` helps
        to choose.
    locus : {"TRA", "TRB", ...}, optional
        The chain; needed when the table holds several.
    clone : {"nucleotide", "amino_acid"}
        What makes two receptors one clone: bases of the CDR3 with V and J gene, or its amino acids.
    draws : int
        Random draws for clonality, Gini, top-clone share and D50.
    seed : int
        For the draws.

    Returns
    -------
    DataFrame
        Index ``sample_id``; ``richness, shannon, clonality, gini, top_clone_share, d50`` as in
        ``stats.diversity``, and ``status``, "ok" or why there are none.

    Raises
    ------
    CohortError, UnknownNameError
        When there is no table of clonotypes, several loci and none chosen, or no sequence to go by.

    Examples
    --------
    >>> rows = pd.DataFrame({"cdr3_nt": ["TGTA", "TGTC", "TGTG"], "count": [6, 3, 1]})
    >>> rows = rows.assign(patient_id="P1", sample_id="S1", productive=True, locus="TRB")
    >>> samples = pd.DataFrame({"sample_id": ["S1"], "patient_id": ["P1"], "timepoint": ["pre"]})
    >>> patients = pd.DataFrame({"patient_id": ["P1"]})
    >>> toy = Cohort(patients, samples, tables={"clonotypes": rows})
    >>> repertoire(toy, depth=10)[["richness", "d50", "status"]].round(3).values.tolist()
    [[3.0, 1.0, 'ok']]
    """
    clones = clones_of(cohort, locus=locus, clone=clone)
    wanted = clones.depth(depth)
    rows, reasons = [], []
    for i, total in enumerate(clones.totals.tolist()):
        own = by_seed(seed, str(clones.samples[i]))
        rows.append(dataclasses.asdict(stats.rarefied_diversity(clones.of(i), wanted, seed=own, draws=draws)))
        reasons.append(too_few(total, int(clones.rows.iloc[i]), wanted) or "ok")
    names = [field.name for field in dataclasses.fields(stats.Diversity)]
    table = pd.DataFrame(rows, index=pd.Index(clones.samples, name="sample_id"), columns=names, dtype=float)
    table["status"] = pd.Series(reasons, index=table.index, dtype="string")
    table.attrs = {"scoring": dict.fromkeys(names, _words(clones, depth, wanted))}
    return table


def _words(clones: Clones, asked: Depth, depth: int) -> str:
    relative = ", cohort-relative" if asked == SMALLEST else ""
    return f"{clones.locus or 'clonotypes'} at depth {depth:,}{relative}"


def repertoire_depths(cohort: Cohort, *, locus: str | None = None, clone: str = "nucleotide") -> pd.DataFrame:
    """Say how deeply each sample was sequenced, to choose the depth at which samples are compared.

    Parameters
    ----------
    cohort : Cohort
        With the table ``clonotypes``.
    locus : {"TRA", "TRB", ...}, optional
        The chain; needed when the table holds several.
    clone : {"nucleotide", "amino_acid"}
        What makes two receptors one clone; see :func:`repertoire`.

    Returns
    -------
    DataFrame
        Index ``sample_id``; ``patient_id, timepoint, rows`` of the table, ``receptors`` (productive), ``clones``,
        ``status``.

    Raises
    ------
    CohortError, UnknownNameError
        As :func:`repertoire`.

    Examples
    --------
    >>> rows = pd.DataFrame({"patient_id": "P1", "sample_id": "S1", "productive": [True, False]})
    >>> rows = rows.assign(cdr3_nt=["TGTA", "TGTC"], count=[6, 3])
    >>> samples = pd.DataFrame({"sample_id": ["S1"], "patient_id": ["P1"], "timepoint": ["pre"]})
    >>> toy = Cohort(pd.DataFrame({"patient_id": ["P1"]}), samples, tables={"clonotypes": rows})
    >>> repertoire_depths(toy)[["rows", "receptors", "clones"]].values.tolist()
    [[2.0, 6.0, 1.0]]
    """
    clones = clones_of(cohort, locus=locus, clone=clone)
    about = cohort.samples.reindex(clones.samples)[["patient_id", "timepoint"]]
    seen = np.diff(clones.counts.indptr)
    reasons = [
        too_few(int(total), int(rows), 0) or "ok" for total, rows in zip(clones.totals, clones.rows, strict=True)
    ]
    return about.assign(
        rows=clones.rows.to_numpy(float),
        receptors=clones.totals.astype(float),
        clones=seen.astype(float),
        status=pd.array(reasons, dtype="string"),
    )
