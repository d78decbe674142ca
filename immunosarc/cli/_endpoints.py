"""From clinical rows to every endpoint: endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from immunosarc.cli._app import (
    AllowColumn,
    DataRoot,
    Manifest,
    OnConflict,
    Out,
    SuppressBelow,
    command_app,
    progress,
)

if TYPE_CHECKING:
    import pandas as pd

    from immunosarc.cohort import Cohort
    from immunosarc.study import Plan

__all__ = ["endpoints"]


@command_app.command(
    epilog="Example: immunosarc endpoints data_manifests/riaz2017.toml --data-root ../shared/data --out out/riaz"
)
def endpoints(
    manifest: Manifest,
    out: Out,
    data_root: DataRoot = None,
    rules: Annotated[
        str | None,
        typer.Option(help="Rule set for what is derived from visits (endpoints.RULE_SETS); else the plan's."),
    ] = None,
    reader: Annotated[
        str | None, typer.Option(help="Whose measurements count; needed when there are several readers.")
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="Column of the patients by which the summaries are repeated.")
    ] = None,
    on_conflict: OnConflict = None,
    allow_column: AllowColumn = None,
    suppress_below: SuppressBelow = None,
) -> None:
    """Derive response, survival and toxicity of every patient, each with its reason, and summarize them."""
    with progress("loading the cohort"):
        import immunosarc as ims

        allowed = allow_column or ()
        cohort = ims.load_cohort(manifest, data_root=data_root, on_conflict=on_conflict, allow_columns=allowed)
        plan = _plan(cohort, rules=rules, reader=reader, on_conflict=on_conflict)
        tables = _tables(cohort, plan, by=by)
        facts = {"rules": plan.rule_set, "reader": plan.reader, "by": by, "provenance": dict(cohort.provenance)}
        written = ims.report.write_tables(
            tables,
            out,
            title=f"Endpoints of {cohort.name}",
            about=facts,
            simulated=cohort.simulated,
            suppress_below=suppress_below,
        )
    first = "outcomes" if suppress_below is None else "summary"
    typer.echo(f"{written / 'tables' / f'{first}.tsv'}")


def _plan(cohort: Cohort, **given: str | None) -> Plan:
    """The rules that the manifest's plan declares, but for what the command line says."""
    from immunosarc.study import Plan

    names = {"rules": "rule_set"}
    said = {names.get(name, name): value for name, value in given.items() if value is not None}
    declared = cohort.provenance.get("plan") or {}
    return Plan.from_mapping({**declared, **said})


def _tables(cohort: Cohort, plan: Plan, *, by: str | None) -> dict[str, pd.DataFrame]:
    from immunosarc import endpoints as ends
    from immunosarc.errors import UnknownNameError, did_you_mean
    from immunosarc.study import trial_tables

    if by is not None and by not in cohort.patients:
        raise UnknownNameError(
            f"--by: no column {by!r} in the patients.{did_you_mean(by, cohort.patients.columns)}"
        )
    strata = None if by is None else cohort.patients[by]
    outcomes = ends.derive(cohort, rules=plan.rule_set, reader=plan.reader, on_conflict=plan.on_conflict)
    made = trial_tables(cohort, plan, outcomes, by=strata)
    tables = {
        "outcomes": outcomes,
        "summary": ends.summarize(outcomes, by=strata, null_rates=plan.null_rates),
        **made,
        "adtte": ends.to_adtte(outcomes, made.get("course"), study_id=cohort.name),
    }
    if "visits" in made:
        tables["adrs"] = ends.to_adrs(made["visits"], made["course"], study_id=cohort.name)
        tables["adtr"] = ends.to_adtr(made["visits"], study_id=cohort.name)
    return tables
