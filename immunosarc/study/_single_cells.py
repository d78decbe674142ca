"""Features of single cells in a plan: what the cells of each sample are, and in which state."""

from __future__ import annotations

from typing import Literal

import pandas as pd
from pydantic import BaseModel, ConfigDict, Field, field_validator

from immunosarc import catalog, features
from immunosarc.cohort import Cohort
from immunosarc.errors import CoverageError, did_you_mean
from immunosarc.workers import Workers

__all__ = [
    "CellSpec",
    "by_sample",
    "cell_assays",
    "cell_paragraphs",
    "cell_problems",
    "single_cell_features",
    "why_nothing",
]

_POLARITY = ("macrophage_m1", "macrophage_m2", "macrophage_polarity")


class CellSpec(BaseModel):
    """What a panel measures on single cells, by the shipped panel of markers.

    Attributes
    ----------
    measures : tuple of {"composition", "states"}
        Centered log-ratios of the cell types (``clr_T cell``); mean scores of states over the cells of a type.
    states : tuple of str
        Names of ``features.CELL_STATES``; all unless given. With both macrophage states also their difference.
    min_genes : int
        A cell with fewer genes seen is of low quality, and left out.
    max_mitochondrial : float
        The same for a higher share of mitochondrial counts.
    min_cells : int
        Typed cells that a sample needs for its composition.
    min_cells_of_type : int
        Cells of a type that a sample needs for a state.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    measures: tuple[Literal["composition", "states"], ...] = ("composition", "states")
    states: tuple[str, ...] = tuple(features.CELL_STATES)
    min_genes: int = Field(default=0, ge=0)
    max_mitochondrial: float = Field(default=1.0, gt=0, le=1)
    min_cells: int = Field(default=50, ge=1)
    min_cells_of_type: int = Field(default=20, ge=1)

    @field_validator("measures", "states")
    @classmethod
    def _named_once(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not names or len(set(names)) < len(names):
            raise ValueError("at least one is needed, and none twice")
        return names

    @field_validator("states")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in features.CELL_STATES:
                raise ValueError(f"unknown state '{name}'.{did_you_mean(name, features.CELL_STATES)}")
        return names

    def names(self) -> list[str]:
        """Return the features, in their order."""
        found = [f"clr_{kind}" for kind in catalog.load_cell_markers()] if "composition" in self.measures else []
        if "states" in self.measures:
            found += self.states
            found += [_POLARITY[2]] if set(_POLARITY[:2]) <= set(self.states) else []
        return found


def cell_assays(cohort: Cohort) -> list[str]:
    """Return the assays that hold single cells by genes."""
    return [
        name
        for name, adata in cohort.assays.items()
        if adata.uns["immunosarc"]["level"] == "cell" and "field_id" not in adata.obs
    ]


def cell_problems(panel: str, spec: CellSpec | None, cohort: Cohort, assay: str) -> list[str]:
    """Return why a panel cannot be measured on an assay of this cohort."""
    known = cell_assays(cohort)
    if spec is None and assay in known:
        return [f"panel '{panel}': assay '{assay}' holds single cells; say cells = {{}}"]
    if spec is not None and assay in cohort.assays and assay not in known:
        return [f"panel '{panel}': assay '{assay}' holds no single cells; those are {', '.join(known) or 'none'}"]
    return []


def single_cell_features(
    cohort: Cohort, spec: CellSpec, assay: str, *, hands: Workers | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return every planned feature of every sample with its reason, and how good the cells are.

    Returns
    -------
    tuple of DataFrame
        ``schema.SINGLE_CELL`` without the panel, and ``schema.CELL_QUALITY``.
    """
    wanted = [features.CELL_STATES[name] for name in spec.states] if "states" in spec.measures else []
    sets = features.signatures().subset(*dict.fromkeys(signature for _, signature, _ in wanted)) if wanted else ()
    limits = {"min_genes": spec.min_genes, "max_mitochondrial": spec.max_mitochondrial}
    try:
        profile = features.profile_cells(cohort[assay], sets, **limits, hands=hands)  # type: ignore[arg-type]
    except CoverageError:
        if not sets:
            raise
        profile = features.profile_cells(cohort[assay], **limits, hands=hands)  # type: ignore[arg-type]
    parts = []
    if "composition" in spec.measures:
        parts.append(_composition(profile, spec))
    if wanted:
        parts.append(_states(profile, spec))
    table = pd.concat(parts, ignore_index=True)
    order = {name: place for place, name in enumerate(spec.names())}
    table = table.sort_values(
        ["feature", "sample_id"], key=lambda one: one.map(order) if one.name == "feature" else one
    )
    return table.reset_index(drop=True), features.cell_quality(profile)


def _composition(profile: features.CellProfile, spec: CellSpec) -> pd.DataFrame:
    table = features.cell_composition(profile, min_cells=spec.min_cells)
    rows = _long(table, [name for name in spec.names() if name.startswith("clr_")])
    return rows.assign(status=rows["sample_id"].map(table["status"]).astype(str))


def _states(profile: features.CellProfile, spec: CellSpec) -> pd.DataFrame:
    chosen = {name: features.CELL_STATES[name] for name in spec.states}
    least = spec.min_cells_of_type
    table = pd.DataFrame(index=pd.Index(profile.samples, name="sample_id"))
    if profile.scores is not None:
        table = features.cell_states(profile, chosen, min_cells=least)
    rows = _long(table, [name for name in spec.names() if not name.startswith("clr_")])
    kind = rows["feature"].map({name: one[0] for name, one in chosen.items()} | {_POLARITY[2]: "myeloid cell"})
    fine = profile.cells[~profile.cells["low_quality"]]
    counts = fine.groupby(["sample_id", "cell_type"], observed=False).size()
    n = counts.reindex(pd.MultiIndex.from_arrays([rows["sample_id"], kind])).fillna(0).to_numpy(dtype=int)
    why = pd.Series("too few genes of the signature in the assay", index=rows.index)
    few = "needs " + str(least) + " cells of type " + kind + ", has " + pd.Series(n, index=rows.index).astype(str)
    return rows.assign(status=why.mask(n < least, few).mask(rows["value"].notna(), "ok"))


def _long(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return a row for each sample and feature."""
    values = table.reindex(columns=names).astype(float).rename_axis("sample_id").reset_index()
    return values.melt("sample_id", var_name="feature")


def by_sample(table: pd.DataFrame) -> pd.DataFrame:
    """Return samples by features of :func:`single_cell_features`."""
    order = list(dict.fromkeys(table["feature"]))
    wide = table.pivot(index="sample_id", columns="feature", values="value")[order].rename_axis(columns=None)
    wide.attrs = {"scoring": dict.fromkeys(order, "measured on single cells")}
    return wide


def why_nothing(table: pd.DataFrame) -> pd.Series:
    """Return for each sample 'ok', or why it has no value at all: what its own cells lack."""
    found = {}
    for sample, part in table.groupby("sample_id"):
        own = [one for one in dict.fromkeys(part["status"]) if one.startswith("needs")]
        nothing = "; ".join(own) or "; ".join(dict.fromkeys(part["status"]))
        found[sample] = "ok" if part["value"].notna().any() else nothing
    return pd.Series(found, name="status").rename_axis("sample_id")


def cell_paragraphs(panels: dict[str, CellSpec]) -> list[str]:
    """Return how the features of single cells were measured, one paragraph for each assay."""
    found = []
    for assay, spec in panels.items():
        how = []
        if "composition" in spec.measures:
            how.append(
                "shares of cell types as centered log-ratios with half a cell added (Aitchison 1982, "
                f"doi:10.1111/j.2517-6161.1982.tb01195.x; samples with {spec.min_cells} typed cells or more)"
            )
        if "states" in spec.measures:
            how.append(
                "states as the mean UCell score (Andreatta 2021, doi:10.1016/j.csbj.2021.06.043) over the cells "
                f"of a type (samples with {spec.min_cells_of_type} such cells or more)"
            )
        found.append(
            f"Single cells of assay {assay} were typed one by one by the mean of ln(CP10K + 1) over markers; one "
            f"that resembles nothing, or two types alike, is unassigned. Measured were {'; '.join(how)}. "
            "Tests are on patients, never on cells."
        )
    return found
