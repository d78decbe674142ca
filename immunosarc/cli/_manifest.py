"""From files to a manifest, and from a manifest to files: draft, fetch."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from immunosarc.cli._app import AllowColumn, DataRoot, Manifest, command_app
from immunosarc.errors import ImmunosarcError

__all__ = ["draft", "fetch"]


@command_app.command(epilog="Example: immunosarc draft clinical.tsv expression.tsv.gz --out my_trial.toml")
def draft(
    clinical: Annotated[Path, typer.Argument(help="Clinical table: one row per patient or per sample.")],
    expression: Annotated[Path, typer.Argument(help="Expression table: genes by samples or samples by genes.")],
    out: Annotated[Path | None, typer.Option(help="Manifest to write; printed when not given.")] = None,
    data_root: DataRoot = None,
    allow_column: AllowColumn = None,
) -> None:
    """Write a manifest template from your files, with every unknown marked."""
    import immunosarc as ims

    text = ims.loaders.draft_manifest(clinical, expression, data_root=data_root, allow_columns=allow_column or ())
    if out is None:
        typer.echo(text, nl=False)
        return
    if out.exists():
        raise ImmunosarcError(f"{out} exists; choose another name or delete it, a manifest is never overwritten.")
    out.write_text(text, encoding="utf-8")
    typer.echo(f"{out}: fill in what is marked '?', then: immunosarc check {out}")


@command_app.command(epilog="Example: immunosarc fetch data_manifests/riaz2017.toml --data-root data")
def fetch(manifest: Manifest, data_root: DataRoot = None) -> None:
    """Fetch the files of a manifest that have a public address; keep only what has the right hash."""
    import immunosarc as ims

    for file, status in ims.loaders.fetch_files(manifest, data_root=data_root).itertuples(index=False):
        typer.echo(f"{status}\t{file}")
