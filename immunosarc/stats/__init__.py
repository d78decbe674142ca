"""Arrays in, arrays out: the tests, intervals and permutations that the rest of the house relies on."""

from __future__ import annotations

from immunosarc.stats._adjusted_change import AdjustedChange, adjusted_change
from immunosarc.stats._ancova import ancova
from immunosarc.stats._attenuation import disattenuate, normal_scores, triad_reliability
from immunosarc.stats._boundaries import Look, Operating, operating_characteristics, simulate_looks
from immunosarc.stats._bryant_day import ResponseToxicity, response_toxicity_search
from immunosarc.stats._censored_prediction import (
    CensoredBrier,
    baseline_survival,
    brier_censored,
    net_benefit_censored,
)
from immunosarc.stats._clone_shift import CloneOverlap, clone_overlap, clone_shift
from immunosarc.stats._competing_risks import (
    CumulativeIncidence,
    cumulative_incidence,
    cumulative_incidence_scores,
)
from immunosarc.stats._confirmation import confirmation_size
from immunosarc.stats._cox import cox
from immunosarc.stats._detectability import (
    auc_as_log_odds_ratio,
    auc_null_error,
    detectable_auc,
    detectable_ordinal,
    detectable_rank_correlation,
)
from immunosarc.stats._detectable_hazard import detectable_log_hazard_ratio
from immunosarc.stats._discovery import discovery_errors
from immunosarc.stats._diversity import (
    Diversity,
    diversity,
    rarefied_diversity,
    rarefied_richness,
    rarefied_shannon,
    subsample,
)
from immunosarc.stats._enrollment import Enrollment, event_probability
from immunosarc.stats._entry_scores import entry_scores
from immunosarc.stats._firth_cox import firth_cox
from immunosarc.stats._fisher import fisher_exact
from immunosarc.stats._fits import Fits
from immunosarc.stats._graded_scores import graded_scores
from immunosarc.stats._left_censored import LeftCensoredMean, left_censored_mean
from immunosarc.stats._linear_scores import linear_score_null, linear_score_statistic
from immunosarc.stats._log_rank_design import (
    OneSampleSize,
    TwoArmSize,
    log_rank_lakatos,
    log_rank_power,
    log_rank_schoenfeld,
    one_sample_log_rank_power,
    one_sample_log_rank_size,
    one_sample_log_rank_test,
)
from immunosarc.stats._logistic import firth_logistic, logistic
from immunosarc.stats._logrank import logrank_score_null, logrank_score_statistic
from immunosarc.stats._marginal_homogeneity import MarginalHomogeneity, marginal_homogeneity
from immunosarc.stats._maxstat import MaximallySelected, log_rank_scores, maximally_selected, selected_curve
from immunosarc.stats._maxstat_bounds import hothorn_lausen, lausen_1992, lausen_1994
from immunosarc.stats._multiplicity import benjamini_hochberg, noise_ceiling, step_down_maxt
from immunosarc.stats._paired import hodges_lehmann, signed_rank
from immunosarc.stats._penalized import (
    PenalizedPath,
    log_partial_likelihood,
    penalized_cox,
    penalized_logistic,
)
from immunosarc.stats._permutation import permute_within, rank_sum_null
from immunosarc.stats._pooling import Pooled, PoolingInterval, pool_effects, replication_bayes_factor
from immunosarc.stats._prediction import (
    NetBenefit,
    area_under_curve,
    brier,
    concordance,
    concordance_interval,
    net_benefit,
    optimism,
    point_632_plus,
)
from immunosarc.stats._predictive_probability import PredictiveLooks, predictive_looks, predictive_probability
from immunosarc.stats._proportion import binomial_p_greater, clopper_pearson
from immunosarc.stats._proportional_hazards import HazardDrift, proportional_hazards
from immunosarc.stats._proportional_odds import proportional_odds
from immunosarc.stats._rank_correlation import rank_correlation, rank_correlation_null
from immunosarc.stats._rank_sums import rank_sum_statistic
from immunosarc.stats._ranks import mann_whitney
from immunosarc.stats._rate import poisson_rate
from immunosarc.stats._recalibration import Recalibration, recalibration, recalibration_of_hazards
from immunosarc.stats._restricted_mean import RestrictedMean, restricted_mean
from immunosarc.stats._shrinkage import shrink
from immunosarc.stats._sign_flips import sign_flips, signed_rank_null
from immunosarc.stats._simon import (
    SingleStage,
    TwoStage,
    admissible_weights,
    single_stage_search,
    two_stage_search,
)
from immunosarc.stats._split import log_rank, median_split
from immunosarc.stats._survival import KaplanMeier, kaplan_meier
from immunosarc.stats._survival_rate import RateStatistic, survival_rate_error, survival_rate_statistic
from immunosarc.stats._two_arms import TwoArms, two_arm_statistics
from immunosarc.stats._two_stage_inference import TwoStageInference, two_stage_inference
from immunosarc.stats._units import (
    counts_per_million,
    exp2_minus_one,
    log2_plus_one,
    log_cpm,
    tmm_factors,
    transcripts_per_million,
)

__all__ = [
    "AdjustedChange",
    "CensoredBrier",
    "CloneOverlap",
    "CumulativeIncidence",
    "Diversity",
    "Enrollment",
    "Fits",
    "HazardDrift",
    "KaplanMeier",
    "LeftCensoredMean",
    "Look",
    "MarginalHomogeneity",
    "MaximallySelected",
    "NetBenefit",
    "OneSampleSize",
    "Operating",
    "PenalizedPath",
    "Pooled",
    "PoolingInterval",
    "PredictiveLooks",
    "RateStatistic",
    "Recalibration",
    "ResponseToxicity",
    "RestrictedMean",
    "SingleStage",
    "TwoArmSize",
    "TwoArms",
    "TwoStage",
    "TwoStageInference",
    "adjusted_change",
    "admissible_weights",
    "ancova",
    "area_under_curve",
    "auc_as_log_odds_ratio",
    "auc_null_error",
    "baseline_survival",
    "benjamini_hochberg",
    "binomial_p_greater",
    "brier",
    "brier_censored",
    "clone_overlap",
    "clone_shift",
    "clopper_pearson",
    "concordance",
    "concordance_interval",
    "confirmation_size",
    "counts_per_million",
    "cox",
    "cumulative_incidence",
    "cumulative_incidence_scores",
    "detectable_auc",
    "detectable_log_hazard_ratio",
    "detectable_ordinal",
    "detectable_rank_correlation",
    "disattenuate",
    "discovery_errors",
    "diversity",
    "entry_scores",
    "event_probability",
    "exp2_minus_one",
    "firth_cox",
    "firth_logistic",
    "fisher_exact",
    "graded_scores",
    "hodges_lehmann",
    "hothorn_lausen",
    "kaplan_meier",
    "lausen_1992",
    "lausen_1994",
    "left_censored_mean",
    "linear_score_null",
    "linear_score_statistic",
    "log2_plus_one",
    "log_cpm",
    "log_partial_likelihood",
    "log_rank",
    "log_rank_lakatos",
    "log_rank_power",
    "log_rank_schoenfeld",
    "log_rank_scores",
    "logistic",
    "logrank_score_null",
    "logrank_score_statistic",
    "mann_whitney",
    "marginal_homogeneity",
    "maximally_selected",
    "median_split",
    "net_benefit",
    "net_benefit_censored",
    "noise_ceiling",
    "normal_scores",
    "one_sample_log_rank_power",
    "one_sample_log_rank_size",
    "one_sample_log_rank_test",
    "operating_characteristics",
    "optimism",
    "penalized_cox",
    "penalized_logistic",
    "permute_within",
    "point_632_plus",
    "poisson_rate",
    "pool_effects",
    "predictive_looks",
    "predictive_probability",
    "proportional_hazards",
    "proportional_odds",
    "rank_correlation",
    "rank_correlation_null",
    "rank_sum_null",
    "rank_sum_statistic",
    "rarefied_diversity",
    "rarefied_richness",
    "rarefied_shannon",
    "recalibration",
    "recalibration_of_hazards",
    "replication_bayes_factor",
    "response_toxicity_search",
    "restricted_mean",
    "selected_curve",
    "shrink",
    "sign_flips",
    "signed_rank",
    "signed_rank_null",
    "simulate_looks",
    "single_stage_search",
    "step_down_maxt",
    "subsample",
    "survival_rate_error",
    "survival_rate_statistic",
    "tmm_factors",
    "transcripts_per_million",
    "triad_reliability",
    "two_arm_statistics",
    "two_stage_inference",
    "two_stage_search",
]
