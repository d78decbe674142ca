"""The next trial: how many patients, and when to stop."""

from immunosarc.design._simon import SimonDesign, simon, simon_designs, single_stage_designs

__all__ = ["SimonDesign", "simon", "simon_designs", "single_stage_designs"]
