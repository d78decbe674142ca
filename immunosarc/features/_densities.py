"""Where a sample lies in the distribution of a gene over the cohort: the first step of GSVA.

Each function takes expression (n_samples, n_genes) without constant genes and returns a number between
0 and 1 for every value; missing values stay missing and take no part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
from scipy import special, stats

from immunosarc.features._scoring import Floats

__all__ = ["DENSITIES"]

_LARGE = 30_000_000
"""Pairs of values from which the compiled fast Gauss transform is worth loading."""

_VALUES_AT_ONCE = 200_000
_BANDWIDTH = 4.0  # standard deviations over bandwidth
_TABLE_END, _TABLE_STEPS = 10.0, 10_000
_SPREAD = 0.5  # what R adds to the rate of its Poisson kernel


def gaussian(expression: Floats) -> Floats:
    """Smooth with a normal kernel of a quarter standard deviation, by its exact distribution function."""
    if len(expression) * expression.size >= _LARGE:
        from immunosarc.features._gauss_transform import smoothed

        return smoothed(expression)
    return _over_pairs(_scaled(expression), lambda here, others: special.ndtr(here - others))


def gaussian_table(expression: Floats) -> Floats:
    """Smooth with the normal kernel that R's GSVA looks up in a table of 10,001 entries."""
    table = special.ndtr(_TABLE_END * np.arange(_TABLE_STEPS + 1) / _TABLE_STEPS)

    def looked_up(here: Floats, others: Floats) -> Floats:
        distance = here - others
        unknown = np.isnan(distance)
        steps = np.abs(np.where(unknown, 0.0, distance)) / _TABLE_END * _TABLE_STEPS
        upper = np.where(steps > _TABLE_STEPS, 1.0, table[np.minimum(steps, _TABLE_STEPS).astype(np.int64)])
        return np.where(unknown, np.nan, np.where(distance < 0, 1.0 - upper, upper))

    return _over_pairs(_scaled(expression), looked_up)


def poisson(expression: Floats) -> Floats:
    """Smooth counts with a Poisson kernel whose rate is the other sample's count plus one half."""
    return _over_pairs(expression, lambda here, others: special.pdtr(here, others + _SPREAD))


def ecdf(expression: Floats) -> Floats:
    """Return the share of samples that are not higher."""
    known = np.sum(~np.isnan(expression), axis=0)
    return np.asarray(stats.rankdata(expression, method="max", axis=0, nan_policy="omit") / known)


DENSITIES: Mapping[str, Callable[[Floats], Floats]] = MappingProxyType(
    {"gaussian": gaussian, "gaussian_table": gaussian_table, "ecdf": ecdf, "poisson": poisson}
)


def _scaled(expression: Floats) -> Floats:
    """Return values in bandwidths of their gene."""
    return expression / (np.nanstd(expression, axis=0, ddof=1) / _BANDWIDTH)


def _over_pairs(values: Floats, kernel: Callable[[Floats, Floats], Floats]) -> Floats:
    """Average the kernel between each sample and all samples, some genes at a time."""
    result = np.full_like(values, np.nan)
    gaps = np.isnan(values)
    known = np.sum(~gaps, axis=0)
    step = max(1, _VALUES_AT_ONCE // max(1, len(values)))
    for start in range(0, values.shape[1], step):
        genes = slice(start, start + step)
        for row, here in enumerate(values[:, genes]):
            between = kernel(here[None, :], values[:, genes])
            between[gaps[:, genes]] = 0.0
            result[row, genes] = between.sum(axis=0) / known[genes]
    result[gaps] = np.nan
    return result
