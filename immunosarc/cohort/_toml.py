"""TOML out: the standard library reads it and does not write it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

__all__ = ["toml_document"]

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def toml_document(content: Mapping[str, Any], about: str) -> str:
    """Return a document: plain keys first, then one table for each mapping, their inner mappings inline.

    Parameters
    ----------
    content : mapping
        Text, numbers, true and false, lists and mappings; None and empty mappings are left out.
    about : str
        The comment at the top.
    """
    plain = {key: value for key, value in content.items() if not isinstance(value, Mapping)}
    lines = [f"# {about}", *_lines(plain)]
    for key, table in content.items():
        if isinstance(table, Mapping) and table:
            nested = all(isinstance(inner, Mapping) for inner in table.values())
            for name, inner in table.items() if nested else [("", table)]:
                lines += ["", f"[{_key(key)}.{_key(name)}]" if nested else f"[{_key(key)}]", *_lines(inner)]
    return "\n".join(lines) + "\n"


def _lines(table: Mapping[str, Any]) -> list[str]:
    return [f"{_key(key)} = {_value(value)}" for key, value in table.items() if value is not None]


def _key(name: object) -> str:
    return str(name) if _BARE.fullmatch(str(name)) else _text(str(name))


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        inside = [f"{_key(key)} = {_value(one)}" for key, one in value.items() if one is not None]
        return "{ " + ", ".join(inside) + " }" if inside else "{}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_value(one) for one in value) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return _text(value) if isinstance(value, str) else repr(value)


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
