"""What is shown, and in which order."""

from __future__ import annotations

import dataclasses
import itertools
from types import MappingProxyType

import pandas as pd

from immunosarc.report import _figures
from immunosarc.report._select import heatmap_parts, shifted_features, with_named_strata


def _with(study, **tables):
    return dataclasses.replace(study, tables=MappingProxyType({**study.tables, **tables}))


def test_signatures_without_any_score_are_counted_not_drawn(study):
    scores, tracks, absent = heatmap_parts(study)
    assert absent == 6
    assert scores.select_dtypes("number").notna().any().all()
    assert list(tracks.columns) == ["timepoint", "best_overall_response", "histology", "schedule_stage"]


def test_samples_stand_by_timepoint_then_response_and_tracks_belong_to_them(study):
    scores, tracks, _ = heatmap_parts(study)
    assert scores.index.tolist() == tracks.index.tolist()
    assert tracks["timepoint"].tolist() == ["pre"] * 29 + ["on"] * 22
    before = tracks["best_overall_response"].iloc[:29].tolist()
    assert before == sorted(before, key=["CR", "PR", "SD", "PD", "NE"].index)
    patient = study["scores"].loc[tracks.index[0], "patient_id"]
    assert tracks["histology"].iloc[0] == study.cohort.patients.loc[patient, "histology"]


def test_signatures_of_one_category_stand_together(study):
    scores, _, _ = heatmap_parts(study)
    categories = study["signatures"]["category"].reindex(scores.select_dtypes("number").columns).tolist()
    changes = sum(one != other for one, other in itertools.pairwise(categories))
    assert changes == len(set(categories)) - 1


def test_features_of_the_first_family_are_drawn_before_the_smallest_p(study):
    changes = study["changes"]
    names = changes["feature"].unique().tolist()
    p = [0.001 if row.feature == names[-1] else 0.5 for row in changes.itertuples()]
    wanted = shifted_features(_with(study, changes=changes.assign(p_maxt=p)))
    assert wanted[:5] == [*names[:4], names[-1]]
    assert len(wanted) == len(set(wanted)) == 6


def test_a_stratum_says_of_what(study):
    assert set(with_named_strata(study, "summary")["stratum"]) == {"all", "schedule stage 1", "schedule stage 2"}


def test_families_that_differ_in_a_sign_only_get_figures_of_their_own(study):
    table = study["associations"]
    first = table[table["family"] == table["family"].iloc[0]]
    twins = [first.assign(family="pre/a b"), first.assign(family="pre/a_b")]
    drawings = _figures.draw(_with(study, associations=pd.concat(twins, ignore_index=True)))
    forests = {name: drawing.key for name, drawing in drawings.items() if name.startswith("forest")}
    assert forests == {"forest_pre_a_b": "pre/a b", "forest_pre_a_b_2": "pre/a_b"}
