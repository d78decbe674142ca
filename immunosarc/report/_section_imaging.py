"""Images: what was measured on their cells, in how many samples, and why not in the others."""

from __future__ import annotations

import pandas as pd

from immunosarc.report._section import Grid, Section, count
from immunosarc.report._select import table_of
from immunosarc.study import Study

__all__ = ["build"]


def build(study: Study) -> Section:
    """Return each feature of the images with its spread over the samples; nothing without images."""
    table = table_of(study, "imaging")
    if not len(table):
        return Section("imaging", "Images", "Cells of the images", ())
    rows = [_row(str(name), part) for name, part in table.groupby("feature", sort=False)]
    head = ["Feature", "Unit", "Samples with a value", "Median", "Smallest", "Largest", "Why not in the others"]
    images = int(table.groupby("sample_id")["n_fields"].first().sum())
    note = (
        f"{count(table['sample_id'].nunique())} samples, {count(images)} images. One row for each sample "
        "and feature, with the cells that were counted, is in tables/imaging.tsv. Cells of all images of a sample "
        "were counted together; tests are on patients."
    )
    grid = Grid("Imaging", head, rows, frozenset({2, 3, 4, 5}), note)
    return Section("imaging", "Images", "Cells of the images", (grid,))


def _row(name: str, part: pd.DataFrame) -> list[str]:
    values = part["value"].dropna()
    missing = part.loc[part["status"] != "ok", "status"].value_counts()
    why = "; ".join(f"{reason} ({number})" for reason, number in missing.items())
    spread = [f"{one:.3g}" for one in (values.median(), values.min(), values.max())] if len(values) else [""] * 3
    return [name, str(part["unit"].iloc[0]), f"{count(len(values))} of {count(len(part))}", *spread, why]
