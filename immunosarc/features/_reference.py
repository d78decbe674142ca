"""Frozen references: where the samples of a known cohort lie, so that one new sample can be placed."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from immunosarc import catalog
from immunosarc.errors import CoverageError, ImmunosarcError, UnitError, UnknownNameError
from immunosarc.features._alignment import dense, scored_assay
from immunosarc.features._scoring import Floats
from immunosarc.features._units import unit_of

if TYPE_CHECKING:
    import anndata

__all__ = ["Population", "Reference", "Rules", "build_reference", "reference_of", "sarcoma_reference"]

_MIN_COVERAGE = 0.8
_SHIPPED = "sarcoma"


@dataclass(frozen=True)
class Population:
    """The distribution of one score over the reference.

    Attributes
    ----------
    genes : tuple of str
        Whose mean log2 expression is the score.
    mean, sd : float
        Over the samples of the reference.
    probabilities, quantiles : tuple of float
        Points of its distribution function.
    """

    genes: tuple[str, ...]
    mean: float
    sd: float
    probabilities: tuple[float, ...]
    quantiles: tuple[float, ...]


@dataclass(frozen=True)
class Rules:
    """The limits that this project set; change them with ``dataclasses.replace``.

    Attributes
    ----------
    hot_from, cold_to : float
        Mean percentile of TIS18 and CYT from which a tumor is called hot, and up to which cold. A rule of
        this project, not of a publication.
    length_warn, length_refuse : float
        Absolute correlation of the residual with log gene length above which a sample is flagged, or refused as
        not length-normalized.
    resemblance_warn : float
        Correlation with the mean profile below which a sample is flagged.
    min_genes : int
        Genes shared with the reference that the guard needs.
    expressed_from : float
        Mean log2 expression in the reference from which a gene enters the scale factor.
    posterior_least : float
        Below it a class is indeterminate.
    offset_sd : mapping
        Population to the standard deviation of what another pipeline may add to its z.
    scale_sd : float
        Standard deviation of what it may multiply the z by.
    """

    hot_from: float = 2 / 3
    cold_to: float = 1 / 3
    length_warn: float = 0.2
    length_refuse: float = 0.3
    resemblance_warn: float = 0.75
    min_genes: int = 1000
    expressed_from: float = 1.5
    posterior_least: float = 0.5
    offset_sd: Mapping[str, float] = field(
        default_factory=lambda: {
            "T cells": 0.35,
            "Cytotoxic lymphocytes": 0.35,
            "B lineage": 0.2,
            "Endothelial cells": 0.5,
        }
    )
    scale_sd: float = 0.15


@dataclass(frozen=True, eq=False)
class Reference:
    """A frozen cohort: nothing in it changes when samples are placed on it.

    Attributes
    ----------
    name : str
        How tables call it.
    unit, platform : str
        What a placed assay must have.
    n : int
        Samples of the reference.
    populations : mapping
        Name to :class:`Population`.
    genes : DataFrame
        Index ``gene``; columns ``mean`` and ``sd`` of log2 expression: the gene universe.
    absolute : bool
        Whether samples of another pipeline may be placed, behind the guard; otherwise only samples of the
        pipeline that made the reference.
    source, license : str
        Where it comes from and on which terms.
    rules : Rules
        The limits of guard and classes.
    """

    name: str
    unit: str
    platform: str
    n: int
    populations: Mapping[str, Population]
    genes: pd.DataFrame
    absolute: bool = False
    source: str = ""
    license: str = ""
    rules: Rules = field(default_factory=Rules)

    @functools.cached_property
    def hash(self) -> str:
        """SHA-256 of everything that decides a placement or a class."""
        content = {"data": self.data_hash, "rules": vars(self.rules)}
        return hashlib.sha256(json.dumps(content, sort_keys=True, default=dict).encode()).hexdigest()

    @functools.cached_property
    def data_hash(self) -> str:
        """SHA-256 of the same without the rules, which people may set."""
        content: dict[str, Any] = {
            "unit": self.unit,
            "platform": self.platform,
            "n": self.n,
            "absolute": self.absolute,
            "populations": {name: vars(one) for name, one in self.populations.items()},
            "genes": {
                str(gene): list(row) for gene, row in zip(self.genes.index, self.genes.to_numpy(), strict=True)
            },
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    def __repr__(self) -> str:
        return f"<Reference {self.name!r}: {self.n} samples, {self.unit}, {len(self.populations)} populations>"


@functools.cache
def sarcoma_reference() -> Reference:
    """Return the shipped reference of 394 soft-tissue sarcomas: leiomyosarcoma, UPS, myxofibro- and liposarcoma.

    Experimental, and for polyA TPM only. It was made from published quartiles per gene, so the distributions of
    scores rest on a model of their correlation. The offset budget behind the class posteriors is a working figure.

    Returns
    -------
    Reference
        Twelve populations, among them T cells, cytotoxic lymphocytes, B lineage, endothelial cells, TIS18, CYT.

    Examples
    --------
    >>> sarcoma_reference()
    <Reference 'sarcoma_394_experimental': 394 samples, log2_tpm, 12 populations>
    """
    shipped = catalog.load_sarcoma_reference()
    populations = {
        name: Population(
            genes=tuple(one["genes"]),
            mean=float(one["mean"]),
            sd=float(one["sd"]),
            probabilities=tuple(map(float, one["quantiles"])),
            quantiles=tuple(map(float, one["quantiles"].values())),
        )
        for name, one in shipped.populations.items()
    }
    return Reference(
        name="sarcoma_394_experimental",
        unit="log2_tpm",
        platform="polya_rnaseq",
        n=sum(shipped.n[code] for code in shipped.pool),
        populations=populations,
        genes=shipped.genes.set_axis(["mean", "sd"], axis=1),
        absolute=True,
        source=shipped.source,
        license=shipped.license,
    )


def reference_of(given: Reference | str | None) -> Reference:
    """Return the reference that is meant; without one nothing is placed and nobody has a class."""
    if isinstance(given, Reference):
        return given
    if given == _SHIPPED:
        return sarcoma_reference()
    if given is None:
        raise ImmunosarcError(
            "without a reference there is a continuous score (features.score) and no class: give 'sarcoma' for "
            "TPM, or freeze 20 or more sarcomas of your own pipeline with features.build_reference"
        )
    raise UnknownNameError(
        f"unknown reference {given!r}: 'sarcoma' is the shipped one; features.read_reference reads a file"
    )


def build_reference(
    adata: anndata.AnnData,
    populations: Mapping[str, tuple[str, ...] | list[str]] | None = None,
    *,
    name: str = "own_cohort",
    min_samples: int = 20,
) -> Reference:
    """Freeze a cohort of one's own, so that later samples of the same pipeline are placed on it.

    Parameters
    ----------
    adata : AnnData of shape (n_samples, n_genes)
        Expression in any unit; counts are taken as log2(CPM+1).
    populations : mapping, optional
        Name to gene symbols; default: the populations of :func:`sarcoma_reference`.
    name : str, default "own_cohort"
        How tables call it.
    min_samples : int, default 20
        Fewer samples give no reference: percentiles of a handful are noise.

    Returns
    -------
    Reference
        With the populations of which at least 80% of the genes are measured; samples that lack a value of a
        population's gene do not count for it.

    Raises
    ------
    ImmunosarcError
        With fewer than ``min_samples`` samples.
    CoverageError
        When no population is covered.
    UnitError
        When the samples were normalized to each other.

    Examples
    --------
    >>> from immunosarc.cohort import make_assay
    >>> values = np.random.default_rng(0).gamma(1.0, 20.0, (25, 2))
    >>> assay = make_assay(pd.DataFrame(values, columns=["GZMA", "PRF1"]), unit="tpm")
    >>> build_reference(assay, {"CYT": ["GZMA", "PRF1"]})
    <Reference 'own_cohort': 25 samples, log2_tpm, 1 populations>
    """
    if adata.n_obs < min_samples:
        raise ImmunosarcError(f"a reference needs {min_samples} samples, the assay has {adata.n_obs}")
    if how := adata.uns.get("immunosarc", {}).get("normalized"):
        raise UnitError(
            f"the assay is {how}-normalized: later samples cannot be made alike; give it as quantified"
        )
    assay = scored_assay(adata)
    frame = pd.DataFrame(dense(assay.X), columns=[str(gene) for gene in assay.var_names])
    frame = frame.loc[:, frame.notna().any()]
    wanted = populations or {key: one.genes for key, one in sarcoma_reference().populations.items()}
    found = {key: _population(frame, tuple(genes), min_samples) for key, genes in wanted.items()}
    kept = {key: one for key, one in found.items() if one is not None}
    if not kept:
        raise CoverageError(
            f"none of {len(wanted)} populations has {_MIN_COVERAGE:.0%} of its genes in {min_samples} samples; "
            f"the assay's genes look like: {', '.join(map(str, adata.var_names[:5]))}"
        )
    return Reference(
        name=name,
        unit=unit_of(assay),
        platform=str(adata.uns["immunosarc"].get("platform", "")),
        n=adata.n_obs,
        populations=kept,
        genes=pd.DataFrame({"mean": frame.mean(), "sd": frame.std(ddof=1)}).rename_axis("gene"),
        source=str(adata.uns["immunosarc"].get("source", "")),
    )


def _population(frame: pd.DataFrame, genes: tuple[str, ...], min_samples: int) -> Population | None:
    here = tuple(gene for gene in genes if gene in frame.columns)
    if not here or len(here) < _MIN_COVERAGE * len(genes):
        return None
    scores: Floats = frame[list(here)].mean(axis=1, skipna=False).dropna().to_numpy()
    if len(scores) < min_samples or scores.min() == scores.max():
        return None
    probabilities = (np.arange(len(scores)) + 0.5) / len(scores)
    return Population(
        genes=here,
        mean=float(scores.mean()),
        sd=float(scores.std(ddof=1)),
        probabilities=tuple(probabilities.tolist()),
        quantiles=tuple(np.sort(scores).tolist()),
    )
