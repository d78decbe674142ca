"""Scores that pathologists read off a stain: H-score, tumor proportion score, combined positive score."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from immunosarc.errors import UnknownNameError, did_you_mean, raise_together
from immunosarc.features._imaging_cells import (
    MAX_UNKNOWN,
    Bools,
    Cells,
    Populations,
    cells_of,
    first_reason,
    imaging_table,
    rows_of,
)
from immunosarc.features._imaging_neighbors import population_problems

if TYPE_CHECKING:
    from immunosarc.cohort import Cohort

__all__ = ["h_scores", "pd_l1_scores"]


def h_scores(
    cohort: Cohort,
    marker: str,
    cuts: tuple[float, float, float],
    *,
    within: str,
    assay: str = "mif",
    populations: Populations | None = None,
    max_unknown: float = MAX_UNKNOWN,
) -> pd.DataFrame:
    r"""Return the H-score of a stain, 0 to 300: how strongly, and in how many cells, a marker is seen.

    .. math:: H = 100 \cdot \frac{n_{1+} + 2 n_{2+} + 3 n_{3+}}{n_0 + n_{1+} + n_{2+} + n_{3+}}

    A cell without an intensity is in no class: it enters neither the sum nor the number of cells.

    Parameters
    ----------
    cohort : Cohort
    marker : str
        Of the assay, with intensities.
    cuts : (float, float, float)
        Intensities from which on a cell is 1+, 2+ and 3+.
    within : str
        The population that is scored, as a rule the tumor cells.
    assay : str
        Of the cells of images.
    populations : mapping, optional
        As for :func:`densities`.
    max_unknown : float
        Share of those cells without an intensity above which there is no score.

    Returns
    -------
    DataFrame
        ``schema.IMAGING``: ``h_score_MARKER``.

    Raises
    ------
    CohortError, UnknownNameError
        When the assay holds no cells of images, a population or the marker does not exist, or the cuts do
        not rise.

    References
    ----------
    McCarty KS Jr, et al. Arch Pathol Lab Med 1985;109:716-721.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> import immunosarc as ims
    >>> obs = pd.DataFrame({"sample_id": "S1", "field_id": "F1", "x_um": [0.0, 1, 2, 3], "y_um": 0.0,
    ...                     "phenotype": "tumor"}, index=list("abcd"))
    >>> light = pd.DataFrame({"PDL1": [0.5, 1.0, 2.5, np.nan]})
    >>> cells = ims.make_cells(obs, intensity=light)
    >>> cohort = ims.Cohort(
    ...     pd.DataFrame(index=pd.Index(["P1"], name="patient_id")),
    ...     pd.DataFrame({"sample_id": ["S1"], "patient_id": "P1", "timepoint": "pre"}), assays={"mif": cells},
    ... )
    >>> h_scores(cohort, "PDL1", (1, 2, 3), within="tumor", max_unknown=0.3)["value"].tolist()
    [100.0]
    """
    cells = cells_of(cohort, assay, populations)
    problems = population_problems(cells, within)
    if marker not in cells.intensity:
        problems.append(f"the assay has no marker {marker!r}.{did_you_mean(marker, cells.intensity)}")
    if len(cuts) != 3 or not (np.diff(np.asarray(cuts, dtype=float)) > 0).all():
        problems.append(f"cuts: three rising intensities are needed, for 1+, 2+ and 3+; found {cuts!r}")
    raise_together(UnknownNameError, "h_scores", problems)
    among, light = cells.has(within), cells.intensity[marker]
    known = among & ~np.isnan(light)
    grade = np.searchsorted(np.asarray(cuts, dtype=np.float64), np.nan_to_num(light), side="right")
    n_of, n_among = cells.count(known), cells.count(among)
    total = sum(degree * cells.count(known & (grade == degree)) for degree in (1, 2, 3))
    values = 100.0 * np.divide(total, n_of, out=np.full(len(n_of), np.nan), where=n_of > 0)
    lacking = (n_among - n_of) / np.maximum(n_among, 1.0)
    status = first_reason(
        (n_among == 0, f"no {within!r} cell"),
        (n_of == 0, f"no {within!r} cell has an intensity of {marker}"),
        (lacking > max_unknown, _too_many(lacking, within, marker, max_unknown)),
    )
    return imaging_table(
        [
            rows_of(
                cells,
                f"h_score_{marker}",
                values,
                unit="score",
                n_cells=cells.count(known & (grade > 0)),
                n_of=n_of,
                status=status,
                note=_left_out(n_among - n_of, marker),
            )
        ]
    )


def pd_l1_scores(
    cohort: Cohort,
    marker: str = "PDL1",
    *,
    tumor: str,
    immune: str,
    assay: str = "mif",
    populations: Populations | None = None,
    min_tumor_cells: int = 100,
    max_unknown: float = MAX_UNKNOWN,
) -> pd.DataFrame:
    r"""Return the tumor proportion score and the combined positive score of PD-L1, 0 to 100.

    .. math:: TPS = 100 \cdot \frac{\text{positive tumor cells}}{\text{tumor cells}}, \qquad
              CPS = \min\Bigl(100, 100 \cdot
              \frac{\text{positive tumor and immune cells}}{\text{tumor cells}}\Bigr)

    A cell of which the marker is unknown is neither positive nor counted. Both were validated for pathologists
    and certain antibodies: what an image counts is comparable within a study, and no companion diagnostic.

    Parameters
    ----------
    cohort : Cohort
    marker : str
        Of the assay, with positive and negative cells.
    tumor, immune : str
        Populations: tumor cells; lymphocytes and macrophages.
    assay : str
        Of the cells of images.
    populations : mapping, optional
        As for :func:`densities`.
    min_tumor_cells : int
        Tumor cells needed for a score; 100 as the manual of the assay asks for.
    max_unknown : float
        Share of cells of which the marker is unknown above which there is no score.

    Returns
    -------
    DataFrame
        ``schema.IMAGING``: ``tps_MARKER`` and ``cps_MARKER``.

    Raises
    ------
    CohortError, UnknownNameError
        When the assay holds no cells of images, or a population or the marker does not exist.

    References
    ----------
    Kulangara K, et al. Arch Pathol Lab Med 2019;143:330. doi:10.5858/arpa.2018-0043-OA

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> import immunosarc as ims
    >>> obs = pd.DataFrame({"sample_id": "S1", "field_id": "F1", "x_um": [0.0, 1, 2, 3], "y_um": 0.0,
    ...                     "phenotype": ["tumor", "tumor", "immune", "immune"]}, index=list("abcd"))
    >>> cells = ims.make_cells(obs, positive=pd.DataFrame({"PDL1": [1, 0, 1, 0]}))
    >>> cohort = ims.Cohort(
    ...     pd.DataFrame(index=pd.Index(["P1"], name="patient_id")),
    ...     pd.DataFrame({"sample_id": ["S1"], "patient_id": "P1", "timepoint": "pre"}), assays={"mif": cells},
    ... )
    >>> pd_l1_scores(cohort, tumor="tumor", immune="immune", min_tumor_cells=1)["value"].tolist()
    [50.0, 100.0]
    """
    cells = cells_of(cohort, assay, populations)
    problems = population_problems(cells, tumor, immune)
    able = [name for name, values in cells.positive.items() if not len(values) or not np.isnan(values).all()]
    if marker not in able:
        problems.append(f"no marker {marker!r} that can be positive.{did_you_mean(marker, able)}")
    if not problems and (cells.has(tumor) & cells.has(immune)).any():
        problems.append(f"populations {tumor!r} and {immune!r} share cells; name two that do not")
    raise_together(UnknownNameError, "pd_l1_scores", problems)
    parts = [
        _share(cells, name, marker, counted, tumor=tumor, at_least=min_tumor_cells, max_unknown=max_unknown)
        for name, counted in (("tps", cells.has(tumor)), ("cps", cells.has(tumor) | cells.has(immune)))
    ]
    return imaging_table(parts)


def _share(
    cells: Cells, name: str, marker: str, counted: Bools, *, tumor: str, at_least: int, max_unknown: float
) -> pd.DataFrame:
    positive = cells.positive[marker]
    known = ~np.isnan(positive)
    n_tumor = cells.count(cells.has(tumor) & known)
    n_positive = cells.count(counted & (positive == 1))
    values = 100.0 * np.divide(n_positive, n_tumor, out=np.full(len(n_tumor), np.nan), where=n_tumor > 0)
    n_counted, unknown = cells.count(counted), cells.count(counted & ~known)
    lacking = unknown / np.maximum(n_counted, 1.0)
    few = [f"{int(n)} {tumor!r} cells with a known {marker}, {at_least} are needed" for n in n_tumor]
    status = first_reason(
        (n_tumor < max(at_least, 1), few),
        (lacking > max_unknown, _too_many(lacking, "counted", marker, max_unknown)),
    )
    return rows_of(
        cells,
        f"{name}_{marker}",
        np.minimum(values, 100.0),
        unit="percent",
        n_cells=n_positive,
        n_of=n_tumor,
        status=status,
        note=_left_out(unknown, marker),
    )


def _too_many(lacking: np.ndarray, what: str, marker: str, max_unknown: float) -> list[str]:
    return [f"{one:.1%} of the {what!r} cells lack {marker}, at most {max_unknown:.1%} may" for one in lacking]


def _left_out(number: np.ndarray, marker: str) -> list[str]:
    return [f"{int(n)} cells without {marker} are not counted" if n else "" for n in number]
