"""Fetching the public files of a manifest: right to the last byte, or not there."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pandas as pd

from immunosarc.errors import DataFileError, ManifestError, raise_together
from immunosarc.loaders._assay_block import AssayBlock
from immunosarc.loaders._blocks import Block
from immunosarc.loaders._fault import Fault, error_of
from immunosarc.loaders._manifest import Manifest
from immunosarc.loaders._parse import read_manifest, read_toml
from immunosarc.loaders._salmon import QUANT_FILES
from immunosarc.loaders._single_cell_block import SingleCellBlock
from immunosarc.loaders._source import Source

__all__ = ["fetch_files"]

_TIMEOUT = 60.0
_SCHEMES = ("http", "https")


class _CellFolder(Block):
    """A folder of files of cells, which has no address."""


def fetch_files(
    manifest: str | os.PathLike[str],
    *,
    data_root: str | os.PathLike[str] | None = None,
    timeout: float = _TIMEOUT,
) -> pd.DataFrame:
    r"""Fetch the files of a cohort that have a public address, so that its numbers can be checked by anyone.

    A file is written only when its SHA-256 is the one in the manifest; a file that is there already
    is never replaced. Every file is tried before the problems are told together.

    Parameters
    ----------
    manifest : path
        A TOML file; blocks with ``url`` need ``sha256``.
    data_root : path, optional
        The folder to write below; by default the manifest's own.
    timeout : float
        Seconds to wait for a server that says nothing.

    Returns
    -------
    DataFrame
        Columns ``file`` and ``status`` (``fetched`` or ``present``), one row for each file.

    Raises
    ------
    ManifestError, DataFileError
        With every file that cannot be had, and why; what was fetched stays.

    Examples
    --------
    >>> import hashlib, pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "clinical.tsv").write_text("patient_id\nP1\n")
    >>> digest = hashlib.sha256(b"patient_id\nP1\n").hexdigest()
    >>> text = f'name = "toy"\n[patients]\nfile = "clinical.tsv"\nsha256 = "{digest}"\n'
    >>> _ = (folder / "toy.toml").write_text(text)
    >>> fetch_files(folder / "toy.toml").to_dict("records")
    [{'file': 'clinical.tsv', 'status': 'present'}]
    """
    path = Path(manifest)
    _refuse_folders(path)
    declared = read_manifest(manifest)
    source = Source(Path(data_root) if data_root is not None else path.parent)
    faults: list[Fault] = []
    rows = []
    for block in _one_block_for_each_file(declared):
        status = _fetched(block, source, faults, timeout=timeout, origin=declared.source)
        rows.append((block.file, status))
    if faults:
        raise_together(error_of(faults), f"fetching {path.name}", [fault.text for fault in faults])
    return pd.DataFrame(rows, columns=["file", "status"])


def _refuse_folders(path: Path) -> None:
    """A study folder of cBioPortal has neither an address nor a hash of its own."""
    _, raw = read_toml(path, [])
    if raw is not None and "cbioportal" in raw:
        origin = raw.get("source") or "cBioPortal"
        raise ManifestError(
            f"{path.name}: [cbioportal] names a study folder, which has no address to fetch from. Get the study "
            f"from its source ({origin}), unpack it below the data root, then: immunosarc check {path.name}"
        )


def _one_block_for_each_file(manifest: Manifest) -> list[Block]:
    """Return a block for each file; of several blocks of one file, the one with an address."""
    found: dict[str, Block] = {}
    for block in _blocks(manifest):
        if block.file not in found or (found[block.file].url is None and block.url is not None):
            found[block.file] = block
    return list(found.values())


def _blocks(manifest: Manifest) -> Iterator[Block]:
    yield manifest.patients
    yield from manifest.patients.also
    if manifest.samples is not None:
        yield manifest.samples
    for assay in manifest.assays.values():
        if isinstance(assay, AssayBlock):
            yield assay
        elif isinstance(assay, SingleCellBlock):
            folders = assay.format == "10x_mtx"
            yield from ([_CellFolder(file=one.file) for one in assay.listed] if folders else assay.listed)
        else:
            yield from assay.listed
            yield from [_CellFolder(file=assay.folder)] if assay.folder else []
    yield from manifest.tables.values()


def _fetched(block: Block, source: Source, faults: list[Fault], *, timeout: float, origin: str) -> str:
    def fault(what: str) -> None:
        faults.append(Fault(DataFileError, f"{block.file}: {what}"))

    path = source.target(block.file, fault)
    if path is None:
        return "refused"
    if isinstance(block, _CellFolder):
        if not path.is_dir():
            fault(f"is missing and a folder has no url; get it from its source{f' ({origin})' if origin else ''}")
        return "present" if path.is_dir() else "missing"
    if isinstance(block, AssayBlock) and block.format is not None:
        return _folder(block, source, faults, origin=origin)
    if path.exists():
        return _compared(block, path, faults)
    if block.url is None:
        fault(f"is missing and has no url; get it from its source{f' ({origin})' if origin else ''}")
        return "missing"
    if block.sha256 is None:
        what = "url needs sha256: without it nobody knows whether the right file came"
        faults.append(Fault(ManifestError, f"{block.file}: {what}"))
        return "refused"
    if urlsplit(block.url).scheme not in _SCHEMES:
        what = f"url {block.url!r} is not an address that can be fetched; it starts with http:// or https://"
        faults.append(Fault(ManifestError, f"{block.file}: {what}"))
        return "refused"
    reason = _download(block.url, block.sha256, path, timeout=timeout)
    if reason is not None:
        fault(reason)
        return "failed"
    return "fetched"


def _folder(block: Block, source: Source, faults: list[Fault], *, origin: str) -> str:
    """A folder has no address: it is compared when it is there."""
    before = len(faults)
    if source.open_folder(block, QUANT_FILES, "", faults) is None and len(faults) == before + 1 and origin:
        faults[-1] = Fault(faults[-1].error, f"{faults[-1].text}; get it from its source ({origin})")
    return "present" if len(faults) == before else "missing"


def _compared(block: Block, path: Path, faults: list[Fault]) -> str:
    if not path.is_file():
        faults.append(Fault(DataFileError, f"{block.file}: there is a folder of that name; move it away"))
        return "refused"
    if block.sha256 is None:
        return "present"
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found == block.sha256:
        return "present"
    what = f"is there with SHA-256 {found}, the manifest expects {block.sha256}; it is not replaced: move it away"
    faults.append(Fault(DataFileError, f"{block.file}: {what}"))
    return "altered"


def _download(url: str, sha256: str, path: Path, *, timeout: float) -> str | None:
    """Write a file that has the right hash; return why not otherwise, with nothing left behind."""
    import pooch

    logger = pooch.get_logger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    made = _folders(path.parent)
    try:
        downloader = pooch.HTTPDownloader(timeout=timeout)
        pooch.retrieve(url, f"sha256:{sha256}", fname=path.name, path=path.parent, downloader=downloader)
    except OSError as failure:
        reason = f"cannot be fetched from {url} ({type(failure).__name__}: {str(failure)[:200]}); try again later"
    except ValueError:
        reason = (
            f"what {url} sends does not have the SHA-256 {sha256}: the file was cut short, or another release "
            "stands there. Nothing was written"
        )
    else:
        return None
    finally:
        logger.setLevel(level)
    for folder in made:
        folder.rmdir()
    return reason


def _folders(folder: Path) -> list[Path]:
    """Make the folders that are missing; return them, the deepest first."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return missing
