"""The line of a manifest on which a mistake stands."""

from __future__ import annotations

import tomllib

import pytest

from immunosarc.loaders._places import key_lines, line_of

TEXT = """\
# a comment
name = "toy"
caveats = [
  "one = 1",
  "[two]",
]
title = '''
[no_block]
x = 1
'''

[patients]
file = "a.tsv"
columns = { patient_id = "id", sexx = "s" }

[[patients.also]]
file = "b.tsv"
[[patients.also]]

fike = "c.tsv"
[assays . "rna seq"]  # [not.this]
unit = "counts"
"""


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_every_key_has_its_line(ends: str) -> None:
    tomllib.loads(TEXT)
    lines = key_lines(TEXT.replace("\n", ends))
    wanted = {
        ("name",): 2,
        ("caveats",): 3,
        ("title",): 7,
        ("patients",): 12,
        ("patients", "columns", "sexx"): 14,
        ("patients", "also", "0", "file"): 17,
        ("patients", "also", "1", "fike"): 20,
        ("assays", "rna seq"): 21,
        ("assays", "rna seq", "unit"): 22,
    }
    assert {key: lines[key] for key in wanted} == wanted
    assert ("no_block",) not in lines
    assert ("no_block", "x") not in lines


def test_what_is_missing_is_told_at_its_block() -> None:
    lines = key_lines(TEXT)
    assert line_of(("assays", "rna seq", "orientation"), lines) == "line 21: "
    assert line_of(("samples",), lines) == ""


def test_a_long_statement_ends_the_search() -> None:
    text = "a = 1\nb = [\n" + "1,\n" * 5000 + "]\nc = 2\n"
    assert key_lines(text) == {("a",): 1}


def test_an_unknown_key_is_told_with_its_line(toy) -> None:
    text = toy.manifest.read_text()
    line = text.split("\n").index('orientation = "genes_by_samples"') + 1
    problems = toy.change("toy.toml", "orientation", "orientaton").problems()
    assert f"line {line}: unknown key 'orientaton' in [assays.rna]. Did you mean 'orientation'?" in problems
    block = text.split("\n").index("[assays.rna]") + 1
    assert any(one.startswith(f"line {block}: [assays.rna] lacks 'orientation'") for one in problems)
