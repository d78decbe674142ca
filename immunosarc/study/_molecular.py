"""Features of a plan that are measured on receptors, variants and analytes, and the tables that describe these."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from immunosarc import features
from immunosarc.cohort import Cohort
from immunosarc.errors import ImmunosarcError, did_you_mean

__all__ = [
    "MolecularSpec",
    "default_molecular",
    "measured_samples",
    "molecular_features",
    "molecular_paragraphs",
    "molecular_tables",
    "spec_problems",
    "with_names",
]

_log = logging.getLogger("immunosarc")
_DEFAULTS: Mapping[str, tuple[tuple[str, Mapping[str, Any]], ...]] = {
    "variants": (("tumor_mutational_burden", {}), ("gene_alterations", {})),
    "neoantigens": (("neoantigen_burden", {}),),
    "clonotypes": (("repertoire", {"depth": "smallest"}),),
    "analytes": (("soluble", {}),),
}


class MolecularSpec(BaseModel):
    """What is measured on a long table of the cohort.

    Attributes
    ----------
    measure : str
        A name of ``features.MOLECULAR``: repertoire, tumor_mutational_burden, soluble, ...
    options : mapping
        Of the measure: ``{ depth = 1000, locus = "TRB" }``.
    columns : tuple of str
        Which of its numbers are features; all unless given.
    specimen : str or None
        On which samples; what the measure says unless given. Samples that do not say what they are count.
    by_day : int or None
        Of several samples of a patient on treatment the last up to this study day; before treatment the last
        before the first dose.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    measure: str
    options: dict[str, Any] = Field(default_factory=dict)
    columns: tuple[str, ...] = ()
    specimen: str | None = None
    by_day: int | None = Field(default=None, ge=2)

    @property
    def taken_from(self) -> str | None:
        """The specimen that is measured; None where the measure needs several."""
        return self.specimen or features.MOLECULAR[self.measure].specimen

    @property
    def words(self) -> str:
        """What a feature of it is, whichever of its columns are taken."""
        options = "".join(f", {name} = {value}" for name, value in sorted(self.options.items()))
        return f"{self.measure}{options}, {self.specimen or ''}, {self.by_day or ''}"


def spec_problems(panel: str, spec: MolecularSpec | None, cohort: Cohort) -> list[str]:
    """Return why a panel cannot be measured on this cohort.

    Parameters
    ----------
    panel : str
        Its name.
    spec : MolecularSpec or None
    cohort : Cohort
    """
    if spec is None:
        return []
    found = features.molecular_problems(spec.measure, spec.options)
    if not found:
        found = [*_without_table(spec, cohort), *_twice(spec, cohort)]
    if not found:
        try:
            names = _names(_measured(cohort, spec))
        except ImmunosarcError as refusal:
            return [f"panel '{panel}': {refusal}"]
        found = [f"no column '{name}'.{did_you_mean(name, names)}" for name in spec.columns if name not in names]
    return [f"panel '{panel}': {spec.measure}: {line}" for line in found]


def _without_table(spec: MolecularSpec, cohort: Cohort) -> list[str]:
    table = features.MOLECULAR[spec.measure].table
    either = {table, "copy_numbers"} if spec.measure == "gene_alterations" else {table}
    return [] if either & set(cohort.tables) else [f"the cohort has no table '{table}'"]


def _twice(spec: MolecularSpec, cohort: Cohort) -> list[str]:
    chosen = measured_samples(cohort, spec).samples
    owner = chosen["patient_id"] + " at " + chosen["timepoint"]
    twice = list(dict.fromkeys(owner[owner.duplicated()]))
    if not twice:
        return []
    cure = "say by_day (of the last sample that counts), or choose one in the manifest"
    return [f"several samples of one patient at one timepoint ({', '.join(twice[:5])}); {cure}"]


def measured_samples(cohort: Cohort, spec: MolecularSpec) -> Cohort:
    """Return the cohort with the samples that a panel measures: of its specimen, and named in its table."""
    samples = cohort.samples
    specimen = spec.taken_from or "tumor"
    fits = samples.get("specimen", pd.Series(specimen, index=samples.index)).fillna(specimen) == specimen
    tables = [features.MOLECULAR[spec.measure].table, "copy_numbers"]
    named = {one for name in tables if name in cohort.tables for one in cohort.tables[name]["sample_id"].unique()}
    sized = samples["callable_mb"].notna() if "callable_mb" in samples else pd.Series(False, index=samples.index)
    there = samples.index.isin(list(named)) | (sized & ("variants" in tables)).to_numpy(dtype=bool)
    chosen = samples[fits.to_numpy(dtype=bool) & there]
    if spec.by_day is not None and "study_day" in chosen:
        early = (chosen["timepoint"] != "on") | (chosen["study_day"] <= spec.by_day)
        chosen = chosen[early.to_numpy(dtype=bool, na_value=False)].sort_values("study_day", kind="stable")
        chosen = chosen[~chosen.duplicated(["patient_id", "timepoint"], keep="last")]
    return cohort.select(samples=list(chosen.index))


def _measured(cohort: Cohort, spec: MolecularSpec) -> pd.DataFrame:
    """Return every number of the measure, on all samples of its specimen; a change needs the earlier ones too."""
    wide = cohort
    if spec.taken_from is not None and "specimen" in cohort.samples:
        wide = cohort.select(samples=cohort.samples["specimen"].fillna(spec.taken_from) == spec.taken_from)
    return features.molecular(wide, spec.measure, **spec.options)


def _names(table: pd.DataFrame) -> list[str]:
    return [str(name) for name in table.columns if name != "status"]


def with_names(spec: MolecularSpec, cohort: Cohort) -> MolecularSpec:
    """Return the spec with every feature by its name; as it is where it cannot be measured."""
    if spec.columns:
        return spec
    try:
        return spec.model_copy(update={"columns": tuple(_names(_measured(cohort, spec)))})
    except ImmunosarcError:
        return spec


def molecular_features(cohort: Cohort, spec: MolecularSpec) -> pd.DataFrame:
    """Return the features of a panel, samples by columns, with their ``status``."""
    table = _measured(cohort, spec)
    kept = measured_samples(cohort, spec).samples.index
    names = list(spec.columns) or _names(table)
    chosen = table.loc[table.index.isin(kept), [*names, "status"]]
    chosen.attrs = {"scoring": {name: table.attrs["scoring"][name] for name in names}}
    return chosen


def default_molecular(cohort: Cohort) -> list[tuple[str, MolecularSpec]]:
    """Return a panel for each table that can be measured without a further choice."""
    return [
        (measure, MolecularSpec(measure=measure, options=dict(options)))
        for table, measures in _DEFAULTS.items()
        if table in cohort.tables
        for measure, options in measures
        if not spec_problems(measure, MolecularSpec(measure=measure, options=dict(options)), cohort)
    ]


def molecular_tables(cohort: Cohort) -> dict[str, pd.DataFrame]:
    """Return what describes the receptors, variants and analytes of a cohort, whatever the plan asks.

    Returns
    -------
    dict of str to DataFrame
        ``molecular`` (one row for each table: rows, samples, patients, and why it could not be described), and
        as far as there are rows ``repertoire_depths, mutational_burden, alterations, neoantigen_burden,
        soluble``.
    """
    made: dict[str, pd.DataFrame] = {}
    rows = []
    describers: tuple[tuple[str, str, Callable[[Cohort], pd.DataFrame]], ...] = (
        ("clonotypes", "repertoire_depths", _depths),
        ("variants", "mutational_burden", _burden),
        ("variants", "alterations", features.alterations),
        ("neoantigens", "neoantigen_burden", _neoantigens),
        ("analytes", "soluble", features.soluble_summary),
    )
    for source, name, describe in describers:
        if source not in cohort.tables:
            continue
        table, status = cohort.tables[source], "ok"
        try:
            made[name] = describe(cohort)
        except ImmunosarcError as refusal:
            status = " ".join(str(refusal).split())
            _log.info("table %s is not described: %s", source, refusal)
        counts = {
            "rows": len(table),
            "samples": table["sample_id"].nunique(),
            "patients": table["patient_id"].nunique(),
        }
        rows.append({"table": source, "described_in": name, **counts, "status": status})
    return ({"molecular": pd.DataFrame(rows)} | made) if rows else {}


def _with_samples(cohort: Cohort, table: pd.DataFrame) -> pd.DataFrame:
    about = cohort.samples.reindex(table.index)[["patient_id", "timepoint"]]
    return pd.concat([about, table], axis=1).rename_axis("sample_id")


def _depths(cohort: Cohort) -> pd.DataFrame:
    table = cohort.tables["clonotypes"]
    loci = sorted(table["locus"].dropna().unique()) if "locus" in table else []
    parts = [features.repertoire_depths(cohort, locus=locus).assign(locus=locus) for locus in loci]
    return pd.concat(parts) if parts else features.repertoire_depths(cohort)


def _burden(cohort: Cohort) -> pd.DataFrame:
    return _with_samples(cohort, features.tumor_mutational_burden(cohort))


def _neoantigens(cohort: Cohort) -> pd.DataFrame:
    return _with_samples(cohort, features.neoantigen_burden(cohort))


def molecular_paragraphs(specs: Mapping[str, MolecularSpec]) -> list[str]:
    """Return the methods of the panels that are measured on long tables, by the name of the panel."""
    texts = []
    for panel, spec in specs.items():
        record = features.MOLECULAR[spec.measure]
        options = ", ".join(f"{name} {value}" for name, value in spec.options.items())
        day = f", the last sample on treatment up to day {spec.by_day}" if spec.by_day else ""
        text = f"Panel {panel}: {record.label} ({spec.measure}{'; ' + options if options else ''}{day}), of "
        texts.append(f"{text}{spec.taken_from or 'tumor and blood'}. {_METHODS[spec.measure]}")
    return texts


_CLONES = "Only productive receptors of one locus count"
_METHODS: Mapping[str, str] = {
    "repertoire": f"{_CLONES}; every sample is reduced to one number of receptors before any comparison "
    "(doi:10.2307/1934145, doi:10.1890/13-0133.1).",
    "clonal_expansion": f"{_CLONES}; clones of one patient's two samples are compared by Fisher's exact test with "
    "their false discovery rate held, and only the patient's counts and shares are tested against outcome.",
    "tumor_blood_overlap": f"{_CLONES}; tumor and blood are reduced to one number of receptors.",
    "tumor_mutational_burden": "Nonsynonymous variants per declared callable megabase; samples without a declared "
    "size have none.",
    "gene_alterations": "Nonsynonymous variants and deep deletions, and amplification of genes that act by it; a "
    "gene that was not looked at is missing.",
    "neoantigen_burden": "Predicted neoantigens; no prediction was made here.",
    "soluble": "Logs; readings below a limit of detection are tied at the bottom, none is read as zero.",
    "circulating_dna": "Logs, and change from the last sample before treatment; below the limit of detection "
    "counts as not detected.",
}
