"""Apply a stratum rule: one sample at a time, so that nobody's stratum hangs on the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pandas as pd

from immunosarc import catalog, features, schema
from immunosarc.cohort import Cohort, marked
from immunosarc.errors import CoverageError, UnitError

if TYPE_CHECKING:
    import anndata

    from immunosarc.design._stratum_rule import StratumRule

__all__ = ["assigned"]

_NOT = "not assignable: "
_NAMED = 5


class _Read(NamedTuple):
    """What was read of one sample: the value, the score that must be in range, and why there is none."""

    value: float = float("nan")
    checked: float = float("nan")
    coverage: float = float("nan")
    reason: str = ""
    note: str = ""


def assigned(rule: StratumRule, cohort: Cohort, assay: str) -> pd.DataFrame:
    """Return one row per sample, and one for each patient without any."""
    adata = cohort[assay]
    _refuse_other_platform(rule, adata, assay)
    read = _placed(rule, adata) if rule.method == "placement" else _scored(rule, adata)
    looked_at = [not _why_not_looked_at(rule, about) for _, about in cohort.samples.iterrows()]
    eligible = cohort.samples["patient_id"][looked_at].value_counts()
    rows = []
    for sample, about in cohort.samples.iterrows():
        reason = _why_not_looked_at(rule, about)
        one = _Read(reason=reason) if reason else read.get(str(sample), _Read(reason=f"not in assay '{assay}'"))
        if not reason and eligible[about["patient_id"]] > 1:
            told = f"the patient has {eligible[about['patient_id']]} such samples, which may differ"
            one = one._replace(note="; ".join(word for word in (one.note, told) if word))
        rows.append({"patient_id": about["patient_id"], "sample_id": sample, **_row(rule, one)})
        rows[-1]["timepoint"] = about["timepoint"]
    without = cohort.patients.index.difference(cohort.samples["patient_id"], sort=False)
    rows += [{"patient_id": patient, **_row(rule, _Read(reason="no sample"))} for patient in without]
    table = pd.DataFrame(rows, columns=list(schema.STRATA.columns))
    return marked(schema.STRATA.check(table), simulated=cohort.simulated)


def _refuse_other_platform(rule: StratumRule, adata: anndata.AnnData, assay: str) -> None:
    found = str(adata.uns["immunosarc"].get("platform", ""))
    if not rule.platform or found == rule.platform:
        return
    if not found:
        raise UnitError(
            f"rule '{rule.name}' is for {rule.platform}, and assay '{assay}' does not say its platform: declare "
            f"platform under [assays.{assay}] of the manifest, or in make_assay."
        )
    raise UnitError(
        f"rule '{rule.name}' is for {rule.platform}, assay '{assay}' is {found}: its thresholds mean nothing "
        "there. Freeze a rule on samples of that platform with design.stratify."
    )


def _why_not_looked_at(rule: StratumRule, sample: pd.Series) -> str:
    specimen = sample.get("specimen")
    if pd.notna(specimen) and specimen != "tumor":
        return f"specimen is {specimen}, not tumor"
    if rule.timepoint and sample["timepoint"] != rule.timepoint:
        return f"measured at '{sample['timepoint']}', the rule is for '{rule.timepoint}'"
    return ""


def _row(rule: StratumRule, one: _Read) -> dict[str, Any]:
    low, high = rule.valid_range
    reason = one.reason
    if not reason and not low <= one.checked <= high:
        what = "mean z" if rule.method == "placement" else "score"
        reason = f"out of range: {what} {one.checked:.4g}, the rule holds from {low:g} to {high:g}"
    row = {"rule": rule.name, "rule_sha256": rule.sha256, "coverage": one.coverage, "note": one.note or None}
    if reason:
        return {**row, "value": one.value, "status": _NOT + reason}
    stratum = rule.strata[int(np.searchsorted(rule.thresholds, one.value, side="left"))]
    margin = float(np.abs(np.array(rule.thresholds) - one.value).min())
    return {**row, "value": one.value, "stratum": stratum, "margin": margin, "status": "ok"}


def _wrong_unit(rule: StratumRule, found: str) -> str:
    return f"wrong unit: the rule reads {rule.unit}, the assay has {found}"


def _placed(rule: StratumRule, adata: anndata.AnnData) -> dict[str, _Read]:
    """Place on the frozen reference, which takes each sample by itself."""
    found = str(adata.uns["immunosarc"]["unit"])
    names = [str(name) for name in adata.obs_names]
    if rule.unit not in (found, f"log2_{found}"):
        return dict.fromkeys(names, _Read(reason=_wrong_unit(rule, found)))
    try:
        placed = features.place(adata, rule.reference, guard=rule.guard)
    except CoverageError as refusal:
        return dict.fromkeys(names, _Read(coverage=0.0, reason=f"low coverage: {refusal}"))
    wanted = placed[placed["population"].isin(list(rule.genes))]
    read = {}
    for sample, part in wanted.groupby("sample_id", sort=False):
        share = float((part["n_found"] / part["n_genes"]).min())
        refused = part.loc[part["status"] != "ok", "status"]
        reason = "; ".join(dict.fromkeys(refused))
        reason = f"low coverage: {reason}" if reason.startswith("covers") else reason
        note = "; ".join(part["note"].dropna().unique())
        value, z = (float("nan") if reason else float(part[name].mean()) for name in (rule.measure, "z"))
        read[str(sample)] = _Read(value, z, share, reason, note)
    return read


def _scored(rule: StratumRule, adata: anndata.AnnData) -> dict[str, _Read]:
    """Score one sample after the other: what a neighbor lacks must not change which genes count."""
    sets = catalog.Signatures(
        [catalog.Signature(n, genes, genes_down=rule.genes_down.get(n, ())) for n, genes in rule.genes.items()]
    )
    return {str(name): _of_one(rule, adata[[i]].copy(), sets) for i, name in enumerate(adata.obs_names)}


def _of_one(rule: StratumRule, sample: anndata.AnnData, sets: catalog.Signatures) -> _Read:
    if rule.reference is not None:  # ranks are among these genes
        universe = rule.reference.genes.index
        measured = sample.var_names[~np.isnan(np.asarray(sample.X, dtype=float)).ravel()]
        missing = universe.difference(measured, sort=False)
        if len(missing):
            named = ", ".join(map(str, missing[:_NAMED]))
            words = (
                f"low coverage: lacks {len(missing):,} of the {len(universe):,} genes that are ranked ({named})"
            )
            return _Read(coverage=1 - len(missing) / len(universe), reason=words)
        sample = sample[:, universe].copy()
    why = features.coverage(sample, sets, method=rule.method, min_coverage=rule.min_coverage)
    share = float(why["coverage"].min())
    if (why["unit"] != rule.unit).any():
        return _Read(reason=_wrong_unit(rule, str(sample.uns["immunosarc"]["unit"])))
    if (why["status"] != "ok").any():
        refused = why.loc[why["status"] != "ok", ["signature", "status"]]
        words = "; ".join(f"{name} {status}" for name, status in refused.itertuples(index=False))
        return _Read(coverage=share, reason=f"low coverage: {words}")
    found = features.score(sample, sets, method=rule.method, min_coverage=rule.min_coverage)
    value = float(found.to_numpy(dtype=float).mean())
    if np.isnan(value):
        return _Read(coverage=share, reason="no score: every gene is zero, or a value is missing")
    return _Read(value, value, share)
