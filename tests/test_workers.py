"""Whoever does the work: the same numbers to the bit, and a worker that dies costs time only."""

from __future__ import annotations

import builtins
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import immunosarc as ims
from immunosarc import workers as workers_module
from immunosarc.errors import CoverageError, ImmunosarcError, SchemaError
from immunosarc.features import _cell_matrix, open_cells, profile_cells
from immunosarc.study import _run
from immunosarc.workers import Workers, workers
from tests.models.conftest import make_cohort, make_table

PLAN = {
    "endpoints": ["objective_response"],
    "panels": [{"name": "few", "signatures": ["cyt", "ims18", "b_cells_danaher9"]}],
    "timepoints": ["pre"],
    "n_permutations": 20,
    "multiverse": {
        "signature": "cyt",
        "methods": ["singscore", "mean_log2"],
        "primary": {"method": "singscore"},
        "n_permutations": 20,
    },
}


@pytest.fixture(scope="module")
def two() -> Iterator[Workers]:
    """Two processes on this machine."""
    with workers(jobs=2) as hands:
        yield hands


@pytest.fixture(scope="module")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four thousand made-up cells of three samples on disk."""
    rng = np.random.default_rng(3)
    genes = ["CD3D", "CD3E", "TRAC", "CD79A", "MS4A1", "CD19", *(f"G{i}" for i in range(94))]
    counts = sparse.csr_matrix(rng.poisson(0.4, (4000, 100)).astype(np.float32))
    obs = pd.DataFrame({"sample_id": rng.choice(["A", "B", "C"], 4000)}, index=[f"c{i}" for i in range(4000)])
    adata = anndata.AnnData(counts, obs=obs, var=pd.DataFrame(index=genes))
    adata.uns["immunosarc"] = {"level": "cell", "unit": "counts"}
    path = tmp_path_factory.mktemp("cells") / "cells.h5ad"
    adata.write_h5ad(path)
    return path


def whose(_task: int) -> int:
    time.sleep(0.05)
    return os.getpid()


def marked_square(task: tuple[int, str]) -> int:
    number, folder = task
    (Path(folder) / f"{number}-{os.getpid()}-{time.time_ns()}").touch()
    time.sleep(0.15)
    return number**2


def refuse(task: int) -> int:
    if task == 2:
        raise CoverageError("too few genes")
    return task


class Dying(Workers):
    """A cluster one of whose workers is killed as soon as the first result is there."""

    def map(self, function: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterator[Any]:
        for i, result in enumerate(super().map(function, tasks)):
            if i == 0:
                os.kill(next(iter(self.client.run(os.getpid).values())), signal.SIGKILL)
            yield result


class Counted(Workers):
    """Workers who say how many tasks they were given."""

    given: list[str] = []  # noqa: RUF012 - a frozen dataclass, and a list that the test empties

    def map(self, function, tasks):  # type: ignore[no-untyped-def]
        tasks = list(tasks)
        self.given += [function.__name__] * len(tasks)
        return super().map(function, tasks)


def test_other_processes_do_the_work_and_results_keep_their_order(two: Workers, tmp_path: Path) -> None:
    pids = set(two.map(whose, range(12)))
    assert os.getpid() not in pids
    assert pids <= set(two.client.run(os.getpid).values())
    assert list(two.map(marked_square, ((i, str(tmp_path)) for i in range(12)))) == [i**2 for i in range(12)]
    assert len(list(tmp_path.iterdir())) == 12


def test_only_so_many_tasks_are_on_their_way(two: Workers) -> None:
    drawn = []

    def tasks() -> Iterator[int]:
        for i in range(40):
            drawn.append(i)
            yield i

    results = two.map(abs, tasks())
    next(results)
    assert len(drawn) == 2 * workers_module._AHEAD + 1
    assert list(results) == list(range(1, 40))


def test_what_a_task_refuses_is_said_here(two: Workers) -> None:
    with pytest.raises(CoverageError, match="too few genes"):
        list(two.map(refuse, range(5)))


def test_the_tables_of_a_run_are_the_same_bytes(two: Workers) -> None:
    cohort = ims.simulate_cohort(seed=7, n_null=1)
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
    one, two_of_them = (study.tables for study in studies.values())
    assert list(one) == list(two_of_them)
    assert {"associations", "changes", "detectability", "multiverse"} <= set(one)
    for name, table in one.items():
        assert table.to_csv() == two_of_them[name].to_csv(), name


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


@pytest.mark.parametrize("kind", [Workers, Dying])
def test_cells_are_the_same_to_the_bit_also_when_a_worker_is_killed(
    two: Workers, cells: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Workers]
) -> None:
    monkeypatch.setattr(_cell_matrix, "CELLS_AT_ONCE", 250)
    sets = {"t": ["CD3D", "CD3E", "TRAC"]}
    here = profile_cells(cells, sets)
    before = set(two.client.run(os.getpid).values())
    there = profile_cells(cells, sets, hands=kind(two.client))
    assert (before == set(two.client.run(os.getpid).values())) == (kind is Workers)
    pd.testing.assert_frame_equal(there.cells, here.cells, check_exact=True)
    pd.testing.assert_frame_equal(there.scores, here.scores, check_exact=True)
    assert there.sums.data.tobytes() == here.sums.data.tobytes()
    assert there.sums.indices.tobytes() == here.sums.indices.tobytes()


def test_rows_in_memory_travel_with_their_task(two: Workers) -> None:
    large = np.arange(2_000_000.0)  # 16 MB: distributed would warn of it
    assert list(two.map(np.sum, [large, large[::-1]])) == [large.sum()] * 2


def test_a_file_that_a_worker_cannot_see(two: Workers, cells: Path) -> None:
    matrix = open_cells(cells)
    gone = _cell_matrix.CellMatrix(
        matrix.genes, matrix.cells, matrix.sample_id, matrix.unit, path=str(cells.with_name("gone.h5ad"))
    )
    with pytest.raises(SchemaError, match=r"gone\.h5ad cannot be read.*every worker.*same path"):
        profile_cells(gone, hands=two)


def test_by_address(two: Workers) -> None:
    address = two.client.scheduler.address
    with workers(scheduler=address) as hands:
        assert list(hands.map(abs, [-1, 2])) == [1, 2]
        assert hands.client is not two.client
    with workers(client=two.client) as hands:
        assert hands.client is two.client
    assert list(two.map(abs, [-3])) == [3]  # the client was left open


def test_nobody_answers() -> None:
    said = r"no dask scheduler answers at 'nonsense'.*dask scheduler"
    with pytest.raises(ImmunosarcError, match=said), workers(scheduler="nonsense"):
        pass


def test_a_scheduler_without_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    from distributed import LocalCluster

    monkeypatch.setattr(workers_module, "_PATIENCE", 0.2)
    said = "has no workers; start them with `dask worker tcp://"
    with (
        LocalCluster(n_workers=0, dashboard_address=":0") as empty,
        pytest.raises(ImmunosarcError, match=said),
        workers(scheduler=empty.scheduler_address),
    ):
        pass


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"jobs": 0}, "at least 1, not 0"),
        ({"jobs": -2}, "at least 1, not -2"),
        ({"jobs": 2, "scheduler": "tcp://a:1"}, "give one of them"),
        ({"scheduler": "tcp://a:1", "client": object()}, "give one of them"),
        ({"jobs": 2, "client": object()}, "give one of them"),
    ],
)
def test_who_does_the_work_is_said_once(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ImmunosarcError, match=said), workers(**given):
        pass


def test_without_dask(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def absent(name: str, *rest: Any, **more: Any) -> Any:
        if name.split(".")[0] in ("dask", "distributed"):
            raise ImportError(name)
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", absent)
    with workers() as hands:
        assert list(hands.map(abs, [-4])) == [4]
    with pytest.raises(ImmunosarcError, match=r"pip install 'immunosarc\[dask\]'"), workers(jobs=2):
        pass
