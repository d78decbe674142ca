"""A cBioPortal study folder: its meta files say which file is what, and become the blocks of a manifest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from immunosarc import schema
from immunosarc.errors import DataFileError, ManifestError, did_you_mean
from immunosarc.loaders._blocks import Block
from immunosarc.loaders._fault import Fault
from immunosarc.loaders._source import Source

__all__ = ["NotRead", "expanded"]

# Columns and codes as the format defines them; everything else is for the manifest to declare.
_COLUMNS = schema.CBIOPORTAL_COLUMNS
_PAIR = (("_time", "_event"), ("_event", "_time"))
_MISSING = ["NA", "[Not Available]", "[Not Applicable]", "[Unknown]", "[Discrepancy]"]


@dataclass(frozen=True)
class NotRead:
    """A file of the study that does not enter the cohort, and why."""

    file: str
    what: str

    def sentence(self) -> str:
        """Return file and reason."""
        return f"{self.file} is not read: {self.what}"


@dataclass(frozen=True)
class _Profile:
    file: str
    kind: str
    datatype: str
    stable_id: str


def expanded(
    raw: Mapping[str, Any], source: Source, faults: list[Fault], *, at: Callable[[str], str] = lambda _: ""
) -> tuple[dict[str, Any], tuple[NotRead, ...]]:
    """Return a manifest with the blocks that ``[cbioportal]`` stands for, and what is not read.

    Parameters
    ----------
    raw : mapping
        A manifest as TOML; what it declares itself comes first.
    source : Source
    faults : list of Fault
        What is wrong is added here.
    at : callable
        Key of ``[cbioportal]`` -> the words for its line.
    """
    about = raw.get("cbioportal")
    plain = {key: value for key, value in raw.items() if key != "cbioportal"}
    if not isinstance(about, Mapping) or not isinstance(about.get("folder"), str):
        faults.append(
            Fault(ManifestError, '[cbioportal] needs folder = "...", a study folder below the data root')
        )
        return plain, ()
    strange = [key for key in about if key not in ("folder", "first_dose")]
    faults += [
        Fault(
            ManifestError,
            f"{at(key)}unknown key '{key}' in [cbioportal].{did_you_mean(key, ['folder', 'first_dose'])}",
        )
        for key in strange
    ]
    profiles = _profiles(about["folder"].rstrip("/"), source, faults)
    used: set[str] = set()
    plain.setdefault("time_unit", "months")
    for block, datatype, columns in (
        ("patients", "PATIENT_ATTRIBUTES", _COLUMNS["patients"]),
        ("samples", "SAMPLE_ATTRIBUTES", _COLUMNS["samples"]),
    ):
        file = _only(profiles, datatype, about["folder"], faults)
        if file is not None:
            used.add(file)
            plain[block] = _clinical(file, columns, plain.get(block), source, faults)
    plain["assays"] = {
        name: _assay(name, block, profiles, source, faults, used=used)
        for name, block in _tables(plain.get("assays")).items()
    }
    if "first_dose" in about:
        treatments = _timeline(about["first_dose"], profiles, source, faults, used=used)
        plain["tables"] = treatments | _tables(plain.get("tables"))
    mutations = [one.file for one in profiles if (one.kind, one.datatype) == ("MUTATION_EXTENDED", "MAF")][:1]
    for file in mutations:
        used.add(file)
        declared = _tables(plain.get("tables"))
        variants = _clinical(file, _COLUMNS["variants"], declared.get("variants"), source, faults)
        plain["tables"] = declared | {"variants": variants}
    return plain, tuple(NotRead(one.file, _why(one)) for one in profiles if one.file not in used)


def _only(profiles: list[_Profile], datatype: str, folder: str, faults: list[Fault]) -> str | None:
    found = [one.file for one in profiles if (one.kind, one.datatype) == ("CLINICAL", datatype)]
    if profiles and len(found) != 1:
        what = (
            f"{len(found) or 'no'} meta files declare datatype: {datatype}, and one is needed; get the whole study"
        )
        faults.append(Fault(DataFileError, f"{folder}: {what}"))
    return found[0] if len(found) == 1 else None


def _timeline(
    first_dose: Any, profiles: list[_Profile], source: Source, faults: list[Fault], *, used: set[str]
) -> dict[str, Any]:
    file = _treatments(profiles, source)
    if file is None:
        what = "first_dose is declared, but no timeline has the columns AGENT and START_DATE; remove it"
        faults.append(Fault(ManifestError, f"[cbioportal] {what}"))
        return {}
    used.add(file)
    return {"medications": _clinical(file, _COLUMNS["timeline"], {"first_dose": first_dose}, source, faults)}


def _tables(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}


def _why(one: _Profile) -> str:
    if one.datatype == "TIMELINE":
        return "its days have another origin; [cbioportal] first_dose = { AGENT = ... } reads treatments"
    if one.kind == "MRNA_EXPRESSION":
        return f'declare it: [assays.NAME] stable_id = "{one.stable_id}" and its unit'
    return f"there is no table for {one.kind} ({one.datatype})"


def _profiles(folder: str, source: Source, faults: list[Fault]) -> list[_Profile]:
    """Return what the meta files of a study declare, sorted by the name of the file."""
    path = source.target(folder, lambda what: faults.append(Fault(DataFileError, f"{folder}: {what}")))
    if path is None:
        return []
    metas = sorted(one.name for one in path.glob("meta_*.txt")) if path.is_dir() else []
    if not metas:
        what = "no meta_*.txt stands in it, so this is no study folder of cBioPortal; check folder and data_root"
        faults.append(Fault(DataFileError, f"{folder}: {what}"))
    profiles = []
    for name in metas:
        text = source.open(Block(file=f"{folder}/{name}"), "[cbioportal]", faults)
        said = dict(_line(line) for line in text.text.decode().split("\n") if ":" in line) if text else {}
        if "data_filename" in said:
            file = f"{folder}/{said['data_filename']}"
            keys = ("genetic_alteration_type", "datatype", "stable_id")
            profiles.append(_Profile(file, *(said.get(key, "") for key in keys)))
    return profiles


def _line(line: str) -> tuple[str, str]:
    key, _, value = line.partition(":")
    return key.strip(), value.strip()


def _header(file: str, source: Source, faults: list[Fault]) -> list[str]:
    """Return the column names of a file, below its comments; none when it cannot be read."""
    text = source.open(Block(file=file), "[cbioportal]", faults)
    lines = text.text.split(b"\n") if text else []
    first = next((line for line in lines if not line.startswith(b"#")), b"")
    return first.decode().split("\t")


def _clinical(
    file: str, columns: Mapping[str, str], given: Any, source: Source, faults: list[Fault]
) -> dict[str, Any]:
    """Return a block for a clinical file; what the manifest declares comes first."""
    block = _tables(given)
    there = _header(file, source, faults)
    own = _tables(block.get("columns"))
    found = {name: column for name, column in columns.items() if column in there}
    other = {name: name.replace(*ends) for ends in _PAIR for name in found if name.endswith(ends[0])}
    half = {name for name, partner in other.items() if partner not in found}
    mapped = {name: column for name, column in found.items() if name not in half} | own
    recode = {
        name: dict(codes) for name, codes in schema.CBIOPORTAL_CODES.items() if name in mapped and name not in own
    }
    defaults: dict[str, Any] = {"file": file, "comment": "#", "missing": list(_MISSING)}
    if columns is _COLUMNS["patients"]:
        defaults["event_without_time"] = "missing"
    if "EVENT_TYPE" in there:
        defaults["keep"] = {"EVENT_TYPE": ["TREATMENT", "Treatment"]}
    return defaults | block | {"columns": mapped, "recode": recode | _tables(block.get("recode"))}


def _assay(
    name: str,
    given: Any,
    profiles: list[_Profile],
    source: Source,
    faults: list[Fault],
    *,
    used: set[str],
) -> Any:
    """Return the block of an assay that names its profile by ``stable_id``."""
    block = _tables(given)
    wanted = block.pop("stable_id", None)
    if wanted is None:
        return given
    known = {one.stable_id: one for one in profiles if one.kind == "MRNA_EXPRESSION"}
    if wanted not in known:
        hint = did_you_mean(wanted, known) if known else " The study has no expression."
        faults.append(Fault(ManifestError, f"[assays.{name}] stable_id: the study has no {wanted!r}.{hint}"))
        return given
    one = known[wanted]
    used.add(one.file)
    header = _header(one.file, source, [])
    if header and header[0] != "Hugo_Symbol":
        what = f"the first column is {header[0]!r}, Hugo_Symbol is needed; put the gene symbols there"
        faults.append(Fault(DataFileError, f"{one.file} line 1: {what}"))
    aside = [name for name in ("Entrez_Gene_Id",) if name in header]
    defaults = {"file": one.file, "orientation": "genes_by_samples", "gene_id": "symbol", "missing": ["NA"]}
    return defaults | {"ignore_columns": aside} | block


def _treatments(profiles: list[_Profile], source: Source) -> str | None:
    """Return the timeline that holds treatments: it has an agent for each start."""
    for one in profiles:
        if one.datatype == "TIMELINE" and {"AGENT", "START_DATE"} <= set(_header(one.file, source, [])):
            return one.file
    return None
