"""The registry of scoring methods, and what every kernel shares.

Every kernel takes ``expression`` of shape (n_samples, n_genes) and a boolean ``members`` of shape
(n_genes, n_signatures), and returns (n_samples, n_signatures). A signature without members has NaN,
and so has a sample that lacks the value of a member. What else a published form reads comes by
keyword, as the method's facts say under ``roles``:

``down``
    bool, (n_genes, n_signatures): genes that count against the score;
``weights``
    float, (n_genes, n_signatures): zero outside the signature;
``housekeeping``
    bool, (n_genes, n_signatures): genes that normalize a sample;
``pairs``
    one integer array (n_pairs, 2) of gene positions per signature;
``parts``
    one list of (category, weight, gene positions) per signature.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from immunosarc.registry import Registry

__all__ = ["SCORING", "Bools", "Floats", "as_rows", "ratio_of", "register", "sets_of_genes", "sums", "varies"]

SCORING = Registry("scoring method")
"""The scoring methods, planned ones included; ``SCORING.table()`` lists them."""

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
F = TypeVar("F", bound=Callable[..., Any])

_DEFAULTS: dict[str, Any] = {
    "bounds": (-np.inf, np.inf),
    "single_sample": True,
    "all_genes": False,
    "needs_others": False,
    "most_genes": 0,
    "needs_variation": False,
    "per_cell": False,
    "needs": "",
    "scale": "log2",
    "roles": (),
    "requires": (),
    "options": {},
    "coverage_rule": "min_coverage of the genes",
    "reference": "",
    "oracle": "the definition, written in other terms",
}


def register(name: str, *, label: str, **facts: Any) -> Callable[[F], F]:
    """Record a kernel with every fact that the table shows, the usual ones by default.

    ``single_sample`` means that a sample's score does not change when others join; ``all_genes`` that it
    depends on every gene of the assay; ``needs_others`` that it needs genes outside the signature, ``most_genes``
    how many it may have (0: any number); ``needs_variation`` that constant genes cannot be used; ``per_cell``
    that it scores single cells of a sparse matrix too; ``needs`` names the linear unit of the published form;
    ``requires`` the parts a signature must have.
    """
    if unknown := facts.keys() - _DEFAULTS.keys():
        raise KeyError(f"unknown facts of {name!r}: {', '.join(sorted(unknown))}")
    return SCORING.register(name, label=label, **(_DEFAULTS | facts))


def sums(expression: Floats, membership: sparse.csr_matrix) -> Floats:
    """Return the sum of each sample over each signature's genes, one sample at a time.

    A missing value reaches no other signature, and a sample's sum does not depend on its
    neighbors, not even in the last digit.
    """
    rows = [membership @ sample for sample in expression]
    return np.array(rows).reshape(len(expression), membership.shape[0])


def as_rows(members: NDArray[Any]) -> sparse.csr_matrix:
    """Return one sparse row per signature."""
    return sparse.csr_matrix(members.T, dtype=np.float64)


def sets_of_genes(members: Bools) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return starts and signatures: those of gene g are ``signatures[starts[g]:starts[g + 1]]``."""
    genes, signatures = np.nonzero(members)
    return np.searchsorted(genes, np.arange(len(members) + 1)), signatures


def ratio_of(numerator: Floats, denominator: NDArray[np.number]) -> Floats:
    """Divide, with NaN where there is nothing to divide by."""
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    nothing = np.full(shape, np.nan)
    return np.divide(numerator, denominator, out=nothing, where=np.broadcast_to(denominator > 0, shape))


def varies(expression: Floats) -> Bools:
    """Return which genes have at least two different values."""
    low = np.fmin.reduce(expression, axis=0, initial=np.inf)
    high = np.fmax.reduce(expression, axis=0, initial=-np.inf)
    return np.asarray(low < high)
