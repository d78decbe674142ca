"""The Typer app, the options that commands share, and how the program ends."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from immunosarc import __version__
from immunosarc.errors import ImmunosarcError

__all__ = [
    "AllowColumn",
    "DataRoot",
    "Jobs",
    "Manifest",
    "OnConflict",
    "Out",
    "Scheduler",
    "Seed",
    "SuppressBelow",
    "app",
    "command_app",
    "main",
    "progress",
]

command_app = typer.Typer(
    name="immunosarc",
    help="Which immune features go with response to doxorubicin plus checkpoint inhibitors in sarcoma, "
    "how sure can one be with 30 patients, and what should the next trial be?",
    epilog="Example: immunosarc demo --out out/demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
"""Every command registers itself here."""

Manifest = Annotated[Path, typer.Argument(help="The manifest (TOML) of the cohort.")]
DataRoot = Annotated[
    Path | None,
    typer.Option(help="Folder that the manifest's paths start from; the manifest's own folder unless given."),
]
Out = Annotated[
    Path, typer.Option(help="Folder to write into; it is made, or replaced if an earlier run made it.")
]
AllowColumn = Annotated[
    list[str] | None,
    typer.Option(
        help="A column that looks as if it named persons, and does not: the privacy gate lets it through and the "
        "provenance says so. May be given several times."
    ),
]
OnConflict = Annotated[
    str | None,
    typer.Option(
        help="What rows that contradict each other do: 'raise' stops with all of them, 'exclude_patient' leaves "
        "the patient without result and says why. The manifest's plan unless given, else 'raise'."
    ),
]
SuppressBelow = Annotated[
    int | None,
    typer.Option(
        min=2,
        help="Write tables of groups only, without counts of fewer patients than this and without what would give "
        "them away; no table of single patients, no figure.",
    ),
]
Jobs = Annotated[
    int,
    typer.Option(min=1, help="Processes on this machine that share the work; same tables."),
]
Scheduler = Annotated[
    str | None,
    typer.Option(help="Address of a running dask scheduler, as tcp://host:8786; instead of --jobs. Same tables."),
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the permutations. Same input, same seed, same tables.")]


@command_app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


@contextmanager
def progress(first: str) -> Iterator[None]:
    """Show on a terminal what is being done; say nothing elsewhere."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    logger = logging.getLogger("immunosarc")
    with Console(stderr=True).status(first) as status:
        handler = _StatusHandler(status)
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        try:
            yield
        finally:
            logger.removeHandler(handler)


class _StatusHandler(logging.Handler):
    def __init__(self, status: Any) -> None:
        super().__init__(logging.INFO)
        self._status = status

    def emit(self, record: logging.LogRecord) -> None:
        self._status.update(record.getMessage())


def app() -> NoReturn:
    """Run the command line: exit 0, or 2 with one readable message on stderr."""
    main(sys.argv[1:])


def main(arguments: list[str]) -> NoReturn:
    """Run one command and exit; what the user can mend is a message, not a traceback.

    Parameters
    ----------
    arguments : list of str
        The words after ``immunosarc``.
    """
    try:
        command_app(arguments, standalone_mode=True)
    except ImmunosarcError as failure:
        sys.stderr.write(f"immunosarc: {failure}\n")
    except OSError as failure:
        sys.stderr.write(f"immunosarc: {failure.strerror}: {failure.filename}\n")
    sys.exit(2)
