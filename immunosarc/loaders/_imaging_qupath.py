"""QuPath: measurements of detections, as its measurement exporter writes them."""

from __future__ import annotations

from immunosarc.loaders._imaging_layout import Layout

__all__ = ["QUPATH"]

_MICRONS = ("Centroid X µm", "Centroid X μm", "Centroid X um")  # the micro sign and the Greek letter

QUPATH = Layout(
    columns={
        "field_id": ("Image",),
        "cell_id": ("Object ID",),
        "x": (*_MICRONS, "Centroid X px", "Centroid X"),
        "y": ("Centroid Y µm", "Centroid Y μm", "Centroid Y um", "Centroid Y px", "Centroid Y"),
        "region": ("Parent",),
        "phenotype": ("Classification", "Class"),
    },
    microns=_MICRONS,
    missing=("NaN",),
    own=("Name",),
)
"""``Name`` is that of the object's class. One file may hold all images of a project."""
