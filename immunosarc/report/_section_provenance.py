"""Where everything comes from, and the plan as it was declared."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from immunosarc.report._section import Section, Settings
from immunosarc.study import Study

__all__ = ["build"]


def build(study: Study) -> Section:
    """Return files with hashes, versions, seed; folded away, the plan."""
    stated = {**study.provenance, "plan_sha256": study.plan.sha256, "stamp": study.stamp}
    plan = Settings(_flat(study.plan.model_dump(mode="json")), summary="The plan, as declared")
    return Section("provenance", "Provenance", "Provenance", (Settings(_flat(stated)), plan))


def _flat(mapping: Mapping[str, Any], lead: str = "") -> list[tuple[str, str]]:
    """Return nested settings as lines of key and text; what fits on one line stays on one."""
    lines: list[tuple[str, str]] = []
    for key, value in mapping.items():
        name = f"{lead}{key}"
        inner = _numbered(value) if isinstance(value, list | tuple) else value
        if not isinstance(inner, Mapping):
            lines.append((name, "" if value is None else str(value)))
        elif any(isinstance(one, Mapping | list | tuple) for one in inner.values()):
            lines += _flat(inner, f"{name} / ")
        elif inner is value:
            lines.append((name, ", ".join(f"{part} {one}" for part, one in inner.items())))
        else:
            lines.append((name, _enumerated([str(one) for one in value])))
    return [(name, text) for name, text in lines if text]


def _enumerated(texts: list[str]) -> str:
    sentences = all(text.endswith(".") for text in texts)
    return (" " if sentences else ", ").join(texts)


def _numbered(values: Iterable[Any]) -> dict[str, Any]:
    return {str(place): value for place, value in enumerate(values, start=1)}
