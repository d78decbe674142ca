"""Features against outcomes: association, change on treatment."""

from immunosarc.models._association import MODELS, associate
from immunosarc.models._change import RESPONSE_GROUPS, compare_timepoints, pair_timepoints

__all__ = ["MODELS", "RESPONSE_GROUPS", "associate", "compare_timepoints", "pair_timepoints"]
