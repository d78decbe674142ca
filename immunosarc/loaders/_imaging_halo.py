"""HALO: object data, one row for each cell with the box around it, in pixels."""

from __future__ import annotations

from immunosarc.loaders._imaging_layout import Layout

__all__ = ["HALO"]


def _spelled(name: str) -> tuple[str, str]:
    """Return a name as HALO writes it, and as R reads it."""
    return name, name.replace(" ", ".")


HALO = Layout(
    columns={
        "field_id": (*_spelled("Image File Name"), *_spelled("Image Tag"), *_spelled("Image Location")),
        "cell_id": _spelled("Object Id"),
        "region": _spelled("Classifier Label"),
    },
    box=(("XMin",), ("XMax",), ("YMin",), ("YMax",)),
    own=("Image File Name", "Algorithm Name", "Image.File.Name", "Algorithm.Name"),
)
