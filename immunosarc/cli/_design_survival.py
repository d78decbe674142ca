"""Trials that wait for events, and trials that ask of a marker, on the command line."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from immunosarc.cli._design import design_app, tell

__all__: list[str] = []

_Null = Annotated[float, typer.Option(help="Share event-free at the fixed time in history.")]
_Control = Annotated[float, typer.Option(help="Share of the control arm event-free at the fixed time.")]
_Hoped = Annotated[float, typer.Option(help="Share worth finding; above p0.")]
_At = Annotated[float, typer.Option(help="The fixed time, such as 6 months; all times in this unit.")]
_Accrual = Annotated[float, typer.Option(help="Patients enter evenly over this time.")]
_Minimum = Annotated[float, typer.Option(help="Follow-up of the last patient who enters.")]
_Lost = Annotated[float, typer.Option(help="Share lost to follow-up by the fixed time.")]
_Alpha = Annotated[float, typer.Option(help="One-sided type-I error.")]
_Power = Annotated[float, typer.Option(help="Power.")]
_Allocation = Annotated[float, typer.Option(help="Share of patients who are treated.")]
_Prevalence = Annotated[float, typer.Option(help="Share of patients with the marker.")]
_Positive = Annotated[tuple[float, float], typer.Option(help="Rates of control and treated with the marker.")]
_Negative = Annotated[tuple[float, float], typer.Option(help="Rates of control and treated without the marker.")]
_MarkerAt = Annotated[
    float | None, typer.Option(help="For time to event: the rates are shares event-free at this time.")
]
_MarkerTime = Annotated[float, typer.Option(help="For time to event: accrual, or follow-up of the last patient.")]
_Out = Annotated[Path | None, typer.Option(help="Folder for the tables; only printed when not given.")]


class Method(StrEnum):
    """How a survival rate is estimated and tested."""

    binomial = "binomial"
    greenwood = "greenwood"
    exponential = "exponential"


class Censored(StrEnum):
    """What a patient lost before the fixed time is."""

    failure = "failure"
    excluded = "excluded"


class Order(StrEnum):
    """Which test of a stratified trial comes first."""

    sequential = "sequential"
    fallback = "split"


@design_app.command(
    epilog="Example: immunosarc design one-sample-log-rank --p0 0.434 --p1 0.634 --at 6 --accrual 24 --minimum 6 "
    "--alpha 0.10 --power 0.80"
)
def one_sample_log_rank(
    p0: _Null,
    p1: _Hoped,
    at: _At,
    accrual: _Accrual,
    minimum: _Minimum,
    alpha: _Alpha,
    power: _Power,
    lost: _Lost = 0.0,
    out: _Out = None,
) -> None:
    """One arm whose whole survival curve is compared with a known one."""
    import immunosarc as ims

    follow = ims.design.FollowUp(at, accrual, minimum, lost)
    asked: dict[str, Any] = {"p0": p0, "p1": p1, "follow": follow, "alpha": alpha, "power": power}
    tell(ims.design.one_sample_log_rank(**asked), "one_sample_log_rank", asked, out)


@design_app.command(
    epilog="Example: immunosarc design survival-rate --p0 0.434 --p1 0.634 --at 6 --accrual 24 --minimum 6 "
    "--alpha 0.10 --power 0.80 --method greenwood"
)
def survival_rate(
    p0: _Null,
    p1: _Hoped,
    at: _At,
    accrual: _Accrual,
    minimum: _Minimum,
    alpha: _Alpha,
    power: _Power,
    method: Annotated[
        Method, typer.Option(help="Exact count, or an estimate with its variance.")
    ] = Method.binomial,
    censored: Annotated[Censored, typer.Option(help="For the count: what lost patients are.")] = Censored.failure,
    lost: _Lost = 0.0,
    out: _Out = None,
) -> None:
    """One arm and the share event-free at a fixed time."""
    import immunosarc as ims

    follow = ims.design.FollowUp(at, accrual, minimum, lost)
    asked: dict[str, Any] = {"p0": p0, "p1": p1, "follow": follow, "alpha": alpha, "power": power}
    asked |= {"method": method.value, "censored": censored.value}
    tell(ims.design.survival_rate(**asked), "survival_rate", asked, out)


@design_app.command(
    epilog="Example: immunosarc design randomized-log-rank --p0 0.434 --ratio 0.6 --at 6 --accrual 24 "
    "--minimum 12 --alpha 0.05 --power 0.80 --delay 3"
)
def randomized_log_rank(
    p0: _Control,
    ratio: Annotated[float, typer.Option(help="Hazard ratio worth finding, treated against control.")],
    at: _At,
    accrual: _Accrual,
    minimum: _Minimum,
    alpha: _Alpha,
    power: _Power,
    allocation: _Allocation = 0.5,
    delay: Annotated[float, typer.Option(help="Time before which the hazards are equal.")] = 0.0,
    lost: _Lost = 0.0,
    out: _Out = None,
) -> None:
    """Two arms by the log-rank test, also where the treatment works late."""
    import immunosarc as ims

    follow = ims.design.FollowUp(at, accrual, minimum, lost)
    asked: dict[str, Any] = {"p0": p0, "ratio": ratio, "follow": follow, "alpha": alpha, "power": power}
    asked |= {"allocation": allocation, "delay": delay}
    tell(ims.design.randomized_log_rank(**asked), "randomized_log_rank", asked, out)


@design_app.command(
    epilog="Example: immunosarc design biomarker-stratified --prevalence 0.4 --positive 0.2 0.5 "
    "--negative 0.2 0.25 --alpha 0.05 --power 0.80"
)
def biomarker_stratified(
    prevalence: _Prevalence,
    positive: _Positive,
    negative: _Negative,
    alpha: _Alpha,
    power: _Power,
    strategy: Annotated[Order, typer.Option(help="Which test comes first.")] = Order.sequential,
    share: Annotated[float, typer.Option(help="For 'split': part of alpha spent on everybody.")] = 0.8,
    allocation: _Allocation = 0.5,
    at: _MarkerAt = None,
    accrual: _MarkerTime = 0.0,
    minimum: _MarkerTime = 0.0,
    lost: _Lost = 0.0,
    out: _Out = None,
) -> None:
    """Two arms of everybody, stratified by a marker: for all, or for those with it alone."""
    import immunosarc as ims

    asked = _marker(prevalence, positive, negative, alpha=alpha, power=power, allocation=allocation)
    asked |= {"follow": _follow(at, accrual, minimum, lost=lost), "strategy": strategy.value, "share": share}
    tell(ims.design.biomarker_stratified(**asked), "biomarker_stratified", asked, out)


@design_app.command(
    epilog="Example: immunosarc design interaction --prevalence 0.4 --positive 0.2 0.5 --negative 0.2 0.2 "
    "--alpha 0.05 --power 0.80"
)
def interaction(
    prevalence: _Prevalence,
    positive: _Positive,
    negative: _Negative,
    alpha: _Alpha,
    power: _Power,
    allocation: _Allocation = 0.5,
    at: _MarkerAt = None,
    accrual: _MarkerTime = 0.0,
    minimum: _MarkerTime = 0.0,
    lost: _Lost = 0.0,
    out: _Out = None,
) -> None:
    """Two arms: the treatment helps patients with the marker more than the others, or not."""
    import immunosarc as ims

    asked = _marker(prevalence, positive, negative, alpha=alpha, power=power, allocation=allocation)
    asked["follow"] = _follow(at, accrual, minimum, lost=lost)
    tell(ims.design.interaction(**asked), "interaction", asked, out)


def _marker(
    prevalence: float, positive: tuple[float, float], negative: tuple[float, float], **numbers: float
) -> dict[str, Any]:
    return {"prevalence": prevalence, "positive": positive, "negative": negative, **numbers}


def _follow(at: float | None, accrual: float, minimum: float, *, lost: float) -> Any:
    import immunosarc as ims

    return None if at is None else ims.design.FollowUp(at, accrual, minimum, lost)
