"""Inflamed, excluded or desert: where the lymphocytes of a tumor are, by thresholds that are declared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.errors import UnknownNameError, raise_together
from immunosarc.features._imaging_cells import MAX_UNKNOWN, Populations
from immunosarc.features._imaging_density import by_sample, densities

if TYPE_CHECKING:
    from immunosarc.cohort import Cohort

__all__ = ["immune_phenotypes"]


def immune_phenotypes(
    cohort: Cohort,
    population: str,
    *,
    tumor_at_least: float,
    stroma_at_least: float,
    assay: str = "mif",
    populations: Populations | None = None,
    max_unknown: float = MAX_UNKNOWN,
) -> pd.DataFrame:
    """Return whether a tumor is inflamed, excluded or desert, from how densely lymphocytes lie in its two parts.

    Inflamed: at least ``tumor_at_least`` cells per square millimeter of tumor. Excluded: fewer there, and at
    least ``stroma_at_least`` in the stroma. Desert: fewer in both. The thresholds have no default, because
    they hang on the stain, the segmentation and the tumor; state them before looking at outcomes.

    Parameters
    ----------
    cohort : Cohort
        With areas by region in ``cohort.tables["fields"]``, and cells that know their region.
    population : str
        As a rule the CD8 T cells.
    tumor_at_least, stroma_at_least : float
        Cells per square millimeter.
    assay : str
        Of the cells of images.
    populations : mapping, optional
        As for :func:`densities`.
    max_unknown : float
        As for :func:`densities`.

    Returns
    -------
    DataFrame
        ``schema.IMMUNE_PHENOTYPE``: one row for each sample; without a class where ``status`` says why.

    Raises
    ------
    CohortError, UnknownNameError
        When the assay holds no cells of images, the population does not exist, or a threshold is not above 0.

    References
    ----------
    Chen DS, Mellman I. Nature 2017;541:321. doi:10.1038/nature21349 (the three kinds; not the thresholds)

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> import immunosarc as ims
    >>> obs = pd.DataFrame({"sample_id": "S1", "field_id": "F1", "x_um": [0.0, 9.0], "y_um": 0.0,
    ...                     "phenotype": ["cd8", "tumor"], "region": ["stroma", "tumor"]}, index=["a", "b"])
    >>> area = pd.DataFrame({"patient_id": "P1", "sample_id": "S1", "field_id": "F1",
    ...                      "region": ["tumor", "stroma"], "area_mm2": [0.5, 0.01]})
    >>> cohort = ims.Cohort(
    ...     pd.DataFrame(index=pd.Index(["P1"], name="patient_id")),
    ...     pd.DataFrame({"sample_id": ["S1"], "patient_id": "P1", "timepoint": "pre"}),
    ...     tables={"fields": area}, assays={"mif": ims.make_cells(obs)},
    ... )
    >>> immune_phenotypes(cohort, "cd8", tumor_at_least=50, stroma_at_least=50)["class"].tolist()
    ['excluded']
    """
    limits = {"tumor_at_least": tumor_at_least, "stroma_at_least": stroma_at_least}
    problems = [f"{name} must be above 0, found {value:g}" for name, value in limits.items() if not value > 0]
    raise_together(UnknownNameError, "immune_phenotypes", problems)
    chosen = {population: population} if populations is None else {population: populations[population]}
    both = densities(cohort, assay, populations=chosen, regions=("tumor", "stroma"), max_unknown=max_unknown)
    both = both[both["feature"] != f"density_{population}"]
    dense, why = by_sample(both), both.pivot(index="sample_id", columns="feature", values="status")
    tumor, stroma = (f"density_{population}_{region}" for region in ("tumor", "stroma"))
    inflamed = (dense[tumor] >= tumor_at_least).to_numpy()
    beside = (dense[stroma] >= stroma_at_least).to_numpy()
    named = np.where(inflamed, "inflamed", np.where(beside, "excluded", "desert")).astype(object)
    reasons = why.loc[dense.index]
    of_tumor, of_stroma = (reasons[name].to_numpy(dtype=object) for name in (tumor, stroma))
    status = np.where((of_tumor != "ok") | inflamed, of_tumor, of_stroma)  # an inflamed tumor needs no stroma
    table = pd.DataFrame(
        {
            "sample_id": dense.index,
            "class": pd.Series(named).where(status == "ok").to_numpy(),
            "density_tumor": dense[tumor].to_numpy(),
            "density_stroma": dense[stroma].to_numpy(),
            "tumor_at_least": float(tumor_at_least),
            "stroma_at_least": float(stroma_at_least),
            "status": status,
        }
    )
    return schema.IMMUNE_PHENOTYPE.check(table)
