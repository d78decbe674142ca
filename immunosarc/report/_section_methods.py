"""The methods as a supplement prints them, and the words of the page."""

from __future__ import annotations

from immunosarc.report._section import Section, Terms, Text
from immunosarc.study import Study

__all__ = ["build", "build_glossary"]

_GLOSSARY = [
    (
        "n (events)",
        "Patients who count here, and how many of them had the endpoint.",
    ),
    (
        "Interval",
        "The values that the data do not speak against, at 95% confidence unless the plan says otherwise. It "
        "belongs to the feature alone and comes from another formula than the p-value, so that near the "
        "border one may say yes and the other no.",
    ),
    (
        "AUC",
        "The chance that a patient with the endpoint has the higher score than one without: 0.5 is a coin "
        "toss, 1 is perfect, below 0.5 the score is lower with the endpoint.",
    ),
    (
        "Odds ratio, hazard ratio",
        "How many times the odds of the endpoint, or the pace of events, rise per unit (or standard "
        "deviation) of the score: 1 is no association.",
    ),
    (
        "Firth",
        "A logistic regression that stays finite and less biased when there are few events or the groups "
        "separate completely.",
    ),
    (
        "maxT",
        "A p-value that asks how often the best of all features in the family would look this good if "
        "outcomes were shuffled among patients (within strata). What is shuffled is the rank sum for yes-or-"
        "no endpoints, whichever model shows the effect, and the log-rank score for survival.",
    ),
    (
        "q",
        "The share of false leads to expect if every feature at least this strong in the family were followed up.",
    ),
    (
        "Noise ceiling",
        "How strong the best feature of the family looks, by its test statistic, when outcomes are shuffled: "
        "only {alpha} of 100 shuffled trials go beyond it. A point under it looks like luck.",
    ),
    (
        "Detectable",
        "The smallest effect that a study of this size would find in about 80 of 100 repeats, after counting "
        "the family; from the numbers of patients, never from the result. For odds ratios it is the slope in "
        "the population, of which Firth shows a smaller one.",
    ),
    (
        "Shrunken",
        "The effect pulled toward none by as much as the spread of its whole family allows (empirical Bayes): the "
        "best of many is mostly luck, and a repeat will mostly show less.",
    ),
    (
        "Hodges-Lehmann shift",
        "The typical change per patient: the median of the averages of all pairs of changes.",
    ),
    (
        "Stamp",
        "Confirmatory: asked, locked and unchanged before the data were seen. Exploratory: everything else. "
        "Deviation: locked, but plan or data changed since.",
    ),
    (
        "Not reached",
        "Fewer than half of the patients had the event while they were observed, so there is no median yet. "
        "Where a curve rests at exactly one half, the median is the midpoint of that time.",
    ),
]


def build(study: Study) -> Section:
    """Return the methods, one text per paragraph."""
    return Section("methods", "Methods", "Methods", tuple(Text(paragraph) for paragraph in study.methods))


def build_glossary(study: Study) -> Section:
    """Return the words of the page and what they mean."""
    alpha = f"{100 * study.plan.alpha:g}"
    terms = Terms([(term, meaning.replace("{alpha}", alpha)) for term, meaning in _GLOSSARY])
    return Section("glossary", "Glossary", "Glossary", (terms,))
