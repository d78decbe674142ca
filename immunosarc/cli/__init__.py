"""The command line: files in, public functions, files out.

Heavy packages are imported inside the commands, so that ``--help`` answers at once. Commands
appear in the help in the order in which their modules are imported here.
"""

from immunosarc.cli import (  # isort: skip  # noqa: F401
    _study,
    _manifest,
    _export,
    _catalog,
    _endpoints,
    _score,
    _classify,
    _associate,
    _replicate,
    _stratify,
    _predict,
    _design,
    _design_survival,
)
from immunosarc.cli._app import app, main

__all__ = ["app", "main"]
