"""The next trial: how many patients, and when to stop."""

from immunosarc.design._monitoring import MonitoredDesign, predictive_probability
from immunosarc.design._response_toxicity import ResponseToxicityDesign, bryant_day
from immunosarc.design._simon import SimonDesign, simon, simon_designs
from immunosarc.design._single_stage import SingleStageDesign, ahern, fleming, single_stage_designs

__all__ = [
    "MonitoredDesign",
    "ResponseToxicityDesign",
    "SimonDesign",
    "SingleStageDesign",
    "ahern",
    "bryant_day",
    "fleming",
    "predictive_probability",
    "simon",
    "simon_designs",
    "single_stage_designs",
]
