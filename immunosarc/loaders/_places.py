"""On which line of a manifest each key stands, for the messages."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["key_lines", "line_of"]

_LONGEST = 400
_EFFORT = 2_000_000

Path = tuple[str, ...]


def key_lines(text: str) -> dict[Path, int]:
    r"""Return the 1-based line on which the statement of each key starts.

    The text is TOML that was read before. Keys within an inline table stand on the line of its
    statement. Very long statements, and what follows them, get no line: no file can take long.

    Examples
    --------
    >>> key_lines('name = "toy"\n\n[patients]\nfile = "a.tsv"\n')
    {('name',): 1, ('patients',): 3, ('patients', 'file'): 4}
    """
    found: dict[Path, int] = {}
    block: Path = ()
    repeated = Counter[Path]()
    for line, statement, content in _statements(text.replace("\r\n", "\n").split("\n")):
        paths = list(_paths(content, ()))
        if statement.startswith("[["):
            head = max(paths, key=len)[:-1]
            block = (*head, str(repeated[head]))
            repeated[head] += 1
            found.setdefault(block, line)
        elif statement.startswith("["):
            block = max(paths, key=len)
            found.setdefault(block, line)
        else:
            for path in paths:
                found.setdefault((*block, *path), line)
    return found


def line_of(where: Path, lines: Mapping[Path, int]) -> str:
    """Return ``"line 3: "`` for a key, or for the innermost block that it belongs to; else nothing."""
    for depth in range(len(where), 0, -1):
        if where[:depth] in lines:
            return f"line {lines[where[:depth]]}: "
    return ""


def _statements(lines: list[str]) -> Iterator[tuple[int, str, Mapping[str, Any]]]:
    """Yield each statement with the line on which it starts, its text, and what it says by itself."""
    start, effort = 0, 0
    for number, last in enumerate(lines):
        if number == start and (not last.strip() or last.lstrip().startswith("#")):
            start = number + 1
            continue
        if number - start > _LONGEST or effort > _EFFORT:
            return
        statement = "\n".join(lines[start : number + 1]).lstrip()
        effort += len(statement)
        if (content := _read(statement)) is not None:
            yield start + 1, statement, content
            start = number + 1


def _read(statement: str) -> Mapping[str, Any] | None:
    try:
        return tomllib.loads(statement)
    except (ValueError, RecursionError):
        return None


def _paths(value: Any, path: Path) -> Iterator[Path]:
    if path:
        yield path
    inner = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from _paths(one, (*path, str(key)))
