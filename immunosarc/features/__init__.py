"""From an assay to one row of features per sample."""

from __future__ import annotations

from immunosarc.features._alterations import ALTERED_GENES, alterations, gene_alterations
from immunosarc.features._applicability import applicability
from immunosarc.features._cell_matrix import CellMatrix, open_cells
from immunosarc.features._cell_profile import CellProfile, profile_cells
from immunosarc.features._cell_tables import (
    CELL_STATES,
    cell_composition,
    cell_quality,
    cell_states,
    pseudobulk,
)
from immunosarc.features._cell_types import CellReference, MarkerPanel, build_cell_reference, marker_panel
from immunosarc.features._changed_clones import changed_clones, clonal_expansion
from immunosarc.features._circulating_dna import circulating_dna, ctdna_clearance
from immunosarc.features._classify import classify
from immunosarc.features._deconvolve import DECONVOLUTION, deconvolve
from immunosarc.features._imaging_cells import phenotypes_of
from immunosarc.features._imaging_classes import immune_phenotypes
from immunosarc.features._imaging_cross_g import cross_g, cross_g_excess
from immunosarc.features._imaging_density import by_sample, densities, fractions
from immunosarc.features._imaging_fields import field_counts
from immunosarc.features._imaging_neighbors import mixing_scores, nearest_neighbors
from immunosarc.features._imaging_scores import h_scores, pd_l1_scores
from immunosarc.features._imaging_structures import StructureRule, lymphoid_structures, structure_burden
from immunosarc.features._kernels import SCORING
from immunosarc.features._lineage import lineage_guard
from immunosarc.features._molecular import MOLECULAR, molecular, molecular_problems
from immunosarc.features._mutations import neoantigen_burden, tumor_mutational_burden
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
from immunosarc.features._soluble import soluble, soluble_summary
from immunosarc.features._unit_check import check_units
from immunosarc.features._units import convert

__all__ = [
    "ALTERED_GENES",
    "CELL_STATES",
    "DECONVOLUTION",
    "MOLECULAR",
    "SCORING",
    "CellMatrix",
    "CellProfile",
    "CellProfiles",
    "CellReference",
    "MarkerPanel",
    "Population",
    "Reference",
    "Rules",
    "StructureRule",
    "alterations",
    "applicability",
    "build_cell_reference",
    "build_reference",
    "by_sample",
    "cell_composition",
    "cell_quality",
    "cell_states",
    "changed_clones",
    "check_units",
    "circulating_dna",
    "classify",
    "clonal_expansion",
    "convert",
    "coverage",
    "cross_g",
    "cross_g_excess",
    "ctdna_clearance",
    "deconvolve",
    "densities",
    "estimate_purity",
    "field_counts",
    "fractions",
    "gene_alterations",
    "h_scores",
    "immune_phenotypes",
    "lineage_guard",
    "lymphoid_structures",
    "marker_panel",
    "mixing_scores",
    "molecular",
    "molecular_problems",
    "nearest_neighbors",
    "neoantigen_burden",
    "normalize",
    "open_cells",
    "panel",
    "pd_l1_scores",
    "phenotypes_of",
    "place",
    "placed_change",
    "profile_cells",
    "pseudobulk",
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
    "soluble",
    "soluble_summary",
    "structure_burden",
    "tumor_blood_overlap",
    "tumor_mutational_burden",
    "write_reference",
]
