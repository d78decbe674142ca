"""Dates of one patient that cannot all be true."""

from __future__ import annotations

import pandas as pd

__all__ = ["contradictions"]

_DAYS = ("death_day", "last_alive_day", "data_cut_day")


def contradictions(patients: pd.DataFrame) -> list[tuple[str, str]]:
    """Return patient and words for each pair of dates that contradict each other.

    A missing date contradicts nothing.

    Parameters
    ----------
    patients : DataFrame
        Every column of ``schema.PATIENTS``, indexed by patient.

    Returns
    -------
    list of tuple of str
        In the order of the rules; ``("P7", "last_alive_day 120 is after death_day 100")``.
    """
    found: list[tuple[str, str]] = []
    for impossible, words in _rules(patients):
        rows = patients[impossible.fillna(False).astype(bool)]
        found += [(str(patient), words.format_map(row)) for patient, row in rows.to_dict("index").items()]
    return found


def _rules(p: pd.DataFrame) -> list[tuple[pd.Series, str]]:
    died, dead = p["os_event"].eq(True), p["death_day"].notna()
    return [
        *((p[day] < 1, f"{day} {{{day}:g}} is before the first dose") for day in _DAYS),
        (
            p["last_alive_day"] > p["death_day"],
            "last_alive_day {last_alive_day:g} is after death_day {death_day:g}",
        ),
        (
            died & dead & (p["os_days"] != p["death_day"]),
            "os_days {os_days:g} with death disagrees with death_day {death_day:g}",
        ),
        (
            p["os_event"].eq(False) & (p["os_days"] >= p["death_day"]),
            "os_days {os_days:g} is censored, but death_day is {death_day:g}",
        ),
        (
            died & (p["last_alive_day"] > p["os_days"]),
            "last_alive_day {last_alive_day:g} is after death on os_days {os_days:g}",
        ),
        (p["pfs_days"] > p["death_day"], "pfs_days {pfs_days:g} goes beyond death_day {death_day:g}"),
        (
            died & ~dead & (p["pfs_days"] > p["os_days"]),
            "pfs_days {pfs_days:g} goes beyond death on os_days {os_days:g}",
        ),
        (
            p["pfs_event"].eq(False) & (p["pfs_days"] == p["death_day"]),
            "pfs_days {pfs_days:g} is censored, but death on that day is an event",
        ),
        (p["pfs_days"] > p["data_cut_day"], "pfs_days {pfs_days:g} goes beyond data_cut_day {data_cut_day:g}"),
        (p["os_days"] > p["data_cut_day"], "os_days {os_days:g} goes beyond data_cut_day {data_cut_day:g}"),
    ]
