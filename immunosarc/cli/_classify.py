"""From an assay to immune classes on a frozen reference: classify."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from immunosarc.cli._app import AllowColumn, DataRoot, Manifest, Out, Seed, command_app, progress
from immunosarc.cli._score import Assay
from immunosarc.errors import CoverageError, DataFileError, ImmunosarcError

if TYPE_CHECKING:
    import anndata
    import pandas as pd

    from immunosarc.features import Reference

__all__ = ["classify"]

_SCHEMES = ("hot_cold", "sarcoma_immune_class")


class Guard(StrEnum):
    """How unit and pipeline of an assay are vouched for."""

    measured = "measured"
    declared = "declared"


@command_app.command(
    epilog="Example: immunosarc classify my_trial.toml --gene-lengths lengths.tsv --out out/classes"
)
def classify(
    manifest: Manifest,
    out: Out,
    data_root: DataRoot = None,
    assay: Assay = "rna",
    reference: Annotated[
        Path | None,
        typer.Option(help="Reference file; the shipped one (TPM, soft-tissue sarcoma) when not given."),
    ] = None,
    freeze: Annotated[
        Path | None,
        typer.Option(help="Freeze this cohort (20 samples or more) into this new file, and place it on itself."),
    ] = None,
    guard: Annotated[
        Guard, typer.Option(help="'declared' places few genes on your word that unit and pipeline are right.")
    ] = Guard.measured,
    gene_lengths: Annotated[
        Path | None, typer.Option(help="Table of gene and exon length, tab-separated, with a header.")
    ] = None,
    seed: Seed = 0,
    allow_column: AllowColumn = None,
) -> None:
    """Place every sample on a frozen reference: percentile and z, hot or cold, sarcoma immune class, change."""
    with progress("loading the cohort"):
        import immunosarc as ims

        cohort = ims.load_cohort(manifest, data_root=data_root, allow_columns=allow_column or ())
        against = _reference(cohort[assay], reference, freeze)
        lengths = None if gene_lengths is None else _lengths(gene_lengths)
        how: dict[str, Any] = {"guard": guard.value, "gene_lengths": lengths}
        adata = cohort[assay]
        placed = ims.features.place(adata, against, **how)
        tables = {"classes": _classes(adata, against, {**how, "seed": seed}), "placement": placed}
        if {"pre", "on"} <= set(cohort.samples.reindex(adata.obs_names)["timepoint"]):
            tables["placed_change"] = ims.features.placed_change(placed, cohort.samples)
        facts = {
            "assay": assay,
            "guard": guard.value,
            "seed": seed,
            "reference": against.name,
            "reference_sha256": against.hash,
            "reference_source": against.source,
            "provenance": dict(cohort.provenance),
        }
        written = ims.report.write_tables(
            tables, out, title=f"Immune classes of {cohort.name}", about=facts, simulated=cohort.simulated
        )
    typer.echo(f"{written / 'tables' / 'classes.tsv'}")


def _reference(adata: anndata.AnnData, file: Path | None, freeze: Path | None) -> Reference:
    import immunosarc as ims

    if file is not None and freeze is not None:
        raise ImmunosarcError("--reference reads a file and --freeze writes one: give one of them")
    if freeze is not None:
        own = ims.features.build_reference(adata, name=freeze.stem)
        typer.echo(f"{ims.features.write_reference(own, freeze)}")
        return own
    return ims.features.sarcoma_reference() if file is None else ims.features.read_reference(file)


def _lengths(path: Path) -> pd.Series:
    import pandas as pd

    try:
        table = pd.read_csv(path, sep="\t", index_col=0)
        lengths = pd.to_numeric(table.iloc[:, 0])
    except (ValueError, IndexError, UnicodeDecodeError) as error:
        raise DataFileError(f"{path.name} must hold a gene and its length on each line: {error}") from None
    if repeated := lengths.index[lengths.index.duplicated()].tolist():
        raise DataFileError(f"{path.name}: genes repeated: {', '.join(map(str, repeated[:5]))}")
    return lengths


def _classes(adata: anndata.AnnData, against: Reference, how: dict[str, Any]) -> pd.DataFrame:
    """Classes of every scheme whose axes the reference has."""
    import pandas as pd

    import immunosarc as ims

    found, refusals = [], []
    for scheme in _SCHEMES:
        try:
            found.append(ims.features.classify(adata, scheme, reference=against, **how))
        except CoverageError as refusal:
            refusals.append(str(refusal))
    if not found:
        raise CoverageError("\n".join(refusals))
    return pd.concat(found, ignore_index=True)
