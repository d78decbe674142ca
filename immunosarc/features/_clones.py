"""From the long table of receptors to the clones of each sample: productive ones of one locus."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal
from zlib import crc32

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import sparse

from immunosarc import stats
from immunosarc.cohort import Cohort
from immunosarc.errors import CohortError, UnknownNameError, did_you_mean

__all__ = ["SMALLEST", "Clones", "Depth", "by_seed", "clones_of", "too_few"]

SMALLEST = "smallest"
"""As many receptors as the poorest sample has: then the numbers change when other samples join."""

Depth = int | Literal["smallest"]
_BY = {"nucleotide": ("cdr3_nt", "v_call", "j_call"), "amino_acid": ("cdr3_aa",)}


@dataclass(frozen=True)
class Clones:
    """Receptors of each clone in each sample.

    Attributes
    ----------
    counts : sparse matrix of shape (n_samples, n_clones)
        Productive receptors.
    samples : Index
        Samples that have rows of this locus, productive or not, in the order of the cohort.
    about : DataFrame
        One row per clone: the columns that name it, and its amino acids and V gene.
    rows : Series
        Rows of the table by sample, productive or not.
    locus : str
        The chain; empty where the table does not say it.
    """

    counts: sparse.csr_matrix
    samples: pd.Index
    about: pd.DataFrame
    rows: pd.Series
    locus: str

    @property
    def totals(self) -> NDArray[np.int64]:
        """Productive receptors of each sample."""
        return np.asarray(self.counts.sum(axis=1)).ravel().astype(np.int64)

    def of(self, sample: int) -> NDArray[np.int64]:
        """Return the receptors of the clones that a sample has."""
        return self.counts.data[self.counts.indptr[sample] : self.counts.indptr[sample + 1]].astype(np.int64)

    def depth(self, asked: Depth) -> int:
        """Return the number of receptors to draw from every sample.

        Raises
        ------
        CohortError
            When it is neither "smallest" nor a whole number of at least 2.
        """
        if asked == SMALLEST:
            able = self.totals[self.totals > 0]
            return max(2, int(able.min())) if len(able) else 2
        if isinstance(asked, bool) or not isinstance(asked, int | np.integer) or asked < 2:
            raise CohortError(f"depth: a whole number of at least 2 or 'smallest' is needed, found {asked!r}")
        return int(asked)

    def drawn(self, samples: Iterable[int], depth: int, *, seed: int, draw: int) -> sparse.csr_matrix:
        """Return these rows of the counts with ``depth`` receptors each, drawn by seed and sample."""
        parts = []
        for i in samples:
            row = self.counts[[i]]
            row.data = stats.subsample(row.data, depth, seed=by_seed(seed, str(self.samples[i]), draw)).astype(
                float
            )
            parts.append(row)
        drawn = sparse.csr_matrix(sparse.vstack(parts))
        drawn.eliminate_zeros()
        return drawn


def by_seed(seed: int, sample: str, draw: int = 0) -> int:
    """Return the seed of one draw of one sample: it does not move when other samples join or leave."""
    return int(np.random.SeedSequence([seed, crc32(sample.encode()), draw]).generate_state(1)[0])


def too_few(total: int, rows: int, depth: int) -> str:
    """Return why a sample has no numbers at a depth, or nothing."""
    if total == 0:
        return f"no productive receptor among {rows:,} row{'' if rows == 1 else 's'}"
    return f"has {total:,} productive receptors, depth is {depth:,}" if total < depth else ""


def clones_of(cohort: Cohort, *, locus: str | None, clone: str) -> Clones:
    """Return the clones of each sample that was sequenced.

    Parameters
    ----------
    cohort : Cohort
        With the table ``clonotypes``.
    locus : str or None
        The chain; needed when the table holds several.
    clone : {"nucleotide", "amino_acid"}
        What makes two receptors one clone: bases of the CDR3 with V and J gene, or its amino acids.

    Raises
    ------
    CohortError, UnknownNameError
        When there is no such table, locus or way.
    """
    if "clonotypes" not in cohort.tables:
        raise CohortError(
            "the cohort has no table 'clonotypes'; declare [tables.clonotypes] in the manifest, "
            "or pass tables={'clonotypes': ...}"
        )
    if clone not in _BY:
        raise UnknownNameError(f"clone: unknown {clone!r}.{did_you_mean(clone, _BY)}")
    table = cohort.tables["clonotypes"]
    chosen = _locus(table, locus)
    if chosen:
        table = table[(table["locus"] == chosen).fillna(False)]
    samples = cohort.samples.index[cohort.samples.index.isin(table["sample_id"].unique())]
    place = pd.Series(np.arange(len(samples)), index=samples)
    rows = table["sample_id"].value_counts().reindex(samples)
    productive = table[table["productive"].fillna(False).to_numpy(dtype=bool)]
    names = [name for name in _BY[clone] if name in productive]
    _named(productive, _BY[clone][0], clone)
    code = _codes(productive, names)
    unique, first, code = np.unique(code, return_index=True, return_inverse=True)
    owner = place.reindex(productive["sample_id"]).to_numpy()
    shape = (len(samples), len(unique))
    counts = sparse.coo_matrix((productive["count"].to_numpy(float), (owner, code)), shape=shape).tocsr()
    shown = [*dict.fromkeys([*names, "cdr3_aa", "v_call"])]
    about = productive.iloc[first].reindex(columns=shown).reset_index(drop=True)
    return Clones(counts, samples, about, rows, chosen)


def _locus(table: pd.DataFrame, asked: str | None) -> str:
    known = sorted(table["locus"].dropna().unique()) if "locus" in table else []
    if asked is not None:
        if asked not in known:
            hint = did_you_mean(asked, known) if known else " The table does not say which chain a row is of."
            raise UnknownNameError(f"locus: no receptor of {asked!r}.{hint}")
        return asked
    if len(known) > 1:
        found = ", ".join(known)
        raise CohortError(f"the clonotypes are of several loci ({found}); choose one: locus = {known[0]!r}")
    return str(known[0]) if known and not table["locus"].isna().any() else ""


def _named(productive: pd.DataFrame, column: str, clone: str) -> None:
    lacking = productive[column].isna().sum() if column in productive else len(productive)
    if lacking:
        other = next(way for way in _BY if way != clone)
        raise CohortError(
            f"{lacking:,} of {len(productive):,} productive receptors have no {column}, by which they are "
            f"told apart; use clone = {other!r}, or complete the table"
        )


def _codes(frame: pd.DataFrame, names: list[str]) -> NDArray[np.int64]:
    """Return one number for each combination of values; what is missing counts as a value of its own."""
    code = np.zeros(len(frame), dtype=np.int64)
    for name in names:
        own, values = pd.factorize(frame[name])
        joint = code * (len(values) + 1) + (own + 1)
        _, code = np.unique(joint, return_inverse=True)
    return code
