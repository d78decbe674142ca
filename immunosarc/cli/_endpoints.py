"""From clinical rows to every endpoint: endpoints."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from immunosarc.cli._app import DataRoot, Manifest, Out, command_app, progress

if TYPE_CHECKING:
    import pandas as pd

    from immunosarc.cohort import Cohort

__all__ = ["endpoints"]


@command_app.command(
    epilog="Example: immunosarc endpoints data_manifests/riaz2017.toml --data-root ../shared/data --out out/riaz"
)
def endpoints(
    manifest: Manifest,
    out: Out,
    data_root: DataRoot = None,
    rules: Annotated[
        str | None, typer.Option(help="Name of a rule set for what is derived from visits (endpoints.RULE_SETS).")
    ] = None,
    reader: Annotated[
        str | None, typer.Option(help="Whose measurements count; needed when there are several readers.")
    ] = None,
    by: Annotated[
        str | None, typer.Option(help="Column of the patients by which the summary is repeated.")
    ] = None,
) -> None:
    """Derive response, survival and toxicity of every patient, each with its reason, and summarize them."""
    with progress("loading the cohort"):
        import immunosarc as ims

        cohort = ims.load_cohort(manifest, data_root=data_root)
        tables = _tables(cohort, rules=rules, reader=reader, by=by)
        facts = {"rules": rules, "reader": reader, "by": by, "provenance": dict(cohort.provenance)}
        written = ims.report.write_tables(
            tables, out, title=f"Endpoints of {cohort.name}", about=facts, simulated=cohort.simulated
        )
    typer.echo(f"{written / 'tables' / 'outcomes.tsv'}")


def _tables(cohort: Cohort, *, rules: str | None, reader: str | None, by: str | None) -> dict[str, pd.DataFrame]:
    from immunosarc import endpoints as ends
    from immunosarc.errors import UnknownNameError, did_you_mean

    if by is not None and by not in cohort.patients:
        raise UnknownNameError(
            f"--by: no column {by!r} in the patients.{did_you_mean(by, cohort.patients.columns)}"
        )
    strata = None if by is None else cohort.patients[by]
    outcomes = ends.derive(cohort, rules=rules, reader=reader)
    made = ends.derive_trial_tables(cohort, rules=rules, reader=reader)
    tables = {
        "outcomes": outcomes,
        "summary": ends.summarize(outcomes, by=strata),
        "populations": ends.summarize_populations(outcomes, by=strata),
        **made,
        "adtte": ends.to_adtte(outcomes, made.get("course"), study_id=cohort.name),
    }
    if "visits" in made:
        tables["adrs"] = ends.to_adrs(made["visits"], made["course"], study_id=cohort.name)
        tables["adtr"] = ends.to_adtr(made["visits"], study_id=cohort.name)
    return tables | _toxicity(cohort)


def _toxicity(cohort: Cohort) -> dict[str, pd.DataFrame]:
    from immunosarc import endpoints as ends

    if "adverse_events" not in cohort.tables:
        return {}
    doses, drugs = cohort.tables.get("exposures"), cohort.tables.get("medications")
    toxicity = ends.derive_toxicity(cohort.tables["adverse_events"], exposures=doses, medications=drugs)
    patients = ends.derive_patient_toxicity(toxicity, cohort.patients, exposures=doses)
    return {"toxicity": toxicity, "patient_toxicity": patients}
