"""What holds for the whole package: quick to import, quiet, documented, no remains of the bench."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import subprocess
import sys

import pytest
from numpydoc.docscrape import NumpyDocString

import immunosarc as ims

MODULES = [m.name for m in pkgutil.walk_packages(ims.__path__, "immunosarc.") if "._" not in m.name]


def _public() -> list[tuple[str, object]]:
    found = {}
    for name in MODULES:
        module = importlib.import_module(name)
        for public in getattr(module, "__all__", []):
            thing = getattr(module, public)
            if callable(thing) and getattr(thing, "__module__", "").startswith("immunosarc"):
                found[f"{thing.__module__}.{public}"] = thing
    return sorted(found.items())


def _run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_loads_nothing_heavy() -> None:
    loaded = _run(
        "import sys, immunosarc; print([m for m in ('numpy','pandas','scanpy','matplotlib') if m in sys.modules])"
    )
    assert loaded.strip() == "[]"


def test_analysis_loads_no_drawing() -> None:
    code = (
        "import sys, immunosarc as ims\n"
        "for name in ('cohort', 'loaders', 'endpoints', 'features', 'models', 'simulate', 'study'): getattr(ims, name)\n"
        "print('matplotlib.pyplot' in sys.modules)"
    )
    assert _run(code).strip() == "False"


def test_every_public_name_is_reachable() -> None:
    for name in ims.__all__:
        assert getattr(ims, name) is not None
    assert "simulate_cohort" in dir(ims)
    with pytest.raises(AttributeError, match="no attribute 'simulate_kohort'"):
        _ = ims.simulate_kohort


@pytest.mark.parametrize(("name", "thing"), _public(), ids=lambda v: v if isinstance(v, str) else "")
def test_every_public_thing_is_documented(name: str, thing: object) -> None:
    text = inspect.getdoc(thing) or ""
    assert text.split("\n")[0].strip().endswith((".", ":", "?")), f"{name} has no first sentence"
    if not inspect.isfunction(thing):
        return
    page = NumpyDocString(text)
    explained = [one.strip(" *") for entry in page["Parameters"] for one in entry.name.split(",")]
    assert explained == list(inspect.signature(thing).parameters), f"{name}: text and signature differ"
    if name not in ("immunosarc.cli._app.app", "immunosarc.cli._app.main"):
        assert page["Examples"], f"{name} has no example"
