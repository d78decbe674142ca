"""inForm: the cell segmentation data of a field, or of fields merged by phenoptr."""

from __future__ import annotations

from immunosarc.loaders._imaging_layout import Layout

__all__ = ["INFORM"]

INFORM = Layout(
    columns={
        "sample_id": ("Slide ID",),
        "field_id": ("Sample Name",),
        "cell_id": ("Cell ID",),
        "x": ("Cell X Position",),
        "y": ("Cell Y Position",),
        "region": ("Tissue Category",),
        "phenotype": ("Phenotype",),
    },
    missing=("#N/A",),
    own=("Sample Name", "Annotation ID"),
    mistaken={
        "Total Cells": "this is a summary and not one row per cell; give *_cell_seg_data.txt",
        "Region Area (square microns)": (
            "this holds areas and no cells; give *_cell_seg_data.txt here, and this file under [tables.fields]"
        ),
    },
)
"""Whether positions are pixels or micrometers is a setting of the export that the file does not tell."""
