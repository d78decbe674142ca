"""The genes of the simulated assay: how high, how variable, and which program moves them.

Nothing here depends on the seed: a gene has its level as a histology has its name.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc import catalog

__all__ = ["PROGRAMS", "GeneModel", "Program", "gene_model"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Program:
    """Genes that move together.

    Attributes
    ----------
    signatures : tuple of str
        The catalog signatures whose genes belong to it.
    inflammation : float
        Correlation of the program with the overall inflammation of the tumor.
    """

    signatures: tuple[str, ...]
    inflammation: float


PROGRAMS: Mapping[str, Program] = {
    # a gene belongs to the first program that claims it
    "b_lineage": Program(
        ("mcp_b_lineage", "b_cells_danaher9", "b_cells_budczies8", "plasma_cells_sc6", "tls_hallmark9"), 0.5
    ),
    "endothelial": Program(("mcp_endothelial", "angiogenesis_immotion6"), 0.0),
    "t_cytotoxic": Program(
        (
            "mcp_t_cells",
            "mcp_cd8_t_cells",
            "mcp_cytotoxic_lymphocytes",
            "danaher_t_cells",
            "danaher_cd8_t_cells",
            "danaher_cytotoxic",
            "danaher_exhausted_cd8",
            "cyt",
            "ctl5",
            "teff_imvigor8",
        ),
        0.9,
    ),
    "interferon": Program(
        ("gep18_tcell_inflamed", "ifng6", "ifng10", "expanded_immune18", "mhc_ii13", "apm6"), 0.85
    ),
    "myeloid": Program(
        (
            "mcp_monocytic_lineage",
            "danaher_macrophages",
            "macrophage_c1q_trem2_5",
            "macrophage_m2_8",
            "danaher_dc",
        ),
        0.6,
    ),
    "stroma": Program(("mcp_fibroblasts", "f_tbrs19", "lrrc15_caf11", "emt1_imvigor8"), 0.0),
    "hypoxia": Program(("hypoxia_buffa51",), -0.2),
    "proliferation": Program(("proliferation10", "cell_cycle_davoli10", "cinsarc67"), 0.0),
    "immune": Program(("estimate_immune", "roh41", "hallmark_ifng", "b_cells_helmink66"), 0.7),
}
"""The latent programs, and how far each follows the inflammation of the tumor."""

N_BACKGROUND = 1500
NULL_SET_SIZE = 12
_N_ABUNDANT = 60
_LEAST_SPREAD = 0.1
_TOTAL = 1e6
_ABUNDANT_SPREAD = 0.5
_MOST_SPREAD = 2.5  # log2 units; beyond it the low end of the reference table is noise
_HISTOLOGY_SHARE, _HISTOLOGY_SPREAD = 0.4, 0.7
_ENTROPY = 4028063  # a constant: the gene model is part of the trial, not of a seed


@dataclass(frozen=True)
class GeneModel:
    """What is fixed about each gene; one entry per gene.

    Attributes
    ----------
    names : ndarray of str
        Catalog genes by their symbols, then background and null genes as ``SIM0001``...
    level, spread : ndarray of float
        Mean and standard deviation of log2 TPM.
    loading : ndarray of float
        Correlation of the gene with its program; 0 without one.
    program : ndarray of int
        Position in :data:`PROGRAMS`, -1 without one.
    histology : DataFrame
        Offset of each background gene in each histology, in standard deviations.
    abundant : ndarray of bool
        The genes that fill the library up to a million.
    null_sets : mapping of str to list of str
        Sets of genes that nothing moves.
    """

    names: NDArray[np.object_]
    level: Floats
    spread: Floats
    loading: Floats
    program: NDArray[np.int64]
    histology: pd.DataFrame
    abundant: NDArray[np.bool_]
    null_sets: Mapping[str, list[str]]


@functools.lru_cache(maxsize=4)
def gene_model(n_null: int) -> GeneModel:
    """Return the genes with ``n_null`` sets of genes that nothing moves.

    Levels follow the shipped reference of soft-tissue sarcomas, so that a score of the
    simulated trial lies where that of a sarcoma lies; sixty abundant genes hold the rest of
    the million, as collagens and ribosomal genes do in a real library.
    """
    program_of = _program_of_gene()
    real = sorted({gene for one in catalog.load_signatures().values() for gene in one.all_genes})
    plain = [f"SIM{i:04d}" for i in range(1, N_BACKGROUND + 1)]
    null = [f"SIM{i:04d}" for i in range(N_BACKGROUND + 1, N_BACKGROUND + n_null * NULL_SET_SIZE + 1)]
    reference = catalog.load_sarcoma_reference().genes.rename(
        columns={"mean_log2tpm1": "mean", "sd_log2tpm1": "sd"}
    )
    others = reference[~reference.index.isin(real)]
    expressed = others[others["mean"] > 1]
    levels = pd.concat(
        [
            reference.reindex(real).fillna(_drawn(expressed, real, part=0)),
            _drawn(expressed, plain, part=1),
            _drawn(others[others["mean"].between(2, 7)], null, part=2),
        ]
    )
    names = levels.index.to_numpy(dtype=object)
    program = np.array([program_of.get(gene, -1) for gene in names], dtype=np.int64)
    level, spread = _log2_tpm(levels)
    spread = np.maximum(spread, _LEAST_SPREAD)  # genes that the reference never sees still vary a little
    abundant = np.isin(names, plain[:_N_ABUNDANT])
    rest = ~abundant & ~np.isin(names, null)  # the null panel's size must not move the other genes
    level[abundant], spread[abundant] = _share_of_the_rest(level[rest], spread[rest]), _ABUNDANT_SPREAD
    return GeneModel(
        names=names,
        level=level,
        spread=spread,
        loading=np.where(program >= 0, _generator(3).uniform(0.65, 0.9, len(names)), 0.0),
        program=program,
        histology=_histology_offsets(plain[_N_ABUNDANT:]).reindex(names, fill_value=0.0),
        abundant=abundant,
        null_sets={f"null_{i + 1:02d}": null[i * NULL_SET_SIZE : (i + 1) * NULL_SET_SIZE] for i in range(n_null)},
    )


def _generator(part: int) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(_ENTROPY, spawn_key=(part,))))


def _program_of_gene() -> dict[str, int]:
    signatures = catalog.load_signatures()
    owner: dict[str, int] = {}
    for position, program in enumerate(PROGRAMS.values()):
        for name in program.signatures:
            for gene in signatures[name].genes:
                owner.setdefault(gene, position)
    return owner


def _drawn(reference: pd.DataFrame, names: list[str], *, part: int) -> pd.DataFrame:
    """Give each name the level and spread of some gene of the reference."""
    rows = _generator(part).integers(len(reference), size=len(names))
    return reference.iloc[rows].set_axis(pd.Index(names, dtype=object))


def _log2_tpm(levels: pd.DataFrame) -> tuple[Floats, Floats]:
    """Turn mean and SD of log2(TPM + 1) into those of log2 TPM, by the delta method."""
    mean = levels["mean"].to_numpy(dtype=float)
    tpm = np.exp2(mean) - 1.0
    slope = tpm / (1.0 + tpm)
    return np.log2(tpm), np.minimum(levels["sd"].to_numpy(dtype=float) / slope, _MOST_SPREAD)


def _share_of_the_rest(level: Floats, spread: Floats) -> float:
    """Return the level of an abundant gene that brings the expected total to a million."""
    half = np.log(2.0) / 2.0
    rest = _TOTAL - float(np.exp2(level + spread**2 * half).sum())
    return float(np.log2(rest / _N_ABUNDANT) - _ABUNDANT_SPREAD**2 * half)


def _histology_offsets(genes: list[str]) -> pd.DataFrame:
    generator = _generator(4)
    labels = sorted(catalog.histologies()["label"])
    moved = generator.random((len(genes), 1)) < _HISTOLOGY_SHARE
    offsets = generator.normal(0.0, _HISTOLOGY_SPREAD, (len(genes), len(labels))) * moved
    return pd.DataFrame(offsets, index=pd.Index(genes, dtype=object), columns=labels)
