"""A cohort as a study folder of cBioPortal, with a manifest beside it that reads everything back."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anndata
import pandas as pd

from immunosarc import schema, whole
from immunosarc.cohort._assay import dense_values
from immunosarc.cohort._toml import toml_document
from immunosarc.errors import DataFileError, raise_together

__all__ = ["MANIFEST", "write_study"]

MANIFEST = "immunosarc.toml"
"""The manifest in the study folder: ``load_cohort`` of it gives the cohort back."""

_META = "meta_study.txt"
_ID = re.compile(r"[A-Za-z0-9._-]+")
_BREAKS = re.compile(r"[\t\r\n]")
# an event of the timeline is of one of the kinds that the portal draws
_EVENTS = {
    "exposures": "TREATMENT",
    "medications": "TREATMENT",
    "assessments": "STATUS",
    "lesions": "IMAGING",
    "adverse_events": "TOXICITY",
}
_MONTHS = {"os_days": "OS_MONTHS", "pfs_days": "PFS_MONTHS"}
_EXPRESSION = ("rna_seq_mrna", "rna_seq_v2_mrna")
_NOT_EXPRESSION = ("score", "fraction")
_TYPES: tuple[tuple[Callable[[Any], bool], str], ...] = (
    (pd.api.types.is_bool_dtype, "BOOLEAN"),
    (pd.api.types.is_numeric_dtype, "NUMBER"),
)


@dataclass
class _Study:
    """The files of a study as they are collected: text by path, and the blocks of the manifest."""

    identifier: str
    texts: dict[str, str] = field(default_factory=dict)
    blocks: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def meta(self, of: str, /, **facts: str) -> None:
        lines = {"cancer_study_identifier": self.identifier, **facts}
        self.texts[f"meta_{of}.txt"] = "".join(f"{key}: {value}\n" for key, value in lines.items())


def write_study(
    path: str | os.PathLike[str],
    frames: Mapping[str, pd.DataFrame],
    assays: Mapping[str, anndata.AnnData],
    provenance: Mapping[str, Any],
) -> Path:
    """Write the parts of a cohort as a study; the folder appears whole or not at all.

    Raises :class:`~immunosarc.errors.DataFileError` with everything that the format cannot hold: ids of
    other characters than letters, digits, dot, dash and underscore, line breaks or tabs in text, cells
    instead of samples.
    """
    target = Path(path)
    if target.exists() and any(target.iterdir()) and not (target / _META).is_file():
        raise DataFileError(f"{target} exists and is not a study folder of cBioPortal; choose another path.")
    study = _collected(frames, assays, provenance)
    raise_together(DataFileError, "cBioPortal folder", study.problems)

    def fill(folder: Path) -> None:
        for name, text in study.texts.items():
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(text, encoding="utf-8", newline="\n")

    return whole.write_folder(target, fill)


def _collected(
    frames: Mapping[str, pd.DataFrame], assays: Mapping[str, anndata.AnnData], provenance: Mapping[str, Any]
) -> _Study:
    name = str(provenance.get("name", "cohort"))
    study = _Study(re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "cohort")
    simulated = bool(provenance.get("simulated", False))
    title = ("[SIMULATED] " if simulated else "") + str(provenance.get("title") or name)
    about = {key: str(provenance.get(key, "")) for key in ("title", "citation", "license", "source")}
    study.blocks |= {"name": name, **about, "time_unit": "days"}
    study.blocks |= {"simulated": True} if simulated else {}
    study.blocks["caveats"] = [str(one) for one in provenance.get("caveats", [])]
    study.meta(
        "study",
        type_of_cancer="soft_tissue",
        name=title,
        description=_one_line(about["citation"] or about["source"] or name),
        add_global_case_list="true",
    )
    patients, samples = frames["patients"], frames["samples"]
    _ids(study, patients.index, "patient")
    _ids(study, samples.index, "sample")
    _attributes(study, "patients", patients.reset_index(), kind="PATIENT_ATTRIBUTES")
    _attributes(study, "samples", samples.reset_index(), kind="SAMPLE_ATTRIBUTES")
    for label, frame in frames.items():
        if label.startswith("tables/"):
            _long_table(study, label.removeprefix("tables/"), frame)
    for label, adata in assays.items():
        _assay(study, label, adata)
    study.blocks["plan"] = provenance.get("plan") or {}
    study.texts[MANIFEST] = toml_document(
        study.blocks, f"Reads this folder back: immunosarc check {MANIFEST}; cBioPortal does not look at it."
    )
    return study


def _one_line(text: str) -> str:
    return _BREAKS.sub(" ", text)


def _ids(study: _Study, ids: pd.Index, noun: str) -> None:
    wrong = [str(one) for one in ids if not _ID.fullmatch(str(one))]
    if wrong:
        others = f" and {len(wrong) - 1} more of {len(ids)}" if len(wrong) > 1 else ""
        cure = "cBioPortal takes letters, digits, '.', '-' and '_'; rename before writing"
        study.problems.append(f"{noun} id {wrong[0]!r}{others}: {cure}")


def _attributes(study: _Study, part: str, frame: pd.DataFrame, *, kind: str) -> None:
    """Add patients or samples: four lines about the columns, then the rows."""
    table = schema.PATIENTS if part == "patients" else schema.SAMPLES
    names = _names(study, part, frame)
    shown = pd.DataFrame({names[one]: frame[one] for one in frame.columns})
    months = {other: frame[days] / schema.DAYS_PER_MONTH for days, other in _MONTHS.items() if days in frame}
    shown = shown.assign(**months)
    meaning = {names[one]: table.columns[one].meaning for one in frame.columns if one in table.columns}
    meaning |= dict.fromkeys(months, "months from the first dose")
    head = [
        [column.replace("_", " ").title() for column in shown.columns],
        [meaning.get(column, column) for column in shown.columns],
        [_datatype(shown[column], column) for column in shown.columns],
        ["1"] * len(shown.columns),
    ]
    file = f"data_clinical_{part.removesuffix('s')}.txt"
    comments = "".join("#" + "\t".join(map(_one_line, line)) + "\n" for line in head)
    study.texts[file] = comments + _rows(study, part, names, shown)
    study.meta(
        f"clinical_{part.removesuffix('s')}", genetic_alteration_type="CLINICAL", datatype=kind, data_filename=file
    )
    study.blocks[part] = _block(file, frame, names) | {"comment": "#"}


def _datatype(values: pd.Series, column: str) -> str:
    known = "STRING" if column.endswith("_STATUS") else None
    return known or next((name for fits, name in _TYPES if fits(values.dtype)), "STRING")


def _names(study: _Study, part: str, frame: pd.DataFrame) -> dict[str, str]:
    """Return our name -> the format's, or our own in capitals."""
    defined = schema.CBIOPORTAL_COLUMNS.get(part, {})
    names = {one: defined.get(one, re.sub(r"[^A-Z0-9]+", "_", str(one).upper())) for one in frame.columns}
    for column in dict.fromkeys(names.values()):
        ours = [one for one, other in names.items() if other == column]
        if len(ours) > 1:
            study.problems.append(f"{part}: columns {ours} would both be {column}; rename one")
    return names


def _long_table(study: _Study, name: str, frame: pd.DataFrame) -> None:
    """Add a long table: mutations, events with days, or what the portal has no place for."""
    if name == "variants":
        file, part = "data_mutations.txt", "variants"
        study.meta(
            "mutations",
            genetic_alteration_type="MUTATION_EXTENDED",
            datatype="MAF",
            stable_id="mutations",
            show_profile_in_analysis_tab="true",
            profile_name="Mutations",
            profile_description="Mutations of the tumor",
            data_filename=file,
        )
        frame = frame.drop(columns="patient_id")
    elif "study_day" in frame and frame["study_day"].notna().all():
        file, part = f"data_timeline_{name}.txt", name
        study.meta(f"timeline_{name}", genetic_alteration_type="CLINICAL", datatype="TIMELINE", data_filename=file)
    else:
        file, part = f"immunosarc/{name}.txt", name
    names = _names(study, part, frame)
    if file.startswith("data_timeline"):
        names["patient_id"] = "PATIENT_ID"
    shown = pd.DataFrame({names[one]: frame[one] for one in frame.columns}, index=frame.index)
    if file.startswith("data_timeline"):
        shown = _as_events(shown, frame, _EVENTS.get(name, name.upper()))
    study.texts[file] = _rows(study, name, names, shown)
    # a row of a sample is whose the sample is: a manifest that also says the patient is refused
    told = frame.drop(columns="patient_id") if {"patient_id", "sample_id"} <= set(frame) else frame
    study.blocks.setdefault("tables", {})[name] = _block(
        file, told, {one: names[one] for one in told.columns}, table=name
    )


def _as_events(shown: pd.DataFrame, frame: pd.DataFrame, kind: str) -> pd.DataFrame:
    """Put the four columns first that every timeline has; its days count from the first dose as day 0."""
    blank = pd.Series(float("nan"), index=frame.index)
    days = {
        "START_DATE": _since_first_dose(frame["study_day"]),
        "STOP_DATE": _since_first_dose(frame.get("end_day", blank)),
        "EVENT_TYPE": pd.Series(kind, index=frame.index, dtype="string"),
    }
    drug = {"TREATMENT_TYPE": "Medical Therapy", "AGENT": frame["drug"]} if "drug" in frame else {}
    rest = {name: shown[name] for name in shown.columns if name != "PATIENT_ID"}
    return pd.DataFrame({"PATIENT_ID": shown["PATIENT_ID"], **days, **drug, **rest}, index=frame.index)


def _since_first_dose(day: pd.Series) -> pd.Series:
    return day.where(day < 0, day - 1)


def _rows(study: _Study, part: str, names: Mapping[str, str], shown: pd.DataFrame) -> str:
    """Return header and rows; events and sexes in the words of the format."""
    written = pd.DataFrame(index=shown.index)
    ours = {column: one for one, column in names.items()}
    for column in shown.columns:
        written[column] = _cells(shown[column], _words(ours.get(column, "")))
        broken = written[column].str.contains(_BREAKS)
        if broken.any():
            study.problems.append(f"{part}: column {column} holds a tab or a line break; remove it before writing")
    lines = [written.columns, *written.itertuples(index=False)]
    return "".join("\t".join(line) + "\n" for line in lines)


def _words(name: str) -> dict[Any, str]:
    """Return value -> the first code that the format has for it."""
    return {value: code for code, value in reversed(list(schema.CBIOPORTAL_CODES.get(name, {}).items()))}


def _cells(values: pd.Series, words: Mapping[Any, str]) -> pd.Series:
    flags = {True: "TRUE", False: "FALSE"} if pd.api.types.is_bool_dtype(values.dtype) else {}
    codes = words or flags
    known = values.astype(object)[values.notna()]
    text = known.map(lambda one: codes.get(one) if one in codes else _number_or_text(one))
    return text.reindex(values.index).fillna("").astype(str)


def _number_or_text(value: Any) -> str:
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(float(value))
    return str(value)


def _block(
    file: str, frame: pd.DataFrame, names: Mapping[str, str], *, table: str | None = None
) -> dict[str, Any]:
    """Return what a manifest has to say for the same types and values to come back.

    Text of a column that ``table`` knows is text for the reader too, and needs no codes: thousands of genes and
    sequences stay out of the manifest.
    """
    known = (
        {one for one, column in schema.LONG_TABLES[table].columns.items() if column.kind == "text"}
        if table
        else ()
    )
    told = [one for one in frame.columns if one not in known or _words(str(one))]
    recode = {str(one): codes for one in told if (codes := _codes(frame[one], str(one)))}
    return {"file": file, "delimiter": "\t", "columns": dict(names), **({"recode": recode} if recode else {})}


def _codes(values: pd.Series, name: str) -> dict[str, Any]:
    """Return code -> value for flags and for text that could be taken for something else; ids stand as is."""
    if words := _words(name):
        return {code: value for value, code in words.items()}
    if pd.api.types.is_bool_dtype(values.dtype):
        return {"TRUE": True, "FALSE": False}
    if pd.api.types.is_numeric_dtype(values.dtype) or name.endswith("_id"):
        return {}
    return {str(one): str(one) for one in sorted(values.dropna().unique())}


def _assay(study: _Study, name: str, adata: anndata.AnnData) -> None:
    """Add a matrix, genes by samples: expression where it is expression, else a generic assay."""
    about = adata.uns["immunosarc"]
    beyond = [*adata.layers, *adata.obs.columns, *adata.var.columns]
    if about["level"] == "cell" or beyond:
        what = "its rows are cells" if about["level"] == "cell" else f"it carries {', '.join(map(str, beyond))}"
        cure = "write pseudobulk or scores per sample" if about["level"] == "cell" else "take them away"
        study.problems.append(f"assay {name!r}: {what}, which a study of cBioPortal cannot hold; {cure}")
        return
    _ids(study, adata.var_names if about["unit"] in _NOT_EXPRESSION else pd.Index([]), "feature")
    used = [one for text in study.texts.values() for one in _EXPRESSION if f"stable_id: {one}\n" in text]
    free = [one for one in _EXPRESSION if one not in used]
    file = f"data_{name}.txt"
    expression = about["unit"] not in _NOT_EXPRESSION and bool(free)
    facts = {"profile_name": f"{name} ({about['unit']})", "profile_description": schema.UNITS[about["unit"]]}
    if expression:
        kind = {"genetic_alteration_type": "MRNA_EXPRESSION", "datatype": "CONTINUOUS", "stable_id": free[0]}
    else:
        kind = {"genetic_alteration_type": "GENERIC_ASSAY", "generic_assay_type": "IMMUNE_PROFILE"}
        kind |= {
            "datatype": "LIMIT-VALUE",
            "stable_id": name.lower(),
            "generic_entity_meta_properties": "DESCRIPTION",
        }
    study.meta(name, **kind, show_profile_in_analysis_tab="false", **facts, data_filename=file)
    values = pd.DataFrame(dense_values(adata).T, columns=list(adata.obs_names))
    head = {"Hugo_Symbol": adata.var_names} if expression else {"ENTITY_STABLE_ID": adata.var_names}
    names = pd.DataFrame(head if expression else head | {"DESCRIPTION": adata.var_names})
    table = pd.concat([names, values], axis=1)
    study.texts[file] = table.to_csv(sep="\t", index=False, na_rep="NA", lineterminator="\n")
    block = {"file": file, "delimiter": "\t", "unit": about["unit"], "orientation": "genes_by_samples"}
    block |= {"gene_id": "symbol", "missing": ["NA"]} | ({} if expression else {"ignore_columns": ["DESCRIPTION"]})
    block |= {key: about[key] for key in ("platform", "pseudocount") if about.get(key)}
    study.blocks.setdefault("assays", {})[name] = block
