"""The next trial: whom to select, how many patients, and when to stop."""

from immunosarc.design._biomarker_stratified import BiomarkerStratified, biomarker_stratified
from immunosarc.design._control_sensitivity import control_sensitivity
from immunosarc.design._enrichment import assurance, enrichment
from immunosarc.design._follow_up import FollowUp
from immunosarc.design._interaction import InteractionDesign, interaction
from immunosarc.design._monitoring import MonitoredDesign, predictive_probability
from immunosarc.design._one_sample import OneSampleLogRank, one_sample_log_rank
from immunosarc.design._randomized import RandomizedLogRank, randomized_log_rank
from immunosarc.design._record import DesignRecord
from immunosarc.design._response_toxicity import ResponseToxicityDesign, bryant_day
from immunosarc.design._screening import Screening, screening
from immunosarc.design._selected_rate import (
    MarkerEffect,
    SelectedRate,
    combine_effects,
    published_effect,
    rate_in_selected,
)
from immunosarc.design._simon import SimonDesign, simon, simon_designs
from immunosarc.design._simulate_enrichment import simulate_enrichment
from immunosarc.design._single_stage import SingleStageDesign, ahern, fleming, single_stage_designs
from immunosarc.design._stratify import stratify
from immunosarc.design._stratum_rule import StratumRule, read_rule
from immunosarc.design._survival_rate import SurvivalRateDesign, survival_rate

__all__ = [
    "BiomarkerStratified",
    "DesignRecord",
    "FollowUp",
    "InteractionDesign",
    "MarkerEffect",
    "MonitoredDesign",
    "OneSampleLogRank",
    "RandomizedLogRank",
    "ResponseToxicityDesign",
    "Screening",
    "SelectedRate",
    "SimonDesign",
    "SingleStageDesign",
    "StratumRule",
    "SurvivalRateDesign",
    "ahern",
    "assurance",
    "biomarker_stratified",
    "bryant_day",
    "combine_effects",
    "control_sensitivity",
    "enrichment",
    "fleming",
    "interaction",
    "one_sample_log_rank",
    "predictive_probability",
    "published_effect",
    "randomized_log_rank",
    "rate_in_selected",
    "read_rule",
    "screening",
    "simon",
    "simon_designs",
    "simulate_enrichment",
    "single_stage_designs",
    "stratify",
    "survival_rate",
]
