"""Cohort: five parts of a trial, linked and checked.

A cohort holds data and answers questions about itself. It never analyzes: that is done by
functions that take it.
"""

from __future__ import annotations

import html
import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pandas as pd

from immunosarc import schema
from immunosarc.cohort._assay import (
    observed,
    same_assay,
    sample_ids,
    storable,
)
from immunosarc.cohort._cbioportal_out import write_study
from immunosarc.cohort._links import checked, link_problems, names_samples, provenance_problems, refuse_cells
from immunosarc.cohort._mudata_out import as_mudata, write_h5mu
from immunosarc.cohort._patient_features import patient_features
from immunosarc.cohort._storage import content_hash, read_folder, write_folder
from immunosarc.cohort._words import described, in_lines
from immunosarc.errors import CohortError, UnknownNameError, did_you_mean, raise_together

if TYPE_CHECKING:
    import mudata

__all__ = ["Cohort"]

_SHOWN = 5
_WRITERS = {"immunosarc": write_folder, "cbioportal": write_study, "h5mu": write_h5mu}


@dataclass(frozen=True, eq=False, repr=False)
class Cohort:
    """Patients, samples, long tables, assays and where they come from.

    Construction checks every table and every link and raises once with all problems.

    Parameters
    ----------
    patients : DataFrame
        One row per patient, index (or column) ``patient_id``; see ``schema.PATIENTS``.
    samples : DataFrame, optional
        One row per sample, index (or column) ``sample_id``; see ``schema.SAMPLES``.
    tables : mapping of str to DataFrame, optional
        Long tables, by the names of ``schema.LONG_TABLES``.
    assays : mapping of str to AnnData, optional
        See :func:`make_assay`. ``cohort["rna"]`` returns one; scanpy works on it.
    provenance : mapping, optional
        Name, source, hashes, and what loading left out; values that JSON can hold.

    Raises
    ------
    CohortError
        With every problem: values that a schema refuses, samples of unknown patients,
        observations of unknown samples.

    Examples
    --------
    >>> import immunosarc as ims
    >>> cohort = ims.Cohort(
    ...     patients=pd.DataFrame({"patient_id": ["P1", "P2"], "best_overall_response": ["PR", "PD"]}),
    ...     samples=pd.DataFrame({"sample_id": ["S1"], "patient_id": ["P1"], "timepoint": ["pre"]}),
    ...     assays={"rna": ims.make_assay(pd.DataFrame({"GZMA": [3.0]}, index=["S1"]), unit="tpm")},
    ... )
    >>> cohort
    Cohort: 2 patients, 1 sample (1 pre), 0 pre-on pairs
      rna: 1 sample x 1 feature, tpm
    """

    patients: pd.DataFrame
    samples: pd.DataFrame = field(default_factory=lambda: schema.SAMPLES.empty())
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    assays: Mapping[str, anndata.AnnData] = field(default_factory=dict)
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems: list[str] = []
        patients = checked(schema.PATIENTS, self.patients, problems)
        samples = checked(schema.SAMPLES, self.samples, problems)
        tables = {}
        for name, frame in self.tables.items():
            if name not in schema.LONG_TABLES:
                problems.append(f"unknown table '{name}'.{did_you_mean(name, schema.LONG_TABLES)}")
                continue
            tables[name] = checked(schema.LONG_TABLES[name], frame, problems)
        for name, adata in self.assays.items():
            problems += schema.assay_problems(name, adata)
        if not problems:
            problems += link_problems(patients, samples, tables, self.assays)
        problems += provenance_problems(self.provenance)
        raise_together(CohortError, "cohort", problems)
        object.__setattr__(self, "patients", patients)
        object.__setattr__(self, "samples", samples)
        object.__setattr__(self, "tables", MappingProxyType(tables))
        object.__setattr__(self, "assays", MappingProxyType(dict(self.assays)))
        object.__setattr__(self, "provenance", MappingProxyType(dict(self.provenance)))

    def __getitem__(self, name: str) -> anndata.AnnData:
        """Return the assay ``name``."""
        if name not in self.assays:
            hint = did_you_mean(name, self.assays) if self.assays else " It has none."
            raise UnknownNameError(f"the cohort has no assay {name!r}.{hint}")
        return self.assays[name]

    @property
    def name(self) -> str:
        """The cohort's short name, from its provenance."""
        return str(self.provenance.get("name", "cohort"))

    @property
    def simulated(self) -> bool:
        """Whether the cohort was made by simulation; everything drawn from it must say so."""
        return bool(self.provenance.get("simulated", False))

    @property
    def sha256(self) -> str:
        """Hash of everything but the provenance: the same data give it from whichever files."""
        return content_hash(self._frames(), self.assays)

    def _frames(self) -> dict[str, pd.DataFrame]:
        long = {f"tables/{name}": table for name, table in self.tables.items()}
        return {"patients": self.patients, "samples": self.samples, **long}

    def at(self, timepoint: str) -> Cohort:
        """Return the cohort with the samples of one timepoint; every patient stays.

        Parameters
        ----------
        timepoint : {"pre", "on", "post"}
            When the samples were taken.

        Returns
        -------
        Cohort

        Raises
        ------
        UnknownNameError
            When there is no such timepoint.
        """
        if timepoint not in schema.TIMEPOINTS:
            raise UnknownNameError(f"unknown timepoint {timepoint!r}.{did_you_mean(timepoint, schema.TIMEPOINTS)}")
        return self.select(samples=self.samples["timepoint"] == timepoint)

    def select(
        self,
        *,
        patients: pd.Series | Iterable[str] | None = None,
        samples: pd.Series | Iterable[str] | None = None,
    ) -> Cohort:
        """Return the cohort with some of its patients or samples.

        Parameters
        ----------
        patients, samples : boolean Series or ids, optional
            What stays. Samples of patients who do not stay leave with them; a missing value
            in a boolean Series counts as False.

        Returns
        -------
        Cohort

        Raises
        ------
        UnknownNameError
            When an id is not in the cohort.
        """
        kept_patients = _chosen(self.patients, patients, "patient")
        kept_samples = _chosen(self.samples, samples, "sample")
        kept_samples &= self.samples["patient_id"].isin(self.patients.index[kept_patients]).to_numpy()
        ids = self.samples.index[kept_samples]
        parts = {
            "patients": self.patients[kept_patients],
            "samples": self.samples[kept_samples],
            "tables": {
                name: table[
                    table["sample_id"].isin(ids)
                    if names_samples(name)
                    else table["patient_id"].isin(self.patients.index[kept_patients])
                ]
                for name, table in self.tables.items()
            },
            "assays": {name: observed(adata, ids) for name, adata in self.assays.items()},
            "provenance": self.provenance,
        }
        return _of_checked(parts)

    def per_patient(self, features: pd.DataFrame) -> pd.DataFrame:
        """Return sample features as patient features: the only way from samples to patients.

        Parameters
        ----------
        features : DataFrame of shape (n_samples, n_features)
            Indexed by sample id, numeric; samples outside this cohort are ignored. A text column
            ``status`` says why a sample has no values.

        Returns
        -------
        DataFrame
            ``schema.PATIENT_FEATURES``: one row for every patient of the cohort. A patient
            without a sample keeps a row of missing values, and ``status`` says why.

        Raises
        ------
        CohortError
            When the cohort holds two samples of one patient, or several timepoints, or
            ``features`` is not indexed by this cohort's samples.

        Examples
        --------
        >>> cohort = Cohort(
        ...     patients=pd.DataFrame(index=pd.Index(["P1", "P2"], name="patient_id")),
        ...     samples=pd.DataFrame({"sample_id": ["S1"], "patient_id": ["P1"], "timepoint": ["pre"]}),
        ... )
        >>> cohort.at("pre").per_patient(pd.DataFrame({"cyt": [2.5]}, index=["S1"]))["status"].tolist()
        ['ok', 'no pre sample']
        """
        refuse_cells(features, self.assays)
        return patient_features(self.patients, self.samples, features)

    @property
    def pairs(self) -> pd.Index:
        """The patients with a sample before and a sample on treatment."""
        by_time = self.samples.groupby("timepoint")["patient_id"].agg(set)
        both = by_time.get("pre", set()) & by_time.get("on", set())
        return self.patients.index[self.patients.index.isin(list(both))]

    def describe(self) -> pd.DataFrame:
        """Return what the cohort holds: one row per part, with its size and its completeness.

        Returns
        -------
        DataFrame
            Columns ``part``, ``name``, ``rows``, ``patients``, ``detail``.
        """
        return described(self.patients, self.samples, self.tables, assays=self.assays, n_pairs=len(self.pairs))

    def equals(self, other: object) -> bool:
        """Return whether another cohort holds the same data, types and provenance."""
        if not isinstance(other, Cohort):
            return False
        return (
            self.patients.equals(other.patients)
            and self.samples.equals(other.samples)
            and _same_items(self.tables, other.tables, lambda a, b: a.equals(b))
            and _same_items(self.assays, other.assays, same_assay)
            and json.dumps(dict(self.provenance), sort_keys=True)
            == json.dumps(dict(other.provenance), sort_keys=True)
        )

    def to_anndata(self, name: str) -> anndata.AnnData:
        """Return a copy of an assay whose ``obs`` also carries the sample and patient columns."""
        adata = self[name].copy()
        samples = self.samples.reindex(sample_ids(adata))
        patients = self.patients.reindex(samples["patient_id"])
        for frame in (samples, patients.drop(columns=samples.columns, errors="ignore")):
            for column in frame.columns:
                adata.obs[column] = storable(frame[column])
        return adata

    def to_mudata(self) -> mudata.MuData:
        """Return the assays as the modalities of one MuData, with the clinical tables in ``uns``.

        Returns
        -------
        mudata.MuData
            ``uns["immunosarc"]`` holds ``patients``, ``samples``, every long table, the origin and whether the
            cohort is simulated. Needs the extra ``interop``.

        Raises
        ------
        DataFileError
            When mudata is not installed, or the cohort has no assay.

        Examples
        --------
        >>> import immunosarc as ims
        >>> ims.simulate_cohort(seed=7).to_mudata()["rna"].n_obs
        51
        """
        return as_mudata(self._frames(), self.assays, self.provenance)

    def write(self, path: str | os.PathLike[str], *, format: str = "immunosarc") -> Path:
        """Write the cohort into a folder that loads back equal.

        Parameters
        ----------
        path : path
            A folder that does not exist yet, or one that a cohort was written to before; for ``"h5mu"`` a file.
        format : {"immunosarc", "cbioportal", "h5mu"}
            ``"immunosarc"`` is read by :meth:`read`. ``"cbioportal"`` is a study folder for the portal's importer:
            meta files, patients, samples, timelines, mutations, expression; ``load_cohort(folder /
            "immunosarc.toml")`` reads it back with the same tables and assays. What the portal has no place for
            (long tables without a day in every row) stands in the folder ``immunosarc`` beside. ``"h5mu"`` is
            :meth:`to_mudata` as one file, for other programs: nothing here reads it back.

        Returns
        -------
        Path
            The folder, or the file.

        Raises
        ------
        DataFileError
            When the folder holds something else, or the format cannot hold the cohort: an assay of cells, layers,
            ids with other characters than letters, digits, ``.``, ``-`` and ``_``.
        UnknownNameError
            When there is no such format.

        Examples
        --------
        >>> import tempfile
        >>> import immunosarc as ims
        >>> folder = ims.simulate_cohort(seed=7).write(f"{tempfile.mkdtemp()}/study", format="cbioportal")
        >>> ims.load_cohort(folder / "immunosarc.toml").sha256 == ims.simulate_cohort(seed=7).sha256
        True
        """
        if format not in _WRITERS:
            raise UnknownNameError(f"unknown format {format!r}.{did_you_mean(format, _WRITERS)}")
        return _WRITERS[format](path, self._frames(), self.assays, self.provenance)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Cohort:
        """Read a cohort that :meth:`write` wrote.

        Parameters
        ----------
        path : path
            The folder.

        Returns
        -------
        Cohort

        Raises
        ------
        DataFileError
            When the folder is not a cohort, or of a format that this version does not know.
        """
        frames, assays, provenance = read_folder(path)
        return cls(
            patients=frames.pop("patients"),
            samples=frames.pop("samples"),
            tables={name.removeprefix("tables/"): frame for name, frame in frames.items()},
            assays=assays,
            provenance=provenance,
        )

    def __repr__(self) -> str:
        title, parts = f"Cohort{self._title()}", (self.patients, self.samples)
        return in_lines(title, parts, self.tables, assays=self.assays, n_pairs=len(self.pairs))

    def _title(self) -> str:
        name = f" {self.provenance['name']}" if "name" in self.provenance else ""
        return f"{name} [SIMULATED]" if self.simulated else name

    def _repr_html_(self) -> str:
        title = html.escape(f"Cohort{self._title()}")
        return f"<strong>{title}</strong>{self.describe().to_html(index=False, border=0)}"


def _chosen(frame: pd.DataFrame, which: pd.Series | Iterable[str] | None, noun: str) -> np.ndarray:
    if which is None:
        return np.ones(len(frame), dtype=bool)
    if isinstance(which, pd.Series) and pd.api.types.is_bool_dtype(which.dtype):
        return which.reindex(frame.index).fillna(False).to_numpy(dtype=bool)
    ids = list(which)
    unknown = [str(one) for one in ids if one not in frame.index]
    if unknown:
        raise UnknownNameError(f"unknown {noun} {unknown[:_SHOWN]}.{did_you_mean(unknown[0], frame.index)}")
    return np.asarray(frame.index.isin(ids))


def _same_items(one: Mapping[str, Any], other: Mapping[str, Any], same: Callable[[Any, Any], bool]) -> bool:
    return set(one) == set(other) and all(same(one[name], other[name]) for name in one)


def _of_checked(parts: Mapping[str, Any]) -> Cohort:
    """Return a cohort of parts that a cohort held already: rows taken away leave every check true."""
    cohort = object.__new__(Cohort)
    for name, part in parts.items():
        object.__setattr__(cohort, name, MappingProxyType(dict(part)) if isinstance(part, Mapping) else part)
    return cohort
