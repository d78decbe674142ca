"""Overall survival from whatever the trial recorded: ready-made, or the days of death and contact."""

from __future__ import annotations

import numpy as np
import pandas as pd

__all__ = ["overall_survival"]


def overall_survival(patients: pd.DataFrame) -> pd.DataFrame:
    """Return days from first dose to death or censoring, and whether death happened.

    Ready-made ``os_days`` goes first, patient by patient. The first dose is day 1, so the
    duration up to a study day is that day's number.

    Parameters
    ----------
    patients : DataFrame
        Every column of ``schema.PATIENTS``.

    Returns
    -------
    DataFrame
        ``os_days`` and ``os_event`` (boolean); missing where nothing was recorded.

    Examples
    --------
    >>> patients = pd.DataFrame(
    ...     {
    ...         "os_days": [np.nan, np.nan], "os_event": pd.array([None, None], dtype="boolean"),
    ...         "death_day": [400.0, np.nan], "last_alive_day": [np.nan, 90.0], "data_cut_day": [365.0, 365.0],
    ...     }
    ... )
    >>> overall_survival(patients).to_numpy().tolist()
    [[365.0, False], [90.0, False]]
    """
    cut = patients["data_cut_day"]
    died = patients["death_day"].notna() & ~(patients["death_day"] > cut)
    # whoever died after the cut was alive at it
    seen = patients["death_day"].fillna(patients["last_alive_day"])
    days = seen.where(~(seen > cut), cut)
    ready = patients["os_days"].notna()
    event = died.astype("boolean").where(days.notna())
    return pd.DataFrame(
        {
            "os_days": patients["os_days"].where(ready, days).astype(np.float64),
            "os_event": patients["os_event"].where(ready, event),
        }
    )
