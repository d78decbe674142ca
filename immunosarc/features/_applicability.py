"""What a score depends on in this assay: the card to read before a signature enters a plan."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from immunosarc import catalog, schema
from immunosarc.errors import ImmunosarcError
from immunosarc.features._alignment import Alignment, align
from immunosarc.features._coverage import coverage_rows
from immunosarc.features._lineage import conflicts_of, histologies_in_conflict
from immunosarc.features._published import EXPRESSED, published_alignments, published_coverage
from immunosarc.features._scoring import SCORING, Floats

if TYPE_CHECKING:
    import anndata

__all__ = ["applicability"]

_FEWEST_SAMPLES = 5
_LOW = 0.05


def applicability(
    adata: anndata.AnnData,
    signatures: Any = None,
    *,
    method: str = "published",
    min_coverage: float = 0.8,
    loss: float = 0.2,
    n_draws: int = 20,
    seed: int = 0,
) -> pd.DataFrame:
    """Return what each signature's score depends on in this assay, and how well it bears lost genes.

    Parameters
    ----------
    adata : AnnData of shape (n_samples, n_genes)
        As for :func:`score`.
    signatures : Signatures, mapping or path, optional
        As for :func:`score`.
    method : str, default "published"
        As for :func:`score`.
    min_coverage : float, default 0.8
        As for :func:`score`.
    loss : float, default 0.2
        Share of a signature's usable genes that is taken away at random, at least one.
    n_draws : int, default 20
        How often; 0 leaves the question open.
    seed : int, default 0
        Of the draws.

    Returns
    -------
    DataFrame
        ``schema.APPLICABILITY``, one row per signature. ``depends_on`` is ``"sample"`` when a score stays the same
        whoever else is in the table. ``lineage_conflict`` lists genes that sarcoma cells themselves make,
        after the histology or ``any``; :func:`lineage_guard` scores without them.
        ``loss_correlation`` compares the samples' order with and without the lost genes; it is missing
        for a single gene, for scores built of pairs or elements, and with fewer than 5 samples.

    Raises
    ------
    ImmunosarcError
        When ``loss`` is not a share, or ``n_draws`` negative.
    UnitError
        When the assay holds no expression, or its numbers contradict its unit.
    UnknownNameError
        For a method that does not exist or is only planned.

    Examples
    --------
    >>> from immunosarc.cohort import make_assay
    >>> frame = pd.DataFrame({"GZMA": [3.0, 0.0], "PRF1": [15.0, 1.0]}, index=["S1", "S2"])
    >>> card = applicability(make_assay(frame, unit="counts"), catalog.load_signatures().subset("cyt"))
    >>> card.loc[0, ["depends_on", "platform_fit"]].tolist()
    ['sample', 'published form geometric_mean needs TPM, the assay has counts']
    """
    if not 0 < loss < 1 or n_draws < 0:
        raise ImmunosarcError(
            f"loss is a share between 0 and 1 and n_draws not negative; found {loss!r}, {n_draws!r}"
        )
    sets = catalog.load_signatures() if signatures is None else catalog.as_signatures(signatures)
    if method == "published":
        aligned = published_alignments(adata, sets, min_coverage)
        rows = published_coverage(adata, sets, min_coverage=min_coverage)
    else:
        aligned = [align(adata, sets, SCORING[method], min_coverage=min_coverage)]
        rows = coverage_rows(aligned[0])
    kept = {name: found for part in aligned for name, found in _after_loss(part, loss, n_draws, seed)}
    cards = [_card(row, sets[row["signature"]], kept) for row in rows]
    return schema.APPLICABILITY.check(pd.DataFrame(cards, columns=list(schema.APPLICABILITY.columns)))


def _card(
    row: dict[str, Any], signature: catalog.Signature, kept: dict[str, tuple[float, float]]
) -> dict[str, Any]:
    kernel = signature.method if row["method"] == "published" and signature.method in SCORING else row["method"]
    record = SCORING[kernel]
    called = kernel == "published"  # no kernel: called gene by gene, or a class scheme
    low, high = (np.nan, np.nan) if called else record.bounds
    correlation, correlation_low = kept.get(signature.name, (np.nan, np.nan))
    misfit = [note for note in str(row["note"]).split("; ") if " needs " in note]
    return {
        **{
            key: row[key] for key in ("signature", "method", "status", "n_genes", "n_found", "coverage", "missing")
        },
        "depends_on": "sample" if record.single_sample or called else "cohort",
        "all_genes": record.all_genes and not called,
        "scale": f"TPM from {EXPRESSED:g}" if called else record.scale,
        "needs": "tpm" if called else record.needs,
        "low": low if np.isfinite(low) else np.nan,
        "high": high if np.isfinite(high) else np.nan,
        "direction": signature.direction,
        "platform_fit": "; ".join(misfit) or "ok",
        "sex_linked": ", ".join(_flagged(signature, "y_linked")),
        "lineage_conflict": _lineage(signature),
        "loss_correlation": correlation,
        "loss_correlation_low": correlation_low,
        "coverage_rule": record.coverage_rule,
        "license": signature.license,
        "patent": signature.patent,
        "reference": record.reference,
        "oracle": record.oracle,
    }


def _lineage(signature: catalog.Signature) -> str:
    everywhere = conflicts_of(signature, "")
    found = [f"any: {', '.join(everywhere)}"] if everywhere else []
    for histology in histologies_in_conflict():
        own = [gene for gene in conflicts_of(signature, histology) if gene not in everywhere]
        found += [f"{histology}: {', '.join(own)}"] if own else []
    return "; ".join(found)


def _flagged(signature: catalog.Signature, flag: str) -> list[str]:
    return [value for name, _, value in (one.partition(":") for one in signature.flags) if name == flag]


def _after_loss(
    aligned: Alignment, loss: float, n_draws: int, seed: int
) -> Iterator[tuple[str, tuple[float, float]]]:
    """Yield median and low correlation of the score with itself after loss, by signature."""
    if not n_draws or aligned.assay.n_obs < _FEWEST_SAMPLES or {"pairs", "parts"} & set(aligned.record.roles):
        return
    usable = aligned.usable
    thinned = {}
    for name, ok in zip(aligned.sets, aligned.covered, strict=True):
        genes = [gene for gene in aligned.sets[name].genes if gene in usable]
        if ok and len(genes) > 1:
            thinned[name] = _thin(aligned.sets[name], genes, loss, n_draws, seed)
    if not thinned:
        return
    whole = _scores(aligned, [aligned.sets[name] for name in thinned])
    less = _scores(aligned, [one for several in thinned.values() for one in several])
    for place, name in enumerate(thinned):
        draws = less[:, place * n_draws : (place + 1) * n_draws]
        found = [_spearman(whole[:, place], draw) for draw in draws.T]
        known = [value for value in found if not np.isnan(value)]
        if known:
            yield name, (float(np.median(known)), float(np.quantile(known, _LOW)))


def _thin(
    signature: catalog.Signature, genes: list[str], loss: float, n_draws: int, seed: int
) -> list[catalog.Signature]:
    """Return the signature without some genes, drawn anew each time; the same for whatever else is scored."""
    rng = np.random.default_rng([seed, *signature.name.encode()])
    left = min(len(genes) - 1, max(1, round(len(genes) * (1 - loss))))
    return [
        dataclasses.replace(
            signature,
            name=f"{signature.name}#{draw}",
            genes=tuple(rng.choice(genes, left, replace=False).tolist()),
        )
        for draw in range(n_draws)
    ]


def _scores(aligned: Alignment, signatures: list[catalog.Signature]) -> Floats:
    sets = catalog.Signatures(signatures)
    part = align(aligned.assay, sets, aligned.record, min_coverage=0.0, options=aligned.options)
    scores = np.full((aligned.assay.n_obs, len(sets)), np.nan)
    if part.covered.any():
        scores[:, part.covered] = part.scores()
    return scores


def _spearman(one: Floats, other: Floats) -> float:
    known = ~np.isnan(one) & ~np.isnan(other)
    first, second = one[known], other[known]
    if len(first) < _FEWEST_SAMPLES or np.ptp(first) == 0 or np.ptp(second) == 0:
        return float("nan")
    return float(stats.spearmanr(first, second).statistic)
