"""From an assay to one row of features per sample."""

from __future__ import annotations

from immunosarc.features._applicability import applicability
from immunosarc.features._classify import classify
from immunosarc.features._deconvolve import DECONVOLUTION, deconvolve
from immunosarc.features._kernels import SCORING
from immunosarc.features._place import place
from immunosarc.features._qc import qc
from immunosarc.features._reference import Population, Reference, Rules, build_reference, sarcoma_reference
from immunosarc.features._score import coverage, score, signatures
from immunosarc.features._unit_check import check_units
from immunosarc.features._units import convert

__all__ = [
    "DECONVOLUTION",
    "SCORING",
    "Population",
    "Reference",
    "Rules",
    "applicability",
    "build_reference",
    "check_units",
    "classify",
    "convert",
    "coverage",
    "deconvolve",
    "place",
    "qc",
    "sarcoma_reference",
    "score",
    "signatures",
]
