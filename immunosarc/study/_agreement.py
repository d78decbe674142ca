"""One quantity by several assays: what the plan asks of their agreement, and the tables that answer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd
from pydantic import Field, field_validator

from immunosarc import models, schema
from immunosarc.errors import did_you_mean
from immunosarc.study._questions import Frozen

__all__ = ["Agreement", "agreement_problems", "agreement_tables"]


class Agreement(Frozen):
    """Several measures of one thing, to be held against each other before any of them is believed.

    Attributes
    ----------
    quantity : str
        What all of them measure: "CD8".
    measures : mapping of str to str
        Name of the measure -> ``panel.feature`` of this plan.
    timepoint : {"pre", "on", "post"}
        When they were taken.
    endpoint : str
        A binary endpoint, whose association is also given freed of measurement error.
    apart : float
        Difference of ranks, between 0 and 1, from which a patient is discordant.
    """

    quantity: str
    measures: dict[str, str] = Field(min_length=2)
    timepoint: str = "pre"
    endpoint: str = "objective_response"
    apart: float = Field(default=0.5, gt=0, lt=1)

    @field_validator("measures")
    @classmethod
    def _of_a_panel(cls, measures: dict[str, str]) -> dict[str, str]:
        if plain := [one for one in measures.values() if "." not in one]:
            raise ValueError(f"each measure is panel.feature, as in primary.cyt_mean_log2; found {plain}")
        return measures


def agreement_problems(asked: Iterable[Agreement], panels: Mapping[str, Iterable[str] | None]) -> list[str]:
    """Return every name that the plan does not have; a panel of None has all columns of an assay."""
    binary = [name for name, endpoint in schema.ENDPOINTS.items() if endpoint.kind == "binary"]
    found = []
    for one in asked:
        about = f"concordance of '{one.quantity}'"
        if one.timepoint not in schema.TIMEPOINTS:
            found.append(
                f"{about}: unknown timepoint '{one.timepoint}'.{did_you_mean(one.timepoint, schema.TIMEPOINTS)}"
            )
        if one.endpoint not in binary:
            found.append(f"{about}: unknown binary endpoint '{one.endpoint}'.{did_you_mean(one.endpoint, binary)}")
        for panel, feature in (measure.split(".", 1) for measure in one.measures.values()):
            if panel not in panels:
                found.append(f"{about}: unknown panel '{panel}'.{did_you_mean(panel, panels)}")
            elif (known := panels[panel]) is not None and feature not in (names := list(known)):
                found.append(f"{about}: panel '{panel}' has no '{feature}'.{did_you_mean(feature, names)}")
    return found


def agreement_tables(
    asked: Iterable[Agreement],
    outcomes: pd.DataFrame,
    measured: Mapping[str, Mapping[str, pd.DataFrame]],
    *,
    level: float,
    seed: int,
) -> dict[str, pd.DataFrame]:
    """Return ``concordance``, ``reliability`` and ``concordance_ranks``; nothing where none is asked for.

    Parameters
    ----------
    asked : iterable of Agreement
        The plan's ``concordance``.
    outcomes : DataFrame
        ``schema.OUTCOMES``.
    measured : mapping
        Patient features by timepoint and panel.
    level : float
        Of the intervals.
    seed : int
        For the resampling.
    """
    gates = [
        models.concordance(
            {name: _values(measured[one.timepoint], measure) for name, measure in one.measures.items()},
            outcomes[one.endpoint],
            quantity=one.quantity,
            apart=one.apart,
            level=level,
            seed=seed,
        )
        for one in asked
        if one.timepoint in measured
    ]
    if not gates:
        return {}
    return {
        "concordance": pd.concat([gate.pairs for gate in gates], ignore_index=True),
        "reliability": pd.concat([gate.reliability for gate in gates], ignore_index=True),
        "concordance_ranks": pd.concat([gate.ranks for gate in gates], ignore_index=True),
    }


def _values(panels: Mapping[str, pd.DataFrame], measure: str) -> pd.Series:
    panel, feature = measure.split(".", 1)
    table = panels.get(panel)
    if table is None or feature not in table:
        return pd.Series(dtype=float)
    return table[feature]
