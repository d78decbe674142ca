"""Whatever bytes a file holds, the answer is a cohort or one of our errors, never anything else."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import immunosarc as ims
from immunosarc.errors import ImmunosarcError
from immunosarc.loaders import draft_manifest

NAMES = ("clinical.tsv", "counts.tsv", "lesions.csv", "toy.toml")
EXAMPLES = max(30, int(os.environ.get("IMMUNOSARC_FUZZ_CASES", "0")) // 10)
QUICK = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def spoilt(original: bytes) -> st.SearchStrategy[bytes]:
    """Random bytes; the file cut short, packed and cut, with bytes put in, or with cells exchanged."""
    packed = gzip.compress(original)
    cells = original.split(b"\t")
    return st.one_of(
        st.binary(max_size=200),
        st.integers(0, len(original)).map(lambda n: original[:n]),
        st.integers(0, len(packed)).map(lambda n: packed[:n]),
        st.tuples(st.integers(0, len(original)), st.binary(max_size=4)).map(
            lambda cut: original[: cut[0]] + cut[1] + original[cut[0] + len(cut[1]) :]
        ),
        st.text(alphabet="ab\t\n\r,;\"'0123456789.-+eE\u00e9\u2028?={}[]", max_size=80).map(str.encode),
        st.tuples(
            st.integers(0, len(cells) - 1), st.sampled_from([b"", b"-1", b"nan", b'"', b"P9", b"1e999", b"\n"])
        ).map(lambda cell: b"\t".join([*cells[: cell[0]], cell[1], *cells[cell[0] + 1 :]])),
    )


def answered(call: Callable[[], object]) -> bool:
    try:
        call()
    except ImmunosarcError as error:
        return bool(str(error))
    return True


@pytest.mark.parametrize("name", NAMES)
@QUICK
@given(data=st.data())
def test_load_answers_any_bytes(toy, name: str, data: st.DataObject) -> None:
    original = toy.path(name).read_bytes()
    try:
        toy.write(name, data.draw(spoilt(original)))
        assert answered(toy.load)
    finally:
        toy.write(name, original)


@pytest.mark.parametrize("name", ["clinical.tsv", "counts.tsv"])
@QUICK
@given(data=st.data())
def test_draft_answers_any_bytes_with_toml_or_an_error(toy, name: str, data: st.DataObject) -> None:
    original = toy.path(name).read_bytes()
    try:
        toy.write(name, data.draw(spoilt(original)))
        assert answered(lambda: check_of_draft(toy.root, toy.path("clinical.tsv"), toy.path("counts.tsv")))
    finally:
        toy.write(name, original)


def check_of_draft(folder: Path, clinical: Path, counts: Path) -> None:
    (folder / "drafted.toml").write_text(draft_manifest(clinical, counts, data_root=folder))
    problems = ims.loaders.check_manifest(folder / "drafted.toml").problems
    assert problems
    assert not any("this is not TOML" in one for one in problems), problems
