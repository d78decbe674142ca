"""The main job, and what goes before it: demo, run, check, lock."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from immunosarc.cli._app import (
    AllowColumn,
    DataRoot,
    Jobs,
    Manifest,
    Out,
    Scheduler,
    Seed,
    SuppressBelow,
    command_app,
    progress,
)
from immunosarc.cli._plan_file import plan_part, plan_with
from immunosarc.errors import ImmunosarcError

if TYPE_CHECKING:
    from immunosarc.study import Study

Multiverse = Annotated[
    Path | None,
    typer.Option(
        help=r"TOML file with a table \[multiverse] (or \[plan.multiverse]): one question along every declared "
        "path. It becomes part of the plan, so that an earlier lock reads as a deviation."
    ),
]

LockedModelFile = Annotated[
    list[Path] | None,
    typer.Option(help="A model locked on another cohort (`immunosarc predict lock`), to be tried on this one."),
]

__all__ = ["check", "demo", "lock", "run"]


@command_app.command(epilog="Example: immunosarc demo --out out/demo")
def demo(
    out: Out, seed: Annotated[int, typer.Option(min=0, help="Seed of the simulated expression.")] = 7
) -> None:
    """Do the main job on the embedded simulated trial."""
    with progress("simulating the trial"):
        import immunosarc as ims

        _write(ims.run(ims.simulate_cohort(seed=seed), seed=seed), out)


@command_app.command(
    epilog="Example: immunosarc run data_manifests/riaz2017.toml --data-root ../shared/data --out out/riaz"
)
def run(
    manifest: Manifest,
    out: Out,
    data_root: DataRoot = None,
    seed: Seed = 0,
    allow_column: AllowColumn = None,
    suppress_below: SuppressBelow = None,
    locked_model: LockedModelFile = None,
    multiverse: Multiverse = None,
    replication: Annotated[
        Path | None,
        typer.Option(
            help="Folder that 'immunosarc replicate' wrote: the ledger then repeats what others say to each claim."
        ),
    ] = None,
    jobs: Jobs = 1,
    scheduler: Scheduler = None,
) -> None:
    """Do the main job on your cohort: load, derive, score, associate, report."""
    with progress("loading the cohort"):
        import immunosarc as ims

        locked = [ims.models.read_model(one) for one in locked_model or ()]
        cohort = ims.study.checked_cohort(manifest, data_root=data_root, allow_columns=allow_column or ())
        plan = None if multiverse is None else plan_with(cohort, multiverse=plan_part(multiverse, "multiverse"))
        others = None if replication is None else ims.study.read_replication(replication)
        brought = {"locked_models": locked, "replication": others}
        study = ims.run(cohort, plan, **brought, seed=seed, jobs=jobs, scheduler=scheduler)
        _write(study, out, suppress_below=suppress_below)


def _write(study: Study, out: Path, *, suppress_below: int | None = None) -> None:
    import immunosarc as ims

    folder = ims.report.write(study, out, suppress_below=suppress_below)
    typer.echo(f"{folder / ('report.html' if suppress_below is None else 'tables')}")


@command_app.command(epilog="Example: immunosarc check data_manifests/riaz2017.toml --data-root ../shared/data")
def check(manifest: Manifest, data_root: DataRoot = None, allow_column: AllowColumn = None) -> None:
    """Show every problem of a manifest, its files and its plan at once; write nothing."""
    import immunosarc as ims

    problems = ims.check(manifest, data_root=data_root, allow_columns=allow_column or ())
    if problems:
        raise ImmunosarcError("\n".join(problems))
    typer.echo(f"{manifest}: no problems")


@command_app.command(epilog="Example: immunosarc lock my_trial.toml --data-root data")
def lock(manifest: Manifest, data_root: DataRoot = None, seed: Seed = 0, allow_column: AllowColumn = None) -> None:
    """Freeze the analysis plan and the data hashes, before anyone has seen the answer."""
    import immunosarc as ims

    allowed = allow_column or ()
    typer.echo(f"{ims.lock(manifest, data_root=data_root, seed=seed, allow_columns=allowed)}")
