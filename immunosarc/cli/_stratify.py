"""From new patients to their strata, by a frozen rule: stratify."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from immunosarc.cli._app import AllowColumn, DataRoot, Manifest, Out, command_app, progress
from immunosarc.cli._score import Assay

__all__ = ["stratify"]


@command_app.command(epilog="Example: immunosarc stratify hot.toml new_patients.toml --out out/strata")
def stratify(
    rule: Annotated[Path, typer.Argument(help="The rule file (TOML) that immunosarc.design.stratify froze.")],
    manifest: Manifest,
    out: Out,
    data_root: DataRoot = None,
    assay: Assay = "rna",
    allow_column: AllowColumn = None,
) -> None:
    """Assign new patients to strata by a frozen rule: same patient, same stratum, whoever else is there."""
    with progress("reading the rule"):
        import immunosarc as ims

        frozen = ims.design.read_rule(rule)
        cohort = ims.load_cohort(manifest, data_root=data_root, allow_columns=allow_column or ())
        strata = frozen.apply(cohort, assay=assay)
        facts = {
            "rule": frozen.name,
            "rule_sha256": frozen.sha256,
            "rule_written_by": frozen.immunosarc_version,
            "reference_sha256": frozen.reference.hash if frozen.reference is not None else None,
            "assay": assay,
            "provenance": dict(cohort.provenance),
        }
        title = f"Strata of {cohort.name} by {frozen.name}"
        written = ims.report.write_tables(
            {"strata": strata}, out, title=title, about=facts, simulated=cohort.simulated
        )
    counts = strata["stratum"].fillna("not assignable").value_counts()
    typer.echo(", ".join(f"{name}: {number}" for name, number in counts.items()), err=True)
    typer.echo(f"{written / 'tables' / 'strata.tsv'}")
