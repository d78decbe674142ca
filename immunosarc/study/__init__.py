"""Plan, check, lock, run: from a declared analysis to a study."""

from immunosarc.study._agreement import Agreement
from immunosarc.study._asked import asking_only
from immunosarc.study._check import check, checked_cohort
from immunosarc.study._default_plan import plan_for
from immunosarc.study._ledger import ledger
from immunosarc.study._lock import lock
from immunosarc.study._locked import lock_signatures, score_as_locked, transport_to
from immunosarc.study._molecular import MolecularSpec
from immunosarc.study._multiverse import multiverse
from immunosarc.study._next_trial import NextTrial
from immunosarc.study._paths import DeclaredPaths
from immunosarc.study._plan import Plan
from immunosarc.study._questions import FeatureSpec, Hypothesis, Panel, PredictionQuestion
from immunosarc.study._replicate import Replication, read_replication, replicate
from immunosarc.study._run import run
from immunosarc.study._study import Study
from immunosarc.study._trial import trial_tables
from immunosarc.study._two_stage import TwoStage

__all__ = [
    "Agreement",
    "DeclaredPaths",
    "FeatureSpec",
    "Hypothesis",
    "MolecularSpec",
    "NextTrial",
    "Panel",
    "Plan",
    "PredictionQuestion",
    "Replication",
    "Study",
    "TwoStage",
    "asking_only",
    "check",
    "checked_cohort",
    "ledger",
    "lock",
    "lock_signatures",
    "multiverse",
    "plan_for",
    "read_replication",
    "replicate",
    "run",
    "score_as_locked",
    "transport_to",
    "trial_tables",
]
