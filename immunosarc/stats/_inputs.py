"""What the kernels accept, checked in one place: features, groups, follow-up, strata, covariates.

Each checker appends what is wrong to ``problems`` and returns an array of the right shape either
way, so that a caller hears of every mistake at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from immunosarc.errors import ImmunosarcError, raise_together

__all__ = [
    "BoolArray",
    "FloatArray",
    "IntArray",
    "as_binary",
    "as_covariates",
    "as_entry",
    "as_features",
    "as_follow_up",
    "as_grades",
    "as_predictor",
    "as_sides",
    "as_strata",
    "check_level",
    "refuse",
]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
IntArray = NDArray[np.int64]


def refuse(function: str, problems: list[str]) -> None:
    """Raise one error with all problems of a call; do nothing when there is none."""
    raise_together(ImmunosarcError, f"the call of {function}", problems)


def as_features(features: ArrayLike, problems: list[str]) -> FloatArray:
    """Return a float64 matrix (n_patients, n_features); missing values stay NaN."""
    matrix = _floats(features, "features", problems)
    if matrix.ndim != 2:
        problems.append(
            f"features: need a matrix (n_patients, n_features), have {matrix.ndim} dimension(s); "
            "pass one feature as column[:, None]"
        )
        return matrix.reshape(len(np.atleast_1d(matrix)), -1)
    infinite = int(np.isinf(matrix).sum())
    if infinite:
        problems.append(f"features: {infinite} infinite value(s); use NaN for what was not measured")
    return matrix


def as_binary(values: ArrayLike, length: int, name: str, problems: list[str]) -> BoolArray:
    """Return a boolean vector; 0 and 1 count as False and True, nothing may be missing."""
    array = np.asarray(values)
    if not _is_vector(array, length, name, problems):
        return np.zeros(length, dtype=np.bool_)
    if array.dtype == np.bool_:
        return array
    numbers = _floats(array, name, problems)
    strange = ~np.isin(numbers, (0.0, 1.0))
    if strange.any():
        problems.append(
            f"{name}: need True or False (1 or 0) for every patient, have other or missing values at "
            f"rows {np.flatnonzero(strange)[:5].tolist()}; keep only patients whose {name} is known"
        )
    return numbers == 1.0


def as_grades(values: ArrayLike, length: int, problems: list[str]) -> FloatArray:
    """Return an outcome of which only the order counts, as numbers; nothing may be missing."""
    grades = _floats(values, "outcome", problems)
    if not _is_vector(grades, length, "outcome", problems):
        return np.zeros(length)
    if not np.isfinite(grades).all():
        problems.append(
            f"outcome: missing or infinite at rows {np.flatnonzero(~np.isfinite(grades))[:5].tolist()}; "
            "keep only patients whose outcome is known"
        )
        return np.zeros(length)
    return grades


def as_follow_up(
    time: ArrayLike, event: ArrayLike, length: int | None, problems: list[str]
) -> tuple[FloatArray, BoolArray]:
    """Return follow-up times (finite, not negative) and event flags of equal length."""
    times = _floats(time, "time", problems)
    size = times.size if length is None else length
    if not _is_vector(times, size, "time", problems):
        times = np.zeros(size)
    wrong = ~(np.isfinite(times) & (times >= 0))
    if wrong.any():
        problems.append(
            f"time: need finite numbers of at least 0, have others at rows "
            f"{np.flatnonzero(wrong)[:5].tolist()}; keep only patients whose follow-up is known"
        )
    return times, as_binary(event, size, "event", problems)


def as_entry(entry: ArrayLike | None, times: FloatArray, problems: list[str]) -> FloatArray | None:
    """Return when each row came under observation, which must be before its time."""
    if entry is None:
        return None
    entries = _floats(entry, "entry", problems)
    if not _is_vector(entries, times.size, "entry", problems):
        return None
    wrong = ~(entries < times)
    if wrong.any():
        problems.append(
            f"entry: need numbers below time, have others at rows {np.flatnonzero(wrong)[:5].tolist()}; "
            "who had the event or left before entering was never at risk: leave these rows out"
        )
    return entries


def as_strata(strata: ArrayLike | None, length: int, problems: list[str]) -> IntArray:
    """Return stratum codes 0, 1, ...; no strata means that all patients are in one."""
    if strata is None:
        return np.zeros(length, dtype=np.int64)
    array = np.asarray(strata)
    if not _is_vector(array, length, "strata", problems):
        return np.zeros(length, dtype=np.int64)
    missing = np.array([value is None or value != value for value in array.tolist()], dtype=np.bool_)
    if missing.any():
        problems.append(
            f"strata: missing at rows {np.flatnonzero(missing)[:5].tolist()}; "
            "give these patients a stratum of their own or leave them out"
        )
        return np.zeros(length, dtype=np.int64)
    # object columns from pandas may mix types that do not sort; their text does
    labels = array.astype(str) if array.dtype == object else array
    return np.unique(labels, return_inverse=True)[1].astype(np.int64).reshape(length)


def as_covariates(covariates: ArrayLike | None, length: int, problems: list[str]) -> FloatArray:
    """Return a float64 matrix (n_patients, k), k = 0 without covariates."""
    if covariates is None:
        return np.empty((length, 0))
    matrix = _floats(covariates, "covariates", problems)
    matrix = matrix[:, None] if matrix.ndim == 1 else matrix
    if matrix.ndim != 2 or len(matrix) != length:
        problems.append(f"covariates: need {length} rows like features, have shape {matrix.shape}")
        return np.empty((length, 0))
    infinite = int(np.isinf(matrix).sum())
    if infinite:
        problems.append(f"covariates: {infinite} infinite value(s); use NaN for what was not measured")
    return matrix


def as_sides(sides: ArrayLike | None, length: int, problems: list[str]) -> FloatArray:
    """Return the sign that each feature's statistic must have to count, 0 for either."""
    if sides is None:
        return np.zeros(length)
    signs = np.asarray(sides, dtype=np.float64)
    if signs.shape != (length,) or not np.isin(signs, (-1.0, 0.0, 1.0)).all():
        problems.append(f"sides: need -1, 0 or 1 for each of {length} features, have shape {signs.shape}")
        return np.zeros(length)
    return signs


def as_predictor(predictor: ArrayLike | None, length: int, problems: list[str]) -> FloatArray:
    """Return a finite linear predictor, 0 for all where there is none."""
    values = np.zeros(length) if predictor is None else _floats(predictor, "predictor", problems)
    if not _is_vector(values, length, "predictor", problems):
        return np.zeros(length)
    if not np.isfinite(values).all():
        problems.append("predictor: need a finite number for each patient")
        return np.zeros(length)
    return values


def check_level(level: float, problems: list[str], name: str = "level") -> None:
    """Note a confidence level, alpha or power that is not strictly between 0 and 1."""
    if not 0.0 < level < 1.0:
        problems.append(f"{name}: need a number between 0 and 1, have {level!r} (write 0.95 for 95%)")


def _is_vector(array: NDArray[Any], length: int, name: str, problems: list[str]) -> bool:
    fits = array.shape == (length,)
    if not fits:
        problems.append(f"{name}: need one value for each of {length} patients, have shape {array.shape}")
    return fits


def _floats(values: ArrayLike, name: str, problems: list[str]) -> FloatArray:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError):
        problems.append(f"{name}: need numbers, have values such as {np.ravel(np.asarray(values))[:1]!r}")
        return np.full(np.shape(values), np.nan)
