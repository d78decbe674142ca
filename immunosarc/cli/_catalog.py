"""What ships with the program: signatures."""

from __future__ import annotations

from typing import Annotated

import typer

from immunosarc.cli._app import command_app

__all__ = ["signatures"]


@command_app.command(epilog="Example: immunosarc signatures cyt")
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
