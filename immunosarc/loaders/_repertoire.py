"""Receptors of many samples, one file for all or one for each; what is wrong in each file is told together."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc.errors import DataFileError, ManifestError, did_you_mean
from immunosarc.loaders._cells import parse_number
from immunosarc.loaders._clinical import Part, loading_step
from immunosarc.loaders._fault import Fault, few, in_lines, listed, nearest
from immunosarc.loaders._long_block import LongTableBlock
from immunosarc.loaders._repertoire_formats import (
    FORMATS,
    LONGEST_BLANK,
    RepertoireFormat,
    blank,
    gene_of,
    locus_of,
)
from immunosarc.loaders._source import Source, TextFile
from immunosarc.loaders._text_matrix import checked_header

__all__ = ["read_repertoires"]

_BASES = frozenset(b"ACGTUNRYSWKMBDHVacgtunryswkmbdhv.-")
_PROTEIN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ*_~?#.-+")
_BROKEN = frozenset("*_~?#.+")
_NO_PROTEIN = frozenset({"out_of_frame", "partial"})
_ENDINGS = (".tsv", ".txt", ".csv", ".parquet")
_NEEDED = ("count", "cdr3_aa", "cdr3_nt")
_UNUSED = ("keep", "drop", "transform", "constants", "day_one", "first_dose", "dictionary", "cdisc")
_ORDER = ("sample_id", "cdr3_nt", "cdr3_aa", "v_call", "j_call", "productive", "count", "locus")


@dataclass(frozen=True)
class _Read:
    """One file: its rows by line, and which column of it became which of ours."""

    file: str
    frame: pd.DataFrame
    columns: Mapping[str, str]


def read_repertoires(
    block: LongTableBlock, samples: Part | None, source: Source, faults: list[Fault], *, where: str
) -> Part | None:
    """Return the receptors of the samples that stay, each with its patient; None when there are none.

    A file that cannot be read does not keep the others from being read: what is wrong in each is
    told together.

    Parameters
    ----------
    block : LongTableBlock
        With a ``format`` of receptors.
    samples : Part or None
        None when they could not be read; nothing is said of links then.
    source : Source
    faults : list of Fault
    where : str
        The block, for messages.
    """
    form = FORMATS[str(block.format)]
    if told := _refused(block, where):
        faults += told
        return None
    files = _files(block, source, faults)
    if not files:
        return None
    whole = block.file in files
    found: list[list[Fault]] = []
    read = []
    for file, name in files.items():
        own: list[Fault] = []
        one = block.model_copy(update={"file": file, "sha256": block.sha256 if whole else None})
        text = source.open(one, where, own)
        part = _read_file(text, block, form, own, sample=None if whole else name, where=where) if text else None
        read += [part] if part is not None else []
        found.append(own)
    faults += [fault for own in found for fault in own]
    if not whole:
        source.compare_files(block, list(files), faults)
    faults += _different_columns(read)
    return _linked(block, read, samples, faults) if read else None


def _refused(block: LongTableBlock, where: str) -> list[Fault]:
    said = [key for key in _UNUSED if getattr(block, key)]
    form = FORMATS[str(block.format)]
    known = [*(name for name in form.columns if name != "said"), *(["productive"] if form.productive else [])]
    unknown = [name for name in block.columns if name not in known]
    other = [name for name in block.recode if name != "sample_id"]
    texts = [f"{where} {key} is not for format = {block.format!r}; remove it" for key in said]
    texts += [
        f"{where} columns.{name}: not read with format = {block.format!r}.{did_you_mean(name, known)}"
        for name in unknown
    ]
    texts += [f"{where} recode.{name}: with format only sample_id can be recoded; remove it" for name in other]
    return [Fault(ManifestError, text) for text in texts]


def _files(block: LongTableBlock, source: Source, faults: list[Fault]) -> dict[str, str]:
    """Return the files of a block, each with the name of its sample."""
    path = source.target(block.file, lambda what: faults.append(Fault(DataFileError, f"{block.file}: {what}")))
    if path is None:
        return {}
    if not path.is_dir():
        return {block.file: ""}
    start = block.file.rstrip("/")
    found = {
        f"{start}/{one.name}": name for one in sorted(path.iterdir()) if (name := _sample_of(one)) is not None
    }
    if not found:
        what = f"no file in it ends in {', '.join(_ENDINGS)}; give the folder that holds one file for each sample"
        faults.append(Fault(DataFileError, f"{block.file}: {what}"))
    return found


def _sample_of(path: Path) -> str | None:
    plain = path.name.removesuffix(".gz")
    ending = next((ending for ending in _ENDINGS if plain.endswith(ending)), None)
    return plain.removesuffix(ending) if ending and not plain.startswith(".") else None


def _read_file(
    text: TextFile,
    block: LongTableBlock,
    form: RepertoireFormat,
    faults: list[Fault],
    *,
    sample: str | None,
    where: str,
) -> _Read | None:
    header = checked_header(text, faults)
    if header is None:
        return None
    cells = _cells(text, header, block, form, faults)
    if cells is None:
        return None
    columns = _chosen(cells, header, block, form)
    missing = [name for name in ("count",) if name not in columns]
    missing += [] if "cdr3_nt" in columns or "cdr3_aa" in columns else ["cdr3_aa"]
    missing += ["sample_id"] if sample is None and "sample_id" not in columns else []
    missing += ["said"] if form.productive is not None and "said" not in columns else []
    for name in missing:
        ours = {"said": "productive"}.get(name, name)
        tried = [*form.columns[name]] or ["nothing"]
        cure = (
            f'{where} columns = {{ {ours} = "..." }}'
            if ours != "sample_id"
            else (f'{where} columns = {{ sample_id = "..." }}, or the folder that holds one file for each sample')
        )
        what = f"no filled column for {ours!r}; format = {block.format!r} looks for {listed(tried)}. Give {cure}."
        faults.append(Fault(DataFileError, f"{text.file}: {what} The file has {listed(header)}"))
    if missing:
        return None
    frame = _typed(text, cells, columns, form, faults)
    frame.insert(0, "sample_id", sample if sample is not None else cells[columns["sample_id"]].str.strip())
    recode = block.recode.get("sample_id", {})
    if recode:
        frame["sample_id"] = frame["sample_id"].map(lambda name: str(recode.get(name, name)))
    return _Read(text.file, frame, {name: columns[name] for name in _NEEDED if name in columns})


def _cells(
    text: TextFile, header: list[str], block: LongTableBlock, form: RepertoireFormat, faults: list[Fault]
) -> pd.DataFrame | None:
    """Return the columns that may be read, as text; the index is the line of each row."""
    wanted = {*block.columns.values(), *(name for names in form.columns.values() for name in names)}
    absent = [name for name in block.columns.values() if name not in header]
    faults += [
        Fault(
            DataFileError,
            f"{text.file} line {text.head}: there is no column {name!r}.{did_you_mean(name, header)}",
        )
        for name in absent
    ]
    if absent:
        return None
    quoted = b'"' in text.text
    try:
        cells = pd.read_csv(
            io.BytesIO(text.text.rstrip(b"\n") + b"\n"),
            sep=text.delimiter,
            usecols=[name for name in header if name in wanted],
            dtype=str,
            na_filter=False,
            quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
            skip_blank_lines=False,
            encoding="utf-8",
        )
    except (ValueError, OverflowError) as failure:
        faults.append(Fault(DataFileError, f"{text.file}: cannot be read ({failure}); export it again"))
        return None
    return cells.set_axis(pd.RangeIndex(text.head + 1, text.head + 1 + len(cells)))


def _chosen(
    cells: pd.DataFrame, header: list[str], block: LongTableBlock, form: RepertoireFormat
) -> dict[str, str]:
    """Return the column of the file for each of ours: as declared, else the first that is filled."""
    chosen = {}
    for ours, names in form.columns.items():
        declared = block.columns.get({"said": "productive"}.get(ours, ours))
        there = [declared] if declared else [name for name in names if name in header]
        filled = next((name for name in there if name == declared or not all(map(blank, cells[name]))), None)
        if filled is not None:
            chosen[ours] = filled
    return chosen


def _typed(
    text: TextFile, cells: pd.DataFrame, columns: Mapping[str, str], form: RepertoireFormat, faults: list[Fault]
) -> pd.DataFrame:
    def each(name: str, read: Callable[[str], Any], cure: str) -> pd.Series:
        return _each(text.file, cells[columns[name]], read, cure, faults)

    frame = pd.DataFrame(index=cells.index)
    for name, letters, noun in (("cdr3_nt", _BASES, "bases"), ("cdr3_aa", _PROTEIN, "amino acids")):
        if name in columns:
            frame[name] = _sequences(text.file, cells[columns[name]], letters, noun, faults)
    for name in ("v_call", "j_call"):
        if name in columns:
            cure = "the name of a gene is needed, as TRBV5-1 or TCRBV05-01; is the header shifted?"
            frame[name] = each(name, lambda cell: gene_of(cell, best_hit=form.best_hit), cure).replace("", pd.NA)
    frame["count"] = each("count", _count, "a whole number above 0 is needed")
    frame["count"] = pd.to_numeric(frame["count"], errors="coerce").astype(float)
    if form.productive is not None:
        codes = form.productive
        cure = f"one of {', '.join(codes)} is needed"
        frame["productive"] = each(
            "said", lambda cell: pd.NA if blank(cell) else codes.get(cell.strip().lower()), cure
        ).astype("boolean")
    else:
        frame["productive"] = _whole(frame, cells[columns["cdr3_aa"]] if "cdr3_aa" in columns else None)
    frame["locus"] = _loci(frame, cells[columns["locus"]] if "locus" in columns else None)
    return frame.reindex(columns=[name for name in _ORDER if name in frame])


def _count(cell: str) -> float | None:
    value = parse_number(cell)
    return value if value is not None and value > 0 and value % 1 == 0 else None


def _each(file: str, cells: pd.Series, read: Callable[[str], Any], cure: str, faults: list[Fault]) -> pd.Series:
    """Read each distinct cell once; None is a fault, told with its lines."""
    code, texts = pd.factorize(cells)
    values = [read(str(cell)) for cell in texts]
    wrong = [place for place, value in enumerate(values) if value is None]
    told = []
    for place in wrong:
        lines = cells.index[code == place]
        told.append(
            Fault(DataFileError, f"{file} {in_lines(lines)}, column {cells.name!r}: {texts[place]!r}: {cure}")
        )
    faults += few(told, f"values in column {cells.name!r}")
    filled = np.empty(len(values), dtype=object)
    filled[:] = [pd.NA if value is None else value for value in values]
    return pd.Series(filled[code], index=cells.index, dtype=object)


def _sequences(file: str, cells: pd.Series, letters: frozenset[int], noun: str, faults: list[Fault]) -> pd.Series:
    """Return sequences; blank where there is none. The letters of all are looked at together first."""
    plain = cells.astype(object)
    lacking = plain.isin(["", *_NO_PROTEIN]) | _blank_cells(plain)
    sequences = plain.mask(lacking)
    joined = "".join(sequences.dropna())
    found = set(np.flatnonzero(np.bincount(np.frombuffer(joined.encode(), dtype=np.uint8), minlength=1)).tolist())
    if not found <= letters:
        wrong = [line for line, one in sequences.dropna().items() if not set(str(one).encode()) <= letters]
        shown = listed(dict.fromkeys(sequences[wrong[:50]]))
        what = f"{shown} is no sequence of {noun}; correct the file. Is the header shifted?"
        faults.append(Fault(DataFileError, f"{file} {in_lines(wrong)}, column {cells.name!r}: {what}"))
        sequences = sequences.mask(sequences.index.isin(wrong))
    return sequences.astype("string")


def _blank_cells(cells: pd.Series) -> NDArray[np.bool_]:
    short = (cells.str.len() <= LONGEST_BLANK).to_numpy(dtype=bool)
    found = np.zeros(len(cells), dtype=bool)
    found[short] = [blank(cell) for cell in cells[short]]
    return found


def _whole(frame: pd.DataFrame, said: pd.Series | None) -> pd.Series:
    """Productive: amino acids from end to end, none of them a stop or a place out of frame."""
    if said is None:
        return pd.Series(pd.NA, index=frame.index, dtype="boolean")
    broken = pd.Series(False, index=frame.index)
    for mark in _BROKEN:
        broken |= frame["cdr3_aa"].str.contains(mark, regex=False).fillna(False)
    return (frame["cdr3_aa"].notna() & ~broken).astype("boolean")


def _loci(frame: pd.DataFrame, said: pd.Series | None) -> pd.Series:
    """The chain by the V gene, else by the J gene, else by what the file calls the locus."""
    parts = [frame[name].fillna("") for name in ("v_call", "j_call") if name in frame]
    parts += [said.str.strip()] if said is not None else []
    found = pd.Series("", index=frame.index, dtype=object)
    for part in parts:
        code, names = pd.factorize(part)
        loci = np.array([locus_of(str(name)) for name in names], dtype=object)
        found = found.where(found != "", loci[code] if len(loci) else "")
    return found.replace("", pd.NA).astype("string")


def _different_columns(read: list[_Read]) -> list[Fault]:
    """Templates of one sample do not compare with reads of another, nor reads of the whole V gene with CDR3s."""
    texts = []
    for name in _NEEDED:
        used: dict[str, str] = {}
        for one in read:
            if name in one.columns:
                used.setdefault(one.columns[name], one.file)
        if len(used) > 1:
            told = " and ".join(f"{column!r} in {file}" for column, file in used.items())
            texts.append(f"{name}: the files are read by different columns, {told}; say which by columns.{name}")
    return [Fault(DataFileError, text) for text in texts]


def _linked(block: LongTableBlock, read: list[_Read], samples: Part | None, faults: list[Fault]) -> Part:
    """Give every row its patient; samples that were left out leave with their receptors, and are recorded."""
    frame = pd.concat([one.frame for one in read], ignore_index=True)
    names = frame["sample_id"].astype(object)
    if samples is None:
        return Part(frame, {}, loading_step(f"{block.file}: clonotypes", names.nunique(), []))
    left, found = [], []
    for name in dict.fromkeys(names):
        if name in samples.libraries:
            continue
        if name in samples.owners:
            why = f"sample was left out: {samples.gone.get(name, 'no row')}"
            left.append((str(samples.owners[name]), str(name), why))
            continue
        at = next(one.file for one in read if (one.frame["sample_id"] == name).any())
        hint = nearest(str(name), list(samples.libraries))
        cure = f"add it, or say recode.sample_id = {{ {name!r} = ... }}.{hint}"
        found.append(Fault(DataFileError, f"{at}: sample {name!r} is not in the samples table; {cure}"))
    faults += few(found, "samples")
    known = names.isin(list(samples.libraries)).to_numpy(dtype=bool)
    kept = frame[known].reset_index(drop=True)
    own = kept["sample_id"]
    kept.insert(0, "patient_id", own.map(dict(samples.owners)).astype("string"))
    kept["sample_id"] = own.map(dict(samples.libraries)).astype("string")
    step = loading_step(f"{block.file}: clonotypes", kept["sample_id"].nunique(), left) | {"level": "sample"}
    return Part(kept, {}, step)
