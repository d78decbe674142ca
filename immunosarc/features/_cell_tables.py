"""From cells to samples: quality, composition, states and pseudobulk, ready for ``Cohort.per_patient``."""

from __future__ import annotations

from collections.abc import Mapping

import anndata
import numpy as np
import pandas as pd
from scipy import sparse

from immunosarc import schema
from immunosarc.errors import UnitError, UnknownNameError, did_you_mean
from immunosarc.features._cell_profile import CellProfile
from immunosarc.features._cell_types import UNASSIGNED

__all__ = ["CELL_STATES", "cell_composition", "cell_quality", "cell_states", "pseudobulk"]

CELL_STATES: Mapping[str, tuple[str, str, int]] = {
    "t_exhausted": ("T cell", "exhausted_cd8_6", 1),
    "t_memory_like": ("T cell", "cd8_good_sade6", 1),
    "t_regulatory": ("T cell", "treg_tumour9", 1),
    "t_resident": ("T cell", "trm_panel6", 1),
    "macrophage_m1": ("myeloid cell", "macrophage_m1_hwang13", 1),
    "macrophage_m2": ("myeloid cell", "macrophage_m2_8", 1),
    "macrophage_c1q_trem2": ("myeloid cell", "macrophage_c1q_trem2_5", 1),
}
"""Name of a state -> the cell type it is a state of, a signature of the catalog, its sign."""

_HALF_A_CELL = 0.5


def cell_quality(profile: CellProfile) -> pd.DataFrame:
    """Say how good the cells of each sample are, before anything is read from them.

    Parameters
    ----------
    profile : CellProfile
        From :func:`profile_cells`.

    Returns
    -------
    DataFrame
        ``schema.CELL_QUALITY``: cells, those of low quality, medians of counts, genes and mitochondrial share, and
        the share that stays unassigned.

    Examples
    --------
    >>> import anndata
    >>> genes = ["CD3D", "CD3E", "TRAC", "CD79A", "MS4A1", "CD19"]
    >>> counts = pd.DataFrame([[9, 8, 7, 0, 0, 1]], index=["c1"], columns=genes)
    >>> cells = anndata.AnnData(counts, obs=pd.DataFrame({"sample_id": ["S1"]}, index=["c1"]))
    >>> cells.uns["immunosarc"] = {"level": "cell", "unit": "counts"}
    >>> from immunosarc.features import profile_cells
    >>> cell_quality(profile_cells(cells))[["sample_id", "n_cells", "median_genes"]].to_numpy().tolist()
    [['S1', 1.0, 4.0]]
    """
    cells = profile.cells
    unassigned = (cells["cell_type"] == UNASSIGNED) & ~cells["low_quality"]
    grouped = cells.assign(unassigned=unassigned).groupby("sample_id", observed=False)
    table = pd.DataFrame(
        {
            "n_cells": grouped.size(),
            "n_low_quality": grouped["low_quality"].sum(),
            "median_counts": grouped["counts"].median(),
            "median_genes": grouped["n_genes"].median(),
            "median_mitochondrial": grouped["mitochondrial"].median(),
            "share_unassigned": grouped["unassigned"].mean(),
        }
    ).astype(float)
    return schema.CELL_QUALITY.check(table.rename_axis("sample_id").reset_index().astype({"sample_id": "string"}))


def cell_composition(profile: CellProfile, *, min_cells: int = 50) -> pd.DataFrame:
    r"""Say what the cells of each sample are, as log-ratios that shares of a whole allow.

    With :math:`n_k` cells of type k, half a cell is added to each, and the centered log-ratio is

    .. math::

        \ln (n_k + 1/2) - \frac{1}{K} \sum_j \ln (n_j + 1/2)

    so that more of one type does not make every other one seem less. Unassigned cells and those of low quality are
    no part of the whole. Every type of the panel counts, seen or not, so that a sample's numbers stay the same
    when others join. Source: Aitchison 1982, doi
    10.1111/j.2517-6161.1982.tb01195.x.

    Parameters
    ----------
    profile : CellProfile
        From :func:`profile_cells`.
    min_cells : int
        Typed cells that a sample needs; fewer give NaN with the reason.

    Returns
    -------
    DataFrame
        One row for each sample: ``clr_<type>``, and ``status``.

    Examples
    --------
    >>> import anndata
    >>> counts = pd.DataFrame(
    ...     [[9, 8, 7, 0, 0, 1], [0, 0, 1, 9, 8, 7]],
    ...     index=["c1", "c2"], columns=["CD3D", "CD3E", "TRAC", "CD79A", "MS4A1", "CD19"],
    ... )
    >>> cells = anndata.AnnData(counts, obs=pd.DataFrame({"sample_id": ["S1", "S1"]}, index=["c1", "c2"]))
    >>> cells.uns["immunosarc"] = {"level": "cell", "unit": "counts"}
    >>> from immunosarc.features import profile_cells
    >>> cell_composition(profile_cells(cells), min_cells=2)["clr_T cell"].round(2).tolist()
    [0.82]
    """
    counts = _counted(profile)
    total = counts.sum(axis=1)
    logs = np.log(counts + _HALF_A_CELL)
    clr = logs.sub(logs.mean(axis=1), axis=0).where(total >= min_cells)
    table = clr.add_prefix("clr_")
    table["status"] = _status(total, min_cells, "typed cells")
    return table


def _counted(profile: CellProfile) -> pd.DataFrame:
    typed = profile.cells[~profile.cells["low_quality"]]
    counts = typed.groupby(["sample_id", "cell_type"], observed=False).size().unstack(fill_value=0)
    table = counts.reindex(index=list(profile.samples), columns=list(profile.types), fill_value=0)
    return table.rename_axis(index="sample_id", columns=None)


def _status(have: pd.Series, needed: int, what: str) -> pd.Series:
    words = [f"needs {needed} {what}, has {int(n)}" if n < needed else "ok" for n in have]
    return pd.Series(words, index=have.index, dtype="string")


def cell_states(
    profile: CellProfile, states: Mapping[str, tuple[str, str, int]] | None = None, *, min_cells: int = 20
) -> pd.DataFrame:
    """Say in which state the T cells and the macrophages of each sample are.

    A state is the mean score of a signature over the cells of one type: exhaustion of T cells, polarity of
    macrophages. How many of those cells there are plays no part; :func:`cell_composition` says that.

    Parameters
    ----------
    profile : CellProfile
        With the scores of the signatures that the states name.
    states : mapping of str to (cell type, signature, sign), optional
        :data:`CELL_STATES` unless given, as far as they were scored.
    min_cells : int
        Cells of the type that a sample needs; fewer give NaN.

    Returns
    -------
    DataFrame
        One row for each sample, one column for each state; with both ``macrophage_m1`` and ``macrophage_m2`` also
        ``macrophage_polarity``, their difference; and ``status``.

    Raises
    ------
    UnknownNameError
        When a state names a type or a signature that the profile does not have.

    Examples
    --------
    >>> import anndata
    >>> genes = ["CD3D", "CD3E", "TRAC", "CD79A", "MS4A1", "CD19"]
    >>> counts = pd.DataFrame([[9, 8, 7, 0, 0, 1]], index=["c1"], columns=genes)
    >>> cells = anndata.AnnData(counts, obs=pd.DataFrame({"sample_id": ["S1"]}, index=["c1"]))
    >>> cells.uns["immunosarc"] = {"level": "cell", "unit": "counts"}
    >>> from immunosarc.features import profile_cells
    >>> profile = profile_cells(cells, {"cd3": ["CD3D", "CD3E"]}, method="mean_log2")
    >>> float(cell_states(profile, {"t_cd3": ("T cell", "cd3", 1)}, min_cells=1).loc["S1", "t_cd3"]) > 0
    True
    """
    scored = list(profile.scores.columns) if profile.scores is not None else []
    asked = states if states is not None else {name: one for name, one in CELL_STATES.items() if one[1] in scored}
    if not asked:
        wanted = ", ".join(sorted({one[1] for one in CELL_STATES.values()}))
        raise UnknownNameError(
            f"no state was scored: profile_cells needs the signatures of the states ({wanted})."
        )
    for name, (kind, signature, _) in asked.items():
        for what, given, known in (("cell type", kind, profile.types), ("signature", signature, scored)):
            if given not in known:
                raise UnknownNameError(f"state '{name}': unknown {what} {given!r}.{did_you_mean(given, known)}")
    typed = profile.cells[["sample_id", "cell_type"]][~profile.cells["low_quality"]]
    table, reasons = {}, []
    for name, (kind, signature, sign) in asked.items():
        of_type = typed[typed["cell_type"] == kind]
        values = profile.scores.loc[of_type.index, signature].astype(float)  # type: ignore[union-attr]
        grouped = values.groupby(of_type["sample_id"], observed=False)
        table[name] = sign * grouped.mean().where(grouped.count() >= min_cells)
        reasons.append(_status(grouped.count(), min_cells, f"cells of type {kind}"))
    found = pd.DataFrame(table).reindex(list(profile.samples)).rename_axis("sample_id")
    found.index = found.index.astype(object)
    if {"macrophage_m1", "macrophage_m2"} <= set(found):
        found["macrophage_polarity"] = found["macrophage_m1"] - found["macrophage_m2"]
    found["status"] = _joined(pd.concat(reasons, axis=1).reindex(found.index))
    return found


def _joined(reasons: pd.DataFrame) -> pd.Series:
    """One status for each sample: the different reasons why something is missing, or 'ok'."""
    words = [
        "; ".join(dict.fromkeys(one for one in row if one != "ok")) or "ok"
        for row in reasons.itertuples(index=False)
    ]
    return pd.Series(words, index=reasons.index, dtype="string")


def pseudobulk(profile: CellProfile, cell_type: str | None = None, *, min_cells: int = 20) -> anndata.AnnData:
    """Return the summed counts of each sample's cells, as an assay of samples that everything else can read.

    Parameters
    ----------
    profile : CellProfile
        Made of counts.
    cell_type : str, optional
        Only the cells of this type; all that are not of low quality unless given.
    min_cells : int
        Cells that a sample needs; samples with fewer are left out of the assay and named in
        ``uns["immunosarc"]["left_out"]``.

    Returns
    -------
    AnnData of shape (n_samples, n_genes)
        Unit ``counts``, level ``sample``; ``obs["n_cells"]``.

    Raises
    ------
    UnitError
        When the profile was made of logarithms, which cannot be added up.
    UnknownNameError
        When there is no such cell type.

    Examples
    --------
    >>> counts = pd.DataFrame(
    ...     [[9, 8, 7, 0, 0, 1], [1, 2, 3, 0, 0, 0]],
    ...     index=["c1", "c2"], columns=["CD3D", "CD3E", "TRAC", "CD79A", "MS4A1", "CD19"],
    ... )
    >>> cells = anndata.AnnData(counts, obs=pd.DataFrame({"sample_id": ["S1", "S1"]}, index=["c1", "c2"]))
    >>> cells.uns["immunosarc"] = {"level": "cell", "unit": "counts"}
    >>> from immunosarc.features import profile_cells
    >>> pseudobulk(profile_cells(cells), "T cell", min_cells=2).X.tolist()
    [[10.0, 10.0, 10.0, 0.0, 0.0, 1.0]]
    """
    if profile.sums is None:
        raise UnitError(
            f"pseudobulk adds up counts; the cells were {profile.unit}. Profile the counts (key = ...)."
        )
    known = (*profile.types, UNASSIGNED)
    if cell_type is not None and cell_type not in known:
        raise UnknownNameError(f"unknown cell type {cell_type!r}.{did_you_mean(cell_type, known)}")
    n_types, samples = len(known), profile.samples
    wanted = range(n_types) if cell_type is None else [known.index(cell_type)]
    place = sparse.lil_matrix((len(samples), profile.sums.shape[0]))
    for row in range(len(samples)):
        for kind in wanted:
            place[row, row * n_types + kind] = 1.0
    summed = np.asarray((sparse.csr_matrix(place) @ profile.sums).toarray(), dtype=float)
    fine = ~profile.cells["low_quality"]
    chosen = profile.cells[fine & ((profile.cells["cell_type"] == cell_type) | (cell_type is None))]
    cells = chosen.groupby("sample_id", observed=False).size().reindex(list(samples), fill_value=0)
    enough = (cells >= min_cells).to_numpy()
    obs = pd.DataFrame(
        {"n_cells": cells[enough].to_numpy()},
        index=pd.Index(np.array(samples, dtype=object)[enough], name="sample_id"),
    )
    adata = anndata.AnnData(summed[enough], obs=obs, var=pd.DataFrame(index=profile.genes))
    adata.uns["immunosarc"] = {
        "level": "sample",
        "unit": "counts",
        "source": f"sum over {cell_type or 'all'} cells",
        "platform": "",
        "left_out": [f"{name}: {int(n)} cells" for name, n in cells[~enough].items()],
    }
    return adata
