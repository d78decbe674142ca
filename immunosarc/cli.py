"""The command line: files in, public functions, files out.

Heavy packages are imported inside the commands, so that ``--help`` answers at once.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from immunosarc import __version__
from immunosarc.errors import ImmunosarcError

if TYPE_CHECKING:
    from immunosarc.cohort import Cohort

__all__ = ["app", "main"]

_app = typer.Typer(
    name="immunosarc",
    help="Which immune features go with response to doxorubicin plus checkpoint inhibitors in sarcoma, "
    "how sure can one be with 30 patients, and what should the next trial be?",
    epilog="Example: immunosarc demo --out out/demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Manifest = Annotated[Path, typer.Argument(help="The manifest (TOML) of the cohort.")]
DataRoot = Annotated[
    Path | None,
    typer.Option(help="Folder that the manifest's paths start from; the manifest's own folder unless given."),
]
Out = Annotated[
    Path, typer.Option(help="Folder to write into; it is made, or replaced if an earlier run made it.")
]
Seed = Annotated[int, typer.Option(min=0, help="Seed of the permutations. Same input, same seed, same tables.")]


@_app.callback(invoke_without_command=True)
def _options(
    version: Annotated[bool, typer.Option("--version", help="Print the version and stop.")] = False,
) -> None:
    if version:
        typer.echo(__version__)
        raise typer.Exit


@_app.command(epilog="Example: immunosarc demo --out out/demo")
def demo(
    out: Out, seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated expression.")] = 7
) -> None:
    """Do the main job on the embedded simulated trial."""
    with _progress("simulating the trial"):
        import immunosarc as ims

        _main_job(ims.simulate_cohort(seed=seed), out, seed)


@_app.command(
    epilog="Example: immunosarc run data_manifests/riaz2017.toml --data-root ../shared/data --out out/riaz"
)
def run(manifest: Manifest, out: Out, data_root: DataRoot = None, seed: Seed = 0) -> None:
    """Do the main job on your cohort: load, derive, score, associate, report."""
    with _progress("loading the cohort"):
        import immunosarc as ims

        _main_job(ims.load_cohort(manifest, data_root=data_root), out, seed)


def _main_job(cohort: Cohort, out: Path, seed: int) -> None:
    import immunosarc as ims

    folder = ims.report.write(ims.run(cohort, seed=seed), out)
    typer.echo(f"{folder / 'report.html'}")


@_app.command(epilog="Example: immunosarc draft clinical.tsv expression.tsv.gz --out my_trial.toml")
def draft(
    clinical: Annotated[Path, typer.Argument(help="Clinical table: one row per patient or per sample.")],
    expression: Annotated[Path, typer.Argument(help="Expression table: genes by samples or samples by genes.")],
    out: Annotated[Path | None, typer.Option(help="Manifest to write; printed when not given.")] = None,
    data_root: DataRoot = None,
) -> None:
    """Write a manifest template from your files, with every unknown marked."""
    import immunosarc as ims

    text = ims.loaders.draft_manifest(clinical, expression, data_root=data_root)
    if out is None:
        typer.echo(text, nl=False)
        return
    if out.exists():
        raise ImmunosarcError(f"{out} exists; choose another name or delete it, a manifest is never overwritten.")
    out.write_text(text, encoding="utf-8")
    typer.echo(f"{out}: fill in what is marked '?', then: immunosarc check {out}")


@_app.command(epilog="Example: immunosarc check data_manifests/riaz2017.toml --data-root ../shared/data")
def check(manifest: Manifest, data_root: DataRoot = None) -> None:
    """Show every problem of a manifest, its files and its plan at once; write nothing."""
    import immunosarc as ims

    problems = ims.check(manifest, data_root=data_root)
    if problems:
        raise ImmunosarcError("\n".join(problems))
    typer.echo(f"{manifest}: no problems")


@_app.command(epilog="Example: immunosarc fetch data_manifests/riaz2017.toml --data-root data")
def fetch(manifest: Manifest, data_root: DataRoot = None) -> None:
    """Fetch the files of a manifest that have a public address; keep only what has the right hash."""
    import immunosarc as ims

    for file, status in ims.loaders.fetch_files(manifest, data_root=data_root).itertuples(index=False):
        typer.echo(f"{status}\t{file}")


@_app.command(epilog="Example: immunosarc lock my_trial.toml --data-root data")
def lock(manifest: Manifest, data_root: DataRoot = None, seed: Seed = 0) -> None:
    """Freeze the analysis plan and the data hashes, before anyone has seen the answer."""
    import immunosarc as ims

    typer.echo(f"{ims.lock(manifest, data_root=data_root, seed=seed)}")


@_app.command(epilog="Example: immunosarc signatures cyt")
def signatures(
    name: Annotated[str | None, typer.Argument(help="One signature; the whole catalog when not given.")] = None,
) -> None:
    """Show the signature catalog, or one signature's genes, direction, source and license."""
    import immunosarc as ims

    catalog = ims.catalog.load_signatures()
    typer.echo(
        catalog.table().to_csv(sep="\t", lineterminator="\n") if name is None else catalog[name].describe(),
        nl=False,
    )


@contextmanager
def _progress(first: str) -> Iterator[None]:
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
        _app(arguments, standalone_mode=True)
    except ImmunosarcError as failure:
        sys.stderr.write(f"immunosarc: {failure}\n")
    except OSError as failure:
        sys.stderr.write(f"immunosarc: {failure.strerror}: {failure.filename}\n")
    sys.exit(2)


if __name__ == "__main__":
    app()
