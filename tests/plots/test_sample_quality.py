"""The figure of sample quality: every sample once, those of concern ringed and named, SIMULATED said."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from immunosarc import plots, schema


def table(*, reads: bool = True, simulated: bool = False, n: int = 6) -> pd.DataFrame:
    rows = []
    for i in range(n):
        about = {"level": "sample", "assay": "rna", "sample_id": f"S{i}", "patient_id": f"P{i}"}
        about |= {"timepoint": "pre" if i < 4 else "on", "found": pd.NA, "expected": "as the others"}
        for check, value in (
            ("library_size", 1e6 * (i + 1) if reads else np.nan),
            ("detected_genes", 1000.0 + i),
            ("median_correlation", 0.1 * i),
        ):
            asked = check == "detected_genes" and i == 2
            rows.append(
                {**about, "check": check, "value": value, "concern": asked, "status": "far" if asked else "ok"}
            )
    frame = schema.QC.check(pd.DataFrame(rows)[list(schema.QC.columns)])
    return frame.assign(simulated="SIMULATED") if simulated else frame


@pytest.fixture
def ax():
    return Figure(figsize=(5, 3)).add_subplot()


def points(ax, label: str) -> np.ndarray:
    (found,) = [one for one in ax.collections if one.get_label() == label]
    return np.asarray(found.get_offsets())


def test_each_sample_stands_once_and_concerns_are_ringed_and_named(ax) -> None:
    given = table()
    before = given.copy(deep=True)
    plots.sample_quality(given, ax=ax)
    assert points(ax, "pre (4)").tolist() == [[1e6 * (i + 1), 1000.0 + i] for i in range(4)]
    assert points(ax, "on (2)").tolist() == [[5e6, 1004.0], [6e6, 1005.0]]
    assert points(ax, "of concern (1)").tolist() == [[3e6, 1002.0]]
    assert [text.get_text() for text in ax.texts] == ["S2"]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Reads", "Genes seen")
    assert ax.get_title(loc="left") == "Samples, n = 6"
    pd.testing.assert_frame_equal(given, before)


def test_without_reads_resemblance_takes_their_place(ax) -> None:
    plots.sample_quality(table(reads=False), ax=ax)
    assert ax.get_xlabel() == "Median correlation with the other samples"
    assert points(ax, "on (2)")[:, 0].tolist() == pytest.approx([0.4, 0.5])


def test_simulated_is_said_and_nothing_is_said_of_nothing(ax) -> None:
    plots.sample_quality(table(simulated=True), ax=ax)
    assert ax.get_title(loc="left").startswith("SIMULATED")
    empty = Figure().add_subplot()
    plots.sample_quality(schema.QC.empty(), ax=empty)
    assert empty.texts[0].get_text() == "no sample was looked at"
