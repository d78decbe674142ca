"""Fractions of cell types in a mixture: least squares under constraints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize

from immunosarc import catalog
from immunosarc.errors import ImmunosarcError
from immunosarc.features._deconvolution import DECONVOLUTION
from immunosarc.features._normalize import quantile_normalized
from immunosarc.features._profiles import CellProfiles, as_profiles
from immunosarc.features._scoring import Floats

__all__ = ["mixture", "mixture_within_one", "nnls", "quantiseq"]

_LEVEL = 0.95
_FEW_TREGS = 0.02
_OTHER = "uncharacterized cells"
_TUMOR_GENES = frozenset(
    {"ADAM6", "CD36", "CFB", "CSTA", "ECM1", "ENPP2", "FCGBP", "FCRLA", "FXYD6", "GATM", "HOPX", "HPGD"}
    | {"NUPR1", "PDPN", "PLTP", "SERPING1", "SLC1A3"}
)
"""Genes of TIL10 that tumors of the TCGA express themselves, as the publication lists them."""
_NOISY_GENES = frozenset(
    {"C5AR2", "CD248", "CD36", "CEP19", "CSTA", "CYP4F3", "DOCK5", "HAL", "LRRK2", "LY96", "NINJ2", "NRGN"}
    | {"PPP1R3B", "TECPR2", "TLR1", "TLR4", "TMEM154"}
)
"""Genes of TIL10 that the publication leaves out for RNA-seq."""
_RENAMED = {"ADRBK2": "GRK3", "BZRAP1": "TSPOAP1", "FAM179A": "TOGARAM2", "GUCY1A3": "GUCY1A1", "SQRDL": "SQOR"}
"""Former symbols of TIL10 genes that the table of aliases does not hold (HGNC)."""

Solve = Callable[[Floats, Floats], Floats]


@DECONVOLUTION.register(
    "nnls",
    label="Non-negative least squares on a reference of one's own",
    output="cell_fraction",
    scale="share of the cell types in the reference",
    reference="",
    reads=("reference", "n_bootstrap", "seed"),
    needs=(),
    oracle="scipy.optimize.lsq_linear",
)
def nnls(
    frame: pd.DataFrame,
    min_coverage: float,
    *,
    reference: CellProfiles | pd.DataFrame | None,
    n_bootstrap: int,
    seed: int,
) -> list[dict[str, Any]]:
    r"""Return the mixture of pure profiles nearest to each sample, its weights scaled to sum to one.

    .. math:: \min_{w \ge 0} \lVert R w - x \rVert^2

    With mRNA contents the weights are divided by them first: shares of cells instead of shares of mRNA.
    """
    given = _given(reference, "nnls")
    content = _content(given)

    def solve(pure: Floats, mixed: Floats) -> Floats:
        weights = mixture(pure, mixed) / content
        total = weights.sum()
        return np.asarray(weights / total if total > 0 else np.full(len(weights), np.nan))

    fit = _Fit(solve, [str(kind) for kind in given.profiles.columns], min_coverage)
    of = "cells" if given.mrna_scaling is not None else "mRNA"
    note = f"of the cell types in the reference: tumor cells that it lacks are not counted; shares of {of}"
    return fit.rows(np.exp2(frame) - 1.0, given.profiles, note=note, n_bootstrap=n_bootstrap, seed=seed)


@DECONVOLUTION.register(
    "quantiseq",
    label="quanTIseq",
    output="cell_fraction",
    scale="share of all cells",
    reference="10.1186/s13073-019-0638-6",
    reads=("reference", "n_bootstrap", "seed", "platform"),
    needs=("tpm", "log2_tpm"),
    oracle="the constrained optimum by scipy's SLSQP; conditions of optimality",
)
def quantiseq(
    frame: pd.DataFrame,
    min_coverage: float,
    *,
    reference: CellProfiles | pd.DataFrame | None,
    n_bootstrap: int,
    seed: int,
    platform: str,
) -> list[dict[str, Any]]:
    r"""Return the fractions of quanTIseq, and what its ten cell types leave over.

    .. math:: \min_w \lVert R w - x \rVert^2, \quad w \ge 0, \quad \textstyle\sum w \le 1

    with x in TPM over all genes of the assay. Weights are divided by the mRNA content of each cell type and
    scaled back to their sum; the rest are uncharacterized cells. Genes that tumors express themselves are left
    out, and for RNA-seq the noisy ones too. Where regulatory T cells come below 2%, they are averaged with a
    second fit without CD4 T cells, which lose that mean, and everything is scaled to sum to one. Microarrays
    are quantile-normalized first (ties share their mean), which ties each sample to its cohort.
    """
    given = _given(reference, "quantiseq")
    if given.mrna_scaling is None:
        raise ImmunosarcError(
            "'quantiseq' needs the mRNA content of the cell types: read_cell_profiles(..., mrna_scaling=)"
        )
    arrays = platform == "microarray"
    left_out = _TUMOR_GENES if arrays else _TUMOR_GENES | _NOISY_GENES
    linear = (
        pd.DataFrame(quantile_normalized(np.exp2(frame.to_numpy())), frame.index, frame.columns)
        if arrays
        else (np.exp2(frame) - 1.0)
    )
    totals = [np.nansum(np.ascontiguousarray(sample)) for sample in linear.to_numpy()]  # one by one: to the digit
    per_million = linear.mul(1e6 / np.array(totals), axis=0)
    profiles, renamed = _under_current_symbols(given.profiles, frame.columns)
    profiles = profiles.loc[~given.profiles.index.isin(left_out)]
    kinds = [str(kind) for kind in profiles.columns]
    content = _content(given)
    fit = _Fit(lambda pure, mixed: _shares(pure, mixed, content, kinds), [*kinds, _OTHER], min_coverage)
    notes = [f"{len(given.profiles) - len(profiles)} genes that tumors express or that are noisy left out"]
    notes += ["quantile-normalized: depends on the cohort"] if arrays else []
    notes += [f"found under another symbol: {', '.join(renamed)}"] if renamed else []
    return fit.rows(per_million, profiles, note="; ".join(notes), n_bootstrap=n_bootstrap, seed=seed)


def mixture(pure: Floats, mixed: Floats) -> Floats:
    """Return the weights, none negative, whose mixture of profiles is nearest to a sample."""
    return np.asarray(optimize.nnls(pure, mixed, maxiter=100 * pure.shape[1])[0])


def mixture_within_one(pure: Floats, mixed: Floats) -> Floats:
    """Return the same under the condition that the weights sum to one at most.

    Where the sum is too large the optimum lies on the simplex. There the residual is (pure - mixed) w, and
    its least norm is a non-negative problem again: with a further row of ones that should give one, the
    direction of the solution is that of the optimum.
    """
    weights = mixture(pure, mixed)
    if weights.sum() <= 1.0:
        return weights
    scale = np.linalg.norm(pure, 2)
    apart = np.vstack([(pure - mixed[:, None]) / scale, np.ones(pure.shape[1])])
    weights = mixture(apart, np.append(np.zeros(len(pure)), 1.0))
    return np.asarray(weights / weights.sum())


@dataclass(frozen=True)
class _Fit:
    """How the shares of one sample are found, and their names."""

    solve: Solve
    names: list[str]
    min_coverage: float

    def rows(
        self, linear: pd.DataFrame, profiles: pd.DataFrame, *, note: str, n_bootstrap: int, seed: int
    ) -> list[dict[str, Any]]:
        """Return one row for each sample and cell type; every sample meets the same resamplings."""
        shared = profiles.index.intersection(linear.columns)
        pure = profiles.loc[shared].to_numpy(dtype=float)
        again = np.random.default_rng(seed).integers(0, max(1, len(shared)), (n_bootstrap, len(shared)))
        rows = []
        values = np.ascontiguousarray(linear[shared].to_numpy(dtype=float))
        for sample, mixed in zip(linear.index, values, strict=True):
            known = ~np.isnan(mixed)
            shares, low, high, status = self._one(pure, mixed, known, again)
            if known.sum() < self.min_coverage * len(profiles):
                shares, low, high = self._nothing()
                status = f"covers {known.sum()} of {len(profiles)} reference genes, needs {self.min_coverage:.0%}"
            rows += [
                {
                    "sample_id": sample,
                    "cell_type": name,
                    "value": shares[place],
                    "conf_low": low[place],
                    "conf_high": high[place],
                    "n_genes": len(profiles),
                    "n_found": int(known.sum()),
                    "status": status,
                    "note": note,
                }
                for place, name in enumerate(self.names)
            ]
        return rows

    def _one(self, pure: Floats, mixed: Floats, known: Any, again: Any) -> tuple[Floats, Floats, Floats, str]:
        """Return the shares of one sample with percentile limits over resampled genes."""
        if known.sum() < pure.shape[1]:
            return *self._nothing(), "fewer genes than cell types"
        mixed, pure = np.where(known, mixed, 0.0), np.where(known[:, None], pure, 0.0)
        best = self.solve(pure, mixed)
        if np.isnan(best).any():
            return *self._nothing(), "nothing of the reference is in the sample"
        if not len(again):
            return best, *self._nothing()[:2], "ok"
        drawn = np.array([self.solve(pure[genes], mixed[genes]) for genes in again])
        tail = (1 - _LEVEL) / 2
        low, high = np.nanquantile(drawn, [tail, 1 - tail], axis=0)
        return best, low, high, "ok"

    def _nothing(self) -> tuple[Floats, Floats, Floats]:
        nothing = np.full(len(self.names), np.nan)
        return nothing, nothing, nothing


def _shares(pure: Floats, mixed: Floats, content: Floats, kinds: list[str]) -> Floats:
    """Return the published shares of one sample, the uncharacterized last."""
    if not mixed.any():
        return np.full(len(kinds) + 1, np.nan)
    first = _per_cell(pure, mixed, content)
    if {"Tregs", "T.cells.CD4"} <= set(kinds):
        regulatory, helper = kinds.index("Tregs"), kinds.index("T.cells.CD4")
        if first[regulatory] < _FEW_TREGS:
            others = np.arange(len(kinds)) != helper
            second = _per_cell(pure[:, others], mixed, content[others])[regulatory - (helper < regulatory)]
            first[regulatory] = (second + first[regulatory]) / 2
            first[helper] = max(0.0, first[helper] - (second + first[regulatory]) / 2)
    return first / first.sum()


def _per_cell(pure: Floats, mixed: Floats, content: Floats) -> Floats:
    weights = mixture_within_one(pure, mixed)
    total, cells = weights.sum(), weights / content
    shares = cells / cells.sum() * total if total > 0 else weights
    return np.append(shares, max(0.0, 1.0 - shares.sum()))


def _given(reference: CellProfiles | pd.DataFrame | None, method: str) -> CellProfiles:
    if reference is None:
        more = " (read_cell_profiles reads the TIL10 files)" if method == "quantiseq" else ""
        raise ImmunosarcError(
            f"'{method}' needs reference=: a table of genes by cell types, linear expression{more}"
        )
    return as_profiles(reference)


def _content(given: CellProfiles) -> Floats:
    if given.mrna_scaling is None:
        return np.ones(given.profiles.shape[1])
    return given.mrna_scaling[list(given.profiles.columns)].to_numpy(dtype=float)


def _under_current_symbols(profiles: pd.DataFrame, names: pd.Index) -> tuple[pd.DataFrame, list[str]]:
    """Give the reference's genes the names that the assay has, whichever of the two is the older."""
    absent = [gene for gene in profiles.index if gene not in names]
    aliases = catalog.load_gene_aliases()
    newer = dict(zip(aliases["alias"], aliases["approved"], strict=True)) | _RENAMED
    older: dict[str, list[str]] = {}
    for old, new in newer.items():
        if old in names:
            older.setdefault(new, []).append(old)
    renamed = {}
    for gene in absent:
        known = [newer[gene]] if newer.get(gene) in names else older.get(gene, [])
        if len(known) == 1 and known[0] not in profiles.index:  # two candidates: nobody knows which
            renamed[gene] = known[0]
    return profiles.rename(index=renamed), [f"{gene} as {found}" for gene, found in renamed.items()]
