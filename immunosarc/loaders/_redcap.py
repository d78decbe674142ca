"""A REDCap export beside its data dictionary: codes become the labels that the dictionary gives them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import pandas as pd

from immunosarc.errors import DataFileError, ManifestError, PrivacyError, did_you_mean
from immunosarc.loaders._blocks import Block, TableBlock
from immunosarc.loaders._fault import Fault, few, in_lines, listed
from immunosarc.loaders._source import Source
from immunosarc.loaders._table import RawTable, read_table

__all__ = ["decoded"]

# the titles of a downloaded dictionary, and those of the programming interface
_TITLES: Mapping[str, tuple[str, str]] = {
    "name": ("Variable / Field Name", "field_name"),
    "kind": ("Field Type", "field_type"),
    "choices": ("Choices, Calculations, OR Slider Labels", "select_choices_or_calculations"),
    "identifier": ("Identifier?", "identifier"),
}
_SYSTEM = ("redcap_event_name", "redcap_repeat_instrument", "redcap_repeat_instance", "redcap_data_access_group")
_CHOSEN = ("radio", "dropdown")
_ANSWERS: Mapping[str, Mapping[str, str]] = {
    "yesno": {"Yes": "1", "No": "0"},
    "truefalse": {"True": "1", "False": "0"},
    "checkbox": {"Checked": "1", "Unchecked": "0"},
}


@dataclass(frozen=True)
class _Field:
    kind: str
    choices: tuple[tuple[str, str], ...]


def decoded(
    raw: RawTable, block: TableBlock, source: Source, faults: list[Fault], *, where: str
) -> RawTable | None:
    """Return the cells of an export with labels for codes; None when they cannot be told, and why is added.

    Parameters
    ----------
    raw : RawTable
        The export, with codes (as REDCap calls it, raw) or with labels.
    block : TableBlock
        With ``dictionary``; its mapped columns, and those of ``keep`` and ``drop``, are decoded.
    source : Source
    faults : list of Fault
    where : str
        ``"[patients]"``, for the messages.
    """
    text = source.open(Block(file=str(block.dictionary)), where, faults)
    table = read_table(text, faults) if text else None
    if table is None:
        return None
    before = len(faults)
    fields = _fields(table, raw, faults)
    names = [str(name) for name in raw.cells.columns]
    asked = dict.fromkeys([*(block.columns.values() or names), *block.keep, *block.drop])
    used = [name for name in asked if name in names]
    faults += _repeats(raw, block, where=where)
    cells = raw.cells.copy()
    for name in used:
        field = _field_of(name, fields)
        if field is None:
            faults += _stranger(raw, name, fields, mapped=bool(block.columns))
        elif field.kind == "notes":
            what = f"column {name!r} is a notes box, and free text can name a person; do not map it"
            faults.append(Fault(PrivacyError, f"{raw.file} line 1: {what}"))
        else:
            cells[name] = _labels(raw, name, field, block.missing, faults)
    return RawTable(raw.file, cells, raw.head, raw.gate) if len(faults) == before else None


def _fields(table: RawTable, raw: RawTable, faults: list[Fault]) -> dict[str, _Field]:
    titles: dict[str, str] = {}
    for key, forms in _TITLES.items():
        found = [form for form in forms if form in table.cells.columns]
        if not found and key != "identifier":
            hint = did_you_mean(forms[0], map(str, table.cells.columns))
            what = f"there is no column {forms[0]!r}, so this is no data dictionary of REDCap.{hint}"
            faults.append(Fault(DataFileError, f"{table.file} line 1: {what}"))
            return {}
        titles[key] = found[0] if found else ""
    rows = {key: table.cells[title] for key, title in titles.items() if title}
    fields: dict[str, _Field] = {}
    for line, name, kind, choices in zip(
        table.cells.index, rows["name"], rows["kind"], rows["choices"], strict=True
    ):
        chosen = _choices(choices) if kind in (*_CHOSEN, "checkbox") else ()
        twice = [code for code, times in Counter(code for code, _ in chosen).items() if times > 1]
        if name in fields or twice:
            what = f"field {name!r} stands there twice" if name in fields else f"code {twice[0]!r} has two labels"
            faults.append(Fault(DataFileError, f"{table.file} line {line}, field {name!r}: {what}; keep one"))
        fields[name] = _Field(kind, chosen)
    if "identifier" in rows:
        marked = rows["name"][rows["identifier"].str.strip().str.lower().isin(["y", "1", "yes"])]
        persons = [name for name in map(str, raw.cells.columns) if name.split("___")[0] in set(marked)]
        if persons:
            what = f"columns {listed(persons)} are marked as identifiers in {table.file}"
            cure = "export again without tagged identifier fields"
            faults.append(Fault(PrivacyError, f"{raw.file} line 1: {what}; {cure}"))
    return fields


def _choices(text: str) -> tuple[tuple[str, str], ...]:
    """Return code and label of ``"1, Male | 2, Female"``."""
    pairs = [one.partition(",") for one in text.split("|") if one.strip()]
    return tuple((code.strip(), label.strip()) for code, _, label in pairs)


def _field_of(name: str, fields: Mapping[str, _Field]) -> _Field | None:
    """Return the field of a column; those of the program itself, and of forms' completion, hold no choices."""
    if name in fields:
        return fields[name]
    stem = name.split("___")[0]
    if stem in fields and fields[stem].kind == "checkbox":
        return fields[stem]
    return _Field("text", ()) if name in _SYSTEM or name.endswith("_complete") else None


def _stranger(raw: RawTable, name: str, fields: Mapping[str, _Field], *, mapped: bool) -> list[Fault]:
    if not mapped:
        return []
    what = f"column {name!r} is not in the data dictionary.{did_you_mean(name, fields)}"
    return [Fault(ManifestError, f"{raw.file} line 1: {what}")]


def _labels(raw: RawTable, name: str, field: _Field, missing: Iterable[str], faults: list[Fault]) -> pd.Series:
    cells = raw.cells[name].str.strip()
    filled = cells[(cells != "") & ~cells.isin(list(missing))]
    if field.kind in _ANSWERS:
        return cells.map(lambda text: _ANSWERS[field.kind].get(text, text))
    if field.kind not in _CHOSEN:
        return raw.cells[name]
    labels = dict(field.choices)
    problem = _ambiguity(set(filled), labels)
    if problem:
        at = f"{raw.file} {in_lines(filled.index[:1])}, column {name!r}"
        faults.append(Fault(DataFileError, f"{at}: {problem}"))
        return raw.cells[name]
    are_labels = bool(len(filled)) and set(filled) <= set(labels.values()) and not set(filled) <= labels.keys()
    known = {label: label for label in labels.values()} if are_labels else labels
    unknown = filled[~filled.isin(list(known))]
    told = [
        Fault(
            DataFileError,
            f"{raw.file} {in_lines(unknown.index[unknown == text])}, column {name!r}: {text!r} is neither a code "
            "nor a label of the data dictionary; export both again, or list it in missing",
        )
        for text in dict.fromkeys(unknown)
    ]
    faults += few(told, f"values in column {name!r}")
    return cells.map(lambda text: known.get(text, text))


def _ambiguity(found: set[str], labels: Mapping[str, str]) -> str:
    """Return why cells do not say one thing; an empty text when they do."""
    are_codes, are_labels = found <= labels.keys(), found <= set(labels.values())
    if found and are_codes and are_labels and any(labels[text] != text for text in found):
        return "the cells can be codes or labels, which differ; rename the labels in the data dictionary"
    if not are_codes and not are_labels and found <= labels.keys() | set(labels.values()):
        return "codes and labels stand side by side; export all rows with codes"
    shown = found if are_labels else {labels[text] for text in found if text in labels}
    twice = [label for label in sorted(shown) if list(labels.values()).count(label) > 1]
    if twice:
        codes = listed(code for code, label in labels.items() if label == twice[0])
        return f"the label {twice[0]!r} stands for the codes {codes}; give each code a label of its own"
    return ""


def _repeats(raw: RawTable, block: TableBlock, *, where: str) -> list[Fault]:
    """Return what to declare about rows that are not one for each patient."""
    asked = {*block.keep, *block.drop}
    found = []
    forms = raw.cells.get("redcap_repeat_instrument", pd.Series("", index=raw.cells.index))
    if (forms != "").any() and "redcap_repeat_instrument" not in asked:
        counts = ", ".join(f"{name or '(none)'}: {times} rows" for name, times in forms.value_counts().items())
        found.append(
            f"{raw.file}: the export has repeating instruments ({counts}), each a table of its own; say which "
            f'rows {where} takes: keep = {{ redcap_repeat_instrument = "" }} for those that do not repeat'
        )
    events = raw.cells.get("redcap_event_name", pd.Series("", index=raw.cells.index))
    if len(set(events)) > 1 and "redcap_event_name" not in asked:
        found.append(
            f"{raw.file}: the export has {len(set(events))} events ({listed(events.unique())}); say which of them "
            f"{where} takes: keep = {{ redcap_event_name = [...] }}"
        )
    return [Fault(ManifestError, text) for text in found]
