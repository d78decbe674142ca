"""The same questions in several cohorts: replicate."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from immunosarc.cli._app import AllowColumn, DataRoot, Out, Seed, command_app, progress
from immunosarc.cli._plan_file import plan_table

if TYPE_CHECKING:
    from immunosarc.study import Plan

__all__ = ["replicate"]


class Interval(StrEnum):
    """The interval of the average effect."""

    truncated = "hartung_knapp_truncated"
    plain = "hartung_knapp"


@command_app.command(
    epilog="Example: immunosarc replicate data_manifests/riaz2017.toml data_manifests/imvigor210.toml "
    "--data-root ../shared/data --feature tis_mean_z --endpoint objective_response --timepoint pre --out out/tis"
)
def replicate(
    manifests: Annotated[
        list[Path], typer.Argument(help="The manifests (TOML) of at least two cohorts; the first is the original.")
    ],
    out: Out,
    plan: Annotated[
        Path | None,
        typer.Option(
            help="TOML file with a plan (or a manifest with one) for all cohorts; else the default plan."
        ),
    ] = None,
    feature: Annotated[
        list[str] | None,
        typer.Option(help="Ask this feature of the plan only, or SIGNATURE:METHOD; may be given several times."),
    ] = None,
    endpoint: Annotated[
        list[str] | None, typer.Option(help="Ask about this endpoint only; may be given several times.")
    ] = None,
    timepoint: Annotated[
        list[str] | None, typer.Option(help="Use these samples only: pre, on, post; may be given several times.")
    ] = None,
    data_root: DataRoot = None,
    namesakes: Annotated[
        str | None,
        typer.Option(
            help="Patient ids that several cohorts use for different people: separated by commas, or a file with "
            "one per line."
        ),
    ] = None,
    level: Annotated[float, typer.Option(help="Level of the pooled intervals.")] = 0.95,
    interval: Annotated[
        Interval, typer.Option(help="Interval of the average effect; the plain one is too narrow by chance.")
    ] = Interval.truncated,
    seed: Seed = 0,
    allow_column: AllowColumn = None,
) -> None:
    """Put the same questions to several cohorts, pool the answers, and say what a new cohort may show."""
    with progress("loading the cohorts"):
        import immunosarc as ims

        asked = _plan(plan, features=feature or (), endpoints=endpoint or (), timepoints=timepoint or ())
        people = _ids(namesakes)
        allowed = allow_column or ()
        cohorts = [ims.study.checked_cohort(one, data_root=data_root, allow_columns=allowed) for one in manifests]
        how = {"namesakes": people, "level": level, "interval": interval.value, "seed": seed}
        found = ims.replicate(cohorts, asked, namesakes=people, level=level, interval=interval.value, seed=seed)
        facts = {
            "plan": asked.model_dump(mode="json"),
            "plan_sha256": asked.sha256,
            "arguments": how,
            "cohorts": {one.name: _carried(dict(one.provenance)) for one in cohorts},
        }
        written = ims.report.write_replication(found, out, about=facts)
    typer.echo(f"{written / 'report.html'}")


def _plan(file: Path | None, **narrowed: Sequence[str]) -> Plan:
    from immunosarc.study import Plan, asking_only

    whole = Plan() if file is None else Plan.from_mapping(plan_table(file))
    return asking_only(whole, **narrowed)


def _ids(given: str | None) -> list[str]:
    """The namesakes: the lines of a file, or words between commas."""
    if given is None:
        return []
    text = Path(given).read_text(encoding="utf-8").replace("\n", ",") if Path(given).is_file() else given
    return [one.strip() for one in text.split(",") if one.strip()]


def _carried(provenance: dict[str, object]) -> dict[str, object]:
    """What of a cohort's provenance stands beside a result: no plan and no lock of its own."""
    return {name: value for name, value in provenance.items() if name not in ("plan", "lock", "loading", "truth")}
