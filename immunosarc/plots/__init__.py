"""Figures: a result table goes in, a drawn ``Axes`` comes out. Nothing is computed, shown or saved here."""

from immunosarc.plots._attrition import attrition, flow_steps
from immunosarc.plots._butterfly import butterfly
from immunosarc.plots._cohort_forest import cohort_forest
from immunosarc.plots._concordance import concordance
from immunosarc.plots._forest import forest
from immunosarc.plots._heatmap import heatmap
from immunosarc.plots._kaplan_meier import kaplan_meier
from immunosarc.plots._next_trial import historical_controls, next_trial
from immunosarc.plots._oncoprint import oncoprint
from immunosarc.plots._paired_change import paired_change
from immunosarc.plots._prediction import calibration, decision_curve
from immunosarc.plots._rates import rates
from immunosarc.plots._sample_quality import sample_quality
from immunosarc.plots._specification_curve import specification_curve
from immunosarc.plots._spider import spider
from immunosarc.plots._swimmer import swimmer
from immunosarc.plots._volcano import volcano
from immunosarc.plots._waterfall import waterfall
from immunosarc.plots._words import (
    CONDITIONAL,
    DASH,
    Measure,
    alpha_text,
    counted,
    endpoint_label,
    family_condition,
    family_title,
    interval_text,
    measure,
    number_text,
    p_text,
    percent_text,
    signed_text,
)

__all__ = [
    "CONDITIONAL",
    "DASH",
    "Measure",
    "alpha_text",
    "attrition",
    "butterfly",
    "calibration",
    "cohort_forest",
    "concordance",
    "counted",
    "decision_curve",
    "endpoint_label",
    "family_condition",
    "family_title",
    "flow_steps",
    "forest",
    "heatmap",
    "historical_controls",
    "interval_text",
    "kaplan_meier",
    "measure",
    "next_trial",
    "number_text",
    "oncoprint",
    "p_text",
    "paired_change",
    "percent_text",
    "rates",
    "sample_quality",
    "signed_text",
    "specification_curve",
    "spider",
    "swimmer",
    "volcano",
    "waterfall",
]
