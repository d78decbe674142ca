"""A run, a multiverse and a cross-validation by two processes: the same bytes as by one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import immunosarc as ims
from immunosarc.study import _run
from immunosarc.workers import Workers, workers
from tests.models.conftest import make_cohort, make_table

PLAN = {
    "endpoints": ["objective_response", "pfs"],
    "panels": [{"name": "few", "signatures": ["cyt", "ims18", "b_cells_danaher9"]}],
    "timepoints": ["pre"],
    "n_permutations": 100,
    "multiverse": {
        "signature": "cyt",
        "methods": ["singscore", "mean_log2"],
        "primary": {"method": "singscore"},
        "n_permutations": 30,
    },
}


@pytest.fixture(scope="module")
def two() -> Iterator[Workers]:
    with workers(jobs=2) as hands:
        yield hands


class Counted(Workers):
    """Workers who say how many tasks they were given."""

    given: list[str] = []  # noqa: RUF012 - a frozen dataclass, and a list that the test empties

    def map(self, function, tasks):  # type: ignore[no-untyped-def]
        tasks = list(tasks)
        self.given += [function.__name__] * len(tasks)
        return super().map(function, tasks)


def test_the_tables_of_a_run_are_the_same_bytes(two: Workers, tmp_path: Path) -> None:
    cohort = ims.simulate_cohort(seed=7)
    chosen = _run.plan_for(cohort, PLAN)
    Counted.given.clear()
    studies = {
        "one": _run._run(cohort, chosen, 3, others=((), None), hands=Counted()),
        "two": ims.run(cohort, PLAN, seed=3, client=two.client),
    }
    n = len(chosen.tests()) * len(chosen.panels)
    assert {name: Counted.given.count(name) for name in set(Counted.given)} == {
        "answered": n,
        "could_be_found": n,
        "_changed": len(chosen.panels),
        "_walk": 2,
    }
    for name, study in studies.items():
        ims.report.write_tables(study.tables, tmp_path / name, title=name, about={})
    files = sorted((tmp_path / "one").rglob("*.tsv"))
    assert {"associations", "changes", "detectability", "multiverse"} <= {one.stem for one in files}
    for file in files:
        assert (tmp_path / "two" / file.relative_to(tmp_path / "one")).read_bytes() == file.read_bytes(), file


def test_a_cross_validation_is_the_same_to_the_bit(two: Workers) -> None:
    rng = np.random.default_rng(1)
    response = np.arange(60) % 2 == 0
    cohort = make_cohort(["PR" if one else "PD" for one in response])
    table = make_table(cohort, a=rng.normal(size=60) + response, b=rng.normal(size=60))
    outcomes = ims.endpoints.derive(cohort)
    how = {"endpoint": "objective_response", "n_folds": 3, "n_repeats": 2, "n_bootstrap": 20, "seed": 4}
    here = ims.models.cross_validate(table, outcomes, **how)
    there = ims.models.cross_validate(table, outcomes, **how, hands=two)
    assert here.performance["estimate"].notna().all()
    for name in ("performance", "predictions", "calibration", "decision_curve"):
        pd.testing.assert_frame_equal(getattr(there, name), getattr(here, name), check_exact=True)
