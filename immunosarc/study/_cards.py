"""What every family of a study could have found, before anything is found."""

from __future__ import annotations

import logging
from collections.abc import Iterable

import pandas as pd

from immunosarc.study._question_tasks import Asked, could_be_found
from immunosarc.workers import Workers

__all__ = ["card_table"]

_log = logging.getLogger("immunosarc")


def card_table(questions: Iterable[Asked], hands: Workers | None = None) -> pd.DataFrame:
    """Return the detectability cards of all planned families, from the permutations of the associations.

    Parameters
    ----------
    questions : iterable of Asked
        Every planned question to every panel.
    hands : Workers, optional
        They do the work; this process unless given.

    Returns
    -------
    DataFrame
        As from ``models.detectability``, family by family; empty where nothing was measured.
    """
    _log.info("what could be found")
    cards = list((hands or Workers()).map(could_be_found, questions))
    return pd.concat(cards, ignore_index=True) if cards else pd.DataFrame()
