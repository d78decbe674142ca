"""All scoring methods, recorded: importing this module fills the registry."""

from __future__ import annotations

from immunosarc.features import _averages, _composites, _control_genes, _gsva, _of_input, _ranked
from immunosarc.features._scoring import SCORING

__all__ = ["SCORING"]

_ROOMS = (_averages, _composites, _control_genes, _gsva, _of_input, _ranked)
