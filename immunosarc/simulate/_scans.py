"""The scans of the simulated patients: lesion rows and the calls made from them.

The catalog says of each patient when the disease progressed and how well it responded; the seed says
how large the lesions were on the way. Sizes keep a distance from every limit of RECIST 1.1 that whole
millimeters cannot cross.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["scan_tables"]

_EVERY = 42
_LATE = 4  # a scan so many days after the planned one is that one
_LARGEST_TARGETS = 4
_SMALLEST_MM, _LARGEST_MM = 26, 70
_ON_SCAN = "PD"
_GROWTHS = ("growth", "growth", "new lesion", "non-target")


@dataclass(frozen=True)
class _Lesions:
    """What was seen at baseline: sizes of the targets, which of them is a node, non-targets beside them."""

    sizes: NDArray[np.int64]
    nodal: NDArray[np.bool_]
    n_others: int
    day: int


def scan_tables(trial: pd.DataFrame, *, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return what was measured at each scan, and what the investigator called.

    Parameters
    ----------
    trial : DataFrame
        See ``read_trial``.
    seed : int
        At least 0; every patient has a stream of its own.

    Returns
    -------
    lesions, assessments : DataFrame
        ``schema.LESIONS`` and ``schema.ASSESSMENTS``; visits without a call are baselines.
    """
    lesions: list[dict[str, Any]] = []
    calls: list[dict[str, Any]] = []
    for number, (patient, row) in enumerate(trial.iterrows()):
        random = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(_STREAM, number)))
        seen, called = _patient(str(patient), row, random)
        lesions += seen
        calls += called
    table = pd.DataFrame(lesions).astype({"nodal": "boolean", "status": "string"})
    return table, pd.DataFrame(calls)


_STREAM = 1000  # far from the streams of the expression


def _patient(
    patient: str, row: pd.Series, random: np.random.Generator
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    start = _baseline(row, random)
    days, calls = _calls(row, random)
    growth = str(random.choice(_GROWTHS if start.n_others else _GROWTHS[:3]))
    sums = _sums(float(start.sizes.sum()), calls, random, growth=growth)
    lesions = _rows(patient, start, start.day, start.sizes)
    for day, call, total in zip(days, calls, sums, strict=True):
        sizes = np.rint(start.sizes * total / start.sizes.sum()).astype(np.int64)
        lesions += _rows(patient, start, day, sizes, progressed=growth if call == _ON_SCAN else "", call=call)
    called = [
        {
            "patient_id": patient,
            "study_day": float(day),
            "overall_response": call,
            "target_response": call if call != _ON_SCAN or growth == "growth" else _before(calls),
        }
        for day, call in zip(days, calls, strict=True)
    ]
    return lesions, called


def _before(calls: list[str]) -> str:
    """The targets stay as they were where something else shows the progression."""
    return calls[-2] if len(calls) > 1 else "SD"


def _baseline(row: pd.Series, random: np.random.Generator) -> _Lesions:
    count = int(random.integers(2, _LARGEST_TARGETS + 1))
    sizes = random.integers(_SMALLEST_MM, _LARGEST_MM + 1, size=count)
    nodal = np.zeros(count, dtype=bool)
    nodal[-1] = count > 2 and random.random() < 0.4
    biopsied = -14 if pd.isna(row["pre_day"]) else int(row["pre_day"])
    return _Lesions(sizes, nodal, int(random.integers(0, 3)), biopsied - int(random.integers(1, 8)))


def _calls(row: pd.Series, random: np.random.Generator) -> tuple[list[int], list[str]]:
    """Return the scan days and the call of each: every six weeks, up to what ended the story."""
    best, end = str(row["best_overall_response"]), int(row["pfs_days"])
    if best == "NE":
        return [], []
    died = row["pfs_event"] and row["death_day"] == end
    progressed = bool(row["pfs_event"]) and not died
    last = end - _LATE if progressed else end
    days = list(range(_EVERY, last + 1, _EVERY))
    first_response = int(random.integers(1, 3)) if best in ("CR", "PR") else len(days) + 1
    complete = first_response + 2 if best == "CR" else len(days) + 1
    calls = [
        "CR" if scan >= complete else "PR" if scan >= first_response else "SD" for scan in range(1, len(days) + 1)
    ]
    return ([*days, end], [*calls, _ON_SCAN]) if progressed else (days, calls)


def _sums(start: float, calls: list[str], random: np.random.Generator, *, growth: str) -> list[float]:
    """Return a sum of diameters for each call, at least 2% away from the limits of the next one."""
    sums: list[float] = []
    smallest = start
    for call in calls:
        last = sums[-1] if sums else start
        if call == "CR":
            total = 0.0
        elif call == _ON_SCAN and growth == "growth":
            total = max(1.35 * smallest, smallest + 12.0)
        elif call == "PR":
            shrunk = (
                start * random.uniform(0.40, 0.60) if last > 0.65 * start else last * random.uniform(0.9, 1.03)
            )
            total = float(np.clip(shrunk, 0.3 * start, min(1.1 * smallest, 0.64 * start)))
        else:
            moved = last * random.uniform(0.94, 1.04)
            low, high = (0.3, 0.64) if last <= 0.64 * start else (0.76, 1.1)
            total = float(np.clip(moved, low * start, min(1.1 * smallest, high * start)))
        sums.append(total)
        smallest = min(smallest, total)
    return sums


def _rows(
    patient: str,
    start: _Lesions,
    day: int,
    sizes: NDArray[np.int64],
    *,
    progressed: str = "",
    call: str = "",
) -> list[dict[str, Any]]:
    """Return one scan: the targets, the non-targets beside them and, where it appeared, the new lesion."""
    seen = {"patient_id": patient, "study_day": float(day), "method": "CT"}
    rows = [
        {
            **seen,
            "lesion_id": f"T{place}",
            "role": "target",
            "diameter_mm": float(size),
            "nodal": bool(node),
            "status": pd.NA if size else "absent",
        }
        for place, (size, node) in enumerate(zip(sizes, start.nodal, strict=True), start=1)
    ]
    others = {"non-target": "progression"}.get(progressed, "absent" if call == "CR" else "present")
    nothing = {"diameter_mm": np.nan, "nodal": False}
    rows += [
        {**seen, **nothing, "lesion_id": f"NT{place}", "role": "non_target", "status": others}
        for place in range(1, start.n_others + 1)
    ]
    if progressed == "new lesion":
        rows.append({**seen, **nothing, "lesion_id": "N1", "role": "new", "status": "unequivocal"})
    return rows
