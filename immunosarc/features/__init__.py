"""From an assay to one row of features per sample."""

from __future__ import annotations

from immunosarc.features._applicability import applicability
from immunosarc.features._changed_clones import changed_clones, clonal_expansion
from immunosarc.features._classify import classify
from immunosarc.features._deconvolve import DECONVOLUTION, deconvolve
from immunosarc.features._imaging_density import by_sample, densities, fractions
from immunosarc.features._kernels import SCORING
from immunosarc.features._lineage import lineage_guard
from immunosarc.features._normalize import normalize
from immunosarc.features._place import place
from immunosarc.features._placed_change import placed_change
from immunosarc.features._profiles import CellProfiles, read_cell_profiles, signature_matrix
from immunosarc.features._purity import estimate_purity
from immunosarc.features._qc import qc
from immunosarc.features._reference import Population, Reference, Rules, build_reference, sarcoma_reference
from immunosarc.features._reference_file import read_reference, write_reference
from immunosarc.features._repertoire import repertoire, repertoire_depths
from immunosarc.features._repertoire_overlap import repertoire_overlap, tumor_blood_overlap
from immunosarc.features._score import coverage, panel, score, signatures
from immunosarc.features._unit_check import check_units
from immunosarc.features._units import convert

__all__ = [
    "DECONVOLUTION",
    "SCORING",
    "CellProfiles",
    "Population",
    "Reference",
    "Rules",
    "applicability",
    "build_reference",
    "by_sample",
    "changed_clones",
    "check_units",
    "classify",
    "clonal_expansion",
    "convert",
    "coverage",
    "deconvolve",
    "densities",
    "estimate_purity",
    "fractions",
    "lineage_guard",
    "normalize",
    "panel",
    "place",
    "placed_change",
    "qc",
    "read_cell_profiles",
    "read_reference",
    "repertoire",
    "repertoire_depths",
    "repertoire_overlap",
    "sarcoma_reference",
    "score",
    "signature_matrix",
    "signatures",
    "tumor_blood_overlap",
    "write_reference",
]
