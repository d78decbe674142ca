"""The parts of a signature that a published form reads, as arrays over the genes of an assay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from immunosarc.catalog import Signature, load_signatures
from immunosarc.features._composites import Part
from immunosarc.features._scoring import Bools, Floats

__all__ = ["LISTED", "Genes", "kernel_parts", "n_sets", "pairs_found", "read", "sets_found"]

LISTED = ("genes", "down")
"""The parts whose genes count for or against a score; housekeeping genes do neither."""


class Genes:
    """The genes along one axis of an array, as far as a method can use them.

    Parameters
    ----------
    names : iterable of str
        All genes, in order.
    usable : collection of str
        Those that the method can use.
    """

    def __init__(self, names: Iterable[str], usable: frozenset[str]) -> None:
        listed = [str(name) for name in names]
        self.size = len(listed)
        self.usable = usable
        self._place = {name: place for place, name in enumerate(listed) if name in usable}

    def places(self, genes: Iterable[str]) -> NDArray[np.int64]:
        """Return the positions of those genes that are here."""
        return np.array([self._place[gene] for gene in genes if gene in self._place], dtype=np.int64)

    def marks(self, lists: Sequence[Iterable[str]]) -> Bools:
        """Return one boolean column for each list of genes."""
        marked = np.zeros((self.size, len(lists)), dtype=bool)
        for column, genes in enumerate(lists):
            marked[self.places(genes), column] = True
        return marked


def read(signature: Signature, part: str) -> Any:
    """Return a part of a signature by the name that kernels use for it."""
    if part == "down":
        return signature.genes_down or _held_against(signature)
    if part == "pairs":
        return tuple(gene for pair in signature.pairs for gene in pair)
    if part == "sets":
        return tuple(dict.fromkeys(gene for genes in _sets_of(signature) for gene in genes))
    if part == "centroids":
        return tuple(gene for gene in signature.centroids if gene != "classes")
    return getattr(signature, part, ())  # what is derived, such as n_pairs, names no genes


def pairs_found(signature: Signature, usable: frozenset[str]) -> list[tuple[str, str]]:
    """Return the pairs of which both genes are usable."""
    return [pair for pair in signature.pairs if usable.issuperset(pair)]


def sets_found(signature: Signature, usable: frozenset[str]) -> list[tuple[str, ...]]:
    """Return the usable genes of those sets of which at least half are usable."""
    found = [(genes, tuple(gene for gene in genes if gene in usable)) for genes in _sets_of(signature)]
    return [known for genes, known in found if known and 2 * len(known) >= len(genes)]


def n_sets(signature: Signature) -> int:
    """Return how many sets a signature consists of."""
    return len(_sets_of(signature))


def kernel_parts(
    signatures: Sequence[Signature], genes: Genes, roles: Iterable[str]
) -> tuple[Bools, dict[str, Any]]:
    """Return membership and the named parts, as a kernel takes them."""
    members = genes.marks([signature.genes for signature in signatures])
    return members, {role: _MAKERS[role](signatures, genes) for role in roles}


def _sets_of(signature: Signature) -> list[tuple[str, ...]]:
    return [element["genes"] for elements in signature.classes.values() for element in elements.values()]


def _sets(signatures: Sequence[Signature], genes: Genes) -> list[list[NDArray[np.int64]]]:
    return [[genes.places(known) for known in sets_found(one, genes.usable)] for one in signatures]


def _centroids(
    signatures: Sequence[Signature], genes: Genes
) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
    """Gene positions, and the centroids of the low and the high class at them."""
    found = []
    for signature in signatures:
        here = [gene for gene in read(signature, "centroids") if len(genes.places([gene]))]
        values = np.array([signature.centroids[gene] for gene in here], dtype=np.float64).reshape(-1, 2)
        found.append((genes.places(here), values))
    return found


def _held_against(signature: Signature) -> tuple[str, ...]:
    return load_signatures()[signature.denominator].genes if signature.denominator else ()


def _down(signatures: Sequence[Signature], genes: Genes) -> Bools:
    return genes.marks([read(signature, "down") for signature in signatures])


def _housekeeping(signatures: Sequence[Signature], genes: Genes) -> Bools:
    return genes.marks([signature.housekeeping for signature in signatures])


def _weights(signatures: Sequence[Signature], genes: Genes) -> Floats:
    """Missing genes would shrink a sum: the weights found carry those of the whole signature."""
    weights = np.zeros((genes.size, len(signatures)))
    for column, signature in enumerate(signatures):
        found = {gene: weight for gene, weight in signature.weights.items() if len(genes.places([gene]))}
        there = sum(map(abs, found.values()))
        scale = (
            sum(map(abs, signature.weights.values())) / there
            if there and len(found) < len(signature.weights)
            else 1
        )
        weights[genes.places(found), column] = [weight * scale for weight in found.values()]
    return weights


def _pairs(signatures: Sequence[Signature], genes: Genes) -> list[NDArray[np.int64]]:
    found = []
    for signature in signatures:
        places = [genes.places(pair) for pair in signature.pairs]
        found.append(np.array([pair for pair in places if len(pair) == 2], dtype=np.int64).reshape(-1, 2))
    return found


def _n_pairs(signatures: Sequence[Signature], genes: Genes) -> list[int]:
    return [len(signature.pairs) for signature in signatures]


def _elements(signatures: Sequence[Signature], genes: Genes) -> list[list[Part]]:
    return [
        [
            (category, float(element["weight"]), genes.places(element["genes"]))
            for category, elements in signature.classes.items()
            for element in elements.values()
        ]
        for signature in signatures
    ]


_MAKERS: Mapping[str, Callable[[Sequence[Signature], Genes], Any]] = {
    "down": _down,
    "housekeeping": _housekeeping,
    "weights": _weights,
    "pairs": _pairs,
    "n_pairs": _n_pairs,
    "parts": _elements,
    "sets": _sets,
    "centroids": _centroids,
}
