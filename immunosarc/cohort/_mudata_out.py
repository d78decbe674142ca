"""A cohort as a MuData: its assays as modalities, its clinical tables beside them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anndata
import pandas as pd

from immunosarc.cohort._assay import storable
from immunosarc.errors import DataFileError

if TYPE_CHECKING:
    import mudata

__all__ = ["as_mudata", "write_h5mu"]


def as_mudata(
    frames: Mapping[str, pd.DataFrame], assays: Mapping[str, anndata.AnnData], provenance: Mapping[str, Any]
) -> mudata.MuData:
    """Return the assays as modalities; ``uns["immunosarc"]`` holds patients, samples, long tables and origin."""
    try:
        import mudata
    except ImportError as failure:
        raise DataFileError(
            "MuData needs the package mudata; install it with: pip install 'immunosarc[interop]'"
        ) from failure
    if not assays:
        raise DataFileError("a MuData needs an assay, and the cohort has none; write it with format='immunosarc'.")
    with mudata.set_options(pull_on_update=False):
        whole = mudata.MuData({name: adata.copy() for name, adata in assays.items()})
    tables = {name.removeprefix("tables/"): _stored(frame) for name, frame in frames.items()}
    origin = {key: str(provenance[key]) for key in ("name", "title", "citation", "license") if provenance.get(key)}
    whole.uns["immunosarc"] = {**tables, "origin": origin, "simulated": bool(provenance.get("simulated", False))}
    return whole


def _stored(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the columns as types that HDF5 files of AnnData keep; the index as text."""
    kept = pd.DataFrame(
        {str(name): storable(frame[name]) for name in frame.columns}, index=frame.index.astype(str)
    )
    kept.index.name = frame.index.name
    return kept


def write_h5mu(
    path: str | os.PathLike[str],
    frames: Mapping[str, pd.DataFrame],
    assays: Mapping[str, anndata.AnnData],
    provenance: Mapping[str, Any],
) -> Path:
    """Write one ``.h5mu`` file; it appears whole or not at all."""
    target = Path(path)
    if target.suffix != ".h5mu" or target.is_dir():
        raise DataFileError(f"{target}: a MuData is one file; give a path that ends in .h5mu.")
    whole = as_mudata(frames, assays, provenance)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".h5mu.", dir=target.parent) as folder:
        partial = Path(folder) / target.name
        _write(whole, partial)
        os.replace(partial, target)
    return target


def _write(whole: mudata.MuData, path: Path) -> None:
    import mudata

    with mudata.set_options(pull_on_update=False):
        whole.write_h5mu(path)
