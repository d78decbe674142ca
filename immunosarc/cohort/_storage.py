"""A cohort on disk: one folder of tab-separated tables, h5ad assays and a JSON with the types."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd

from immunosarc import whole
from immunosarc.cohort._assay import cell_facts, dense_blocks, storable
from immunosarc.errors import DataFileError

__all__ = ["content_hash", "read_folder", "write_folder"]

_FORMAT = 1
_NAME = "cohort.json"
# what an assay says of the file it came from, which is not what it holds
_OF_THE_FILE = ("source", "sha256", "gene_id")


def content_hash(frames: Mapping[str, pd.DataFrame], assays: Mapping[str, anndata.AnnData]) -> str:
    """Return a SHA-256 of every value, name and unit, however the files spelled them."""
    digest = hashlib.sha256()
    for name, frame in sorted(frames.items()):
        digest.update(name.encode())
        digest.update(frame.to_csv(sep="\t", lineterminator="\n").encode())
    for name, adata in sorted(assays.items()):
        said = {key: value for key, value in adata.uns["immunosarc"].items() if key not in _OF_THE_FILE}
        about = [name, said, list(adata.obs_names), list(adata.var_names)]
        digest.update(json.dumps(about, sort_keys=True, default=str).encode())
        for block in dense_blocks(adata):
            digest.update(np.ascontiguousarray(block).tobytes())
        for fact, content in cell_facts(adata) if adata.uns["immunosarc"]["level"] == "cell" else ():
            digest.update(fact.encode() + content)
    return digest.hexdigest()


def write_folder(
    path: str | os.PathLike[str],
    frames: Mapping[str, pd.DataFrame],
    assays: Mapping[str, anndata.AnnData],
    provenance: Mapping[str, Any],
) -> Path:
    """Write the parts of a cohort; the folder appears whole or not at all."""
    target = Path(path)
    if target.exists() and any(target.iterdir()) and not (target / _NAME).is_file():
        raise DataFileError(f"{target} exists and is not a cohort folder; choose another path.")

    def fill(folder: Path) -> None:
        _write_frames(folder, frames)
        _write_assays(folder, assays)
        _write_about(folder, frames, assays, provenance)

    return whole.write_folder(target, fill)


def _write_frames(folder: Path, frames: Mapping[str, pd.DataFrame]) -> None:
    for name, frame in frames.items():
        file = folder / f"{name}.tsv"
        file.parent.mkdir(exist_ok=True)
        frame.to_csv(file, sep="\t", index=not name.startswith("tables/"), lineterminator="\n")


def _write_assays(folder: Path, assays: Mapping[str, anndata.AnnData]) -> None:
    if assays:
        (folder / "assays").mkdir()
    for name, adata in assays.items():
        stored = adata.copy()
        for frame in (stored.obs, stored.var):
            for column in frame.columns:
                frame[column] = storable(frame[column])
        stored.write_h5ad(folder / "assays" / f"{name}.h5ad", compression="gzip")


def _write_about(
    folder: Path,
    frames: Mapping[str, pd.DataFrame],
    assays: Mapping[str, anndata.AnnData],
    provenance: Mapping[str, Any],
) -> None:
    dtypes = {
        name: {str(column): str(dtype) for column, dtype in frame.dtypes.items()} for name, frame in frames.items()
    }
    about = {"format": _FORMAT, "provenance": dict(provenance), "assays": list(assays), "dtypes": dtypes}
    (folder / _NAME).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def read_folder(
    path: str | os.PathLike[str],
) -> tuple[dict[str, pd.DataFrame], dict[str, anndata.AnnData], dict[str, Any]]:
    """Read the frames, the assays and the provenance that :func:`write_folder` wrote."""
    folder = Path(path)
    try:
        about = json.loads((folder / _NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError) as failure:
        raise DataFileError(
            f"{folder} is not a cohort folder: {_NAME} is missing or unreadable. "
            "Give the folder that Cohort.write made."
        ) from failure
    if about.get("format") != _FORMAT:
        raise DataFileError(f"{folder} has cohort format {about.get('format')!r}, this version reads {_FORMAT}.")
    frames = {name: _read_frame(folder, name, types) for name, types in about["dtypes"].items()}
    assays = {name: anndata.read_h5ad(folder / "assays" / f"{name}.h5ad") for name in about["assays"]}
    return frames, assays, about["provenance"]


def _read_frame(folder: Path, name: str, types: Mapping[str, str]) -> pd.DataFrame:
    text = pd.read_csv(folder / f"{name}.tsv", sep="\t", dtype="string", keep_default_na=False, na_values=[""])
    index = None if name.startswith("tables/") else text.columns[0]
    frame = text.set_index(index) if index else text
    for column, dtype in types.items():
        frame[column] = _as_type(frame[column], dtype)
    return frame


def _as_type(values: pd.Series, dtype: str) -> Any:
    if dtype in ("boolean", "bool"):
        return values.map({"True": True, "False": False}).astype(dtype)
    if dtype.startswith(("float", "Float", "int", "Int")):
        return values.astype("object").where(values.notna(), np.nan).astype(float).astype(dtype)
    return values.astype(object if dtype == "object" else dtype)
