"""One's own signatures: dictionaries and GMT files."""

from __future__ import annotations

import pytest

from immunosarc.catalog import Signature, as_signatures, load_signatures
from immunosarc.errors import DataFileError, SchemaError


def write(folder, content):
    path = folder / "sets.gmt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def test_a_catalog_is_returned_as_it_is():
    found = load_signatures()
    assert as_signatures(found) is found


def test_dictionary():
    genes = ["A", "B", "A"]
    sets = as_signatures({"one": genes, "two": ("C",), "cyt": load_signatures()["cyt"]})
    assert sets["one"].genes == ("A", "B")
    assert (sets["one"].kind, sets["one"].direction) == ("user", "unstated")
    assert sets["cyt"].kind == "published"
    assert genes == ["A", "B", "A"]


def test_dictionary_problems_come_together():
    wrong = {"bare": "CD8A", "empty": [], "odd": ["CD8A", 5], "": ["A"], "cyt": Signature("other", ("A",))}
    with pytest.raises(SchemaError, match=r"5 problem\(s\)") as caught:
        as_signatures(wrong)
    for words in (
        "'bare': genes must be a list",
        "'empty': empty set",
        "'odd': not gene symbols: [5]",
        "'': a name must be a text",
        "'cyt': holds the signature named 'other'",
    ):
        assert words in str(caught.value)
    with pytest.raises(SchemaError, match="no set at all"):
        as_signatures({})
    with pytest.raises(SchemaError, match="found int"):
        as_signatures(3)


def test_gmt(tmp_path):
    path = write(tmp_path, "\ufeffONE\tfirst set\tA\tB\tA\t\r\n\r\nTWO\t\tC\r\n")
    sets = as_signatures(path)
    assert {name: one.genes for name, one in sets.items()} == {"ONE": ("A", "B"), "TWO": ("C",)}
    assert (sets["ONE"].label, sets["TWO"].label) == ("first set", "TWO")
    assert as_signatures(str(path)) == sets


def test_gmt_problems_come_together(tmp_path):
    path = write(tmp_path, "ONE\tx\tA\nshort\tline\nONE\tx\tB\n\tx\tA\nTWO\tx\t\t \n")
    with pytest.raises(DataFileError, match=r"sets\.gmt' has 4 problem\(s\)") as caught:
        as_signatures(path)
    for words in (
        "line 2: 2 tab-separated field(s), needs at least 3",
        "line 3: 'ONE' is already on line 1",
        "line 4: no name",
        "line 5: 'TWO' is an empty set",
    ):
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no set at all"),
        (b"\x1f\x8b\x08\x00\xff\xfe", "not UTF-8"),
        (b"ONE x A B\n", "1 tab-separated field"),
    ],
)
def test_gmt_that_is_none(tmp_path, content, words):
    with pytest.raises(DataFileError, match=words):
        as_signatures(write(tmp_path, content))


def test_gmt_that_is_missing(tmp_path):
    with pytest.raises(DataFileError, match="does not exist"):
        as_signatures(tmp_path / "none.gmt")
    with pytest.raises(DataFileError, match="cannot be read"):
        as_signatures(tmp_path)
