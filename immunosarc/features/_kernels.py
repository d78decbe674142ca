"""All scoring methods, recorded: importing this module fills the registry."""

from __future__ import annotations

from immunosarc.features import _averages, _composites, _control_genes, _gsva, _ranked
from immunosarc.features._scoring import SCORING

__all__ = ["SCORING"]

_ROOMS = (_averages, _composites, _control_genes, _gsva, _ranked)

SCORING.plan(
    "ipres_count",
    label="Mean z of GSVA over the IPRES signatures",
    reference="10.1016/j.cell.2016.02.065",
    needs="",
)
