"""From this trial to the next: whom to select, how many that takes, and what the rate to beat decides."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, model_validator

from immunosarc import catalog, design, schema
from immunosarc.cohort import Cohort
from immunosarc.errors import did_you_mean

if TYPE_CHECKING:
    from immunosarc.study._plan import Plan

__all__ = ["NextTrial", "next_trial_problems", "next_trial_tables"]

_log = logging.getLogger("immunosarc")
_MEASURE = "log_odds_ratio_per_sd"
_HERE = "rate of all patients here"
_FEWEST = 10
Share = Annotated[float, Field(gt=0, lt=1)]


class NextTrial(BaseModel):
    """What the next trial is to be; a plan without it gets the default.

    Attributes
    ----------
    endpoint : str, optional
        Binary; the first one of the plan unless given.
    p0 : tuple of float
        Rates to beat. Unless given the plan's null rate of the endpoint and, with ``controls``, the published ones
        of doxorubicin; without any the rate of all patients here.
    controls : {"none", "doxorubicin"}
        Whether the published rates of soft-tissue sarcoma apply to this trial.
    shares : tuple of float
        Which part of the patients a rule selects: 0.5 is the half with the higher values.
    features : tuple of str
        Candidate features; unless given the pre-stated ones and then those with the smallest p maxT.
    n_features : int
        How many candidates where ``features`` is not given.
    published : mapping of str to str
        Feature -> marker of ``catalog.load_marker_evidence`` whose published effect is the prior in place of the
        panel's own spread.
    heterogeneity : float
        Standard deviation of true effects between trials, per standard deviation of the marker.
    alpha, power : float
        One-sided type-I error and power of the next trial.
    kind : {"ahern", "minimax", "optimal"}
        One stage, or Simon's two.
    gain : float
        For historical controls: gain over the control that a next trial is to find.
    sensitivity, specificity, dropout : float
        As in :func:`immunosarc.design.screening`.
    n_max : int
        Largest trial to consider.
    mix : mapping of str to float
        Histology -> share of the next trial's patients; as here unless given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint: str | None = None
    p0: tuple[Share, ...] = ()
    controls: Literal["none", "doxorubicin"] = "none"
    shares: tuple[Share, ...] = (0.5, 0.25)
    features: tuple[str, ...] = ()
    n_features: int = Field(default=3, ge=1)
    published: dict[str, str] = Field(default_factory=dict)
    heterogeneity: float = Field(default=0.5, ge=0)
    alpha: float = Field(default=0.10, gt=0, lt=1)
    power: float = Field(default=0.80, gt=0, lt=1)
    kind: Literal["ahern", "minimax", "optimal"] = "minimax"
    gain: Share = 0.20
    sensitivity: float = Field(default=1.0, gt=0, le=1)
    specificity: float = Field(default=1.0, ge=0, le=1)
    dropout: float = Field(default=0.10, ge=0, lt=1)
    n_max: int = Field(default=150, ge=2)
    mix: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_a_trial(self) -> NextTrial:
        if self.power <= self.alpha:
            raise ValueError(f"power {self.power:g} must exceed alpha {self.alpha:g}")
        if self.mix and (abs(sum(self.mix.values()) - 1.0) > 1e-9 or min(self.mix.values()) < 0):
            raise ValueError(f"mix: shares that add up to 1 are needed, not {sum(self.mix.values()):g}")
        return self


def next_trial_problems(asked: NextTrial, plan: Plan) -> list[str]:
    """Return every name of the declaration that nothing knows."""
    binary = [name for name, endpoint in schema.ENDPOINTS.items() if endpoint.kind == "binary"]
    found = []
    if asked.endpoint is not None and asked.endpoint not in binary:
        found.append(f"next_trial: no binary endpoint '{asked.endpoint}'.{did_you_mean(asked.endpoint, binary)}")
    open_panels = any(panel.columns == "all" for panel in plan.panels)
    known = [name for panel in plan.panels for name, _ in panel.specs()]
    for name in dict.fromkeys((*asked.features, *asked.published)):
        if name not in known and not open_panels:
            found.append(f"next_trial: no panel has feature '{name}'.{did_you_mean(name, known)}")
    markers = sorted(set(catalog.load_marker_evidence()["marker"])) if asked.published else []
    for marker in dict.fromkeys(asked.published.values()):
        if marker not in markers:
            found.append(f"next_trial: no published marker '{marker}'.{did_you_mean(marker, markers)}")
    return found


def next_trial_tables(
    cohort: Cohort,
    plan: Plan,
    outcomes: pd.DataFrame,
    *,
    measured: Mapping[str, Mapping[str, pd.DataFrame]],
    tables: Mapping[str, pd.DataFrame],
) -> dict[str, pd.DataFrame]:
    """Return the candidate next trials, and this trial's counts against every rate to beat.

    Parameters
    ----------
    cohort : Cohort
        Its patients give the histologies.
    plan : Plan
        What was declared, ``next_trial`` above all.
    outcomes : DataFrame
        ``schema.OUTCOMES``.
    measured : mapping
        Patient features by timepoint and panel; only those before treatment can select anyone.
    tables : mapping
        ``associations`` and ``shrinkage`` of the study.

    Returns
    -------
    dict of str to DataFrame
        ``next_trial`` where there is a binary endpoint with enough patients, and ``historical_controls`` where
        there is a rate to beat.
    """
    asked = plan.next_trial or NextTrial()
    found = {}
    controls = [_against(plan, asked, outcomes, name) for name in plan.endpoints if _binary(name)]
    if parts := [table for table in controls if len(table)]:
        found["historical_controls"] = pd.concat(parts, ignore_index=True)
    endpoint = asked.endpoint or next((name for name in plan.endpoints if _binary(name)), None)
    if endpoint is None or outcomes[endpoint].notna().sum() < _FEWEST:
        return found
    responded = outcomes[endpoint].astype("boolean")
    if responded.dropna().nunique() < 2:
        return found
    _log.info("the next trial")
    selected, effects = _rules(plan, asked, endpoint, measured.get("pre", {}), tables)
    selected = selected.reindex(responded.index).astype("boolean")
    found["next_trial"] = design.enrichment(
        selected,
        responded,
        p0=_rates(plan, asked, endpoint) or [round(float(responded.mean()), 3)],
        alpha=asked.alpha,
        power=asked.power,
        kind=asked.kind,
        effects=effects,
        histology=cohort.patients.get("histology"),
        mix=asked.mix or None,
        sensitivity=asked.sensitivity,
        specificity=asked.specificity,
        dropout=asked.dropout,
        n_max=asked.n_max,
    ).assign(endpoint=endpoint)
    return found


def _binary(name: str) -> bool:
    return name in schema.ENDPOINTS and schema.ENDPOINTS[name].kind == "binary"


def _published_controls(asked: NextTrial, endpoint: str) -> pd.DataFrame:
    table = catalog.load_historical_controls()
    return table[(table["endpoint"] == endpoint) & (asked.controls == "doxorubicin")]


def _rates(plan: Plan, asked: NextTrial, endpoint: str) -> list[float]:
    """Return the rates to beat; each once, from the lowest."""
    if asked.p0:
        return sorted(set(asked.p0))
    stated = [plan.null_rates[endpoint]] if endpoint in plan.null_rates else []
    published = _published_controls(asked, endpoint)
    known = published.loc[published["role"] == "doxorubicin", "rate"].tolist()
    return sorted({round(float(rate), 6) for rate in (*stated, *known)})


def _against(plan: Plan, asked: NextTrial, outcomes: pd.DataFrame, endpoint: str) -> pd.DataFrame:
    """Return the count of an endpoint against every rate that was declared or is published."""
    known = outcomes[endpoint].dropna().astype(bool)
    published = _published_controls(asked, endpoint)
    declared = dict.fromkeys([plan.null_rates[endpoint]] if endpoint in plan.null_rates else [])
    if asked.endpoint == endpoint:
        declared |= dict.fromkeys(asked.p0)
    own = [rate for rate in declared if not np.isclose(published["rate"].to_numpy(dtype=float), rate).any()]
    rows = pd.DataFrame(
        {"label": "declared by the plan", "role": "declared", "rate": own, "evidence": "plan", "citation": None}
    )
    columns = list(rows.columns)
    both = [part[columns].astype(object) for part in (rows, published) if len(part)]
    if not both or known.empty:
        return schema.HISTORICAL_CONTROL.empty()
    controls = pd.concat(both, ignore_index=True).astype({"rate": float})
    return design.control_sensitivity(
        int(known.sum()),
        len(known),
        controls,
        endpoint=endpoint,
        alpha=asked.alpha,
        power=asked.power,
        gain=asked.gain,
        level=1 - plan.alpha,
    )


def _rules(
    plan: Plan,
    asked: NextTrial,
    endpoint: str,
    panels: Mapping[str, pd.DataFrame],
    tables: Mapping[str, pd.DataFrame],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return whom each rule selects, and the effect that its rate comes from."""
    rows = tables["associations"]
    rows = rows[(rows["timepoint"] == "pre") & (rows["endpoint"] == endpoint) & rows["p_maxt"].notna()]
    selected, effects = {}, {}
    for feature in _candidates(plan, asked, rows, panels):
        values = next(panel[feature] for panel in panels.values() if feature in panel).astype(float)
        if values.notna().sum() < _FEWEST:
            continue
        mine = rows[(rows["feature"] == feature) & (rows["measure"] == _MEASURE)]
        effect = _effect(asked, feature, endpoint, mine, tables.get("shrinkage"))
        leaning = effect[0].log_odds_ratio if effect is not None else 0.0
        if not leaning and len(mine):  # nothing is left after shrinkage: the side that was seen
            leaning = float(mine["estimate"].iloc[0])
        low = leaning < 0
        for share in asked.shares:
            name = f"{feature}: {'lowest' if low else 'highest'} {share:.0%}"
            edge = values.quantile(share if low else 1.0 - share)
            chosen = (values <= edge) if low else (values > edge)
            selected[name] = chosen.astype("boolean").mask(values.isna())
            if effect is not None:
                sign = -1.0 if low else 1.0
                effects[name] = {
                    "log_odds_ratio": sign * effect[0].log_odds_ratio,
                    "std_error": effect[0].std_error,
                    "source": effect[1],
                }
    frame = pd.DataFrame.from_dict(effects, orient="index", columns=["log_odds_ratio", "std_error", "source"])
    return pd.DataFrame(selected), frame


def _candidates(
    plan: Plan, asked: NextTrial, rows: pd.DataFrame, panels: Mapping[str, pd.DataFrame]
) -> Iterator[str]:
    """Yield the declared features; else the pre-stated ones, then those with the smallest p maxT."""
    measured = {name for panel in panels.values() for name in panel if name not in schema.PATIENT_FEATURES.columns}
    if asked.features:
        yield from (name for name in asked.features if name in measured)
        return
    stated = [one.feature for one in plan.hypotheses]
    ranked = rows.sort_values(["p_maxt", "p_value", "feature"], kind="stable")["feature"]
    chosen = [name for name in dict.fromkeys((*stated, *asked.published, *ranked)) if name in measured]
    yield from chosen[: asked.n_features]


def _effect(
    asked: NextTrial, feature: str, endpoint: str, rows: pd.DataFrame, shrinkage: pd.DataFrame | None
) -> tuple[design.MarkerEffect, str] | None:
    """Return the effect per standard deviation with what it was shrunken by, or None without an estimate."""
    if rows.empty or not np.isfinite(float(rows["std_error"].iloc[0])):
        return None
    own = design.MarkerEffect(float(rows["estimate"].iloc[0]), float(rows["std_error"].iloc[0]))
    if feature in asked.published:
        known = catalog.load_marker_evidence()
        known = known[(known["marker"] == asked.published[feature]) & (known["endpoint"] == endpoint)]
        others = [
            design.published_effect(
                (row["responders_with"], row["n_with"]),
                (row["responders_without"], row["n_without"]),
                heterogeneity=asked.heterogeneity,
            )
            for row in known.to_dict(orient="records")
        ]
        if others and own.std_error > 0:
            trials = ", ".join(known["trial"])
            return design.combine_effects(own, *others), f"effect here and published ({trials})"
    if shrinkage is None or shrinkage.empty:
        return None
    mine = shrinkage[(shrinkage["family"] == rows["family"].iloc[0]) & (shrinkage["feature"] == feature)]
    if mine.empty or not np.isfinite(mine["shrunken"].iloc[0]):
        return None
    pulled = design.MarkerEffect(float(mine["shrunken"].iloc[0]), float(mine["shrunken_error"].iloc[0]))
    return pulled, "shrunken effect" if pulled.log_odds_ratio else "shrunken effect: nothing is left of it"
