"""The 33 simulated patients and their biopsies: the same for every seed."""

from __future__ import annotations

from importlib import resources

import pandas as pd

from immunosarc import catalog

__all__ = ["read_trial", "trial_patients", "trial_samples"]

_BIOPSIES = {"pre": "pre_day", "on": "on_day"}


def read_trial() -> pd.DataFrame:
    """Return one row per patient: outcomes of the catalog, and what was invented around them."""
    file = resources.files("immunosarc.simulate").joinpath("trial.tsv")
    with file.open(encoding="utf-8") as lines:
        invented = pd.read_csv(lines, sep="\t", index_col="patient_id")
    # the words on what happened stay in the catalog: they would give the derived values away
    outcomes = catalog.load_simulated_trial().drop(columns="how")
    return outcomes.join(invented, how="left", validate="one_to_one")


def trial_patients(trial: pd.DataFrame) -> pd.DataFrame:
    """Return the patients table; nothing that the endpoints derive is in it.

    Parameters
    ----------
    trial : DataFrame
        See :func:`read_trial`.

    Returns
    -------
    DataFrame
        ``schema.PATIENTS`` with the histology's label and ``histology_code``.
    """
    label = catalog.histologies()["label"]
    named = trial.assign(histology=trial["histology_code"].map(label))
    return named.drop(columns=["pre_day", "on_day", "site"])


def trial_samples(trial: pd.DataFrame) -> pd.DataFrame:
    """Return the biopsies, patient by patient, in the order in which they were taken.

    Parameters
    ----------
    trial : DataFrame
        See :func:`read_trial`.

    Returns
    -------
    DataFrame
        ``schema.SAMPLES``; ids are patient and timepoint, ``"SIM01_pre"``.
    """
    taken = pd.concat(
        [
            trial[[day, "site"]].dropna().rename(columns={day: "study_day"}).assign(timepoint=timepoint)
            for timepoint, day in _BIOPSIES.items()
        ]
    ).reset_index()
    samples = taken.sort_values(["patient_id", "study_day"], ignore_index=True).assign(specimen="tumor")
    samples.index = pd.Index(samples["patient_id"] + "_" + samples["timepoint"], name="sample_id")
    return samples[["patient_id", "timepoint", "study_day", "specimen", "site"]]
