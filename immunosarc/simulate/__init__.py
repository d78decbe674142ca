"""The embedded default: a SIMULATED trial whose truth is known."""

from immunosarc.simulate._cohort import simulate_cohort

__all__ = ["simulate_cohort"]
