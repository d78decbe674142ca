"""Tables whose rows name a patient, and are of that patient's sample of one timepoint."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from immunosarc.errors import DataFileError
from immunosarc.loaders._clinical import Part
from immunosarc.loaders._expression import Matrix
from immunosarc.loaders._fault import Fault, few, listed

__all__ = ["patients_at", "rows_at"]


def patients_at(samples: Part, timepoint: str) -> pd.Series:
    """Return whose each sample of a timepoint is, indexed by sample; of tumors, where samples say what they are.

    Parameters
    ----------
    samples : Part
    timepoint : str
    """
    of_time = samples.frame[samples.frame["timepoint"] == timepoint]
    if "specimen" in of_time:
        of_time = of_time[of_time["specimen"].fillna("tumor") == "tumor"]
    return of_time.set_index("sample_id")["patient_id"]


def rows_at(
    matrix: Matrix, samples: Part, faults: list[Fault], *, file: str, timepoint: str
) -> tuple[Matrix, list[tuple[str, str, str]]]:
    """Return rows of patients as rows of their samples, and who has none as (patient, sample, reason).

    Parameters
    ----------
    matrix : Matrix
        Its ``libraries`` are patients.
    samples : Part
    faults : list of Fault
        Patients that are unknown, or have several samples, are added here.
    file : str
        For the messages.
    timepoint : str
    """
    owner = patients_at(samples, timepoint)
    patients = pd.Series(matrix.libraries, dtype=object)
    twice = sorted(set(owner[owner.duplicated()]) & set(patients))
    if twice:
        text = f"{file}: patients {listed(twice)} have several samples at {timepoint!r}; name samples in the file"
        faults.append(Fault(DataFileError, text))
    unknown = [one for one in dict.fromkeys(patients) if one not in set(samples.owners.values())]
    cure = "add one to [samples], or say drop"
    lines = [Fault(DataFileError, f"{file}: patient {one!r} has no sample at all; {cure}") for one in unknown]
    faults += few(lines, "patients")
    library = {sample: name for name, sample in reversed(list(samples.libraries.items()))}
    named = patients.map({patient: library[sample] for sample, patient in owner.items()})
    stays = np.flatnonzero(named.notna() & ~patients.isin(twice))
    gone = patients[named.isna() & ~patients.isin([*unknown, *twice])]
    if not (len(stays) or twice or unknown):
        faults.append(
            Fault(DataFileError, f"{file}: none of its patients has a sample at {timepoint!r}; check sample_at")
        )
    kept = replace(matrix, libraries=named.iloc[stays].tolist(), values=matrix.values[stays])
    return kept, [(str(who), "", f"no {timepoint} sample") for who in gone]
