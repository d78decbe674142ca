"""Tables whose rows name a sample: whose they are stands in the samples table."""

from __future__ import annotations

import dataclasses

from immunosarc import schema
from immunosarc.errors import DataFileError
from immunosarc.loaders._block import ReadTable
from immunosarc.loaders._clinical import Part, loading_step
from immunosarc.loaders._fault import Fault, few, listed, nearest
from immunosarc.loaders._of_patients import patients_at

__all__ = ["at_timepoint", "of_samples", "without_patient", "without_sample"]


def without_patient(table: schema.Table) -> schema.Table:
    """Return the schema of a table as files hold it: samples are named, patients need not be."""
    columns = {name: column for name, column in table.columns.items() if name != "patient_id"}
    return dataclasses.replace(table, columns=columns)


def without_sample(table: schema.Table) -> schema.Table:
    """Return the schema of a table whose file names patients, and whose manifest says which sample is meant."""
    columns = {name: column for name, column in table.columns.items() if name != "sample_id"}
    return dataclasses.replace(table, columns=columns)


def at_timepoint(name: str, read: ReadTable, samples: Part | None, faults: list[Fault], *, timepoint: str) -> Part:
    """Return rows of patients as rows of their tumor samples of one timepoint.

    Rows of patients without such a sample leave, and are recorded; an unknown patient is a fault.

    Parameters
    ----------
    name : str
        Of the table.
    read : ReadTable
    samples : Part or None
        None when they could not be read; nothing is said of links then.
    faults : list of Fault
    timepoint : str
        As ``sample_at`` of the block says.
    """
    frame = read.frame[read.frame["patient_id"].notna()]
    if samples is None:
        return Part(frame, {}, loading_step(f"{read.file}: {name}", len(frame), []))
    owner, patient = patients_at(samples, timepoint), frame["patient_id"].astype(object)
    twice = sorted(set(owner[owner.duplicated()]) & set(patient))
    unknown = list(dict.fromkeys(patient[~patient.isin(list(samples.owners.values()))]))
    found = [f"patients {listed(twice)} have several samples at {timepoint!r}; name samples in the file"] * bool(
        twice
    )
    for one in unknown:
        at = read.place("patient_id", frame.index[patient == one])
        found.append(f"{at}: patient {one!r} has no sample at all; add one to [samples], or say drop")
    faults += few([Fault(DataFileError, text) for text in found], "patients")
    sample = {str(who): str(one) for one, who in owner.items()}
    known = patient.isin(list(sample)) & ~patient.isin(twice)
    gone = patient[~known & ~patient.isin([*unknown, *twice])]
    left = [(str(who), "", f"no {timepoint} sample") for who in gone]
    kept = frame[known].assign(sample_id=patient[known].map(sample))
    kept = kept.astype({"patient_id": "string", "sample_id": "string"}).reset_index(drop=True)
    already = read.left_out.reindex(columns=["patient_id", "sample_id", "reason"], fill_value="")
    rows = list(already.itertuples(index=False, name=None)) + left
    return Part(kept, {}, loading_step(f"{read.file}: {name}", len(kept), rows))


def of_samples(name: str, read: ReadTable, samples: Part | None, faults: list[Fault]) -> Part:
    """Return the rows of the samples that stay, each with its patient.

    Rows of samples that ``keep`` left out leave with them, and are recorded; an unknown sample is a fault.

    Parameters
    ----------
    name : str
        Of the table.
    read : ReadTable
    samples : Part or None
        None when they could not be read; nothing is said of links then.
    faults : list of Fault
    """
    frame = read.frame[read.frame["sample_id"].notna()]
    if samples is None:
        return Part(frame, {}, loading_step(f"{read.file}: {name}", len(frame), []))
    library = frame["sample_id"].astype(object)
    known = library.isin(list(samples.libraries))
    gone = ~known & library.isin(list(samples.owners))
    found = []
    for one in dict.fromkeys(library[~known & ~gone]):
        at = read.place("sample_id", frame.index[library == one])
        cure = f"add the sample to it, or correct the id.{nearest(one, list(samples.libraries))}"
        found.append(Fault(DataFileError, f"{at}: sample {one!r} is not in the samples table; {cure}"))
    faults += few(found, "samples")
    owners = library.map(dict(samples.owners))
    left = [
        (
            str(owners[line]),
            str(library[line]),
            f"sample was left out: {samples.gone.get(library[line], 'no row')}",
        )
        for line in frame.index[gone]
    ]
    kept = frame[known].assign(sample_id=library[known].map(dict(samples.libraries)))
    kept.insert(0, "patient_id", owners[known])
    kept = kept.astype({"patient_id": "string", "sample_id": "string"}).reset_index(drop=True)
    already = read.left_out.reindex(columns=["patient_id", "sample_id", "reason"], fill_value="")
    rows = list(already.itertuples(index=False, name=None)) + left
    return Part(kept, {}, loading_step(f"{read.file}: {name}", len(kept), rows))
