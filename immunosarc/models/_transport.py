"""A locked model in another cohort: does it tell patients apart there, and do its risks come true."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, ndtri

from immunosarc import schema, stats
from immunosarc.cohort import is_simulated, marked
from immunosarc.errors import PlanError, did_you_mean
from immunosarc.models._analysis_set import AnalysisSet, analysis_set
from immunosarc.models._cross_validate_measures import decision_curve, risk_groups
from immunosarc.models._cross_validate_pipeline import Patients
from immunosarc.models._landmark import endpoint_named
from immunosarc.models._locked_record import LockedModel
from immunosarc.models._transport_record import Evidence, Transport, verdict_of

__all__ = ["transport"]

Floats = NDArray[np.float64]
_ACROSS = ("refuse", "state")


def transport(
    locked: LockedModel,
    table: pd.DataFrame,
    outcomes: pd.DataFrame,
    *,
    unit: str,
    platform: str,
    reference_hash: str = "",
    other_assay: Literal["refuse", "state"] = "refuse",
    level: float = 0.95,
) -> Transport:
    r"""What a locked model is worth in patients of another cohort: who is told apart, and whose risk comes true.

    The model predicts as it stands; nothing of it is fitted here. Given are the AUC (DeLong, logit scale) or
    Harrell's C, the Brier score beside that of the event rate, the calibration in the large (what must be added
    to the log odds; 0 is right), observed to expected events, the calibration slope (Firth, 1 is right; below
    it, predictions are too extreme), and what would have to be fitted anew (closed test,
    :meth:`immunosarc.stats.Recalibration.needed`).

    The declared rule: a model **transports poorly** when fewer than 80% of the patients can be predicted (a
    missing feature, a value outside the training range), when the closed test wants an intercept or a slope
    fitted anew at 1 - ``level``, when the upper limit of the AUC lies below the cross-validated AUC of the
    training cohort, or when it lies at or below 0.5. Otherwise it is **undecided** while fewer than 5 patients
    have the rarer outcome or the AUC's interval holds 0.5, and else **transports**. A small cohort leaves most
    models undecided.

    Parameters
    ----------
    locked : LockedModel
        From :func:`lock_model` or :func:`read_model`.
    table : DataFrame
        ``schema.PATIENT_FEATURES`` with the model's features, scored in the model's way. Scores must mean the
        same in every cohort: single-sample ones, ranked among the same genes
        (:func:`immunosarc.study.score_as_locked`), or placed on a frozen reference. Values that were
        standardized within a cohort do not transport, whatever the numbers say.
    outcomes : DataFrame
        ``schema.OUTCOMES``; patients without the endpoint are left out.
    unit, platform, reference_hash : str
        Of the assay that the features were scored from, as for :meth:`LockedModel.predict`.
    other_assay : {"refuse", "state"}
        Another unit, platform or reference is refused, or stated in the result: what it costs is then part of
        the answer. Another scoring method, timepoint or landmark is always refused.
    level : float
        Of the intervals.

    Returns
    -------
    Transport

    Raises
    ------
    UnitError
        Another assay (unless stated), scoring method or timepoint.
    CoverageError
        A feature that the table does not have.
    PlanError
        No patient whose outcome is known, an unknown choice, or a level outside (0, 1).

    References
    ----------
    Steyerberg EW et al. 2010, doi 10.1097/EDE.0b013e3181c30fb2; Vergouwe Y et al. 2017, doi 10.1002/sim.7179.

    Examples
    --------
    >>> import immunosarc as ims
    >>> from immunosarc.models import LockedFeature, LockedModel
    >>> cohort = ims.simulate_cohort(seed=7)
    >>> scores = ims.features.score(cohort["rna"], method="singscore")[["mcp_b_lineage"]]
    >>> locked = LockedModel(
    ...     "elsewhere", "objective_response", "ridge_logistic", "pre", scores.attrs["unit"], "polya_rnaseq",
    ...     "an example", -3.0,
    ...     (LockedFeature("mcp_b_lineage", "singscore(log2_tpm)", 4.0, 0.0, 1.0),), {}
    ... )
    >>> found = transport(
    ...     locked, cohort.at("pre").per_patient(scores), ims.endpoints.derive(cohort),
    ...     unit=scores.attrs["unit"], platform="polya_rnaseq",
    ... )
    >>> found.verdict in ("transports", "transports poorly", "undecided")
    True
    """
    if other_assay not in _ACROSS:
        raise PlanError(
            f"other_assay must be 'refuse' or 'state', not {other_assay!r}.{did_you_mean(other_assay, _ACROSS)}"
        )
    if not 0 < level < 1:
        raise PlanError(f"level must lie between 0 and 1, not {level!r} (write 0.95 for 95%).")
    endpoint = endpoint_named(locked.endpoint)
    found = analysis_set(table, outcomes, endpoint, landmark_day=locked.landmark_day)
    if not found.patients:
        raise PlanError(f"no patient has both the features and {locked.endpoint} known; nothing to compare.")
    assay = {"unit": unit, "platform": platform, "reference_hash": reference_hash}
    differs = locked.differences(table, **assay)
    told = locked.predict(table, other_assay=other_assay, **assay).loc[found.patients]
    usable = (told["status"] == "ok").to_numpy()
    linear = told["linear_predictor"].to_numpy(dtype=float)[usable]
    data = _rows(found, usable)
    rows, again = _measures(linear, data, level)
    evidence = _evidence(rows, data, again, level=level, training=locked.training, n=len(usable))
    verdict, reason = verdict_of(evidence)
    facts = {
        "model": locked.name,
        "model_sha256": locked.hash,
        "endpoint": locked.endpoint,
        "n": len(linear),
        "n_events": int(data.event.sum()),
        "n_refused": int((~usable).sum()),
        "differs": "; ".join(differs) or "nothing",
        "needed": again.needed(1 - level),
        "p_as_it_is": again.p_as_it_is,
        "verdict": verdict,
        "reason": reason,
    }
    context = (found, data, linear, locked.training)
    return _record(rows, facts, told, context, simulated=is_simulated(outcomes))


def _rows(found: AnalysisSet, usable: NDArray[np.bool_]) -> Patients:
    time = None if found.time is None else found.time[usable]
    return Patients(found.features[usable], found.event[usable], time, np.arange(int(usable.sum())))


def _measures(linear: Floats, data: Patients, level: float) -> tuple[list[dict[str, Any]], stats.Recalibration]:
    if not len(linear):
        nothing = [_row("auc" if data.time is None else "concordance", (np.nan,) * 3, "not estimated")]
        return nothing, stats.Recalibration(*([float("nan")] * 5))
    return _of_times(linear, data, level) if data.time is not None else _of_risks(linear, data, level)


def _of_risks(linear: Floats, data: Patients, level: float) -> tuple[list[dict[str, Any]], stats.Recalibration]:
    risk, event = expit(linear), data.event
    again = stats.recalibration(linear, event, level=level)
    area = stats.mann_whitney(linear[:, None], event, level=level)
    slope = stats.firth_logistic(linear[:, None], event, level=level)
    loss = (risk - event) ** 2
    half = (
        float(ndtri((1 + level) / 2)) * float(loss.std(ddof=1)) / np.sqrt(len(loss)) if len(loss) > 1 else np.nan
    )
    brier = float(loss.mean())
    low, high = stats.clopper_pearson(int(event.sum()), len(event), level=level)
    expected = float(risk.sum())
    ratios = tuple(float(one) * len(event) / expected for one in (event.mean(), low, high))
    return [
        _row("auc", _first(area), "DeLong, logit scale"),
        _row("brier", (brier, max(brier - half, 0.0), brier + half), "mean squared error of the risks"),
        _row(
            "brier_of_rate",
            (float(event.mean() * (1 - event.mean())), np.nan, np.nan),
            "the event rate of this cohort predicted for everybody",
        ),
        _row(
            "calibration_in_the_large",
            (again.shift, again.conf_low, again.conf_high),
            "to be added to the log odds, profile likelihood",
        ),
        _row("observed_to_expected", ratios, "events, exact limits of the observed"),
        _row("calibration_slope", _first(slope), "Firth, profile likelihood"),
    ], again


def _of_times(linear: Floats, data: Patients, level: float) -> tuple[list[dict[str, Any]], stats.Recalibration]:
    assert data.time is not None  # noqa: S101 - the caller looked
    slope = stats.firth_cox(linear[:, None], data.time, data.event, level=level)
    c = stats.concordance_interval(linear, data.time, data.event, level=level)
    return [
        _row("concordance", c, "Harrell, logit scale"),
        _row("calibration_slope", _first(slope), "Firth-Cox, profile likelihood"),
    ], stats.recalibration_of_hazards(linear, data.time, data.event)


def _first(fits: stats.Fits) -> tuple[float, float, float]:
    return float(fits.estimate[0]), float(fits.conf_low[0]), float(fits.conf_high[0])


def _row(measure: str, numbers: tuple[float, ...], method: str) -> dict[str, Any]:
    estimate, low, high = numbers
    return {"measure": measure, "estimate": estimate, "conf_low": low, "conf_high": high, "method": method}


def _evidence(
    rows: list[dict[str, Any]],
    data: Patients,
    again: stats.Recalibration,
    *,
    level: float,
    training: Mapping[str, Any],
    n: int,
) -> Evidence:
    first = rows[0]
    n_events, n_predicted = int(data.event.sum()), len(data.event)
    return Evidence(
        first["measure"],
        first["estimate"],
        first["conf_low"],
        first["conf_high"],
        in_training=_in_training(training, str(first["measure"])),
        n=n,
        n_predicted=n_predicted,
        n_rarer=n_events if data.time is not None else min(n_events, n_predicted - n_events),
        needed=again.needed(1 - level),
        p_as_it_is=again.p_as_it_is,
    )


def _in_training(training: Mapping[str, Any], measure: str) -> float:
    """What honest cross-validation gave where the model was made; NaN where the model does not say.

    There the calibration in the large is a difference of shares, here one of log odds: not set side by side.
    """
    if measure == "calibration_in_the_large":
        return float("nan")
    estimators = ("optimism_corrected",) if measure == "calibration_slope" else ("cross_validated",)
    return next(
        (float(training[f"{measure} {one}"]) for one in estimators if f"{measure} {one}" in training), np.nan
    )


def _record(
    rows: list[dict[str, Any]],
    facts: dict[str, Any],
    told: pd.DataFrame,
    context: tuple[AnalysisSet, Patients, Floats, Mapping[str, Any]],
    *,
    simulated: bool,
) -> Transport:
    found, data, linear, training = context
    table = pd.DataFrame(rows).assign(**facts)
    table["in_training"] = [_in_training(training, str(measure)) for measure in table["measure"]]
    known = np.isfinite(table["estimate"].to_numpy(dtype=float))
    table["status"] = np.where(known, "ok", "cannot be estimated in these patients")
    predictions = told.assign(
        event=found.event, time=np.full(len(told), np.nan) if found.time is None else found.time
    )
    binary = data.time is None and len(linear) > 0
    calibration = risk_groups(expit(linear), data) if binary else schema.RISK_GROUPS.empty()
    decisions = decision_curve(expit(linear), data) if binary else schema.DECISION_CURVE.empty()
    return Transport(
        model=facts["model"],
        endpoint=facts["endpoint"],
        verdict=facts["verdict"],
        reason=facts["reason"],
        performance=marked(schema.TRANSPORT.check(table), simulated=simulated),
        predictions=marked(predictions, simulated=simulated),
        calibration=marked(calibration, simulated=simulated),
        decision_curve=marked(decisions, simulated=simulated),
    )
