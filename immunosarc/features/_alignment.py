"""Which genes of which signature an assay can be scored on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from immunosarc import catalog
from immunosarc.errors import CoverageError, ImmunosarcError
from immunosarc.features._kernels import SCORING, varies
from immunosarc.features._units import log_expression, unit_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    import anndata

    from immunosarc.registry import Record

__all__ = ["Alignment", "align", "dense"]

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
    assay : AnnData
        On the log2 scale that is scored.
    given_unit : str
        The unit before that.
    used : ndarray of bool, shape (n_genes,)
        Genes of the assay that any signature lists.
    values : ndarray of shape (n_samples, n_used)
        Their expression.
    listed, members : ndarray of bool, shape (n_used, n_signatures)
        Which of them belong to a signature; which of these the method can use.
    constant : ndarray of bool, shape (n_used,)
        Genes that the method cannot use because they do not vary.
    size : ndarray of int, shape (n_signatures,)
        Genes that each signature lists, in the assay or not.
    min_coverage : float
        Share of its genes that a signature needs.
    """

    sets: catalog.Signatures
    record: Record
    assay: anndata.AnnData
    given_unit: str
    used: NDArray[np.bool_]
    values: NDArray[np.float64]
    listed: NDArray[np.bool_]
    members: NDArray[np.bool_]
    constant: NDArray[np.bool_]
    size: NDArray[np.int64]
    min_coverage: float

    @property
    def unit(self) -> str:
        """The unit that is scored."""
        return unit_of(self.assay)

    @property
    def found(self) -> NDArray[np.int64]:
        """How many genes of each signature the method can use."""
        return self.members.sum(axis=0)

    @property
    def coverage(self) -> NDArray[np.float64]:
        """The share of each signature's genes that the method can use; NaN without genes."""
        nothing = np.full(len(self.size), np.nan)
        return np.divide(self.found, self.size, out=nothing, where=self.size > 0)

    @property
    def covered(self) -> NDArray[np.bool_]:
        """Which signatures get a score."""
        return (self.found > 0) & (self.coverage >= self.min_coverage)

    @property
    def genes(self) -> NDArray[np.object_]:
        """The symbols of the used genes."""
        return np.asarray(self.assay.var_names, dtype=object)[self.used]

    def refuse_if_nothing_is_covered(self) -> None:
        """Raise when not one signature can be scored."""
        if self.covered.any():
            return
        best = int(np.nanargmax(self.coverage)) if self.size.any() else 0
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
        if _most(map(_ENSEMBL.fullmatch, genes)):
            return "\nThe assay uses Ensembl ids: name its genes by approved symbols."
        if _most(str(gene).isdigit() for gene in genes):
            return "\nThe assay uses numeric ids: name its genes by approved symbols."
        if wanted & set(map(str, samples)):
            return "\nGenes are in the rows: transpose the assay, samples are rows."
        if wanted & {str(gene).upper() for gene in genes} - set(map(str, genes)):
            return "\nThe assay's symbols differ in letter case, as mouse symbols do: name human symbols."
        return (
            f"\nThe assay's genes look like: {', '.join(map(str, genes[:5]))}; signatures list approved symbols."
        )


def align(adata: anndata.AnnData, signatures: Any, *, method: str, min_coverage: float) -> Alignment:
    """Lay signatures over the genes of an assay, on the scale that is scored."""
    if not 0 <= min_coverage <= 1:
        raise ImmunosarcError(f"min_coverage is a share between 0 and 1; found {min_coverage!r} (80% is 0.8)")
    record = SCORING[method]
    sets = catalog.load_signatures() if signatures is None else catalog.as_signatures(signatures)
    assay = log_expression(adata)
    everywhere = _membership(sets, assay.var_names)
    used = np.asarray(everywhere.any(axis=1))
    values, listed = dense(assay.X[:, used]), everywhere[used]
    present: NDArray[np.bool_] = np.any(~np.isnan(values), axis=0)
    constant = present & ~varies(values) if record.needs_variation else np.zeros_like(present)
    return Alignment(
        sets=sets,
        record=record,
        assay=assay,
        given_unit=unit_of(adata),
        used=used,
        values=values,
        listed=listed & present[:, None],
        members=listed & (present & ~constant)[:, None],
        constant=constant,
        size=np.array([len(signature.genes) for signature in sets.values()], dtype=np.int64),
        min_coverage=min_coverage,
    )


def dense(values: Any) -> NDArray[np.float64]:
    """Return numbers as a float64 array, out of whatever matrix holds them."""
    return np.asarray(values.toarray() if sparse.issparse(values) else values, dtype=np.float64)


def _membership(sets: catalog.Signatures, genes: Iterable[str]) -> NDArray[np.bool_]:
    position = {str(gene): index for index, gene in enumerate(genes)}
    members = np.zeros((len(position), len(sets)), dtype=bool)
    for column, signature in enumerate(sets.values()):
        members[[position[gene] for gene in signature.genes if gene in position], column] = True
    return members


def _most(answers: Iterable[Any]) -> bool:
    known = [bool(answer) for answer in answers]
    return bool(known) and sum(known) > len(known) / 2
