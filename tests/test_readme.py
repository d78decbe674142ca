"""What the README and the notebooks say is run, so that it stays true."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pandas as pd
import pytest

ROOT = Path(__file__).resolve().parents[1]
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL)
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("code", BLOCKS, ids=range(len(BLOCKS)))
def test_the_python_examples_run(code: str) -> None:
    namespace: dict[str, object] = {}
    exec(code, namespace)
    assert {"result", "study", "table"} & namespace.keys()


def test_the_five_lines_are_five_lines() -> None:
    assert len([line for line in BLOCKS[0].splitlines() if line.strip()]) <= 5


def test_every_file_that_is_linked_exists() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / target).exists(), target


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.name)
def test_notebooks_run_and_are_committed_with_outputs(path: Path, request: pytest.FixtureRequest) -> None:
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    assert path.stat().st_size < 1_000_000
    assert "/home/" not in path.read_text(encoding="utf-8")
    if "IMMUNOSARC_SHARED" in path.read_text(encoding="utf-8"):
        monkeypatch = request.getfixturevalue("monkeypatch")
        monkeypatch.setenv("IMMUNOSARC_SHARED", str(request.getfixturevalue("shared")))
    command = [sys.executable, str(ROOT / "notebooks" / "execute.py"), "--check", str(path)]
    subprocess.run(command, check=True, capture_output=True, timeout=280)


def test_a_notebook_without_its_data_is_skipped_by_name(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "notebooks" / "execute.py"), "--check"]
    command.append(str(ROOT / "notebooks" / "02_real_cohort.ipynb"))
    env = {**os.environ, "IMMUNOSARC_SHARED": str(tmp_path)}
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=100, env=env)
    assert done.stdout == "02_real_cohort.ipynb: skipped, its data are absent (IMMUNOSARC_SHARED)\n"


def test_the_notebook_on_real_patients_shows_no_patient(data_root: Path) -> None:
    clinical = pd.read_csv(data_root / "riaz2017" / "clinical.tsv", sep="\t", dtype=str)
    text = (ROOT / "notebooks" / "02_real_cohort.ipynb").read_text(encoding="utf-8")
    for name in {*clinical["patient_id"], *clinical["sample_id"]}:
        assert not re.search(rf"\b{re.escape(name)}\b", text), name
