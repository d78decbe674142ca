"""The registry of deconvolution methods, and what every one of them takes and returns.

A method takes a frame of samples by genes on the scale that is scored and ``min_coverage``; what else it reads
of the arguments of :func:`immunosarc.features.deconvolve` stands in its fact ``reads``. It returns one row for
each sample and cell type.
"""

from __future__ import annotations

from immunosarc.registry import Registry

__all__ = ["DECONVOLUTION"]

DECONVOLUTION = Registry("deconvolution method")
"""The deconvolution methods; ``DECONVOLUTION.table()`` lists them."""
