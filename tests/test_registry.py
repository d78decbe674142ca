"""The registry: what can be called, what is only planned, and the words for a misspelling."""

from __future__ import annotations

import pytest

from immunosarc.errors import UnknownNameError
from immunosarc.registry import Registry


@pytest.fixture
def tools() -> Registry:
    tools = Registry("tool")

    @tools.register("hammer", label="Hammer", weight=2)
    def hammer() -> str:
        return "bang"

    tools.plan("saw", label="Saw", weight=1)
    return tools


def test_available_ones_are_found_and_called(tools: Registry) -> None:
    assert list(tools) == ["hammer"]
    assert tools["hammer"].func() == "bang"
    assert tools["hammer"].weight == 2
    assert "saw" not in tools
    assert tools.get("saw") is None
    with pytest.raises(AttributeError, match="color"):
        _ = tools["hammer"].color


def test_planned_ones_are_listed_not_faked(tools: Registry) -> None:
    assert tools.table()["status"].to_dict() == {"hammer": "available", "saw": "planned"}
    with pytest.raises(UnknownNameError, match="tool 'saw' is listed but not available in this version"):
        tools["saw"]


def test_misspelt_and_doubled_names(tools: Registry) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'hammer'"):
        tools["hamer"]
    with pytest.raises(KeyError, match="registered twice"):
        tools.plan("hammer", label="Hammer")
