"""The section on sample quality: loud where batch and response cannot be told apart, silent where all is well."""

from __future__ import annotations

from types import MappingProxyType

import pandas as pd

import immunosarc as ims
from immunosarc.features import qc
from immunosarc.report._section import FigureOrder, Grid, Part, Text
from immunosarc.report._section_answer import answer
from immunosarc.report._section_quality import build as build_section
from tests.report.conftest import StandIn, build


def _study(cohort: ims.Cohort) -> StandIn:
    study = build()
    tables = {**study.tables, "qc": qc(cohort, ims.endpoints.derive(cohort))}
    return StandIn(study.cohort, MappingProxyType(tables), provenance=study.provenance)


def _confounded() -> ims.Cohort:
    cohort = ims.simulate_cohort(seed=7)
    batch = cohort.samples["timepoint"].map({"pre": "A", "on": "B", "post": "B"})
    return ims.Cohort(
        cohort.patients, cohort.samples.assign(batch=batch), assays=cohort.assays, provenance=cohort.provenance
    )


def test_confounded_batches_stand_first_and_in_the_answer() -> None:
    study = _study(_confounded())
    section = build_section(study)
    parts = [block for block in section.blocks if isinstance(block, Part)]
    assert [part.title for part in parts] == ["Read this first"]
    words = " ".join(block.text for block in parts[0].blocks if isinstance(block, Text))
    assert "Batch and timepoint: each batch holds one timepoint only" in words
    assert "nothing was corrected" in words
    assert any("each batch holds one timepoint only" in sentence for sentence in answer(study))


def test_a_clean_cohort_has_a_quiet_section() -> None:
    study = _study(ims.simulate_cohort(seed=7))
    section = build_section(study)
    assert not any(isinstance(block, Part) for block in section.blocks)
    assert any(isinstance(block, Text) and block.text == "No sample raised a concern." for block in section.blocks)
    (figure,) = [block for block in section.blocks if isinstance(block, FigureOrder)]
    assert figure.name == "quality_rna"
    (grid,) = [block for block in section.blocks if isinstance(block, Grid)]
    by_check = {row[0]: row[1:] for row in grid.rows}
    n = len(ims.simulate_cohort(seed=7).samples)
    assert by_check["Genes seen (rna)"] == [f"{n} of {n} samples assessed", "as many genes as in the others", "ok"]
    assert by_check["Reads (rna)"][0] == f"0 of {n} samples assessed"


def test_samples_of_concern_are_listed_with_their_reason() -> None:
    study = _study(ims.simulate_cohort(seed=7))
    table = study["qc"].copy()
    place = table.index[(table["check"] == "partner_rank")][0]
    table.loc[place, ["concern", "status"]] = [True, "a stranger's sample resembles it more"]
    changed = StandIn(study.cohort, MappingProxyType({**study.tables, "qc": table}), provenance=study.provenance)
    grids = [block for block in build_section(changed).blocks if isinstance(block, Grid)]
    assert [grid.label for grid in grids] == ["Checks", "Samples of concern"]
    assert grids[1].rows[0][0] == str(table.loc[place, "sample_id"])
    assert grids[1].rows[0][-1] == "a stranger's sample resembles it more"


def test_a_study_without_the_table_has_no_section() -> None:
    assert build_section(build()).blocks == ()
    empty = StandIn(build().cohort, MappingProxyType({"qc": pd.DataFrame(ims.schema.QC.empty())}))
    assert build_section(empty).blocks == ()
