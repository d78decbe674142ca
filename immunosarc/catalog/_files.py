"""Open the files that lie beside the code, wherever the package is installed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any

__all__ = ["FrozenMapping", "freeze", "read_bytes", "read_json"]


class FrozenMapping(Mapping[str, Any]):
    """A mapping that cannot be changed, and unlike ``MappingProxyType`` can be pickled and hashed."""

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, Any]) -> None:
        self._items = dict(items)

    def __getitem__(self, key: str) -> Any:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __hash__(self) -> int:
        return hash(frozenset(self._items.items()))

    def __repr__(self) -> str:
        return repr(self._items)


def freeze(value: Any) -> Any:
    """Return JSON content with every list a tuple and every object a frozen mapping."""
    if isinstance(value, Mapping):
        return FrozenMapping({key: freeze(item) for key, item in value.items()})
    return tuple(map(freeze, value)) if isinstance(value, list) else value


def read_bytes(name: str) -> bytes:
    """Return the content of one shipped file."""
    return files("immunosarc.catalog").joinpath("data", name).read_bytes()


def read_json(name: str) -> Any:
    """Return the content of one shipped JSON file."""
    return json.loads(read_bytes(name))
