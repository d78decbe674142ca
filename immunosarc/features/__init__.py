"""From an assay to one row of features per sample."""

from __future__ import annotations

from immunosarc.features._kernels import SCORING
from immunosarc.features._qc import sample_quality
from immunosarc.features._score import coverage, score, signatures
from immunosarc.features._units import convert

__all__ = ["SCORING", "convert", "coverage", "sample_quality", "score", "signatures"]
