"""Facts that travel with the package: signatures, gene names, histologies, published numbers.

Nothing is computed here. Every fact carries its citation; where a list came from and under which
license is in ``README.md`` beside the data.
"""

from __future__ import annotations

from immunosarc.catalog._panels import SignaturePanel, load_panel
from immunosarc.catalog._published import load_historical_controls, load_marker_evidence
from immunosarc.catalog._sets import as_signatures
from immunosarc.catalog._signatures import Signature, Signatures, load_signatures
from immunosarc.catalog._supplied import supply_inputs
from immunosarc.catalog._tables import (
    SarcomaReference,
    histologies,
    load_cell_markers,
    load_evidence,
    load_gene_aliases,
    load_lineage_conflicts,
    load_sarcoma_reference,
    load_simulated_trial,
)

__all__ = [
    "SarcomaReference",
    "Signature",
    "SignaturePanel",
    "Signatures",
    "as_signatures",
    "histologies",
    "load_cell_markers",
    "load_evidence",
    "load_gene_aliases",
    "load_historical_controls",
    "load_lineage_conflicts",
    "load_marker_evidence",
    "load_panel",
    "load_sarcoma_reference",
    "load_signatures",
    "load_simulated_trial",
    "supply_inputs",
]
