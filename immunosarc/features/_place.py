"""Place samples on a frozen reference, one at a time: a sample's place never changes when others join."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc import schema
from immunosarc.errors import CoverageError, ImmunosarcError, UnitError
from immunosarc.features._alignment import dense, scored_assay
from immunosarc.features._reference import Population, Reference, reference_of
from immunosarc.features._scoring import Floats
from immunosarc.features._units import assay_lengths, unit_of

if TYPE_CHECKING:
    import anndata

__all__ = ["place", "residual_length_correlation"]

_REFUSED_PLATFORMS = ("nanostring", "exome_capture", "ribo_depleted", "microarray")
_GUARDS = ("measured", "declared")
_MIN_COVERAGE = 0.8
_COMPARED, _MANY_GENES = 8, 1000
"""Samples whose sorted values are compared; fewer genes may agree by chance."""


def place(
    adata: anndata.AnnData,
    reference: Reference | str | None = "sarcoma",
    *,
    guard: str = "measured",
    gene_lengths: pd.Series | None = None,
) -> pd.DataFrame:
    """Return where each sample lies among the samples of a frozen reference, as percentile and z.

    Each sample stands alone: it is compared with the mean profile of the reference (a residual that follows
    gene length shows that counts were not divided by it), divided by one factor, the median ratio over expressed
    genes, and scored. The difference of a patient's two z values is the change in frozen units; what a
    pipeline adds to both cancels.

    Parameters
    ----------
    adata : AnnData of shape (n_samples, n_genes)
        For the shipped reference TPM or log2(TPM+1) of polyA RNA; for one's own the unit that it was built on.
    reference : Reference or "sarcoma"
        The shipped :func:`sarcoma_reference` unless one of your own is given.
    guard : {"measured", "declared"}
        With fewer than 1,000 genes of the reference nothing can be measured: ``"declared"`` then places the
        sample on the user's word that unit and pipeline are right, without a factor, and the note says so.
    gene_lengths : Series, optional
        Gene symbol to exon length, any unit; default: the lengths that the assay carries, each sample's own
        where there are such. Without any the length check is not done, and the note says so.

    Returns
    -------
    DataFrame
        ``schema.PLACEMENT``, one row per sample and population. Missing genes, up to 20%, are accounted for by
        the difference that they make in the mean profile. ``status`` says why a sample was not placed.

    Raises
    ------
    UnitError
        When the unit or platform cannot be placed: counts, NanoString, exome capture, values ranked across
        samples.
    CoverageError
        When the assay has none of the reference's genes: almost always other identifiers.
    ImmunosarcError
        For an unknown guard, or without a reference.

    Examples
    --------
    >>> from immunosarc.cohort import make_assay
    >>> cyt = make_assay(pd.DataFrame({"GZMA": [6.0], "PRF1": [2.5]}, index=["S1"]), unit="tpm")
    >>> table = place(cyt, guard="declared").set_index("population")
    >>> table.loc["CYT", ["z", "percentile"]].astype(float).round(2).tolist()
    [-0.24, 0.45]
    """
    against = reference_of(reference)
    if guard not in _GUARDS:
        raise ImmunosarcError(f"guard is 'measured' or 'declared'; found {guard!r}")
    _refuse_what_has_no_place(adata, against)
    assay = scored_assay(adata)
    genes = pd.Index([str(gene) for gene in assay.var_names])
    _refuse_other_genes(genes, against)
    layout = _Layout.of(genes, against)
    lengths = assay_lengths(adata) if gene_lengths is None else gene_lengths
    rows: list[dict[str, Any]] = []
    for start in range(assay.n_obs):
        values = dense(assay.X[[start]]).ravel()
        own = lengths.iloc[start] if isinstance(lengths, pd.DataFrame) else lengths
        fit = _examine(values, layout, against, guard=guard, gene_lengths=own)
        rows += _placements(str(assay.obs_names[start]), values, layout, reference=against, fit=fit)
    return schema.PLACEMENT.check(pd.DataFrame(rows, columns=list(schema.PLACEMENT.columns)))


@dataclass(frozen=True, eq=False)
class _Layout:
    """Where the genes of a reference lie in an assay: found once, read for every sample."""

    shared: pd.Index
    at: NDArray[np.int64]
    usual: Floats
    markers: pd.Index
    markers_at: NDArray[np.int64]

    @classmethod
    def of(cls, genes: pd.Index, reference: Reference) -> _Layout:
        profile = reference.genes["mean"]
        shared = genes.intersection(profile.index)
        listed = {gene for one in reference.populations.values() for gene in one.genes}
        markers = genes[genes.isin(listed)]
        return cls(
            shared=shared,
            at=genes.get_indexer(shared),
            usual=profile.reindex(shared).to_numpy(dtype=np.float64),
            markers=markers,
            markers_at=genes.get_indexer(markers),
        )


@dataclass(frozen=True)
class _Fit:
    """What the guard saw of one sample."""

    guard: str
    log2_factor: float = 0.0
    r_length: float = np.nan
    r_reference: float = np.nan
    refusal: str = ""
    notes: tuple[str, ...] = ()


def _refuse_what_has_no_place(adata: anndata.AnnData, reference: Reference) -> None:
    unit, platform = unit_of(adata), adata.uns["immunosarc"].get("platform", "")
    scored = unit_of(scored_assay(adata))
    if how := adata.uns["immunosarc"].get("normalized"):
        raise UnitError(
            f"the assay is {how}-normalized: a sample's numbers depend on its company, so it has no place on a "
            "frozen reference. Give the values as quantified."
        )
    if scored != reference.unit:
        wanted = reference.unit.removeprefix("log2_")
        raise UnitError(
            f"reference '{reference.name}' is in {wanted.upper()}, the assay has {unit}: it cannot be placed. "
            f"Give {wanted.upper()}, or freeze 20 or more sarcomas of your own pipeline with "
            "features.build_reference."
        )
    if reference.absolute and platform in _REFUSED_PLATFORMS:
        raise UnitError(
            f"reference '{reference.name}' is polyA RNA-seq, the assay is {platform}: it cannot be placed. "
            "Freeze 20 or more sarcomas of your own platform with features.build_reference."
        )
    if not reference.absolute and platform and reference.platform not in ("", platform):
        raise UnitError(f"reference '{reference.name}' is {reference.platform}, the assay is {platform}")
    if reference.absolute and adata.n_obs > 1 and _ranked_across_samples(dense(scored_assay(adata[:_COMPARED]).X)):
        raise UnitError(
            "every sample has the same distribution of values, as after quantile or rank normalization: no "
            "absolute level is left, so nothing can be placed. Give TPM as quantified."
        )


def _refuse_other_genes(genes: pd.Index, reference: Reference) -> None:
    read = {gene for one in reference.populations.values() for gene in one.genes}
    if not (read & set(genes) or len(genes.intersection(reference.genes.index))):
        raise CoverageError(
            f"none of the genes of reference '{reference.name}' is in this assay, whose genes look like: "
            f"{', '.join(genes[:5])}; name them by approved symbols"
        )


def _ranked_across_samples(values: Floats) -> bool:
    ordered = np.sort(values, axis=1)
    return values.shape[1] >= _MANY_GENES and bool(
        np.allclose(ordered, ordered[:1], rtol=1e-6, atol=1e-9, equal_nan=True)
    )


def _examine(
    values: Floats, layout: _Layout, reference: Reference, *, guard: str, gene_lengths: pd.Series | None
) -> _Fit:
    if not np.any(np.nan_to_num(values)):
        return _Fit(guard if reference.absolute else "own cohort", refusal="every gene is zero or missing")
    if not reference.absolute:
        return _Fit("own cohort")
    rules = reference.rules
    known = ~np.isnan(values[layout.at])
    shared = layout.shared if known.all() else layout.shared[known]
    if len(shared) < rules.min_genes:
        words = f"guard not evaluable: {len(shared)} of the {rules.min_genes:,} reference genes it needs"
        if guard == "declared":
            return _Fit("declared", notes=(f"{words}; placed as declared, without a scale factor",))
        return _Fit("measured", refusal=f"{words}; guard='declared' places it on your word")
    here, usual = values[layout.at][known], layout.usual[known]
    expressed = (usual > rules.expressed_from) & ~shared.isin(layout.markers)
    factor = _median_log2_ratio(here[expressed], usual[expressed])
    r_reference = _correlation(here, usual)
    r_length = residual_length_correlation(pd.Series(here - usual, index=shared), gene_lengths)
    notes = []
    if np.isnan(r_length):
        notes.append("length check not done: pass gene_lengths")
    elif abs(r_length) > rules.length_warn:
        notes.append(f"the residual follows gene length (r = {r_length:.2f})")
    if not r_reference >= rules.resemblance_warn:
        notes.append(f"unlike the reference (r = {r_reference:.2f}, usual from {rules.resemblance_warn:g})")
    refusal = ""
    if not np.isfinite(factor):
        return _Fit("measured", refusal="refused: half of the genes that sarcomas express are zero")
    if abs(r_length) > rules.length_refuse:
        refusal = (
            f"refused: the residual follows gene length (r = {r_length:.2f}, at most {rules.length_refuse:g}), so "
            "these are not length-normalized TPM"
        )
    return _Fit("measured", factor, r_length, r_reference, refusal, tuple(notes))


def _median_log2_ratio(here: Floats, usual: Floats) -> float:
    """Return the median ratio to the mean profile, below the logarithm so that a scale comes back exactly."""
    linear = np.exp2(here) - 1.0
    logs = np.log2(linear, out=np.full_like(linear, -np.inf), where=linear > 0)
    return float(np.median(logs - np.log2(np.exp2(usual) - 1.0)))


def residual_length_correlation(residual: pd.Series, gene_lengths: pd.Series | None) -> float:
    """Return how a sample's residual from a mean profile goes with log2 gene length; NaN below 1,000 genes."""
    if gene_lengths is None:
        return float("nan")
    known = gene_lengths[gene_lengths > 0].dropna()
    shared = residual.index.intersection(known.index)
    if len(shared) < _MANY_GENES:
        return float("nan")
    lengths = np.log2(known[shared].to_numpy(dtype=float))
    return _correlation(residual[shared].to_numpy(dtype=float), lengths)


def _correlation(one: Floats, other: Floats) -> float:
    a, b = one - one.mean(), other - other.mean()
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale > 0 else float("nan")


def _placements(
    sample: str, values: Floats, layout: _Layout, *, reference: Reference, fit: _Fit
) -> list[dict[str, Any]]:
    scaled = values[layout.markers_at]
    if fit.log2_factor:
        scaled = np.log2((np.exp2(scaled) - 1.0) / 2.0**fit.log2_factor + 1.0)
    known = {gene: value for gene, value in zip(layout.markers, scaled.tolist(), strict=True) if value == value}
    return [
        {
            "sample_id": sample,
            "reference": reference.name,
            "population": name,
            "n_genes": len(one.genes),
            "log2_factor": fit.log2_factor,
            "r_length": fit.r_length,
            "r_reference": fit.r_reference,
            "guard": fit.guard,
            "note": "; ".join(fit.notes),
            **_placed(known, one, reference, fit),
        }
        for name, one in reference.populations.items()
    ]


def _placed(known: dict[str, float], population: Population, reference: Reference, fit: _Fit) -> dict[str, Any]:
    found = [gene for gene in population.genes if gene in known]
    nothing = {"n_found": len(found), "score": np.nan, "z": np.nan, "percentile": np.nan}
    if fit.refusal:
        return {**nothing, "status": fit.refusal}
    share = len(found) / len(population.genes)
    if share < _MIN_COVERAGE:
        words = f"covers {len(found)} of {len(population.genes)} genes ({int(100 * share)}%), needs 80%"
        return {**nothing, "status": words}
    score = float(np.mean([known[gene] for gene in found]))
    if share < 1:  # a mean over fewer genes lies elsewhere: by as much as in the mean profile
        usual = reference.genes["mean"]
        score += float(usual[list(population.genes)].mean() - usual[found].mean())
    return {
        "n_found": len(found),
        "score": score,
        "z": (score - population.mean) / population.sd,
        "percentile": float(np.interp(score, population.quantiles, population.probabilities)),
        "status": "ok",
    }
