"""Locked prediction models: made on one cohort, tried on another, applied to new patients."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from immunosarc.cli._app import DataRoot, Manifest, Out, Seed, command_app, progress
from immunosarc.cli._score import Assay

__all__ = ["predict_app"]

predict_app = typer.Typer(
    help="Lock a prediction model, try it on another cohort, apply it to new patients.",
    epilog="Example: immunosarc predict transport tis.json data_manifests/hugo2016.toml --out out/transport",
    no_args_is_help=True,
)
command_app.add_typer(predict_app, name="predict")

_Model = Annotated[Path, typer.Argument(help="The model file (JSON) that `immunosarc predict lock` wrote.")]
_Platform = Annotated[
    str | None, typer.Option(help="Platform of the assay; what the manifest declares unless given.")
]


@predict_app.command(
    epilog="Example: immunosarc predict lock my_trial.toml tis.json --signature tis18_unweighted "
    "--endpoint objective_response --name tis --intended-use 'Research: ranks patients before treatment.'"
)
def lock(
    manifest: Manifest,
    model_file: Annotated[Path, typer.Argument(help="The file to write; it must not exist yet.")],
    signature: Annotated[list[str], typer.Option(help="A catalog signature; several times for several.")],
    endpoint: Annotated[str, typer.Option(help="What is predicted; binary or time to event.")],
    name: Annotated[str, typer.Option(help="What the model is called.")],
    intended_use: Annotated[str, typer.Option(help="For whom and for what, in a sentence.")],
    shared_with: Annotated[
        list[Path] | None,
        typer.Option(help="Manifest of a cohort to try it on: samples are ranked among the genes that both have."),
    ] = None,
    method: Annotated[str, typer.Option(help="A single-sample scoring method.")] = "singscore",
    timepoint: Annotated[str, typer.Option(help="When the samples were taken.")] = "pre",
    landmark_day: Annotated[int | None, typer.Option(help="Day from which the endpoint counts.")] = None,
    n_bootstrap: Annotated[int, typer.Option(min=0, help="Bootstraps of the cross-validation.")] = 200,
    data_root: DataRoot = None,
    assay: Assay = "rna",
    platform: _Platform = None,
    seed: Seed = 0,
) -> None:
    """Lock a model of signatures chosen in advance, with its honest performance and its model card."""
    with progress("loading the cohorts"):
        import immunosarc as ims

        cohort = ims.load_cohort(manifest, data_root=data_root)
        genes = [str(one) for one in cohort[assay].var_names]
        for other in shared_with or ():
            theirs = set(map(str, ims.load_cohort(other, data_root=data_root)[assay].var_names))
            genes = [one for one in genes if one in theirs]
        locked = ims.study.lock_signatures(
            cohort,
            signature,
            endpoint=endpoint,
            name=name,
            intended_use=intended_use,
            genes=genes,
            method=method,
            timepoint=timepoint,
            landmark_day=landmark_day,
            assay=assay,
            platform=platform,
            n_bootstrap=n_bootstrap,
            seed=seed,
        )
        written = ims.models.write_model(locked, model_file)
    typer.echo(locked.card(), err=True)
    typer.echo(f"{written}")


@predict_app.command(
    epilog="Example: immunosarc predict transport tis.json data_manifests/hugo2016.toml --out out/transport"
)
def transport(
    model_file: _Model,
    manifest: Manifest,
    out: Out,
    data_root: DataRoot = None,
    assay: Assay = "rna",
    platform: _Platform = None,
) -> None:
    """Try a locked model on another cohort: whom it tells apart there, and whose risk comes true."""
    with progress("reading the model"):
        import immunosarc as ims

        locked = ims.models.read_model(model_file)
        cohort = ims.load_cohort(manifest, data_root=data_root)
        found = ims.study.transport_to(locked, cohort, assay=assay, platform=platform)
        tables = {
            "transport": found.performance,
            "transport_calibration": found.calibration,
            "transport_decisions": found.decision_curve,
            "transport_predictions": found.predictions,
        }
        facts = {"model": locked.name, "model_sha256": locked.hash, "assay": assay}
        written = ims.report.write_tables(
            tables,
            out,
            title=f"{locked.name} in {cohort.name}",
            about=facts | {"provenance": dict(cohort.provenance)},
            simulated=cohort.simulated,
        )
    typer.echo(repr(found), err=True)
    typer.echo(f"{written / 'tables' / 'transport.tsv'}")


@predict_app.command("apply", epilog="Example: immunosarc predict apply tis.json new_patients.toml --out out/risk")
def apply_(
    model_file: _Model,
    manifest: Manifest,
    out: Out,
    data_root: DataRoot = None,
    assay: Assay = "rna",
    platform: _Platform = None,
) -> None:
    """Predict new patients one by one by a locked model; another unit or platform is refused."""
    with progress("reading the model"):
        import immunosarc as ims

        locked = ims.models.read_model(model_file)
        cohort = ims.load_cohort(manifest, data_root=data_root)
        table = ims.study.score_as_locked(locked, cohort, assay=assay)
        declared = platform or str(cohort[assay].uns["immunosarc"].get("platform", ""))
        told = locked.predict(
            table, unit=str(table.attrs["unit"]), platform=declared, reference_hash=locked.reference_hash
        )
        facts = {"model": locked.name, "model_sha256": locked.hash, "assay": assay}
        written = ims.report.write_tables(
            {"predicted": told},
            out,
            title=f"{cohort.name} by {locked.name}",
            about=facts | {"provenance": dict(cohort.provenance)},
            simulated=cohort.simulated,
        )
    counts = told["status"].eq("ok").sum()
    typer.echo(f"{counts} of {len(told)} patients predicted", err=True)
    typer.echo(f"{written / 'tables' / 'predicted.tsv'}")
