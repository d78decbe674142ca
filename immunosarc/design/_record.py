"""What every design shows of itself: its numbers, and the sentences for the protocol."""

from __future__ import annotations

import html
from abc import ABC, abstractmethod
from dataclasses import fields
from typing import Any

__all__ = ["DesignRecord"]


class DesignRecord(ABC):
    """A frozen record of a trial to come; subclasses are dataclasses."""

    @property
    @abstractmethod
    def protocol(self) -> str:
        """The sentences for the protocol."""

    @property
    def truths(self) -> tuple[Any, ...]:
        """True rates (or hazard ratios) at which it is worth knowing what the trial does; none for a count."""
        return ()

    def facts(self) -> dict[str, Any]:
        """Return the numbers of the design as plain values by name; what is not known is left out."""
        values = {one.name: _plain(getattr(self, one.name)) for one in fields(self)}  # type: ignore[arg-type]  # subclasses are dataclasses
        return {name: value for name, value in values.items() if value is not None and value == value}

    def __repr__(self) -> str:
        lines = [f"  {name} = {_text(value)}" for name, value in self.facts().items()]
        return "\n".join([type(self).__name__, *lines, self.protocol])

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{html.escape(name)}</th><td>{html.escape(_text(value))}</td></tr>"
            for name, value in self.facts().items()
        )
        title, words = html.escape(type(self).__name__), html.escape(self.protocol)
        return f"<strong>{title}</strong><table>{rows}</table><p>{words}</p>"


def _plain(value: Any) -> Any:
    """Return a value as one line prints it: looks as n: stop at most r, success from s."""
    if isinstance(value, tuple) and value and hasattr(value[0], "_asdict"):
        return "; ".join(_named(one) for one in value)
    if hasattr(value, "_asdict"):
        return _named(value)
    return ", ".join(f"{one:g}" for one in value) if isinstance(value, tuple) else value


def _named(record: Any) -> str:
    return ", ".join(f"{name} {value:g}" for name, value in record._asdict().items())


def _text(value: Any) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
