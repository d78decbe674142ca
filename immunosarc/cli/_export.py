"""A cohort for other programs: export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from immunosarc.cli._app import AllowColumn, DataRoot, Manifest, OnConflict, command_app

__all__ = ["export"]


@command_app.command(epilog="Example: immunosarc export my_trial.toml --format cbioportal --out study/")
def export(
    manifest: Manifest,
    out: Annotated[Path, typer.Option(help="Folder to write; for h5mu a file that ends in .h5mu.")],
    format: Annotated[
        str,
        typer.Option(
            help="'cbioportal' (a study, with a manifest that reads it back), 'h5mu' (MuData) or 'immunosarc'."
        ),
    ] = "cbioportal",
    data_root: DataRoot = None,
    allow_column: AllowColumn = None,
    on_conflict: OnConflict = None,
) -> None:
    """Write a cohort for cBioPortal, MuData, or to be read back by Cohort.read."""
    import immunosarc as ims

    cohort = ims.load_cohort(
        manifest, data_root=data_root, allow_columns=allow_column or (), on_conflict=on_conflict
    )
    typer.echo(f"{cohort.write(out, format=format)}: {format}")
