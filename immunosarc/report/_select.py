"""What of a study is shown, and in which order; every choice is by rule, none by result alone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from immunosarc import schema
from immunosarc.report._tables import SCHEMAS
from immunosarc.study import Study

__all__ = [
    "FEATURES_SHOWN",
    "families",
    "heatmap_parts",
    "ordered_tracks",
    "patient_column",
    "shifted_features",
    "some_genes",
    "table_of",
    "with_named_strata",
]

FEATURES_SHOWN = 20
"""Features shown per family, in the figure and in the table beside it."""

_LEADING, _SHOWN = 4, 6
_GENES_SHOWN = 6
_TRACKS = ("best_overall_response", "histology")


def table_of(study: Study, name: str) -> pd.DataFrame:
    """Return a table of the study; an empty one with the right columns when the study has none."""
    if name in study.tables:
        return study.tables[name]
    return SCHEMAS[name].empty() if name in SCHEMAS else pd.DataFrame()


def with_named_strata(study: Study, name: str) -> pd.DataFrame:
    """Return a table whose strata say what they are strata of: "schedule stage 1", not "1"."""
    table = table_of(study, name)
    column = patient_column(study)
    if column is None or table.empty:
        return table
    words = column.replace("_", " ")
    return table.assign(stratum=[one if one == "all" else f"{words} {one}" for one in table["stratum"]])


def families(study: Study) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield each family of associations with its rows, in the order in which they were planned."""
    table = table_of(study, "associations")
    for family, part in table.groupby("family", sort=False):
        yield str(family), part


def patient_column(study: Study) -> str | None:
    """Return the column of the patients that the plan stratifies by; else the schedule stage, if known."""
    named = getattr(study.plan, "strata", None)
    return next((name for name in (named, "schedule_stage") if name and name in study.cohort.patients), None)


def heatmap_parts(study: Study) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Return ordered scores, clinical tracks, and how many signatures have no score at all."""
    scores = table_of(study, "scores")
    if scores.empty:
        return pd.DataFrame(), pd.DataFrame(), 0
    numbers = scores.select_dtypes("number").columns
    scored = [name for name in numbers if scores[name].notna().any()]
    tracks = ordered_tracks(study, scores)
    order = tracks.index
    others = [name for name in scores if name not in numbers]
    return (
        scores.loc[order, [*others, *_by_category(study, scored)]],
        tracks,
        len(numbers) - len(scored),
    )


def ordered_tracks(study: Study, samples: pd.DataFrame) -> pd.DataFrame:
    """Return the clinical tracks of samples, in the order of timepoint, response, histology and strata.

    Parameters
    ----------
    study : Study
        Has the patients.
    samples : DataFrame
        Index ``sample_id``; columns ``patient_id`` and ``timepoint``.
    """
    named = (*_TRACKS, patient_column(study))
    names = [name for name in named if name and name in study.cohort.patients]
    clinical = study.cohort.patients[names].reindex(samples["patient_id"].to_numpy())
    clinical.index = samples.index
    tracks = pd.concat([samples[["timepoint"]], clinical], axis=1)
    return tracks.loc[_ranked(tracks).sort_values(list(tracks.columns), kind="stable").index]


def _ranked(tracks: pd.DataFrame) -> pd.DataFrame:
    """Return the tracks as sortable values: timepoints and responses in their own order."""
    ranked = tracks.astype("string").fillna("~")
    for column, order in (("timepoint", schema.TIMEPOINTS), ("best_overall_response", schema.RESPONSES)):
        if column in ranked:
            places = {value: str(place) for place, value in enumerate(order)}
            ranked[column] = ranked[column].map(lambda value, places=places: places.get(value, "~"))
    return ranked


def _by_category(study: Study, names: list[str]) -> list[str]:
    """Return feature names with signatures of one category together, else in their given order."""
    catalog = table_of(study, "signatures")
    if "category" not in catalog:
        return names
    categories = catalog["category"].astype(str).to_dict()
    places = {category: place for place, category in enumerate(dict.fromkeys(categories.values()))}
    return sorted(names, key=lambda name: places.get(categories.get(name, ""), -1))


def shifted_features(study: Study) -> list[str]:
    """Return the features whose change is drawn: the first family's, then those with the smallest p maxT."""
    paired, changes = table_of(study, "paired"), table_of(study, "changes")
    whole = paired.dropna(subset=["before", "after"])["feature"].unique()
    if changes.empty:
        return list(whole[:_SHOWN])
    first = changes.loc[changes["family"] == changes["family"].iloc[0], "feature"]
    ranked = changes.sort_values("p_maxt", kind="stable", na_position="last")["feature"]
    wanted = dict.fromkeys([*first[:_LEADING], *ranked])
    return [name for name in wanted if name in set(whole)][:_SHOWN]


def some_genes(listed: Any) -> str:
    """Return the first genes of a list in a text, and how many more there are."""
    if pd.isna(listed):
        return ""
    genes = [gene.strip() for gene in str(listed).split(",")]
    more = f" and {len(genes) - _GENES_SHOWN} more" if len(genes) > _GENES_SHOWN else ""
    return ", ".join(genes[:_GENES_SHOWN]) + more
