"""A signature's mean above that of control genes of like expression, as scanpy scores cells."""

from __future__ import annotations

import numpy as np
from scipy import stats

from immunosarc.features._averages import mean_log2
from immunosarc.features._scoring import Bools, Floats, as_rows, ratio_of, register, sums

__all__ = ["control_genes", "scanpy_score_genes"]

_MOST = 1_000_000
_OPTIONS = {
    "ctrl_size": range(1, _MOST),
    "n_bins": range(2, _MOST),
    "ctrl_as_ref": (True, False),
    "seed": range(2**32),
}


@register(
    "scanpy_score_genes",
    label="Mean above control genes of like expression",
    single_sample=False,
    all_genes=True,
    needs_others=True,
    per_cell=True,
    options=_OPTIONS,
    reference="10.1038/nbt.3192",
    oracle="scanpy 1.11",
)
def scanpy_score_genes(
    expression: Floats,
    members: Bools,
    *,
    ctrl_size: int = 50,
    n_bins: int = 25,
    ctrl_as_ref: bool = True,
    seed: int = 0,
) -> Floats:
    r"""Return how far a signature's genes lie above genes that are expressed as strongly on the whole.

    .. math:: s_i = \bar x_{i,\mathrm{genes}} - \bar x_{i,\mathrm{controls}}

    Genes are put into ``n_bins`` bins by their mean over all samples or cells; the controls are ``ctrl_size``
    genes drawn from every bin that holds a gene of the signature, without the signature's own [1]_. For one seed
    they are the genes that ``scanpy.tl.score_genes`` draws with that ``random_state``. Relative to the cohort, to
    the order of the genes and to the seed. NaN where a bin leaves no control. Controls without a value in a sample
    are left out of its mean.

    References
    ----------
    .. [1] Satija R et al., Nat Biotechnol 2015;33:495, doi:10.1038/nbt.3192

    Examples
    --------
    >>> values = np.array([[5.0, 1.0, 3.0, 2.0], [1.0, 5.0, 3.0, 6.0]])
    >>> scanpy_score_genes(values, np.array([[True], [False], [False], [False]]), n_bins=2).ravel()
    array([ 3., -3.])
    """
    known = ~np.isnan(expression)
    filled = np.where(known, expression, 0.0)
    means = ratio_of(filled.sum(axis=0), known.sum(axis=0))
    controls = control_genes(
        means, members, ctrl_size=ctrl_size, n_bins=n_bins, ctrl_as_ref=ctrl_as_ref, seed=seed
    )
    listed = as_rows(controls)
    level = ratio_of(sums(filled, listed), sums(known.astype(np.float64), listed))
    return mean_log2(expression, members) - level


def control_genes(
    means: Floats,
    members: Bools,
    *,
    ctrl_size: int = 50,
    n_bins: int = 25,
    ctrl_as_ref: bool = True,
    seed: int = 0,
) -> Bools:
    """Return the control genes of each signature, drawn as scanpy draws them.

    A bin holds genes whose means are neighbors in rank. With ``ctrl_as_ref`` genes of the signature are drawn too
    and then left out, as scanpy does unless told otherwise.
    """
    known = np.flatnonzero(np.isfinite(means))
    per_bin = int(np.round(len(known) / (n_bins - 1)))
    ranks = stats.rankdata(means[known], method="min")
    bins = ranks // per_bin if per_bin else np.zeros(len(known))
    controls = np.zeros_like(members)
    for column, inside in enumerate(members.T):
        mine = inside[known]
        generator = np.random.RandomState(seed)  # the old generator, because scanpy draws with it
        for one in np.unique(bins[mine]):
            drawn = np.flatnonzero((bins == one) & (ctrl_as_ref | ~mine))
            if ctrl_size < len(drawn):
                drawn = drawn[generator.choice(len(drawn), size=ctrl_size, replace=False)]
            controls[known[drawn], column] = True
    return np.asarray(controls & ~members)
