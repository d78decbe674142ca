"""MCMICRO: the tables of mcquant, a file for each image, positions in pixels."""

from __future__ import annotations

import re

from immunosarc.loaders._imaging_layout import Layout

__all__ = ["MCMICRO", "image_of"]

_ENDING = r"_(cell|nuclei|cyto|cellMask|nucleiMask|cytoMask|cellRing|nucleiRing)\.csv(\.gz)?"
_NEW = re.compile(rf"(?P<image>.+)--(?P<method>[A-Za-z0-9]+){_ENDING}")
_OLD = re.compile(
    rf"(?P<method>unmicst2?|ilastik|cypository|mesmer|cellpose|deepcell|stardist)-(?P<image>.+){_ENDING}"
)


def image_of(name: str) -> str:
    """Return the image of a file, which the program names in two ways.

    Examples
    --------
    >>> image_of("exemplar-001--unmicst_cell.csv"), image_of("unmicst-exemplar-001_cell.csv")
    ('exemplar-001', 'exemplar-001')
    """
    found = _NEW.fullmatch(name) or _OLD.fullmatch(name)
    return found["image"] if found else name.removesuffix(".gz").removesuffix(".csv")


MCMICRO = Layout(
    columns={"cell_id": ("CellID",), "x": ("X_centroid",), "y": ("Y_centroid",)},
    image_of=image_of,
)
