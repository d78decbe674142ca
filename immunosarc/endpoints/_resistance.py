"""Primary and secondary resistance, by the consensus definitions of the immunotherapy society."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.endpoints._dosing import administrations
from immunosarc.errors import ImmunosarcError, UnknownNameError, did_you_mean, raise_together

__all__ = ["RESISTANCE_RULES", "ResistanceRules", "derive_resistance"]


@dataclass(frozen=True)
class ResistanceRules:
    """What counts as resistance, and as enough treatment to speak of it.

    Attributes
    ----------
    definition : {"ici_chemotherapy", "single_agent"}
        Consensus of 2023 for a checkpoint inhibitor with chemotherapy, or of 2020 for one alone.
    checkpoint_inhibitors, chemotherapy : tuple of str
        Drugs as the table of doses names them, in any case of letters.
    dosing_interval_days : int
        How long the last dose is taken to act.
    min_exposure_days : int
        Exposure needed unless progression is rapid (6 weeks).
    six_months_days : int
        Six months.
    confirm_days : int
        The confirming scan of the single-agent definition comes at least so much later.
    off_treatment_days : int
        Progression later than this after the end of exposure, which did not stop for toxicity, is
        progression off treatment (one scan interval).
    name : str
        Name and version.

    Examples
    --------
    >>> ResistanceRules(dosing_interval_days=14).label
    'sitc_2023_ici_chemotherapy/1 dosing_interval_days=14'
    """

    definition: Literal["ici_chemotherapy", "single_agent"] = "ici_chemotherapy"
    checkpoint_inhibitors: tuple[str, ...] = (
        "atezolizumab", "avelumab", "balstilimab", "botensilimab", "cemiplimab", "dostarlimab", "durvalumab",
        "ipilimumab", "nivolumab", "pembrolizumab", "relatlimab", "retifanlimab", "sintilimab", "tislelizumab",
        "toripalimab", "tremelimumab", "zalifrelimab",
    )  # fmt: skip
    chemotherapy: tuple[str, ...] = ("doxorubicin",)
    dosing_interval_days: int = 21
    min_exposure_days: int = 42
    six_months_days: int = schema.SIX_MONTHS_DAYS
    confirm_days: int = 28
    off_treatment_days: int = 42
    name: str = "sitc_2023_ici_chemotherapy/1"

    def __post_init__(self) -> None:
        days = [name for name in vars(self) if name.endswith("_days")]
        wrong = [
            f"{name}: need a whole number of at least 1, have {value!r}"
            for name, value in ((name, getattr(self, name)) for name in days)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1
        ]
        if self.definition not in ("ici_chemotherapy", "single_agent"):
            known = ("ici_chemotherapy", "single_agent")
            wrong.append(f"definition: unknown {self.definition!r}.{did_you_mean(self.definition, known)}")
        raise_together(ImmunosarcError, "ResistanceRules", wrong)

    @property
    def label(self) -> str:
        """Name, version, and what differs from the rule set of that name."""
        usual = RESISTANCE_RULES.get(self.name, RESISTANCE_RULES["sitc_2023_ici_chemotherapy/1"])
        changed = [
            f"{name}={value if not isinstance(value, tuple) else ','.join(value)}"
            for name, value in vars(self).items()
            if name != "name" and value != getattr(usual, name)
        ]
        return " ".join([self.name, *changed])


RESISTANCE_RULES: Mapping[str, ResistanceRules] = MappingProxyType(
    {
        "sitc_2023_ici_chemotherapy/1": ResistanceRules(),
        "sitc_2020_single_agent/1": ResistanceRules(definition="single_agent", name="sitc_2020_single_agent/1"),
    }
)
"""The definitions of resistance with a name and a version; the first is the default."""


def derive_resistance(
    course: pd.DataFrame,
    exposures: pd.DataFrame,
    patients: pd.DataFrame,
    *,
    rules: ResistanceRules | str | None = None,
) -> pd.DataFrame:
    r"""Say for each patient whether the tumor resisted treatment from the start, escaped later, or neither.

    With :math:`t` the study day of the first PD and exposure
    :math:`e = \text{last dose} - \text{first dose} + \text{dosing interval}`, from the doses of the
    checkpoint inhibitors up to progression:

    - ``sitc_2023_ici_chemotherapy/1``, the default: PD up to six months is *primary*, whatever the
      best response, after at least six weeks of exposure (any, if declared rapid); PD later, after
      more than six months of exposure, is *secondary*. No confirming scan is needed.
    - ``sitc_2020_single_agent/1``: *primary* is PD as best response, or SD for less than six months,
      after at least six weeks; *secondary* CR, PR, or SD for more than six months, after at least six
      months. SD of exactly six months is in neither cell: secondary, and flagged. A later scan must
      confirm PD, unless it was declared rapid.

    Without PD: *sensitive ongoing* when followed for more than six months. PD long after the end of
    treatment, unless toxicity stopped it, is ``off_treatment_progression``: no definition covers it.
    A death without PD is not classified.

    Definitions: Rizvi 2023, doi 10.1136/jitc-2022-005920; Kluger 2020, doi 10.1136/jitc-2019-000398.

    Parameters
    ----------
    course : DataFrame
        ``schema.RESPONSE_COURSE``, see :func:`derive_course`.
    exposures : DataFrame
        ``schema.EXPOSURES``: every dose.
    patients : DataFrame
        One row per patient; ``rapid_progression``, ``stop_reason`` and ``new_therapy_day`` are used where
        they are.
    rules : ResistanceRules or str, optional
        The definition, or the name of one.

    Returns
    -------
    DataFrame
        ``schema.RESISTANCE``: one row for every patient. As endpoints, ``primary_resistance`` is primary
        against secondary and sensitive, ``secondary_resistance`` secondary against sensitive; all
        others are missing.

    Raises
    ------
    UnknownNameError
        When no dose of a checkpoint inhibitor is in the table, or no definition has this name.

    Examples
    --------
    >>> from immunosarc.endpoints import derive_course
    >>> visits = pd.DataFrame(
    ...     {"patient_id": "P1", "study_day": [43, 85, 127], "overall_response": ["PR", "PR", "PD"]}
    ... )
    >>> patients = pd.DataFrame(index=pd.Index(["P1"], name="patient_id"))
    >>> doses = pd.DataFrame({"patient_id": "P1", "study_day": [1, 22, 43, 64, 85, 106], "drug": "balstilimab"})
    >>> derive_resistance(derive_course(visits, patients), doses, patients)["resistance"].tolist()
    ['primary']
    """
    chosen = _chosen(rules)
    facts = _facts(course, exposures, patients, chosen)
    decide = _by_2023 if chosen.definition == "ici_chemotherapy" else _by_2020
    cases = [*_without_class(facts, chosen), *decide(facts, chosen)]
    holds = [case.fillna(False).to_numpy(dtype=bool) for case, _, _ in cases]
    kind = np.select(holds, [kind for _, kind, _ in cases], default="unclassified")
    status = np.select(holds, [words for _, _, words in cases], default="neither cell of the definition fits")
    resistance = pd.Series(kind, index=facts.index, dtype="string")
    known = resistance.isin(["primary", "secondary", "sensitive_ongoing"])
    later = resistance.isin(["secondary", "sensitive_ongoing"])
    why = facts["status"].where(facts["status"].str.startswith("excluded: "))
    table = pd.DataFrame(
        {
            "resistance": resistance,
            "primary_resistance": (resistance == "primary").astype("boolean").where(known),
            "secondary_resistance": (resistance == "secondary").astype("boolean").where(later),
            "exposure_days": facts["exposure"],
            "progression_day": facts["progression"],
            "progression_phase": facts["phase"],
            "followed_days": facts["followed"],
            "status": why.fillna(pd.Series(status, index=facts.index, dtype="string")),
            "rule_set": chosen.label,
        }
    )
    return schema.RESISTANCE.check(table.rename_axis("patient_id"))


def _chosen(rules: ResistanceRules | str | None) -> ResistanceRules:
    if isinstance(rules, ResistanceRules):
        return rules
    name = next(iter(RESISTANCE_RULES)) if rules is None else rules
    if name not in RESISTANCE_RULES:
        raise UnknownNameError(f"no definition of resistance {name!r}.{did_you_mean(name, RESISTANCE_RULES)}")
    return RESISTANCE_RULES[name]


def _facts(
    course: pd.DataFrame, exposures: pd.DataFrame, patients: pd.DataFrame, rules: ResistanceRules
) -> pd.DataFrame:
    """Return, of each patient, all that the definitions ask for."""
    course = schema.RESPONSE_COURSE.check(course)
    doses = administrations(exposures)
    drug = doses["drug"].str.lower()
    inhibitors = doses[drug.isin([name.lower() for name in rules.checkpoint_inhibitors])]
    if inhibitors.empty and len(doses):
        found = ", ".join(sorted(doses["drug"].unique())[:8])
        raise UnknownNameError(
            f"no dose of a checkpoint inhibitor among the drugs given ({found}). "
            "Name yours in ResistanceRules(checkpoint_inhibitors=...)."
        )
    progression = course["progression_day"]
    until = inhibitors[~(inhibitors["study_day"] > inhibitors["patient_id"].map(progression))]
    days = until.groupby("patient_id")["study_day"].agg(["min", "max"]).reindex(course.index)
    end = days["max"] + rules.dosing_interval_days
    chemotherapy = doses[drug.isin([name.lower() for name in rules.chemotherapy])]
    last_chemotherapy = chemotherapy.groupby("patient_id")["study_day"].max().reindex(course.index)
    facts = pd.DataFrame(
        {
            "best": course["best_overall_response"],
            "progression": progression,
            "confirmed": course["progression_confirmed_day"],
            "followed": course["pfs_days"].where(progression.isna()).fillna(progression),
            "died": course["pfs_event"].fillna(False) & progression.isna(),
            "exposure": end - days["min"],
            "end": end - 1,
            "status": course["status"],
        }
    )
    none = pd.Series(pd.NA, index=course.index)
    given = {name: patients[name].reindex(course.index) if name in patients else none for name in _ASKED}
    facts["rapid_progression"] = given["rapid_progression"].astype("boolean").fillna(False)
    facts["new_therapy_day"] = (
        pd.to_numeric(given["new_therapy_day"]).astype("Float64").to_numpy(dtype=float, na_value=np.nan)
    )
    toxic = (given["stop_reason"] == "toxicity").fillna(False).astype(bool)
    facts["off"] = (progression > facts["end"] + rules.off_treatment_days) & ~toxic
    chemotherapy_end = last_chemotherapy + rules.dosing_interval_days - 1
    facts["phase"] = _phase(facts, chemotherapy_end)
    return facts


_ASKED = ("rapid_progression", "stop_reason", "new_therapy_day")


def _phase(facts: pd.DataFrame, chemotherapy_end: pd.Series) -> pd.Series:
    """Return where treatment stood at progression; missing where no chemotherapy was recorded."""
    progression = facts["progression"]
    phase = pd.Series(pd.NA, index=facts.index, dtype="string")
    phase = phase.mask(progression > chemotherapy_end, "maintenance")
    phase = phase.mask(progression <= chemotherapy_end, "chemotherapy")
    return phase.mask((progression > facts["end"]) & (progression > chemotherapy_end), "off_treatment")


Case = tuple[pd.Series, str, str]


def _without_class(facts: pd.DataFrame, rules: ResistanceRules) -> list[Case]:
    """Return who cannot be classified whatever the definition, first reason first."""
    none = facts["progression"].isna()
    changed = facts["new_therapy_day"] < facts["progression"]
    short = facts["exposure"] < rules.min_exposure_days
    return [
        (facts["followed"].isna(), "not_evaluable", "no visit recorded"),
        (facts["exposure"].isna(), "not_evaluable", "no dose of a checkpoint inhibitor recorded"),
        (none & facts["died"], "unclassified", "died without progression"),
        (none & (facts["followed"] > rules.six_months_days), "sensitive_ongoing", "ok"),
        (none, "not_evaluable", f"progression-free, but not followed beyond day {rules.six_months_days}"),
        (changed, "not_evaluable", "another therapy before progression"),
        (facts["off"], "off_treatment_progression", "progression long after treatment stopped"),
        (
            short & ~facts["rapid_progression"],
            "insufficient_exposure",
            f"under {rules.min_exposure_days} days of exposure",
        ),
    ]


def _by_2023(facts: pd.DataFrame, rules: ResistanceRules) -> list[Case]:
    early = facts["progression"] <= rules.six_months_days
    long = facts["exposure"] > rules.six_months_days
    words = f"progression after six months, but at most {rules.six_months_days} days of exposure"
    return [
        (early, "primary", "ok"),
        (~early & long, "secondary", "ok"),
        (~early, "insufficient_exposure", words),
    ]


def _by_2020(facts: pd.DataFrame, rules: ResistanceRules) -> list[Case]:
    limit = rules.six_months_days
    responded, stable = facts["best"].isin(["CR", "PR"]), facts["best"].eq("SD")
    long = facts["exposure"] >= limit
    progression = facts["progression"]
    confirmed = facts["rapid_progression"] | facts["confirmed"].notna()
    words = f"no scan at least {rules.confirm_days} days later confirms progression"
    short = f"responded or was stable, but under {limit} days of exposure: neither cell of the definition"
    return [
        (~confirmed, "unclassified", words),
        (facts["best"].isin(["PD", "NE"]) | (stable & (progression < limit)), "primary", "ok"),
        (
            stable & (progression == limit) & long,
            "secondary",
            "stable disease of exactly six months: in neither cell, taken as secondary",
        ),
        ((responded | stable) & long, "secondary", "ok"),
        (responded | stable, "unclassified", short),
    ]
