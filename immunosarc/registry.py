"""Registry: from the name of a method to a frozen record of what it is.

The registries feed the documentation, the choices on the command line, the "did you mean"
message and the parametrised tests. A method that is planned but not written yet is recorded
with its reference and no function: it is listed, and asking for it says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar

from immunosarc.errors import UnknownNameError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Record", "Registry"]

F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class Record:
    """What is known of one method.

    Attributes
    ----------
    name, label : str
        The name to pass, and the words for a figure.
    func : callable or None
        The kernel, arrays to arrays; None while the method is only planned.
    facts : mapping
        What the registry's own table shows beside the name: reference, bounds, and so on.
    """

    name: str
    label: str
    func: Callable[..., Any] | None
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def available(self) -> bool:
        """Whether the method can be called in this version."""
        return self.func is not None

    def call(self, *arguments: Any, **named: Any) -> Any:
        """Call the kernel."""
        if self.func is None:
            raise UnknownNameError(f"{self.name!r} is listed but not available in this version.")
        return self.func(*arguments, **named)

    def __getattr__(self, name: str) -> Any:
        facts = self.__dict__.get("facts", {})
        if name in facts:
            return facts[name]
        raise AttributeError(f"{type(self).__name__} has no {name!r}")


class Registry(Mapping[str, Record]):
    """A named collection of method records.

    Iterating and ``in`` see the methods that can be called; :meth:`table` shows the planned
    ones too.

    Parameters
    ----------
    noun : str
        What a record is, in the words of an error message: ``"scoring method"``.

    Examples
    --------
    >>> greetings = Registry("greeting")
    >>> @greetings.register("hello", label="Hello", reference="none")
    ... def hello():
    ...     return "hello"
    >>> greetings["hello"].func()
    'hello'
    """

    def __init__(self, noun: str) -> None:
        self._noun = noun
        self._records: dict[str, Record] = {}

    def register(self, name: str, *, label: str, **facts: Any) -> Callable[[F], F]:
        """Record the decorated kernel under ``name`` and return it unchanged."""

        def record(func: F) -> F:
            self._add(Record(name, label, func, MappingProxyType(facts)))
            return func

        return record

    def plan(self, name: str, *, label: str, **facts: Any) -> None:
        """List a method that a later version brings."""
        self._add(Record(name, label, None, MappingProxyType(facts)))

    def _add(self, record: Record) -> None:
        if record.name in self._records:
            raise KeyError(f"{self._noun} {record.name!r} is registered twice")
        self._records[record.name] = record

    def __getitem__(self, name: str) -> Record:
        record = self._records.get(name)
        if record is None:
            raise UnknownNameError(f"unknown {self._noun} {name!r}.{did_you_mean(name, self)}")
        if not record.available:
            raise UnknownNameError(
                f"{self._noun} {name!r} is listed but not available in this version. Available: {', '.join(self)}."
            )
        return record

    def get(self, name: str, default: Any = None) -> Any:
        """Return the record, or ``default`` where there is none that can be called."""
        return self._records[name] if name in self else default

    def why_not(self, name: str) -> str:
        """Return why ``name`` cannot be called, or nothing when it can."""
        try:
            self[name]
        except UnknownNameError as refusal:
            return str(refusal)
        return ""

    def __iter__(self) -> Iterator[str]:
        return (name for name, record in self._records.items() if record.available)

    def __len__(self) -> int:
        return sum(record.available for record in self._records.values())

    def __contains__(self, name: object) -> bool:
        record = self._records.get(str(name))
        return record is not None and record.available

    def table(self) -> pd.DataFrame:
        """Return one row per method, planned ones included, with a ``status`` column."""
        import pandas as pd

        rows = [
            {
                "name": record.name,
                "label": record.label,
                "status": "available" if record.available else "planned",
                **record.facts,
            }
            for record in self._records.values()
        ]
        return pd.DataFrame(rows).set_index("name")

    def __repr__(self) -> str:
        return f"<Registry of {len(self)} {self._noun}s: {', '.join(self)}>"
