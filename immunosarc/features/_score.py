"""Signature scores of samples, and the reasons where there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from immunosarc import catalog
from immunosarc.errors import ImmunosarcError
from immunosarc.features._alignment import Alignment, align
from immunosarc.features._cells import align_cells, cell_scores, refuse_cells
from immunosarc.features._coverage import coverage_rows, coverage_table
from immunosarc.features._kernels import SCORING
from immunosarc.features._published import published_coverage, published_scores
from immunosarc.features._units import unit_of

if TYPE_CHECKING:
    import anndata

__all__ = ["coverage", "panel", "score", "signatures"]


def signatures() -> catalog.Signatures:
    """Return the immune signatures that ship with the package, each with direction and citation.

    Returns
    -------
    Signatures
        A frozen mapping; ``.table()`` lists them, ``["cyt"]`` and ``.subset(...)`` choose.

    Examples
    --------
    >>> signatures()["cyt"].meaning
    'a higher score means a more inflamed tumor'
    """
    return catalog.load_signatures()


def panel(name: str) -> catalog.SignaturePanel:
    """Return a named, versioned panel of signatures, for a question that is asked again and again.

    Parameters
    ----------
    name : str
        ``"immunogenicity"``: did treatment make the tumor visible to the immune system?

    Returns
    -------
    SignaturePanel
        ``.signatures`` go into a plan, ``.directions`` into :func:`immunosarc.models.immunogenicity_shift`.

    Raises
    ------
    UnknownNameError
        For a panel that does not exist.

    Examples
    --------
    >>> panel("immunogenicity")
    <SignaturePanel 'immunogenicity' 1.0.0: 16 signatures, 8 axes>
    """
    return catalog.load_panel(name)


def score(
    adata: anndata.AnnData,
    signatures: Any = None,
    *,
    method: str = "singscore",
    min_coverage: float = 0.8,
    options: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Return how strongly each sample expresses each signature.

    Methods read what their facts list (``SCORING.table()["roles"]``): most take the genes alike and unsigned,
    some also down genes, weights, housekeeping genes or pairs; what a published form has and the
    method leaves out is said by :func:`coverage`. ``"published"`` scores every signature by the method of its
    publication. Linear units are scored as log2(x+1), counts as log2(CPM+1).

    Rows may be single cells (``level`` "cell") for the methods whose fact ``per_cell`` says so; a sparse matrix
    stays sparse, and a score of a cell is nothing that a p-value can be taken from.

    Parameters
    ----------
    adata : AnnData of shape (n_samples, n_genes)
        Expression with approved symbols as ``var_names``; see ``ims.make_assay``. Or cells by genes, sparse or
        dense, without missing values.
    signatures : Signatures, mapping or path, optional
        Default: the whole catalog. A dictionary of gene lists or a GMT file works too.
    method : str, default "singscore"
        A name in ``SCORING``. Its fact ``single_sample`` says whether a sample's score stays the same
        when other samples join.
    min_coverage : float, default 0.8
        Share of a signature's genes that the assay must have; also of its down genes, its housekeeping
        genes and its pairs where the method reads them.
    options : mapping, optional
        Choices among the method's ``options``, such as ``{"kcdf": "ecdf"}`` for ``gsva``.

    Returns
    -------
    DataFrame of shape (n_samples, n_signatures)
        Index ``sample_id``, or ``cell_id``. A column is NaN where the signature is not covered. A gene without any
        value counts as absent; a sample that lacks a value of one of a signature's other genes has NaN,
        because a mean over fewer genes is another quantity. With ``"published"`` a panel that is called gene by
        gene has one column per gene, ``panel:GENE``. ``attrs["scoring"]`` maps each column
        to method and unit, ``attrs["unit"]`` is the unit scored.

    Raises
    ------
    CoverageError
        When no signature at all is covered: almost always wrong gene names.
    UnitError
        When the assay holds no expression, or its numbers contradict its unit.
    UnknownNameError
        For a method that does not exist or is only planned.
    ImmunosarcError
        For an option that the method does not have.

    Examples
    --------
    >>> from immunosarc.cohort import make_assay
    >>> frame = pd.DataFrame({"GZMA": [3.0, 0.0], "PRF1": [15.0, 1.0], "ACTB": [1.0, 7.0]}, index=["S1", "S2"])
    >>> table = score(make_assay(frame, unit="tpm"), {"cyt": ["GZMA", "PRF1"]}, method="mean_log2")
    >>> table["cyt"].tolist(), table.attrs["scoring"]
    ([3.0, 0.5], {'cyt': 'mean_log2(log2_tpm)'})
    """
    sets = _sets(signatures)
    if method == "published":
        _no_options(options)
        if _of_cells(adata):
            refuse_cells(method)
        table, scoring = published_scores(adata, sets, min_coverage=min_coverage)
        unit = unit_of(adata)
    else:
        aligned = _laid(adata, sets, method, min_coverage=min_coverage, options=options)
        aligned.refuse_if_nothing_is_covered()
        table, unit = _table(aligned), aligned.unit
        scoring = dict.fromkeys(sets, f"{method}{_chosen(aligned.options)}({unit})")
    row = "cell_id" if _of_cells(adata) else "sample_id"
    table.index = pd.Index(adata.obs_names.astype(str), name=row, dtype=object)
    table.attrs = {"scoring": scoring, "unit": unit} | ({"level": "cell"} if _of_cells(adata) else {})
    return table


def coverage(
    adata: anndata.AnnData,
    signatures: Any = None,
    *,
    method: str = "singscore",
    min_coverage: float = 0.8,
    options: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Return which signatures can be scored on an assay, and why the others cannot.

    Parameters
    ----------
    adata : AnnData of shape (n_samples, n_genes)
        As for :func:`score`.
    signatures : Signatures, mapping or path, optional
        As for :func:`score`.
    method : str, default "singscore"
        As for :func:`score`; methods differ in the genes that they can use.
    min_coverage : float, default 0.8
        As for :func:`score`.
    options : mapping, optional
        As for :func:`score`.

    Returns
    -------
    DataFrame
        ``schema.COVERAGE``, one row per signature: ``signature, method, unit`` (that was scored),
        ``n_genes, n_found`` (genes that count in the method, and those it can use), ``coverage`` (their share),
        ``missing`` (symbols that the assay lacks), ``status`` (``"ok"``, or why every score is NaN) and
        ``note`` (what the score leaves out of the published form, genes that do not vary, samples with gaps);
        text is missing (NA) where there is nothing to say.

    Raises
    ------
    UnitError
        When the assay holds no expression, or its numbers contradict its unit.
    UnknownNameError
        For a method that does not exist or is only planned.

    Examples
    --------
    >>> from immunosarc.cohort import make_assay
    >>> frame = pd.DataFrame({"GZMA": [3.0, 0.0], "ACTB": [1.0, 7.0]}, index=["S1", "S2"])
    >>> coverage(make_assay(frame, unit="tpm"), {"cyt": ["GZMA", "PRF1"]}).loc[0, "status"]
    'covers 1 of 2 genes (50%), needs 80%'
    """
    sets = _sets(signatures)
    if method == "published":
        _no_options(options)
        if _of_cells(adata):
            refuse_cells(method)
        return coverage_table(published_coverage(adata, sets, min_coverage=min_coverage))
    return coverage_table(coverage_rows(_laid(adata, sets, method, min_coverage=min_coverage, options=options)))


def _sets(signatures: Any) -> catalog.Signatures:
    return catalog.load_signatures() if signatures is None else catalog.as_signatures(signatures)


def _of_cells(adata: anndata.AnnData) -> bool:
    about = adata.uns.get("immunosarc")
    return isinstance(about, Mapping) and about.get("level") == "cell"


def _laid(adata: anndata.AnnData, sets: catalog.Signatures, method: str, **chosen: Any) -> Alignment:
    lay = align_cells if _of_cells(adata) else align
    return lay(adata, sets, SCORING[method], **chosen)


def _table(aligned: Alignment) -> pd.DataFrame:
    found = cell_scores(aligned) if _of_cells(aligned.assay) else aligned.scores()
    scores = np.full((aligned.assay.n_obs, len(aligned.sets)), np.nan)
    scores[:, aligned.covered] = found
    return pd.DataFrame(scores, columns=pd.Index(list(aligned.sets), dtype=object))


def _chosen(options: Mapping[str, Any]) -> str:
    return f"[{', '.join(f'{name}={value}' for name, value in options.items())}]" if options else ""


def _no_options(options: Mapping[str, Any] | None) -> None:
    if options:
        raise ImmunosarcError(
            f"'published' takes no options, found {', '.join(options)}: choose a method to set them"
        )
