"""Each patient's tumors and course."""

from __future__ import annotations

from collections.abc import Iterator

from matplotlib.axes import Axes

from immunosarc import plots
from immunosarc.report._section import Block, FigureOrder, Section, Text
from immunosarc.report._select import patient_column
from immunosarc.study import Study

__all__ = ["build"]

_LANE, _BAR = 0.19, 0.16
_TRACKS = ("histology",)


def build(study: Study) -> Section:
    """Return waterfall, spider and swimmer where the cohort has visits."""
    return Section("course", "Course", "Tumors and course, patient by patient", tuple(_figures(study)))


def _figures(study: Study) -> Iterator[Block]:
    if "tumor_change" in study.tables:
        yield _waterfall(study)
        yield _spider(study)
    if "timeline" in study.tables:
        yield _swimmer(study)
        yield Text(_remark(study))


def _remark(study: Study) -> str:
    ready = study["outcomes"]["rule_set"].str.contains("recist_1.1").fillna(False).astype(bool)
    source = "derived from the lesion rows" if ready.any() else "read by the trial team"
    return (
        f"Colors show the best overall response {source}; the lanes of the swimmer plot show the response "
        "derived from the visits. Comparing time after response with time without it is not a comparison of "
        "treatments: who responds late has to live until then."
    )


def _waterfall(study: Study) -> FigureOrder:
    change, outcomes = study["tumor_change"], study["outcomes"]
    stratum = patient_column(study)
    shown = [name for name in (stratum, *_TRACKS) if name and name in study.cohort.patients]
    tracks = study.cohort.patients[list(dict.fromkeys(shown))]
    bars = int(change["best"].sum())
    caption = (
        "Best change of the sum of target lesions from baseline up to progression, one bar per patient. Dashed: "
        "+20% and -30%. N: a new lesion, which makes a progression whatever the bar shows."
    )

    def hand(ax: Axes) -> Axes:
        return plots.waterfall(change, outcomes, tracks=tracks, ax=ax)

    return FigureOrder("waterfall", caption, (max(4.6, min(14.0, _BAR * bars + 1.2)), 3.6), hand, key="waterfall")


def _spider(study: Study) -> FigureOrder:
    change, outcomes = study["tumor_change"], study["outcomes"]
    caption = (
        "Sum of target lesions over the true days of the scans; the mark at the end of a line says what ended "
        "progression-free survival."
    )
    return FigureOrder(
        "spider", caption, (6.2, 3.6), lambda ax: plots.spider(change, outcomes, ax=ax), key="spider"
    )


def _swimmer(study: Study) -> FigureOrder:
    timeline = study["timeline"]
    lanes = timeline["patient_id"].nunique()
    caption = (
        "One lane per patient from the first dose to the last day known: doses, interval of response, biopsies, "
        "immune-mediated events, progression, another therapy, death; an arrow where it goes on."
    )
    size = (6.2, max(1.6, min(24.0, _LANE * lanes + 0.6)))
    return FigureOrder("swimmer", caption, size, lambda ax: plots.swimmer(timeline, ax=ax), key="swimmer")
