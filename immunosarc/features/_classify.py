"""Classes read off a frozen reference; without a reference there is a score and no class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from immunosarc import catalog, schema
from immunosarc.errors import CoverageError, UnknownNameError, did_you_mean
from immunosarc.features._place import place
from immunosarc.features._reference import Reference, Rules, reference_of
from immunosarc.features._scoring import Floats

if TYPE_CHECKING:
    import anndata

__all__ = ["classify"]

_AXES = ("TIS18", "CYT")
_DRAWS = 4000
_INDETERMINATE = "indeterminate"


def classify(
    adata: anndata.AnnData,
    scheme: str = "hot_cold",
    *,
    reference: Reference | str | None = "sarcoma",
    guard: str = "measured",
    gene_lengths: pd.Series | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Return each sample's immune class on a frozen axis: the same class whoever else is in the table.

    ``"hot_cold"`` (primary) takes the mean percentile of TIS18 and CYT: hot from 2/3, cold up to 1/3, otherwise
    intermediate; a rule of this project (``reference.rules``). ``"sarcoma_immune_class"`` (secondary) takes the
    nearest of the published centroids A to E [1]_ in T cells, cytotoxic lymphocytes, B lineage and endothelial
    cells. Its ``posterior`` is the share of plausible pipeline offsets under which the nearest class stays; below
    1/2 the label is ``"indeterminate"``. Low expression has a floor, so deserts land in B as often as in A:
    trust hot and cold more than A against B.

    Parameters
    ----------
    adata : AnnData of shape (n_samples, n_genes)
        As for :func:`place`.
    scheme : str, default "hot_cold"
        ``"hot_cold"`` or ``"sarcoma_immune_class"``.
    reference : Reference or "sarcoma"
        As for :func:`place`; None has no class to give.
    guard : {"measured", "declared"}
        As for :func:`place`.
    gene_lengths : Series, optional
        As for :func:`place`.
    seed : int, default 0
        Of the drawn offsets; every sample meets the same ones.

    Returns
    -------
    DataFrame
        ``schema.CLASSES``, one row per sample; ``status`` says why a sample has no class.

    Raises
    ------
    UnknownNameError
        For a scheme that does not exist.
    UnitError
        When the assay cannot be placed on the reference.
    CoverageError
        When the reference does not have the populations that the scheme reads.
    ImmunosarcError
        Without a reference: there is a continuous score then, and no class.

    References
    ----------
    .. [1] Petitprez F et al., Nature 2020;577:556, doi:10.1038/s41586-019-1906-8

    Examples
    --------
    >>> from immunosarc.cohort import make_assay
    >>> from immunosarc.features import sarcoma_reference
    >>> genes = {*sarcoma_reference().populations["TIS18"].genes, "GZMA", "PRF1"}
    >>> desert = make_assay(pd.DataFrame(0.5, index=["S1"], columns=sorted(genes)), unit="tpm")
    >>> classify(desert, guard="declared").loc[0, ["label", "status"]].tolist()
    ['cold', 'ok']
    """
    if scheme not in _SCHEMES:
        raise UnknownNameError(f"unknown class scheme {scheme!r}.{did_you_mean(scheme, _SCHEMES)}")
    against = reference_of(reference)
    axes, read = _SCHEMES[scheme]
    if absent := [axis for axis in axes if axis not in against.populations]:
        raise CoverageError(f"scheme '{scheme}' reads {', '.join(absent)}, which reference '{against.name}' lacks")
    placed = place(adata, against, guard=guard, gene_lengths=gene_lengths)
    rows = []
    for sample, part in placed.groupby("sample_id", sort=False):
        used = part.set_index("population").loc[list(axes)]
        ok = bool((used["status"] == "ok").all())
        first = used.iloc[0]
        rows.append(
            {
                "sample_id": sample,
                "scheme": scheme,
                "reference": against.name,
                "guard": first["guard"],
                "status": "ok" if ok else "; ".join(dict.fromkeys(used.loc[used["status"] != "ok", "status"])),
                "note": first["note"],
                **(read(used, against.rules, seed) if ok else {}),
            }
        )
    return schema.CLASSES.check(pd.DataFrame(rows, columns=list(schema.CLASSES.columns)))


def _hot_cold(used: pd.DataFrame, rules: Rules, seed: int) -> dict[str, Any]:
    score = float(used["percentile"].mean())
    label = "hot" if score >= rules.hot_from else "cold" if score <= rules.cold_to else "intermediate"
    margin = min(abs(score - rules.hot_from), abs(score - rules.cold_to))
    return {"label": label, "nearest": label, "score": score, "margin": margin}


def _immune_class(used: pd.DataFrame, rules: Rules, seed: int) -> dict[str, Any]:
    names, centroids = _centroids()
    z = used["z"].to_numpy(dtype=float)
    distances = _distances(z[None, :], centroids)[0]
    order = np.argsort(distances)
    shares = _shares(z, centroids, rules, seed)
    nearest, posterior = names[order[0]], float(shares[order[0]])
    return {
        "label": nearest if posterior >= rules.posterior_least else _INDETERMINATE,
        "nearest": nearest,
        "score": float(distances[order[0]]),
        "margin": float(distances[order[1]] - distances[order[0]]),
        "posterior": posterior,
        "posteriors": ", ".join(f"{name} {share:.3f}" for name, share in zip(names, shares, strict=True)),
    }


def _centroids() -> tuple[tuple[str, ...], Floats]:
    content = catalog.load_signatures()["sarcoma_immune_class"].centroids
    return tuple(content["classes"]), np.array([content[axis] for axis in _POPULATIONS], dtype=np.float64).T


def _distances(points: Floats, centroids: Floats) -> Floats:
    return np.asarray(np.linalg.norm(points[:, None, :] - centroids[None, :, :], axis=2))


def _shares(z: Floats, centroids: Floats, rules: Rules, seed: int) -> Floats:
    """Return how often each class is nearest when the pipeline shifts and stretches the axes."""
    rng = np.random.default_rng(seed)
    spread = np.array([rules.offset_sd.get(axis, 0.0) for axis in _POPULATIONS])
    stretch = 1.0 + rules.scale_sd * rng.standard_normal((_DRAWS, len(z)))
    moved = z * stretch + spread * rng.standard_normal((_DRAWS, len(z)))
    nearest = _distances(moved, centroids).argmin(axis=1)
    return np.asarray(np.bincount(nearest, minlength=len(centroids)) / _DRAWS)


_POPULATIONS = ("T cells", "Cytotoxic lymphocytes", "B lineage", "Endothelial cells")
_SCHEMES: Mapping[str, tuple[tuple[str, ...], Callable[[pd.DataFrame, Rules, int], dict[str, Any]]]] = {
    "hot_cold": (_AXES, _hot_cold),
    "sarcoma_immune_class": (_POPULATIONS, _immune_class),
}
