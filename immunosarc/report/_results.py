"""Everything machine-readable in one JSON; a value that JSON cannot hold is null."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from immunosarc import __version__
from immunosarc.study import Study

__all__ = ["FORMAT", "as_json", "indexed", "json_text", "results_text"]

FORMAT = "immunosarc-results/1"


def results_text(study: Study) -> str:
    """Return ``results.json``: plan, stamps, provenance, methods and every table as records."""
    content = {
        "format": FORMAT,
        "immunosarc": __version__,
        "name": study.name,
        "title": study.title,
        "simulated": study.simulated,
        "stamp": study.stamp,
        "stamp_reason": study.stamp_reason,
        "plan": study.plan.model_dump(mode="json"),
        "plan_sha256": study.plan.sha256,
        "provenance": study.provenance,
        "methods": list(study.methods),
        "note": "null is a missing value; endless limits are null here and inf in tables/*.tsv; ratios are logs",
        "tables": {name: indexed(table).to_dict(orient="records") for name, table in study.tables.items()},
    }
    return json_text(content)


def json_text(content: Any) -> str:
    """Return JSON text, the same bytes for the same content."""
    return json.dumps(as_json(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def as_json(value: Any) -> Any:
    """Return a value as JSON holds it: missing and endless numbers become None."""
    if isinstance(value, Mapping):
        return {str(key): as_json(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset | np.ndarray):
        return [as_json(one) for one in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    return str(value)


def indexed(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with a named index as its first column."""
    return table.reset_index() if table.index.name is not None else table
