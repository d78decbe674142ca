"""The whole way: a manifest and its files, checked together, become a cohort."""

from __future__ import annotations

import datetime
import importlib.metadata
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import immunosarc
from immunosarc import schema
from immunosarc.cohort import Cohort
from immunosarc.endpoints import find_conflicts
from immunosarc.errors import (
    CohortError,
    ImmunosarcError,
    ManifestError,
    SchemaError,
    did_you_mean,
    raise_together,
)
from immunosarc.loaders._assay import read_assay
from immunosarc.loaders._assay_block import AssayBlock
from immunosarc.loaders._block import read_block
from immunosarc.loaders._blocks import PatientsBlock, Replicates, SamplesBlock, TableBlock
from immunosarc.loaders._cdisc import first_doses
from immunosarc.loaders._clinical import Part, joined, patients_part, samples_part
from immunosarc.loaders._fault import Fault, error_of
from immunosarc.loaders._imaging import read_imaging
from immunosarc.loaders._imaging_block import ImagingBlock
from immunosarc.loaders._long_block import LongTableBlock
from immunosarc.loaders._long_table import read_long_table
from immunosarc.loaders._maf import with_callable_size
from immunosarc.loaders._manifest import Manifest
from immunosarc.loaders._parse import Parsed, parse_manifest, read_toml
from immunosarc.loaders._privacy import Gate
from immunosarc.loaders._single_cell import read_single_cell
from immunosarc.loaders._single_cell_block import SingleCellBlock
from immunosarc.loaders._source import Source

__all__ = ["ManifestCheck", "check_manifest", "load_cohort"]

AnyPath = str | os.PathLike[str]
_ON_CONFLICT = ("raise", "exclude_patient")
_CURE = (
    ". Correct the dates and rows in the source, every day counts from the first dose = day 1; or leave these "
    "patients without result with on_conflict = 'exclude_patient' (in [plan], or when loading)"
)


@dataclass(frozen=True)
class ManifestCheck:
    """What checking a manifest and its files found.

    Attributes
    ----------
    subject : str
        ``"manifest NAME.toml"``, for the head of a message.
    problems : tuple of str
        One line each, with file, line, column, value and cure; empty when all is right.
    error : type
        The class under which :func:`load_cohort` raises the problems.
    cohort : Cohort or None
        What was loaded; None when there is a problem.
    """

    subject: str
    problems: tuple[str, ...]
    error: type[ImmunosarcError]
    cohort: Cohort | None


def load_cohort(
    manifest: AnyPath,
    *,
    data_root: AnyPath | None = None,
    allow_columns: Iterable[str] = (),
    on_conflict: str | None = None,
) -> Cohort:
    r"""Return the patients, samples and measurements that a manifest declares, or every reason why not.

    Nothing is guessed and nothing is dropped in silence: a value that the manifest does not
    list stops the loading, and rows that ``keep`` or a replicate rule leaves out are in
    ``provenance["loading"]``, where :func:`immunosarc.attrition` finds them.

    Parameters
    ----------
    manifest : path
        A TOML file; see :class:`Manifest`.
    data_root : path, optional
        The folder that its paths start from, and never leave; by default the manifest's own.
    allow_columns : iterable of str
        Columns of the files that look as if they named persons, and do not: the privacy gate lets
        them through, and ``provenance["allowed_columns"]`` says so.
    on_conflict : {"raise", "exclude_patient"}, optional
        Whether rows of a patient that contradict each other (:func:`immunosarc.endpoints.find_conflicts`) stop
        the loading; with "exclude_patient" they are loaded, and ``derive`` and ``run`` with the same word leave
        the patient without result. What the manifest's plan says unless given, else "raise".

    Returns
    -------
    Cohort
        Durations in days; missing cells are missing values.

    Raises
    ------
    ManifestError, DataFileError, UnitError, PrivacyError
        With every problem of the manifest and of all its files, in one message.
    SchemaError
        When rows contradict each other, with every patient, table and row.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> _ = (folder / "clinical.tsv").write_text("id\tbor\nP1\tPR\nP2\tPD\n")
    >>> _ = (folder / "toy.toml").write_text('''
    ... name = "toy"
    ... [patients]
    ... file = "clinical.tsv"
    ... columns = { patient_id = "id", best_overall_response = "bor" }
    ... ''')
    >>> load_cohort(folder / "toy.toml").patients["best_overall_response"].tolist()
    ['PR', 'PD']
    """
    checked = check_manifest(manifest, data_root=data_root, allow_columns=allow_columns, on_conflict=on_conflict)
    raise_together(checked.error, checked.subject, checked.problems)
    assert checked.cohort is not None  # noqa: S101 - there is one when there is no problem
    return checked.cohort


def check_manifest(
    manifest: AnyPath,
    *,
    data_root: AnyPath | None = None,
    allow_columns: Iterable[str] = (),
    on_conflict: str | None = None,
) -> ManifestCheck:
    """Return every problem of a manifest and of the files it names; nothing is written.

    Parameters
    ----------
    manifest : path
        A TOML file.
    data_root : path, optional
        The folder that its paths start from; by default the manifest's own.
    allow_columns : iterable of str
        Columns of the files that the privacy gate lets through; see :func:`load_cohort`.
    on_conflict : {"raise", "exclude_patient"}, optional
        Whether rows that contradict each other are problems; see :func:`load_cohort`.

    Returns
    -------
    ManifestCheck
        ``.problems`` is empty when all is right, and ``.cohort`` is then the loaded cohort.

    Examples
    --------
    >>> check_manifest("nowhere.toml").problems
    ('nowhere.toml does not exist; give the path of a TOML file',)
    """
    path = Path(manifest)
    gate = Gate(frozenset(allow_columns))
    source = Source(Path(data_root) if data_root is not None else path.parent, gate)
    faults: list[Fault] = []
    parsed = parse_manifest(path, faults, source=source)
    lock = _lock(path, faults)
    parts = _read_parts(parsed, source, faults)
    source.forget()
    faults += [] if faults else _idle(gate)
    cohort, chosen = None, _on_conflict(parsed, on_conflict, faults)
    if parsed.manifest is not None and not faults:
        provenance = _provenance(parsed, parsed.manifest, source, parts, lock)
        try:
            cohort = parts.cohort(provenance)
        except CohortError as failure:
            faults.append(Fault(CohortError, str(failure)))
    if cohort is not None and chosen == "raise":
        faults += _conflicts(cohort)
        cohort = None if faults else cohort
    problems = tuple(dict.fromkeys(fault.text for fault in faults))
    return ManifestCheck(f"manifest {path.name}", problems, error_of(faults) if faults else ManifestError, cohort)


def _on_conflict(parsed: Parsed, given: str | None, faults: list[Fault]) -> str:
    """Return what contradicting rows do: as the caller says, else as the plan does, else stop."""
    plan = parsed.raw.get("plan")
    declared = plan.get("on_conflict") if isinstance(plan, Mapping) else None
    if given is not None and given not in _ON_CONFLICT:
        faults.append(Fault(ManifestError, f"on_conflict: unknown {given!r}.{did_you_mean(given, _ON_CONFLICT)}"))
    chosen = declared if given is None else given
    return chosen if chosen in _ON_CONFLICT else "raise"


def _conflicts(cohort: Cohort) -> list[Fault]:
    """Return every contradiction with its patient, table and row."""
    rows = find_conflicts(cohort).itertuples(index=False)
    lines = [f"{one.patient_id}: {one.problem} (table '{one.table}', row {one.row:g})" for one in rows]
    return [Fault(SchemaError, text) for text in [*lines[:-1], *(f"{one}{_CURE}" for one in lines[-1:])]]


def _idle(gate: Gate) -> list[Fault]:
    """Return the columns that were let through without any need: misspelt, or of another file."""
    return [
        Fault(
            ManifestError, f"allow_columns: no column {name!r} would have been refused; correct it or leave it out"
        )
        for name in sorted(gate.allowed - gate.passed)
    ]


@dataclass(frozen=True)
class _Parts:
    patients: Part | None
    further: tuple[Part, ...]
    samples: Part | None
    tables: Mapping[str, Part]
    assays: Mapping[str, tuple[Any, Mapping[str, Any]]]

    def cohort(self, provenance: Mapping[str, Any]) -> Cohort:
        """Put the parts together."""
        assert self.patients is not None  # noqa: S101 - else there was a fault
        given = {} if self.samples is None else {"samples": self.samples.frame}
        return Cohort(
            patients=self.patients.frame,
            **given,
            tables={name: part.frame for name, part in self.tables.items()},
            assays={name: adata for name, (adata, _) in self.assays.items()},
            provenance=provenance,
        )

    def steps(self) -> list[dict[str, Any]]:
        """What each file kept and left out, in the order of reading."""
        read = (self.patients, *self.further, self.samples, *self.tables.values())
        parts = [part for part in read if part is not None]
        return [dict(part.step) for part in parts] + [dict(step) for _, step in self.assays.values()]


def _read_parts(parsed: Parsed, source: Source, faults: list[Fault]) -> _Parts:
    """Read every block that can be read; a fault in one does not hide those in another."""
    replicates, rules = _replicates(parsed, faults)
    samples = None
    patients, further, first_doses = _patients(parsed, source, faults)
    if (read := _table(parsed, ("samples",), schema.SAMPLES, source, faults)) is not None:
        samples = samples_part(read, patients, replicates, faults)
    tables: dict[str, Part] = {}
    assays = {}
    for where, block in parsed.blocks.items():
        if isinstance(block, LongTableBlock) and where[1] in schema.LONG_TABLES:
            tables |= read_long_table(
                where[1],
                block,
                source,
                faults,
                patients=patients,
                samples=samples,
                time_unit=_time_unit(parsed),
                first_doses=first_doses,
            )
    for where, block in parsed.blocks.items():
        name, assay = where[-1], None
        if isinstance(block, AssayBlock):
            assay = read_assay(name, block, samples, source, faults, rule=rules.get(name))
        elif isinstance(block, ImagingBlock):
            fields = tables["fields"].frame if "fields" in tables else None
            assay = read_imaging(name, block, samples, source, faults, fields=fields)
        elif isinstance(block, SingleCellBlock):
            assay = read_single_cell(name, block, samples, source, faults)
        if assay is not None:
            assays[name] = assay
    variants = parsed.blocks.get(("tables", "variants"))
    if isinstance(variants, LongTableBlock) and variants.callable_mb and samples and "variants" in tables:
        samples = with_callable_size(samples, tables["variants"], variants.callable_mb, faults)
    if "samples" not in parsed.raw and parsed.raw.get("assays"):
        faults.append(
            Fault(ManifestError, "[samples] is missing; assays need a table that says whose each sample is")
        )
    return _Parts(patients, further, samples, tables, assays)


def _patients(
    parsed: Parsed, source: Source, faults: list[Fault]
) -> tuple[Part | None, tuple[Part, ...], dict[str, str]]:
    """Read the patients, join to them what stands in further files, and find the dates of their first doses."""
    read = _table(parsed, ("patients",), schema.PATIENTS, source, faults)
    patients = patients_part(read, faults) if read is not None else None
    block, further = parsed.blocks.get(("patients",)), []
    named = block.cdisc if isinstance(block, PatientsBlock) else None
    origins = first_doses(named, read.raw) if read is not None else {}
    for number, more in enumerate(block.also if isinstance(block, PatientsBlock) else []):
        where = f"[[patients.also]] {number + 1}"
        unit = _time_unit(parsed)
        read = read_block(more, schema.PATIENTS, source, faults, where=where, time_unit=unit, first_doses=origins)
        if read is not None and patients is not None:
            patients, part = joined(patients, read, faults)
            further.append(part)
    return patients, tuple(further), origins


def _time_unit(parsed: Parsed) -> Any:
    unit = parsed.raw.get("time_unit")
    return unit if unit in ("days", "weeks", "months", "years") else None


def _table(
    parsed: Parsed,
    where: tuple[str, ...],
    table: schema.Table,
    source: Source,
    faults: list[Fault],
    first_doses: Mapping[str, str] | None = None,
) -> Any:
    block = parsed.blocks.get(where)
    if not isinstance(block, TableBlock):
        return None
    at, unit = f"[{'.'.join(where)}]", _time_unit(parsed)
    return read_block(block, table, source, faults, where=at, time_unit=unit, first_doses=first_doses)


def _replicates(parsed: Parsed, faults: list[Fault]) -> tuple[Replicates | None, dict[str, str]]:
    """Return the rule that makes biopsies of libraries, and how each assay combines their numbers.

    The biopsies are the cohort's samples, so there is one grouping column for all; an assay
    may only choose another way to combine its libraries.
    """
    able = {where: block for where, block in parsed.blocks.items() if isinstance(block, SamplesBlock | AssayBlock)}
    declared = {where: block.replicates for where, block in able.items() if block.replicates}
    columns = sorted({rule.of for rule in declared.values()})
    found = []
    if len(columns) > 1:
        found.append(f"replicates: of = {' and '.join(columns)} contradict each other; name one column")
    samples = declared.get(("samples",)) or next(iter(declared.values()), None)
    rules: dict[str, str] = {}
    for where, block in parsed.blocks.items():
        rule = declared.get(where) or samples
        if rule is None or not isinstance(block, AssayBlock):
            continue
        if (rule.rule == "sum") != (block.unit == "counts") and rule.rule != "first":
            fitting = "'sum' or 'first'" if block.unit == "counts" else "'mean' or 'first'"
            found.append(
                f"replicates: rule {rule.rule!r} does not fit the unit {block.unit!r} of [{'.'.join(where)}]; "
                f"use {fitting}"
            )
        else:
            rules[where[1]] = rule.rule
    faults += [Fault(ManifestError, text) for text in found]
    return samples, rules


def _lock(manifest: Path, faults: list[Fault]) -> dict[str, Any] | None:
    """Return the content of the lock file beside the manifest, if there is one."""
    path = manifest.with_name(f"{manifest.stem}.lock.toml")
    if not path.is_file():
        return None
    found: list[Fault] = []
    _, content = read_toml(path, found)
    faults += found
    return content


def _provenance(
    parsed: Parsed, manifest: Manifest, source: Source, parts: _Parts, lock: Mapping[str, Any] | None
) -> dict[str, Any]:
    about = {key: getattr(manifest, key) for key in ("name", "title", "citation", "license", "source")}
    return about | {
        "caveats": [*manifest.caveats, *(one.sentence() for one in parsed.not_read)],
        "manifest": {"file": parsed.path.name, "sha256": parsed.sha256},
        "files": {file: dict(facts) for file, facts in source.files.items()},
        "versions": {
            "immunosarc": immunosarc.__version__,
            **{name: importlib.metadata.version(name) for name in ("pandas", "anndata")},
        },
        "loading": parts.steps(),
        "plan": _plain(manifest.plan),
        **({"allowed_columns": sorted(source.gate.passed)} if source.gate.passed else {}),
        **({"lock": _plain(lock)} if lock is not None else {}),
        **({"simulated": True} if manifest.simulated else {}),
    }


def _plain(value: Any) -> Any:
    """Return TOML values as JSON can hold them: dates become text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, datetime.date | datetime.time) else value
