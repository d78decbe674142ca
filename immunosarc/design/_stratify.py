"""Freeze a rule of selection, from a reference or from a cut that was searched for."""

from __future__ import annotations

import itertools
import math
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pandas as pd

from immunosarc import __version__, catalog, features, schema
from immunosarc.design._stratum_rule import StratumRule, write_rule
from immunosarc.errors import ImmunosarcError, PlanError, did_you_mean, raise_together

__all__ = ["stratify"]

_PLACEMENT = "placement"
_MEASURES = ("percentile", "z")
_WIDEST_Z = 5.0
_LABELS = {1: ("low", "high"), 2: ("low", "middle", "high")}
_SCORING = re.compile(r"(\w+)\((\w+)\)")
_EVIDENCE = (
    *("endpoint", "population", "n", "n_events", "cut", "cut_low", "cut_high", "p_corrected", "p_maxt"),
    *("measure", "out_of_bag"),
)


def stratify(
    path: str | os.PathLike[str],
    markers: Sequence[str] | Mapping[str, Sequence[str]] | catalog.Signatures,
    *,
    thresholds: Sequence[float] | None = None,
    cut: pd.DataFrame | None = None,
    strata: Sequence[str] | None = None,
    method: str = _PLACEMENT,
    measure: str = "percentile",
    reference: features.Reference | str | None = None,
    unit: str | None = None,
    platform: str | None = None,
    timepoint: str = "pre",
    valid_range: tuple[float, float] | None = None,
    min_coverage: float | None = None,
    guard: str = "measured",
) -> StratumRule:
    """Freeze whom the next trial selects into a file that gives the same answer next month and next year.

    Two ways lead to a stratum. A ``"placement"`` asks where the tumor lies on a frozen reference. A scoring
    method compares the score itself with the thresholds; it must score a sample by itself, and one that ranks
    all genes needs a reference that says which genes those are. Scores that change when other patients join
    are refused. The file carries genes, thresholds, unit, platform and the hash of all that.

    Parameters
    ----------
    path : path
        The rule file (TOML) to write; its name without the ending is the name of the rule. It must not exist.
    markers : sequence of str, mapping or Signatures
        For a placement the names of the reference's populations, otherwise genes by name. With several markers
        their mean is compared.
    thresholds : sequence of float, optional
        Rising; a value equal to a threshold lies below it.
    cut : DataFrame, optional
        In place of thresholds: one row of :func:`immunosarc.models.search_cut_points`, for one marker. What the
        search cost is written into the file.
    strata : sequence of str, optional
        One name more than thresholds, from low to high; low (middle) high unless given.
    method : str
        ``"placement"``, or a scoring method of ``features.SCORING``.
    measure : {"percentile", "z"}
        For a placement: what the thresholds are of.
    reference : Reference or "sarcoma", optional
        For a placement, or for a method that ranks all genes. One's own is written beside the rule.
    unit : str, optional
        For a scoring method: the unit that is scored, such as ``"log2_tpm"``; the cut's own when there is one.
    platform : str, optional
        One of ``schema.PLATFORMS``; the reference's for a placement. Needed for a scoring method.
    timepoint : str
        Samples of other timepoints are not assigned; ``""`` takes all.
    valid_range : (float, float), optional
        Outside it nobody is assigned. For a placement the mean z, -5 to 5 unless given; for a scoring method
        the score, and needed: what was seen in the patients whom the threshold comes from.
    min_coverage : float, optional
        Share of each marker's genes that a sample needs; all unless given, for a placement 80%.
    guard : {"measured", "declared"}
        As for :func:`immunosarc.features.place`.

    Returns
    -------
    StratumRule
        Its ``apply(cohort)`` gives one row per sample; :func:`read_rule` reads it back.

    Raises
    ------
    PlanError
        With everything that is missing or does not fit, such as a cohort-relative method.
    DataFileError
        When the file exists or cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     stratify(f"{folder}/hot.toml", ["TIS18", "CYT"], thresholds=[1 / 3, 2 / 3], reference="sarcoma")
    <StratumRule 'hot': TIS18, CYT by placement, low | middle | high>
    """
    target = Path(path)
    frozen_on = _reference(reference)
    problems = _mismatch(method, frozen_on, thresholds=thresholds, cut=cut)
    raise_together(PlanError, f"rule '{target.stem}'", problems)
    placement = method == _PLACEMENT
    genes, down, problems = (
        _populations(markers, frozen_on)
        if placement
        else _genes(catalog.as_signatures(cast(Any, markers)), method)
    )
    limits, scored, evidence, more = (
        _from_cut(cut, method, list(genes)) if cut is not None else (thresholds, unit, {}, [])
    )
    limits = tuple(float(one) for one in limits or ())
    names = tuple(strata) if strata is not None else _LABELS.get(len(limits), ())
    if placement and frozen_on is not None:
        scored, valid_range = frozen_on.unit, valid_range or (-_WIDEST_Z, _WIDEST_Z)
        platform = frozen_on.platform if platform is None else platform
    problems += [*more, *_declared(limits, names, scored, platform, valid_range, unit=unit)]
    problems += _out_of_reach(limits, valid_range, measure if placement else "score")
    if placement and frozen_on is not None:
        problems += _other_place(measure, platform, frozen_on)
    if timepoint and timepoint not in schema.TIMEPOINTS:
        problems.append(f"timepoint: unknown {timepoint!r}.{did_you_mean(timepoint, schema.TIMEPOINTS)}")
    if guard not in ("measured", "declared"):
        problems.append(f"guard is 'measured' or 'declared', not {guard!r}")
    if min_coverage is not None and (placement or not 0 < min_coverage <= 1):
        problems.append("min_coverage: a share above 0, and only for a scoring method (a placement needs 80%)")
    raise_together(PlanError, f"rule '{target.stem}'", problems)
    assert valid_range is not None  # noqa: S101 - else it was told above
    rule = StratumRule(
        name=target.stem,
        method=method,
        measure=measure if placement else "score",
        genes=genes,
        genes_down=down,
        thresholds=limits,
        strata=names,
        valid_range=(float(valid_range[0]), float(valid_range[1])),
        unit=str(scored),
        platform=str(platform),
        timepoint=timepoint,
        min_coverage=0.8 if placement else 1.0 if min_coverage is None else float(min_coverage),
        guard=guard,
        reference=frozen_on,
        immunosarc_version=__version__,
        evidence=evidence or {"thresholds": "declared"},
    )
    write_rule(rule, target)
    return rule


def _reference(given: features.Reference | str | None) -> features.Reference | None:
    if given is None or isinstance(given, features.Reference):
        return given
    if given == "sarcoma":
        return features.sarcoma_reference()
    raise ImmunosarcError(
        f"unknown reference {given!r}: 'sarcoma' is the shipped one; features.read_reference reads a file"
    )


def _mismatch(
    method: str,
    reference: features.Reference | None,
    *,
    thresholds: Sequence[float] | None,
    cut: pd.DataFrame | None,
) -> list[str]:
    """Return what forbids this way to a stratum."""
    found = []
    if (thresholds is None) == (cut is None):
        found.append("give thresholds, or the cut that was searched for; one of them")
    if method == _PLACEMENT:
        if reference is None:
            found.append("a placement needs a reference: 'sarcoma', or your own by features.build_reference")
        if cut is not None:
            found.append("a cut of scores is no place on a reference: give the method that made the scores")
        return found
    if refusal := features.SCORING.why_not(method):
        return [*found, refusal]
    record = features.SCORING[method]
    if not record.single_sample:
        found.append(
            f"method '{method}' is relative to the cohort: a patient's score changes when others join, so it "
            "gives no stratum. Use a placement on a frozen reference, or a method that is single_sample."
        )
    elif record.requires:
        found.append(f"method '{method}' reads more than genes, which a rule file cannot carry")
    elif record.all_genes and reference is None:
        found.append(f"method '{method}' ranks all genes: give the reference that says which genes those are")
    elif not record.all_genes and reference is not None:
        found.append(f"method '{method}' reads no reference; leave it out")
    return found


def _populations(
    markers: Any, reference: features.Reference | None
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]], list[str]]:
    known = reference.populations if reference is not None else {}
    names = [markers] if isinstance(markers, str) else list(markers)
    problems = [f"the reference has no population {n!r}.{did_you_mean(n, known)}" for n in names if n not in known]
    problems += [] if names else ["no marker at all"]
    return {name: known[name].genes for name in names if name in known}, {}, problems


def _genes(
    sets: catalog.Signatures, method: str
) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]], list[str]]:
    reads_down = "down" in features.SCORING[method].roles
    down = {name: one.genes_down for name, one in sets.items() if reads_down and one.genes_down}
    return {name: one.genes for name, one in sets.items()}, down, []


def _from_cut(
    cut: pd.DataFrame, method: str, markers: list[str]
) -> tuple[Sequence[float], str | None, dict[str, Any], list[str]]:
    """Return threshold, unit and the price of the search; and what does not fit."""
    found = schema.CUT_POINT.check(cut)
    if len(found) != 1 or [str(one) for one in found["feature"]] != markers:
        named = ", ".join(map(str, found["feature"]))
        return (
            (),
            None,
            {},
            [f"cut: one row, for the one marker, is needed; found {named or 'none'} for {markers}"],
        )
    row = found.iloc[0]
    if row["status"] != "ok":
        return (), None, {}, [f"cut: there is none ({row['status']})"]
    made = _SCORING.fullmatch(str(row["scoring"]))
    if made is None or made[1] != method:
        return (
            (),
            None,
            {},
            [f"cut: it was searched in scores by {row['scoring']}, the rule's method is '{method}'"],
        )
    evidence = {"thresholds": "searched: see models.search_cut_points"}
    evidence |= {name: _plain(row[name]) for name in _EVIDENCE if pd.notna(row[name])}
    return (float(row["cut"]),), made[2], evidence, []


def _plain(value: Any) -> Any:
    return value if isinstance(value, str) else float(value)


def _other_place(measure: str, platform: str | None, reference: features.Reference) -> list[str]:
    """Return what a placement on this reference cannot be."""
    found = []
    if measure not in _MEASURES:
        found.append(f"measure: unknown {measure!r}.{did_you_mean(measure, _MEASURES)}")
    if platform != reference.platform:
        found.append(
            f"platform: the reference is of {reference.platform}, not {platform!r}; build one on samples of yours "
            "with features.build_reference, or leave platform out"
        )
    return found


def _out_of_reach(
    thresholds: tuple[float, ...], valid_range: tuple[float, float] | None, measure: str
) -> list[str]:
    """Return the thresholds beyond which nobody could ever be assigned."""
    reach = (0.0, 1.0) if measure == "percentile" else valid_range
    if reach is None or not reach[0] < reach[1]:
        return []
    beyond = [one for one in thresholds if math.isfinite(one) and not reach[0] < one < reach[1]]
    if not beyond:
        return []
    hint = " A percentile is a share: 0.5, not 50." if measure == "percentile" else ""
    return [
        f"thresholds: {beyond} leave a stratum to which nobody can belong; the {measure} lies between "
        f"{reach[0]:g} and {reach[1]:g}.{hint}"
    ]


def _declared(
    thresholds: tuple[float, ...],
    strata: tuple[str, ...],
    scored: str | None,
    platform: str | None,
    valid_range: tuple[float, float] | None,
    *,
    unit: str | None,
) -> list[str]:
    """Return what is not declared, or declared so that it cannot be."""
    found = []
    rising = all(a < b for a, b in itertools.pairwise(thresholds))
    if not thresholds or not rising or not all(math.isfinite(one) for one in thresholds):
        found.append(f"thresholds: finite and rising numbers are needed, found {list(thresholds)}")
    if len(strata) != len(thresholds) + 1 or len(set(strata)) < len(strata) or not all(strata):
        found.append(f"strata: {len(thresholds) + 1} different names are needed, found {list(strata)}")
    if scored not in schema.UNITS:
        found.append(f"unit: declare what is scored, such as 'log2_tpm'; found {scored!r}")
    elif unit is not None and unit != scored:
        found.append(f"unit: {unit!r} is declared, the thresholds are of {scored!r}")
    if platform is None or (platform and platform not in schema.PLATFORMS):
        found.append(f"platform: declare one of {', '.join(schema.PLATFORMS)}; found {platform!r}")
    if valid_range is None:
        found.append(
            "valid_range: declare the lowest and highest score of the patients whom the threshold comes from"
        )
    elif not (math.isfinite(valid_range[0]) and math.isfinite(valid_range[1]) and valid_range[0] < valid_range[1]):
        found.append(f"valid_range: a finite low and a higher high are needed, found {valid_range}")
    return found
