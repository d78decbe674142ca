"""The next trial: whom to select, how many patients, and when to stop."""

from immunosarc.design._enrichment import assurance, enrichment, simulate_enrichment
from immunosarc.design._monitoring import MonitoredDesign, predictive_probability
from immunosarc.design._response_toxicity import ResponseToxicityDesign, bryant_day
from immunosarc.design._screening import Screening, screening
from immunosarc.design._simon import SimonDesign, simon, simon_designs
from immunosarc.design._single_stage import SingleStageDesign, ahern, fleming, single_stage_designs
from immunosarc.design._stratify import stratify
from immunosarc.design._stratum_rule import StratumRule, read_rule

__all__ = [
    "MonitoredDesign",
    "ResponseToxicityDesign",
    "Screening",
    "SimonDesign",
    "SingleStageDesign",
    "StratumRule",
    "ahern",
    "assurance",
    "bryant_day",
    "enrichment",
    "fleming",
    "predictive_probability",
    "read_rule",
    "screening",
    "simon",
    "simon_designs",
    "simulate_enrichment",
    "single_stage_designs",
    "stratify",
]
