"""What is made from invented patients says so in every row."""

from __future__ import annotations

import pandas as pd

__all__ = ["is_simulated", "marked"]

_COLUMN = "simulated"


def is_simulated(table: pd.DataFrame) -> bool:
    """Return whether a table was made from a simulated cohort.

    Parameters
    ----------
    table : DataFrame
        Any result.

    Returns
    -------
    bool

    Examples
    --------
    >>> is_simulated(marked(pd.DataFrame({"n": [1]}), simulated=True))
    True
    """
    return _COLUMN in table


def marked(table: pd.DataFrame, *, simulated: bool) -> pd.DataFrame:
    """Return the table, with the column ``simulated`` ("SIMULATED") when it is.

    Parameters
    ----------
    table : DataFrame
        Left unchanged.
    simulated : bool
        Whether it was made from a simulated cohort.

    Returns
    -------
    DataFrame

    Examples
    --------
    >>> marked(pd.DataFrame({"n": [1]}), simulated=True)["simulated"].tolist()
    ['SIMULATED']
    """
    return table.assign(**{_COLUMN: "SIMULATED"}) if simulated else table
