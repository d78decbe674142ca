"""Locking a model, and reading one back: a small file that predicts without its training patients."""

from __future__ import annotations

import json
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from immunosarc import __version__, schema, whole
from immunosarc.errors import DataFileError, LockError, PlanError, did_you_mean, raise_together
from immunosarc.models._analysis_set import PerPatient, analysis_set
from immunosarc.models._cross_validate import model_for
from immunosarc.models._cross_validate_pipeline import Fitted, Recipe, fit_tuned, patients_of
from immunosarc.models._cross_validate_record import Prediction
from immunosarc.models._landmark import endpoint_named
from immunosarc.models._leakage_static import relative_features
from immunosarc.models._locked_record import LockedFeature, LockedModel, content_hash

__all__ = ["lock_model", "read_model", "write_model"]

_FORMAT = "immunosarc model 1"
_LARGEST = 5_000_000


def lock_model(
    table: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    endpoint: str,
    name: str,
    intended_use: str,
    unit: str,
    platform: str,
    model: str | None = None,
    n_select: int | None = None,
    n_folds: int = 5,
    covariates: PerPatient = None,
    landmark_day: int | None = None,
    reference_hash: str = "",
    honest: Prediction | None = None,
    seed: int = 0,
) -> LockedModel:
    """Fit the pipeline of :func:`cross_validate` to all patients and freeze it, for patients to come.

    What is kept are coefficients for the features as scored, their ranges, and a summary of the training: no
    patient. Missing values are replaced by medians here, in training; a new patient with a missing feature is
    not predicted.

    Parameters
    ----------
    table : DataFrame
        ``schema.PATIENT_FEATURES``.
    outcomes : DataFrame
        ``schema.OUTCOMES``.
    endpoint : str
        A binary or time-to-event name of ``schema.ENDPOINTS``.
    name, intended_use : str
        What the model is called, for whom and for what.
    unit, platform : str
        Of the assay that the features were scored from (``schema.UNITS``, ``schema.PLATFORMS``).
    model : str, optional
        A name of ``models.PREDICTORS``; by default ridge.
    n_select : int, optional
        Keep that many features.
    n_folds : int
        Folds that choose the penalty.
    covariates : Series or DataFrame, optional
        Numbers or flags, indexed by patient; locked as features under their own names, which new patients
        must have as columns of their table. Never selected away.
    landmark_day : int, optional
        Study day from which the endpoint counts, for features measured on treatment, as in :func:`associate`.
    reference_hash : str
        Of the frozen reference that the scores were placed on, where there is one.
    honest : Prediction, optional
        From :func:`cross_validate` on the same endpoint and model: its numbers go into the training summary.
    seed : int
        Same seed, same model.

    Returns
    -------
    LockedModel

    Raises
    ------
    PlanError
        Nothing to fit, a penalty that left no feature, covariates in words, text left out, an unknown unit
        or platform, scores relative to the cohort, or ``honest`` of another model.
    UnknownNameError
        Unknown endpoint or model.
    ImmortalTimeError
        As in :func:`associate`.

    Examples
    --------
    >>> import immunosarc as ims
    >>> cohort = ims.simulate_cohort(seed=7)
    >>> scores = ims.features.score(cohort["rna"], method="singscore")[["cyt", "mcp_b_lineage"]]
    >>> table = cohort.at("pre").per_patient(scores)
    >>> locked = lock_model(
    ...     table,
    ...     ims.endpoints.derive(cohort),
    ...     endpoint="objective_response",
    ...     name="example",
    ...     intended_use="An example; for no patient.",
    ...     unit=table.attrs["unit"],
    ...     platform="polya_rnaseq",
    ... )
    >>> [one.name for one in locked.features]
    ['cyt', 'mcp_b_lineage']
    """
    target = endpoint_named(endpoint)
    chosen = model_for(target, model)
    _check_words(table, {"name": name, "intended_use": intended_use}, unit, platform)
    adjusting = _as_numbers(covariates, table)
    found = analysis_set(table, outcomes, target, covariates=adjusting, landmark_day=landmark_day)
    data = patients_of(found)
    names = [*found.names, *(() if adjusting is None else map(str, adjusting.columns))]
    if not data.can_be_fitted() or not data.x.shape[1]:
        raise PlanError("there is nothing to fit: all patients have the same outcome, or the table no features.")
    if honest is not None and (honest.endpoint, honest.model) != (endpoint, chosen):
        raise PlanError(
            f"honest is of {honest.model} for {honest.endpoint}, the model to lock is {chosen} for {endpoint}; "
            "cross-validate the one that is locked."
        )
    fitted = fit_tuned(
        Recipe(chosen, n_select, found.covariates.shape[1], n_folds), data, np.random.default_rng([seed, 2])
    )
    intercept, coefficients = _unscaled(fitted)
    if not coefficients.any():
        raise PlanError(
            f"{chosen} kept no feature: it predicts the same for everybody, there is nothing to lock. "
            "The features tell these patients no better apart than their event rate; try ridge, or leave it there."
        )
    scoring = table.attrs.get("scoring", {})
    return LockedModel(
        name=name,
        endpoint=endpoint,
        model=chosen,
        timepoint=found.timepoint,
        unit=unit,
        platform=platform,
        intended_use=intended_use,
        intercept=intercept,
        features=tuple(
            LockedFeature(one, str(scoring.get(one, "")), float(value), float(np.nanmin(x)), float(np.nanmax(x)))
            for one, value, x in zip(names, coefficients, data.x.T, strict=True)
            if value != 0
        ),
        training=_summary(found.population, data.event, fitted, honest),
        reference_hash=reference_hash,
        landmark_day=landmark_day,
    )


def write_model(model: LockedModel, path: str | PathLike[str]) -> Path:
    """Write a locked model into one small JSON file that people can read.

    Parameters
    ----------
    model : LockedModel
        From :func:`lock_model`.
    path : path
        A file that does not exist yet: a locked model is never overwritten.

    Returns
    -------
    Path

    Raises
    ------
    DataFileError
        When the file exists or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> model = LockedModel("demo", "pfs", "ridge_cox", "pre", "tpm", "other", "an example", 0.0, (), {})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     read_model(write_model(model, f"{folder}/demo.json")) == model
    True
    """
    target = Path(path)
    if target.exists():
        raise DataFileError(f"{target.name} exists: a model is locked once; choose another name")
    content = {"format": _FORMAT, "sha256": model.hash, **model.content()}
    return whole.write_file(target, json.dumps(content, indent=1, allow_nan=False) + "\n")


def read_model(path: str | PathLike[str]) -> LockedModel:
    """Read a locked model, and refuse one that was changed since it was locked.

    Parameters
    ----------
    path : path
        A file of :func:`write_model`.

    Returns
    -------
    LockedModel

    Raises
    ------
    DataFileError
        When the file is missing, is no model, or one of another version.
    LockError
        When its content does not have the hash that it states.

    Examples
    --------
    >>> read_model("none.json")
    Traceback (most recent call last):
    ...
    immunosarc.errors.DataFileError: model file 'none.json' does not exist; check the path
    """
    content = _content(Path(path))
    stated = content.pop("sha256", "")
    content.pop("format")
    if content_hash(content) != stated:
        raise LockError(
            f"{Path(path).name}: its numbers are not those that were locked (stated hash {str(stated)[:8]}). "
            "Take the file as it was written; lock a new model to change one."
        )
    try:
        features = tuple(LockedFeature(**one) for one in content.pop("features"))
        model = LockedModel(**content, features=features)
    except (KeyError, TypeError) as error:
        raise DataFileError(f"{Path(path).name} is no whole model: {error}") from None
    raise_together(DataFileError, Path(path).name, _strange(model))
    return model


def _strange(model: LockedModel) -> list[str]:
    """What a file with a right hash may still say that no model says."""
    numbers = {"intercept": model.intercept} | {
        f"{what} of {one.name}": value
        for one in model.features
        for what, value in (("coefficient", one.coefficient), ("low", one.low), ("high", one.high))
    }
    problems = [
        f"{what} must be a number, not {v!r}" for what, v in numbers.items() if not isinstance(v, int | float)
    ]
    if model.endpoint not in schema.ENDPOINTS:
        problems.append(f"unknown endpoint {model.endpoint!r}.{did_you_mean(model.endpoint, schema.ENDPOINTS)}")
    return problems


def _content(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST:
            raise DataFileError(f"{path.name} is larger than any model of this package; check the path")
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise DataFileError(f"model file {str(path)!r} does not exist; check the path") from None
    except DataFileError:
        raise
    except (OSError, UnicodeDecodeError, ValueError, RecursionError) as error:
        raise DataFileError(f"{path.name} cannot be read as JSON: {error}") from None
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        found = content.get("format") if isinstance(content, dict) else type(content).__name__
        raise DataFileError(f"{path.name}: its format must be {_FORMAT!r}, found {found!r}; lock the model anew")
    return content


def _check_words(table: pd.DataFrame, words: dict[str, str], unit: str, platform: str) -> None:
    problems = [f"{key} is empty: say it in a sentence" for key, text in words.items() if not text.strip()]
    stated = table.attrs.get("unit", unit)
    if stated != unit:
        problems.append(f"unit is {unit!r}, but the scores were made from {stated!r}")
    if platform not in schema.PLATFORMS:
        problems.append(f"platform must be one of {', '.join(schema.PLATFORMS)}, not {platform!r}")
    if not unit:
        problems.append("unit is empty: name the unit that the features were scored from")
    problems += [
        f"{one} depends on the other patients, a new one would change it: score with a single-sample method"
        for one in relative_features(table)
    ]
    raise_together(PlanError, "the model to lock", problems)


def _as_numbers(covariates: PerPatient, table: pd.DataFrame) -> pd.DataFrame | None:
    """Return covariates as columns of numbers; words would need their coding, which a model does not keep."""
    if covariates is None:
        return None
    frame = (
        covariates.to_frame(covariates.name or "covariate") if isinstance(covariates, pd.Series) else covariates
    )
    problems = [
        f"covariate {name!r} is in words: give it as columns of 0 and 1"
        for name in frame
        if not pd.api.types.is_numeric_dtype(frame[name]) and not pd.api.types.is_bool_dtype(frame[name])
    ]
    problems += [f"covariate {name!r} is a feature already" for name in frame if name in table]
    raise_together(PlanError, "the model to lock", problems)
    return frame.astype(float)


def _unscaled(fitted: Fitted) -> tuple[float, np.ndarray]:
    """Return intercept and coefficients for the features as scored, zero where not selected.

    A log hazard has no zero of its own; this one is that of the mean training patient.
    """
    made = fitted.preparation
    coefficients = np.zeros(len(made.spread))
    coefficients[made.kept] = fitted.path.coefficients[0] / made.spread[made.kept]
    return float(fitted.path.intercept[0] - coefficients @ made.mean), coefficients


def _summary(population: str, event: np.ndarray, fitted: Fitted, honest: Prediction | None) -> dict[str, Any]:
    summary: dict[str, Any] = {
        "population": population,
        "n": len(event),
        "n_events": int(event.sum()),
        "penalty": float(fitted.path.penalties[0]),
        "immunosarc": __version__,
        "status": "not cross-validated" if honest is None else honest.status,
    }
    if honest is None or not honest.modelled:
        return summary
    for row in honest.performance.itertuples():
        if np.isfinite(row.estimate) and row.estimator in ("cross_validated", "optimism_corrected"):
            summary[f"{row.measure} {row.estimator}"] = round(float(row.estimate), 4)
    return summary
