"""Where one row of CDISC is not one row of ours: tumor results, visit responses, censoring."""

from __future__ import annotations

import numpy as np
import pandas as pd

from immunosarc.errors import DataFileError, ManifestError
from immunosarc.loaders._cells import parse_number
from immunosarc.loaders._fault import Fault, in_lines, listed
from immunosarc.loaders._table import RawTable

__all__ = [
    "CENSORED",
    "OVERALL",
    "READER",
    "STATE",
    "TARGET",
    "USED",
    "VISIT",
    "lesion_cells",
    "time_to_event_cells",
    "visit_cells",
]

CENSORED, READER, STATE, USED, VISIT = "CNSR = 0", "(reader)", "(state)", "(measures a lesion)", "(visit)"
OVERALL, TARGET = "OVRLRESP", "TRGRESP"
"""Columns that are made here; no SAS variable can have such names, or they name their test."""

_NODE = "LYMPH NODE"
_NOT_DONE = "NOT DONE"


def _column(cells: pd.DataFrame, name: str) -> pd.Series:
    """A permissible variable that is not there is empty."""
    return cells[name] if name in cells else pd.Series("", index=cells.index, dtype=object)


def _needed(raw: RawTable, names: tuple[str, ...], domain: str, faults: list[Fault]) -> bool:
    absent = [name for name in names if name not in raw.cells]
    if absent:
        what = f"there is no variable {listed(absent)}, which the domain {domain} has; is it another domain?"
        faults.append(Fault(ManifestError, f"{raw.file} line 1: {what}"))
    return not absent


def _reader(cells: pd.DataFrame, domain: str) -> dict[str, pd.Series]:
    """The evaluator's id where there is one, else the evaluator's role."""
    one, role = _column(cells, f"{domain}EVALID"), _column(cells, f"{domain}EVAL")
    named = one.where(one != "", role)
    return {READER: named} if (named != "").any() else {}


def time_to_event_cells(raw: RawTable, _: RawTable | None, faults: list[Fault]) -> RawTable | None:
    """Turn CNSR round: 0 is an event, every higher number a kind of censoring."""
    if not _needed(raw, ("CNSR", "AVAL", "PARAMCD"), "ADTTE", faults):
        return None
    codes = {text: parse_number(text) if text.strip() else None for text in raw.cells["CNSR"].unique()}
    wrong = [
        text
        for text, code in codes.items()
        if text.strip() and (code is None or not np.isfinite(code) or code < 0 or code != int(code))
    ]
    if wrong:
        lines = raw.cells.index[raw.cells["CNSR"].isin(wrong)]
        what = f"{listed(wrong)} is no censoring code; 0 (an event) or a higher whole number (censored) is needed"
        faults.append(Fault(DataFileError, f"{raw.file} {in_lines(lines)}, column 'CNSR': {what}"))
        return None
    event = {text: "" if code is None else str(code == 0).lower() for text, code in codes.items()}
    return RawTable(raw.file, raw.cells.assign(**{CENSORED: raw.cells["CNSR"].map(event)}))


def visit_cells(raw: RawTable, _: RawTable | None, faults: list[Fault]) -> RawTable | None:
    """Put the tests of one visit beside each other: overall and target response in one row."""
    if not _needed(raw, ("USUBJID", "RSTESTCD", "RSSTRESC"), "RS", faults):
        return None
    cells = raw.cells
    by_date = _column(cells, "RSDTC")
    day = by_date.where(by_date != "", _column(cells, "RSDY"))
    reader = _reader(cells, "RS")
    asked = cells["RSTESTCD"].isin([OVERALL, TARGET])
    key = pd.DataFrame(
        {
            "patient": cells["USUBJID"],
            "day": day.where(day != "", cells.index.astype(str)),
            "reader": reader.get(READER, pd.Series("", index=cells.index)),
            "test": cells["RSTESTCD"],
        }
    )[asked]
    # a test called twice on one day stays two rows, so that the contradiction is seen
    key["turn"] = key.groupby(list(key.columns)).cumcount()
    visit = key.groupby(["patient", "day", "reader", "turn"], sort=False).ngroup()
    first = pd.Series(key.index, index=key.index).groupby(visit).transform("first")
    state = pd.Series("not a response of targets or overall", index=cells.index, dtype=object)
    state[asked] = np.where(first == key.index, "new", "that of line " + first.astype(str))
    found = cells.assign(**reader, **{VISIT: state})
    for test in (OVERALL, TARGET):
        mine = key.index[key["test"] == test]
        value = pd.Series(cells.loc[mine, "RSSTRESC"].to_numpy(), index=first[mine].to_numpy(), dtype=object)
        found[test] = value.reindex(cells.index).fillna("")
    return RawTable(raw.file, found)


def lesion_cells(raw: RawTable, tumors: RawTable | None, faults: list[Fault]) -> RawTable | None:
    """Choose the rows that measure a lesion, and say what the others of it say in words."""
    if not _needed(raw, ("USUBJID", "TRLNKID", "TRGRPID", "TRTESTCD", "TRSTRESC"), "TR", faults):
        return None
    cells = raw.cells
    reader = _reader(cells, "TR")
    test = cells["TRTESTCD"]
    nodal = _nodal(cells.assign(**reader), tumors, faults)
    used = _used(raw, test, nodal, faults)
    if used is None:
        return None
    measured = used & (test != "TUMSTATE")
    _only_millimeters(raw, measured, faults)
    not_done = _column(cells, "TRSTAT") == _NOT_DONE
    said = cells["TRSTRESC"].str.strip()
    number = said.map(lambda text: parse_number(text) is not None)
    words = said.where(measured, cells["TRGRPID"] + " " + said)
    state = words.mask((measured & number) | (said == ""), "").mask(not_done, _NOT_DONE)
    size = _column(cells, "TRSTRESN") if "TRSTRESN" in cells else said.where(number, "")
    made = {
        **reader,
        STATE: state,
        USED: used.map({True: "yes", False: "no"}),
        "(diameter)": size.where(measured, ""),
    }
    if nodal is not None:
        made["(nodal)"] = nodal.map({True: "true", False: "false"})
    return RawTable(raw.file, cells.assign(**made))


def _used(raw: RawTable, test: pd.Series, nodal: pd.Series | None, faults: list[Fault]) -> pd.Series | None:
    """The analysis diameter where the file has it; else long axis, and short axis of nodes."""
    state = test == "TUMSTATE"
    if (test == "DIAMETER").any():
        return state | (test == "DIAMETER")
    if not test.isin(["LDIAM", "LPERP", "SAXIS"]).any():
        return state
    if nodal is None:
        what = (
            "TRTESTCD has LDIAM and LPERP but not DIAMETER: nodes are measured by their short axis, so say which "
            "lesions are nodes with tumors = 'path of the TU domain'"
        )
        faults.append(Fault(ManifestError, f"{raw.file}: {what}"))
        return None
    return state | ((test == "LDIAM") & ~nodal) | (test.isin(["LPERP", "SAXIS"]) & nodal)


def _only_millimeters(raw: RawTable, measured: pd.Series, faults: list[Fault]) -> None:
    unit = _column(raw.cells, "TRSTRESU").str.strip().str.lower()
    wrong = measured & ~unit.isin(["", "mm"])
    if wrong.any():
        lines = raw.cells.index[wrong]
        what = f"unit {listed(raw.cells.loc[wrong, 'TRSTRESU'].unique())}, needed mm; convert the results"
        faults.append(Fault(DataFileError, f"{raw.file} {in_lines(lines)}, column 'TRSTRESU': {what}"))


def _nodal(cells: pd.DataFrame, tumors: RawTable | None, faults: list[Fault]) -> pd.Series | None:
    """Whether the TU domain locates each lesion in a lymph node."""
    if tumors is None or not _needed(tumors, ("USUBJID", "TULNKID", "TULOC"), "TU", faults):
        return None
    located = tumors.cells.assign(**_reader(tumors.cells, "TU"))
    keys = [["USUBJID", "USUBJID"], ["TRLNKID", "TULNKID"]]
    if READER in located and READER in cells:
        keys.append([READER, READER])
    ours, theirs = (list(names) for names in zip(*keys, strict=True))
    is_node = located["TULOC"].str.upper().str.contains(_NODE, regex=False)
    known = located.assign(node=is_node)[[*theirs, "node"]].drop_duplicates()
    twice = known.duplicated(theirs)
    if twice.any():
        lines = known.index[twice]
        what = "the same lesion is in a lymph node and elsewhere; correct TULOC"
        faults.append(Fault(DataFileError, f"{tumors.file} {in_lines(lines)}: {what}"))
        return None
    place = pd.MultiIndex.from_frame(cells[ours])
    found = known.set_index(theirs)["node"].reindex(place)
    return pd.Series(found.fillna(False).to_numpy(dtype=bool), index=cells.index)
