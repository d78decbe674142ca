"""From an assay to signature scores: score."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from immunosarc.cli._app import AllowColumn, DataRoot, Manifest, Out, Seed, command_app, progress
from immunosarc.errors import CoverageError, ImmunosarcError

if TYPE_CHECKING:
    import anndata
    import pandas as pd

    from immunosarc.cohort import Cohort

__all__ = ["score"]

Assay = Annotated[str, typer.Option(help="The assay of the manifest to read.")]


@command_app.command(
    epilog="Example: immunosarc score data_manifests/riaz2017.toml --data-root ../shared/data --out out/scores"
)
def score(
    manifest: Manifest,
    out: Out,
    data_root: DataRoot = None,
    assay: Assay = "rna",
    method: Annotated[
        str, typer.Option(help="A scoring method; 'published' scores each signature by its own.")
    ] = "published",
    signatures: Annotated[
        Path | None, typer.Option(help="GMT file of your own sets; the catalog when not given.")
    ] = None,
    ipres_sets: Annotated[Path | None, typer.Option(help="GMT file of the 26 sets of IPRES.")] = None,
    cinsarc_centroids: Annotated[
        Path | None, typer.Option(help="Table of gene, C1 and C2: the centroids of CINSARC.")
    ] = None,
    cell_profiles: Annotated[
        Path | None,
        typer.Option(help="Table of genes by pure cell types (such as TIL10): adds fractions of cell types."),
    ] = None,
    cell_method: Annotated[
        str, typer.Option(help="How fractions are found: 'quantiseq' (TPM) or 'nnls'.")
    ] = "quantiseq",
    mrna_scaling: Annotated[
        Path | None, typer.Option(help="Table of cell type and mRNA content, without header; else shares of mRNA.")
    ] = None,
    min_coverage: Annotated[
        float, typer.Option(min=0, max=1, help="Share of a signature's genes that the assay must have.")
    ] = 0.8,
    seed: Seed = 0,
    allow_column: AllowColumn = None,
) -> None:
    """Score every sample on every signature, say why where there is no score, and what each depends on."""
    with progress("loading the cohort"):
        import immunosarc as ims

        cohort = ims.load_cohort(manifest, data_root=data_root, allow_columns=allow_column or ())
        sets = ims.features.signatures() if signatures is None else ims.catalog.as_signatures(signatures)
        if ipres_sets is not None or cinsarc_centroids is not None:
            sets = ims.catalog.supply_inputs(sets, ipres_sets=ipres_sets, cinsarc_centroids=cinsarc_centroids)
        how: dict[str, Any] = {"method": method, "min_coverage": min_coverage}
        scores = ims.features.score(cohort[assay], sets, **how)
        tables = {
            "scores": scores,
            "coverage": ims.features.coverage(cohort[assay], sets, **how),
            "applicability": ims.features.applicability(cohort[assay], sets, **how),
        }
        if "histology" in cohort.patients:
            tables["lineage"] = ims.features.lineage_guard(cohort[assay], _histology(cohort), sets, **how)
        tables |= _cells(cohort[assay], min_coverage)
        if cell_profiles is not None:
            tables["cell_fractions"] = ims.features.deconvolve(
                cohort[assay],
                _of_fractions(cell_method),
                reference=ims.features.read_cell_profiles(cell_profiles, mrna_scaling=mrna_scaling),
                min_coverage=min_coverage,
                seed=seed,
            )
        elif mrna_scaling is not None:
            raise ImmunosarcError("--mrna-scaling belongs to --cell-profiles: give both")
        facts = {
            **how,
            "seed": seed,
            "assay": assay,
            "scoring": scores.attrs["scoring"],
            "provenance": dict(cohort.provenance),
        }
        written = ims.report.write_tables(
            tables, out, title=f"Scores of {cohort.name}", about=facts, simulated=cohort.simulated
        )
    typer.echo(f"{written / 'tables' / 'scores.tsv'}")


def _histology(cohort: Cohort) -> pd.Series:
    return cohort.samples["patient_id"].map(cohort.patients["histology"])


def _cells(adata: anndata.AnnData, min_coverage: float) -> dict[str, pd.DataFrame]:
    """Marker scores of cell types; nothing where an assay has the markers of none."""
    import pandas as pd

    import immunosarc as ims

    found = []
    for method in ("mcp_counter", "danaher"):
        with contextlib.suppress(CoverageError):
            found.append(ims.features.deconvolve(adata, method, min_coverage=min_coverage))
    return {"cells": pd.concat(found, ignore_index=True)} if found else {}


def _of_fractions(method: str) -> str:
    import immunosarc as ims

    record = ims.features.DECONVOLUTION[method]
    if record.output != "cell_fraction":
        raise ImmunosarcError(
            f"--cell-method {method} gives scores, which are written anyway; fractions: quantiseq, nnls"
        )
    return method
