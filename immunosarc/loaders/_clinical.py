"""Patients, samples and long tables: rows that repeat, libraries of one biopsy, links between them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from immunosarc.errors import DataFileError, ManifestError, did_you_mean
from immunosarc.loaders._block import ReadTable
from immunosarc.loaders._blocks import Replicates
from immunosarc.loaders._fault import Fault, few, in_lines, nearest

__all__ = ["Part", "joined", "loading_step", "long_part", "patients_part", "samples_part"]


@dataclass(frozen=True)
class Part:
    """One clinical table of the cohort, ready for its construction.

    Attributes
    ----------
    frame : DataFrame
        Typed columns, ids among them.
    gone : mapping of str to str
        Ids that the file holds and the cohort does not, and why.
    step : mapping
        What loading kept and left out, for the attrition.
    libraries : mapping of str to str
        For samples: library (``sample_id`` in the file) -> sample id in the cohort, in the
        order of the file.
    owners : mapping of str to str
        For samples: library -> patient, also for those that leave.
    """

    frame: pd.DataFrame
    gone: Mapping[str, str]
    step: Mapping[str, Any]
    libraries: Mapping[str, str] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)


def loading_step(step: str, kept: int, left_out: list[tuple[str, str, str]]) -> dict[str, Any]:
    """Return what a step left out, as ``Cohort.provenance`` keeps it: [patient, sample, reason]."""
    return {"step": step, "kept": kept, "left_out": [list(row) for row in left_out]}


def _left_out(read: ReadTable) -> list[tuple[str, str, str]]:
    frame = read.left_out
    blank = pd.Series("", index=frame.index)
    return list(zip(frame.get("patient_id", blank), frame.get("sample_id", blank), frame["reason"], strict=True))


def patients_part(read: ReadTable, faults: list[Fault]) -> Part:
    """Return one row per patient; rows of a patient that differ are a fault."""
    frame = read.frame[read.frame["patient_id"].notna()]
    first = ~frame["patient_id"].duplicated()
    _differences(read, frame, by="patient_id", faults=faults)
    patients = frame[first].reset_index(drop=True)
    gone = {row[0]: row[2] for row in _left_out(read) if row[0] not in set(patients["patient_id"])}
    return Part(patients, gone, loading_step(f"{read.file}: patients", len(frame), _left_out(read)))


def joined(patients: Part, read: ReadTable, faults: list[Fault]) -> tuple[Part, Part]:
    """Add the columns of a further file to the patients.

    Parameters
    ----------
    patients : Part
        As read so far.
    read : ReadTable
        The further file.
    faults : list of Fault

    Returns
    -------
    Part, Part
        The patients with more columns, and the further file itself, whose step is recorded.
    """
    more = patients_part(read, faults)
    twice = [name for name in more.frame.columns if name != "patient_id" and name in patients.frame.columns]
    if twice:
        cure = "each column comes from one file; remove it from one of the two"
        at = read.place(twice[0], [1])
        faults.append(Fault(ManifestError, f"{at}: {twice[0]!r} is read from another file already; {cure}"))
        return patients, more
    frame, orphans = _without_gone_patients(read, read.frame[read.frame["patient_id"].notna()], patients, faults)
    rows = frame[~frame["patient_id"].duplicated()]
    merged = patients.frame.merge(rows, on="patient_id", how="left", validate="one_to_one")
    step = loading_step(f"{read.file}: patients", len(rows), _left_out(read) + orphans)
    return Part(merged, patients.gone, patients.step), Part(rows, {}, step)


def _differences(read: ReadTable, frame: pd.DataFrame, *, by: str, faults: list[Fault]) -> None:
    """Add a fault where two rows of one unit differ in a column, naming both lines."""
    key, unit = frame[by], by.removesuffix("_id")
    first_line = pd.Series(frame.index, index=frame.index).groupby(key).transform("first")
    cure = f"correct the file, or map only columns that are the same in every row of one {unit}"
    for name in (one for one in frame.columns if one != by and one in read.plans):
        reference = frame[name].loc[first_line.to_numpy()].set_axis(frame.index)
        same = (frame[name] == reference).fillna(False) | (frame[name].isna() & reference.isna())
        cells = read.raw.cells[read.plans[name].source]
        told = frame[name].isna() & (cells[frame.index].str.strip() != "")
        told &= ~cells[frame.index].isin(read.plans[name].missing)  # a fault names the cell; it may not be shown
        same |= told | told.loc[first_line.to_numpy()].set_axis(frame.index)
        found = [
            f"{read.place(name, [first_line[line], line])}: {unit} {key[line]!r} has "
            f"{cells[first_line[line]]!r} and {cells[line]!r}; {cure}"
            for line in frame.index[~same.astype(bool)]
        ]
        faults += few(
            [Fault(DataFileError, text) for text in found], f"rows in column {read.plans[name].source!r}"
        )


def samples_part(
    read: ReadTable, patients: Part | None, replicates: Replicates | None, faults: list[Fault]
) -> Part:
    """Return one row per sample: unique ids, known patients, libraries of one biopsy brought together."""
    frame = read.frame[read.frame["sample_id"].notna() & read.frame["patient_id"].notna()]
    repeated = frame["sample_id"].duplicated(keep=False)
    cure = "give each sample its own id, or say with keep which row stays"
    found = [
        Fault(DataFileError, f"{read.place('sample_id', lines)}: sample id {name!r} is repeated; {cure}")
        for name, lines in frame.index[repeated].groupby(frame.loc[repeated, "sample_id"]).items()
    ]
    faults += few(found, "sample ids")
    frame = frame[~frame["sample_id"].duplicated()]
    frame, orphans = _without_gone_patients(read, frame, patients, faults)
    left_out = _left_out(read) + orphans
    libraries = dict(zip(frame["sample_id"], frame["sample_id"], strict=True))
    owners = dict(zip(read.frame["sample_id"].fillna(""), read.frame["patient_id"].fillna(""), strict=True))
    owners |= {row[1]: row[0] for row in left_out}
    if replicates is not None:
        frame, libraries, merged = _biopsies(read, frame, replicates, faults)
        left_out += merged
    gone = {row[1]: row[2] for row in left_out if row[1] not in libraries}
    step = loading_step(f"{read.file}: samples", len(frame), left_out)
    return Part(frame.reset_index(drop=True), gone, step, libraries, owners)


def _without_gone_patients(
    read: ReadTable, frame: pd.DataFrame, patients: Part | None, faults: list[Fault]
) -> tuple[pd.DataFrame, list[tuple[str, str, str]]]:
    """Let rows leave with patients that ``keep`` left out; an unknown patient is a fault."""
    if patients is None:
        return frame, []
    owner = frame["patient_id"]
    gone = owner.isin(list(patients.gone))
    unknown = ~gone & ~owner.isin(patients.frame["patient_id"])
    known = list(patients.frame["patient_id"])
    found = []
    for name in dict.fromkeys(owner[unknown]):
        at = read.place("patient_id", frame.index[unknown & (owner == name)])
        cure = f"add the patient to it, or correct the id.{nearest(name, known)}"
        found.append(Fault(DataFileError, f"{at}: patient {name!r} is not in the patients table; {cure}"))
    faults += few(found, "patients")
    ids = frame.get("sample_id", pd.Series("", index=frame.index))
    orphans = [
        (str(owner[line]), str(ids[line]), f"patient was left out: {patients.gone[owner[line]]}")
        for line in frame.index[gone]
    ]
    return frame[~gone & ~unknown], orphans


def _biopsies(
    read: ReadTable, frame: pd.DataFrame, replicates: Replicates, faults: list[Fault]
) -> tuple[pd.DataFrame, dict[str, str], list[tuple[str, str, str]]]:
    """Bring the libraries of one biopsy together under the biopsy's name."""
    cells = read.raw.cells
    if replicates.of not in cells.columns:
        hint = did_you_mean(replicates.of, cells.columns)
        faults.append(
            Fault(
                ManifestError,
                f"{read.file} line 1: there is no column {replicates.of!r} ([samples] replicates).{hint}",
            )
        )
        return frame, dict(zip(frame["sample_id"], frame["sample_id"], strict=True)), []
    biopsy = cells.loc[frame.index, replicates.of]
    blank = biopsy.index[biopsy.str.strip() == ""]
    if len(blank):
        at = f"{read.file} {in_lines(blank)}, column {replicates.of!r}"
        faults.append(Fault(DataFileError, f"{at}: no value; name the biopsy that the library belongs to"))
    library = frame["sample_id"]
    named = frame.assign(sample_id=biopsy.astype("string"))
    if replicates.rule != "first":
        _differences(read, named, by="sample_id", faults=faults)
    first = ~named["sample_id"].duplicated()
    stays = library[first].set_axis(biopsy[first])
    merged = [
        (str(frame["patient_id"][line]), str(library[line]), f"row of {biopsy[line]}, like {stays[biopsy[line]]}")
        for line in frame.index[~first]
    ]
    return named[first], dict(zip(library, biopsy, strict=True)), merged


def long_part(name: str, read: ReadTable, patients: Part | None, faults: list[Fault]) -> Part:
    """Return a long table whose patients are known."""
    frame = read.frame[read.frame["patient_id"].notna()]
    frame, orphans = _without_gone_patients(read, frame, patients, faults)
    step = loading_step(f"{read.file}: {name}", len(frame), _left_out(read) + orphans)
    return Part(frame.reset_index(drop=True), {}, step)
