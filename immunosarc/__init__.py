"""Immune features, response and the next trial, for small sarcoma immunotherapy cohorts.

Every public name is imported on first use, so that ``import immunosarc`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import Any

__version__ = "0.1.0"

_WHERE = {
    "Cohort": "cohort",
    "attrition": "cohort",
    "make_assay": "cohort",
    "make_cells": "cohort",
    "load_cohort": "loaders",
    "simulate_cohort": "simulate",
    "Plan": "study",
    "Study": "study",
    "run": "study",
    "replicate": "study",
    "multiverse": "study",
    "check": "study",
    "lock": "study",
}
_PACKAGES = (
    "catalog",
    "cohort",
    "design",
    "endpoints",
    "errors",
    "features",
    "loaders",
    "models",
    "plots",
    "registry",
    "report",
    "schema",
    "simulate",
    "stats",
    "study",
)

__all__ = [*_WHERE, *_PACKAGES, "__version__"]


def __getattr__(name: str) -> Any:
    if name in _PACKAGES:
        return importlib.import_module(f"immunosarc.{name}")
    if name in _WHERE:
        return getattr(importlib.import_module(f"immunosarc.{_WHERE[name]}"), name)
    raise AttributeError(f"module 'immunosarc' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
