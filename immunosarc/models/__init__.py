"""Features against outcomes: association, change on treatment, prediction."""

from immunosarc.models._association import asked, associate
from immunosarc.models._baseline import compare_biopsied, compare_change
from immunosarc.models._card import detectability
from immunosarc.models._change import RESPONSE_GROUPS, compare_timepoints, pair_timepoints
from immunosarc.models._composition import compare_composition
from immunosarc.models._concordance import Concordance, concordance
from immunosarc.models._course import compare_course
from immunosarc.models._cross_validate import cross_validate
from immunosarc.models._cross_validate_gate import ModelGate, model_gate
from immunosarc.models._cross_validate_pipeline import PREDICTORS
from immunosarc.models._cross_validate_record import Prediction
from immunosarc.models._cut_point import search_cut_points
from immunosarc.models._histology import explained_by_group, leave_one_group_out
from immunosarc.models._landmark import landmark_flow
from immunosarc.models._leakage import audit_leakage
from immunosarc.models._locked import lock_model, read_model, write_model
from immunosarc.models._locked_record import LockedFeature, LockedModel
from immunosarc.models._methods import MODELS
from immunosarc.models._resistance import progression_incidence, with_resistance
from immunosarc.models._shift import immunogenicity_shift
from immunosarc.models._strata import effective_sizes
from immunosarc.models._sweep import sweep_landmarks
from immunosarc.models._transition import class_probabilities, compare_classes, pair_classes
from immunosarc.models._transport import transport
from immunosarc.models._transport_record import Transport

__all__ = [
    "MODELS",
    "PREDICTORS",
    "RESPONSE_GROUPS",
    "Concordance",
    "LockedFeature",
    "LockedModel",
    "ModelGate",
    "Prediction",
    "Transport",
    "asked",
    "associate",
    "audit_leakage",
    "class_probabilities",
    "compare_biopsied",
    "compare_change",
    "compare_classes",
    "compare_composition",
    "compare_course",
    "compare_timepoints",
    "concordance",
    "cross_validate",
    "detectability",
    "effective_sizes",
    "explained_by_group",
    "immunogenicity_shift",
    "landmark_flow",
    "leave_one_group_out",
    "lock_model",
    "model_gate",
    "pair_classes",
    "pair_timepoints",
    "progression_incidence",
    "read_model",
    "search_cut_points",
    "sweep_landmarks",
    "transport",
    "with_resistance",
    "write_model",
]
