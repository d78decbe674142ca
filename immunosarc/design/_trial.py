"""What every trial that counts successes can say of itself, at any true rate: exactly, and by simulation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import pandas as pd

from immunosarc.design._record import DesignRecord
from immunosarc.stats import Look, Operating, operating_characteristics, simulate_looks

__all__ = ["CountingTrial"]


class CountingTrial(DesignRecord):
    """A trial that counts successes and stops at limits.

    A design gives its ``looks``; what it does at a true rate follows from them, exactly and by
    simulation.
    """

    @property
    @abstractmethod
    def looks(self) -> tuple[Look, ...]:
        """When the trial looks at its data, and at which counts it stops."""

    @property
    def truths(self) -> tuple[float, ...]:
        """True rates from 5% to 95%."""
        return tuple(i / 20 for i in range(1, 20))

    def operating_characteristics(self, rates: Sequence[float]) -> pd.DataFrame:
        """Return what the trial does at each true rate, exactly.

        Parameters
        ----------
        rates : sequence of float
            True rates, 0 to 1.

        Returns
        -------
        DataFrame
            ``rate``, chance of ``success``, ``expected_n``, chance to ``stop_early``.
        """
        return _table(rates, [operating_characteristics(self.looks, p) for p in rates])

    def simulate(self, rates: Sequence[float], *, n_trials: int = 10_000, seed: int = 0) -> pd.DataFrame:
        """Return the same by running the trial patient by patient.

        Parameters
        ----------
        rates : sequence of float
            True rates, 0 to 1.
        n_trials : int
            Trials per rate.
        seed : int
            Of the random numbers.

        Returns
        -------
        DataFrame
            As :meth:`operating_characteristics`.
        """
        return _table(rates, [simulate_looks(self.looks, p, n_trials=n_trials, seed=seed) for p in rates])


def _table(rates: Sequence[float], found: Sequence[Operating]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "rate": list(rates),
            "success": [one.success for one in found],
            "expected_n": [one.expected_n for one in found],
            "stop_early": [float(one.stopped[:-1].sum()) for one in found],
        }
    )
