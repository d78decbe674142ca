"""Which genes of which signature an assay can be scored on."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from immunosarc import catalog
from immunosarc.errors import CoverageError, ImmunosarcError, UnitError, did_you_mean
from immunosarc.features._parts import LISTED, Genes, kernel_parts, n_sets, pairs_found, read, sets_found
from immunosarc.features._scoring import Bools, Floats, varies
from immunosarc.features._units import log_expression, unit_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import anndata

    from immunosarc.registry import Record

__all__ = ["Alignment", "align", "check_options", "dense", "empty_samples", "scored_assay"]

_SAMPLES_AT_ONCE = 256
_ENSEMBL = re.compile(r"ENS[A-Z]*G\d{11}(\.\d+)?")


@dataclass(frozen=True)
class Alignment:
    """Signatures laid over the genes of an assay.

    Attributes
    ----------
    sets : Signatures
        What is to be scored.
    record : Record
        The method.
    options : mapping
        What was chosen among the method's options.
    assay : AnnData
        On the scale that is scored.
    unit, given_unit : str
        The unit that is scored, and the one before that.
    used : ndarray of bool, shape (n_genes,)
        Genes of the assay that the method reads for any signature.
    values : ndarray of shape (n_samples, n_used)
        Their expression.
    present, constant : ndarray of bool, shape (n_used,)
        Which have a value in any sample; which the method cannot use because they do not vary.
    min_coverage : float
        Share of its genes that a signature needs.
    empty : ndarray of bool, shape (n_samples,)
        Samples in which no gene has a value other than zero: nothing was measured, so nothing is scored.
    shares : tuple of Share
        How much of each part of the signatures the method can use.
    """

    sets: catalog.Signatures
    record: Record
    options: Mapping[str, Any]
    assay: anndata.AnnData
    unit: str
    given_unit: str
    used: Bools
    values: Floats
    present: Bools
    constant: Bools
    min_coverage: float
    empty: Bools
    shares: tuple[Share, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shares", self._shares())

    @property
    def rows(self) -> str:
        """What the rows of the assay are."""
        return f"{self.assay.uns['immunosarc']['level']}s"

    @property
    def genes(self) -> NDArray[np.object_]:
        """The symbols of the used genes."""
        return np.asarray(self.assay.var_names, dtype=object)[self.used]

    @property
    def usable(self) -> frozenset[str]:
        """The symbols that the method can use."""
        return frozenset(self.genes[self.present & ~self.constant])

    @property
    def size(self) -> NDArray[np.int64]:
        """Genes that count for or against each signature's score, in the assay or not."""
        return np.sum([share.size for share in self.shares if share.noun in LISTED], axis=0)

    @property
    def found(self) -> NDArray[np.int64]:
        """How many of them the method can use."""
        return np.sum([share.found for share in self.shares if share.noun in LISTED], axis=0)

    @property
    def coverage(self) -> Floats:
        """The share of each signature's genes that the method can use; NaN without genes."""
        nothing = np.full(len(self.size), np.nan)
        return np.divide(self.found, self.size, out=nothing, where=self.size > 0)

    @property
    def lacking(self) -> list[str]:
        """What the method needs and a signature does not have, such as pairs; empty where nothing."""
        return [
            next((part for part in self.record.requires if not read(signature, part)), "")
            for signature in self.sets.values()
        ]

    @property
    def covered(self) -> Bools:
        """Which signatures get a score."""
        enough = np.logical_and.reduce([share.enough(self.min_coverage) for share in self.shares])
        return enough & (self.found > 0) & np.array([not part for part in self.lacking], dtype=bool)

    def scores(self) -> Floats:
        """Score the covered signatures; a sample of zeros has no score."""
        return np.where(self.empty[:, None], np.nan, self._scored())

    def _scored(self) -> Floats:
        """Call the kernel.

        Methods that rank all genes of one sample see a block of samples at a time, the others only
        their genes.
        """
        chosen = [signature for signature, ok in zip(self.sets.values(), self.covered, strict=True) if ok]
        axis = self.assay.var_names if self.record.all_genes else self.genes
        members, parts = kernel_parts(chosen, Genes(axis, self.usable), self.record.roles)
        named = {**parts, **self.options}
        if not self.record.all_genes:
            return np.asarray(self.record.call(self.values, members, **named))
        step = _SAMPLES_AT_ONCE if self.record.single_sample else max(1, self.assay.n_obs)
        starts = range(0, self.assay.n_obs, step)
        blocks = (dense(self.assay.X[start : start + step]) for start in starts)
        return np.vstack([self.record.call(block, members, **named) for block in blocks])

    def _shares(self) -> tuple[Share, ...]:
        nouns = ["genes", *(role for role in ("down", "housekeeping") if role in self.record.roles)]
        usable = self.usable
        shares = []
        for noun in nouns:
            lists = [read(signature, noun) for signature in self.sets.values()]
            found = [len(usable.intersection(genes)) for genes in lists]
            shares.append(
                Share(noun, np.array(found, dtype=np.int64), np.array([*map(len, lists)], dtype=np.int64))
            )
        if "pairs" in self.record.roles:
            found = [len(pairs_found(signature, usable)) for signature in self.sets.values()]
            listed = [len(signature.pairs) for signature in self.sets.values()]
            shares.append(Share("pairs", np.array(found, dtype=np.int64), np.array(listed, dtype=np.int64)))
        if "sets" in self.record.roles:
            found = [len(sets_found(signature, usable)) for signature in self.sets.values()]
            listed = [n_sets(signature) for signature in self.sets.values()]
            shares.append(Share("sets", np.array(found, dtype=np.int64), np.array(listed, dtype=np.int64)))
        return tuple(shares)

    def refuse_if_nothing_is_covered(self) -> None:
        """Raise when not one signature can be scored."""
        if self.covered.any():
            return
        best = int(np.nanargmax(self.coverage)) if np.any(self.size) else 0
        name = list(self.sets)[best] if len(self.sets) else "none"
        counts = f"{self.found[best]} of {self.size[best]}" if len(self.sets) else "no signature given"
        raise CoverageError(
            f"none of {len(self.sets)} signatures has {self.min_coverage:.0%} of its genes in this assay "
            f"(best: '{name}', {counts}).{self._hint()}"
        )

    def _hint(self) -> str:
        samples, genes = self.assay.obs_names, self.assay.var_names
        wanted = {gene for signature in self.sets.values() for gene in signature.genes}
        if self.assay.n_obs == 0:
            return "\nThe assay has no samples."
        if self.constant.any():
            return (
                f"\n{self.record.name} needs genes that differ between samples; the assay has "
                f"{len(samples)} sample(s)."
            )
        seen = ", ".join(map(str, genes[:5]))
        if _most(map(_ENSEMBL.fullmatch, genes)):
            return f"\nThe assay uses Ensembl ids ({seen}): name its genes by approved symbols."
        if _most(str(gene).isdigit() for gene in genes):
            return f"\nThe assay uses numeric ids ({seen}): name its genes by approved symbols."
        if wanted & set(map(str, samples)):
            return "\nGenes are in the rows: transpose the assay, samples are rows."
        if wanted & {str(gene).upper() for gene in genes} - set(map(str, genes)):
            return (
                f"\nThe assay's symbols differ in letter case, as mouse symbols do ({seen}): name human symbols."
            )
        return f"\nThe assay's genes look like: {seen}; signatures list approved symbols."


@dataclass(frozen=True)
class Share:
    """How much of one part of each signature the method can use.

    Attributes
    ----------
    noun : str
        ``genes``, ``down``, ``housekeeping``, ``pairs`` or ``sets``.
    found, size : ndarray of int, shape (n_signatures,)
        Usable and listed.
    """

    noun: str
    found: NDArray[np.int64]
    size: NDArray[np.int64]

    def enough(self, min_coverage: float) -> Bools:
        """Whether the share is enough; a part that a signature does not have is."""
        # the same division as in the coverage table, so that both decide alike
        share = np.divide(self.found, self.size, out=np.ones(len(self.size)), where=self.size > 0)
        return np.asarray((share >= min_coverage) & ((self.found > 0) | (self.size == 0)))


def align(
    adata: anndata.AnnData,
    signatures: catalog.Signatures,
    record: Record,
    *,
    min_coverage: float,
    options: Mapping[str, Any] | None = None,
    given_unit: str = "",
) -> Alignment:
    """Lay signatures over the genes of an assay, on the scale that is scored."""
    if not 0 <= min_coverage <= 1:
        raise ImmunosarcError(f"min_coverage is a share between 0 and 1; found {min_coverage!r} (80% is 0.8)")
    chosen = dict(options or {})
    check_options(record, chosen)
    assay = scored_assay(adata, counts=chosen.get("kcdf") == "poisson")
    wanted = {gene for one in signatures.values() for role in ("genes", *record.roles) for gene in read(one, role)}
    used = np.array([str(gene) in wanted for gene in assay.var_names], dtype=bool)
    values = dense(assay.X[:, used])
    present: Bools = np.any(~np.isnan(values), axis=0)
    return Alignment(
        sets=signatures,
        record=record,
        options=chosen,
        assay=assay,
        unit=unit_of(assay),
        given_unit=given_unit or unit_of(adata),
        used=used,
        values=values,
        present=present,
        constant=present & ~varies(values) if record.needs_variation else np.zeros_like(present),
        min_coverage=min_coverage,
        empty=empty_samples(assay),
    )


def scored_assay(adata: anndata.AnnData, *, counts: bool = False) -> anndata.AnnData:
    """Return the assay on the scale that is scored: log2, or the counts that a Poisson kernel needs."""
    if not counts:
        return log_expression(adata)
    if unit_of(adata) != "counts":
        raise UnitError(f"kcdf='poisson' needs counts, the assay has {unit_of(adata)}: use kcdf='gaussian'")
    return adata


def empty_samples(adata: anndata.AnnData) -> Bools:
    """Return which samples have no gene above or below zero."""
    if sparse.issparse(adata.X):
        return np.asarray(np.asarray(abs(adata.X).sum(axis=1)).ravel() == 0)
    return np.array([not np.any(np.nan_to_num(sample)) for sample in adata.X], dtype=bool)


def dense(values: Any) -> NDArray[np.float64]:
    """Return numbers as a float64 array, out of whatever matrix holds them."""
    return np.asarray(values.toarray() if sparse.issparse(values) else values, dtype=np.float64)


def check_options(record: Record, chosen: Mapping[str, Any]) -> None:
    """Raise when a chosen option is none of the method's."""
    for name, value in chosen.items():
        known = record.options.get(name)
        if known is None:
            hint = did_you_mean(name, record.options)
            offered = ", ".join(record.options) or "none"
            raise ImmunosarcError(f"{record.name} has no option {name!r}.{hint} Its options: {offered}.")
        if value not in known:
            offered = (
                f"a whole number from {known.start} to {known.stop - 1}"
                if isinstance(known, range)
                else f"one of {', '.join(map(repr, known))}"
            )
            raise ImmunosarcError(f"{record.name}: {name} is {offered}; found {value!r}")


def _most(answers: Iterable[Any]) -> bool:
    known = [bool(answer) for answer in answers]
    return bool(known) and sum(known) > len(known) / 2
