"""Expression of the simulated biopsies: latent programs, what was planted in them, and noise.

Every component has a random stream of its own, and draws for all 33 patients whether or not
they were biopsied: a new component, or another biopsy, changes nothing that was there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc.simulate._genes import PROGRAMS, GeneModel

__all__ = ["Planted", "cold_tumors", "expression"]

Floats = NDArray[np.float64]

_STREAMS = ("inflammation", "programs", "patients", "samples", "library", "sensitivity")  # append, never reorder
_SAME_TUMOR = 0.7  # correlation of a program between two biopsies of one patient
_OWN_SHARE = 0.5  # share of a gene's own variance that stays with the patient
_QUALITY = 0.2  # spread of the library's effect on a gene, in standard deviations
_TOTAL = 1e6
_LEAST_FILLING = 0.05  # share of the abundant genes, however much the others take


@dataclass(frozen=True)
class Planted:
    """What is true in the simulated trial, in standard deviations of a program.

    Attributes
    ----------
    response : Series
        Shift of the B lineage program of each patient, at both timepoints.
    histology : mapping of str to float
        Shift of the endothelial program in each histology that is named.
    hot : float
        Rise of :attr:`hot_programs` on treatment in tumors that were cold before.
    """

    response: pd.Series
    histology: Mapping[str, float]
    hot: float
    hot_programs: tuple[str, ...] = ("t_cytotoxic", "interferon")


def expression(
    patients: pd.DataFrame, samples: pd.DataFrame, model: GeneModel, *, planted: Planted, seed: int
) -> pd.DataFrame:
    """Return TPM of each sample and gene; each row sums to a million.

    log2 TPM of a gene is its level plus its spread times a standard normal value, of which the
    program holds the share ``loading ** 2`` of the variance, the patient and the single biopsy the
    rest; then the planted shifts, the histology's offset and the library are added. The abundant
    genes fill the library up: a rising program takes its share from them, and leaves the null
    panel where it was.

    Parameters
    ----------
    patients, samples : DataFrame
        As in a cohort.
    model : GeneModel
        What is fixed about each gene.
    planted : Planted
        What is true.
    seed : int
        At least 0.

    Returns
    -------
    DataFrame of shape (n_samples, n_genes)
        TPM, all above 0.
    """
    owner = patients.index.get_indexer(samples["patient_id"])
    visit = (samples["timepoint"] == "on").to_numpy(dtype=np.int64)
    moved = _programs(patients, planted, seed)[visit, owner]
    shared = np.concatenate([moved, np.zeros((len(samples), 1))], axis=1)[:, model.program]
    own = _own_noise(len(patients), len(model.names), seed)[visit, owner]
    library = _draw(seed, "library", (2, len(patients), 1))[visit, owner]
    sensitivity = _QUALITY * _draw(seed, "sensitivity", (len(model.names),))
    offset = model.histology[patients["histology"].iloc[owner]].to_numpy().T
    value = model.loading * shared + np.sqrt(1.0 - model.loading**2) * own + library * sensitivity + offset
    tpm = np.exp2(model.level + model.spread * value)
    others = tpm[:, ~model.abundant].sum(axis=1, keepdims=True)
    filling = np.maximum(_TOTAL - others, _LEAST_FILLING * _TOTAL)
    tpm[:, model.abundant] *= filling / tpm[:, model.abundant].sum(axis=1, keepdims=True)
    tpm *= _TOTAL / (others + filling)
    return pd.DataFrame(tpm, index=samples.index, columns=pd.Index(model.names, dtype=object))


def cold_tumors(patients: pd.DataFrame, seed: int) -> pd.Series:
    """Return which tumors were less inflamed than average before treatment.

    Parameters
    ----------
    patients : DataFrame
        Indexed by patient, every patient of the trial.
    seed : int
        The seed of the trial.

    Returns
    -------
    Series of bool
        Indexed by patient.
    """
    return pd.Series(_draw(seed, "inflammation", (2, len(patients)))[0] < 0, index=patients.index)


def _programs(patients: pd.DataFrame, planted: Planted, seed: int) -> Floats:
    """Return the programs of each patient before and on treatment, (2, patients, programs)."""
    size = len(patients)
    inflamed = _two_visits(_draw(seed, "inflammation", (2, size)))[:, :, None]
    specific = _two_visits(_draw(seed, "programs", (2, size, len(PROGRAMS))))
    follows = np.array([program.inflammation for program in PROGRAMS.values()])
    value = follows * inflamed + np.sqrt(1.0 - follows**2) * specific
    names = list(PROGRAMS)
    value[:, :, names.index("b_lineage")] += planted.response.reindex(patients.index).to_numpy(dtype=float)
    value[:, :, names.index("endothelial")] += patients["histology"].map(planted.histology).fillna(0.0).to_numpy()
    cold = cold_tumors(patients, seed).to_numpy()
    for name in planted.hot_programs:
        value[1, cold, names.index(name)] += planted.hot
    return value


def _own_noise(n_patients: int, n_genes: int, seed: int) -> Floats:
    """Return what a gene does beside its program, alike but not equal in two biopsies of a patient."""
    patient = _draw(seed, "patients", (n_genes, n_patients)).T
    sample = _draw(seed, "samples", (n_genes, 2, n_patients)).transpose(1, 2, 0)
    return np.sqrt(_OWN_SHARE) * patient + np.sqrt(1.0 - _OWN_SHARE) * sample


def _two_visits(draws: Floats) -> Floats:
    """Make the second of two standard normal draws resemble the first."""
    first, second = draws
    return np.stack([first, _SAME_TUMOR * first + np.sqrt(1.0 - _SAME_TUMOR**2) * second])


def _draw(seed: int, stream: str, shape: tuple[int, ...]) -> Floats:
    source = np.random.SeedSequence(seed, spawn_key=(_STREAMS.index(stream),))
    return np.random.Generator(np.random.PCG64(source)).standard_normal(shape)
