"""From features and outcomes to associations: associate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from immunosarc.cli._app import AllowColumn, DataRoot, Out, Seed, SuppressBelow, command_app, progress
from immunosarc.errors import DataFileError, PlanError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

    from immunosarc.cohort import Cohort

__all__ = ["associate"]

_SAMPLE, _PATIENT = "sample_id", "patient_id"


@command_app.command(
    epilog="Example: immunosarc associate out/scores/tables/scores.tsv --manifest data_manifests/riaz2017.toml "
    "--data-root ../shared/data --endpoint objective_response --model mann_whitney --out out/associations"
)
def associate(
    features: Annotated[
        Path,
        typer.Argument(
            help="Table of features: one row per sample (sample_id; needs --manifest), or one per patient "
            "(patient_id, timepoint)."
        ),
    ],
    out: Out,
    endpoint: Annotated[str, typer.Option(help="A clinical endpoint, such as objective_response or pfs.")],
    model: Annotated[str, typer.Option(help="A model of the endpoint's kind, such as mann_whitney or cox.")],
    outcomes: Annotated[
        Path | None, typer.Option(help="Table of outcomes, one row per patient; from the manifest when not given.")
    ] = None,
    manifest: Annotated[
        Path | None, typer.Option(help="Manifest (TOML) of the cohort: its samples, patients and outcomes.")
    ] = None,
    data_root: DataRoot = None,
    timepoint: Annotated[str, typer.Option(help="Which samples: pre, on or post.")] = "pre",
    strata: Annotated[
        list[str] | None, typer.Option(help="Column of the patients to compare within; may be repeated.")
    ] = None,
    covariate: Annotated[
        list[str] | None, typer.Option(help="Column of the patients to adjust for; may be repeated.")
    ] = None,
    landmark_day: Annotated[
        int | None, typer.Option(help="Study day on which the clock restarts; for samples on treatment.")
    ] = None,
    alternative: Annotated[
        str,
        typer.Option(help="two-sided; or greater, less: only high (low) values that go with the event count."),
    ] = "two-sided",
    per_sd: Annotated[bool, typer.Option("--per-sd", help="Ratios per standard deviation.")] = False,
    alpha: Annotated[float, typer.Option(help="Family-wise error; intervals have level 1 - alpha.")] = 0.05,
    permutations: Annotated[int, typer.Option(min=20, help="Permutations for p maxT.")] = 10_000,
    seed: Seed = 0,
    allow_column: AllowColumn = None,
    suppress_below: SuppressBelow = None,
) -> None:
    """Associate every feature with one endpoint, count the whole table, and say what could have been found."""
    with progress("associating"):
        import immunosarc as ims

        allowed = allow_column or ()
        cohort = (
            None if manifest is None else ims.load_cohort(manifest, data_root=data_root, allow_columns=allowed)
        )
        result = _outcomes(outcomes, cohort)
        table = _by_patient(features, cohort, timepoint)
        known = result if cohort is None else cohort.patients
        ask: dict[str, Any] = {
            "endpoint": endpoint,
            "model": model,
            "covariates": _columns(known, covariate, "--covariate"),
            "strata": _columns(known, strata, "--strata"),
            "landmark_day": landmark_day,
            "alternative": alternative,
            "panel": features.stem,
            "alpha": alpha,
            "n_permutations": permutations,
            "seed": seed,
        }
        tables = {
            "associations": ims.models.associate(table, result, **ask, per_sd=per_sd),
            "detectability": ims.models.detectability(table, result, **ask),
        }
        if landmark_day is not None:
            tables["landmarks"] = ims.models.landmark_flow(
                table, result, endpoint=endpoint, landmark_day=landmark_day
            )
        stated = {**ask, "covariates": covariate, "strata": strata, "per_sd": per_sd, "timepoint": timepoint}
        if cohort is not None and "allowed_columns" in cohort.provenance:
            stated["allowed_columns"] = cohort.provenance["allowed_columns"]
        facts = {**stated, "files": {name.name: _sha256(name) for name in (features, outcomes, manifest) if name}}
        title = f"Associations of {features.name} with {endpoint}"
        simulated = ims.cohort.is_simulated(result)
        written = ims.report.write_tables(
            tables, out, title=title, about=facts, simulated=simulated, suppress_below=suppress_below
        )
    typer.echo(f"{written / 'tables' / 'associations.tsv'}")


def _outcomes(file: Path | None, cohort: Cohort | None) -> pd.DataFrame:
    import immunosarc as ims

    if file is not None:
        table = _read(file)
        if _PATIENT not in table:
            raise DataFileError(f"{file}: no column 'patient_id'; outcomes have one row per patient.")
        return ims.schema.OUTCOMES.check(table)
    if cohort is None:
        raise PlanError("outcomes are needed: pass --outcomes TABLE, or --manifest to derive them.")
    return ims.endpoints.derive(cohort)


def _by_patient(file: Path, cohort: Cohort | None, timepoint: str) -> pd.DataFrame:
    """One row per patient at the timepoint, whatever the rows of the file are."""
    table = _read(file)
    if _PATIENT in table and "timepoint" in table:
        mine = table[table["timepoint"] == timepoint].drop(columns=_SAMPLE, errors="ignore")
        if mine.empty:
            found = sorted(map(str, table["timepoint"].dropna().unique()))
            raise PlanError(f"{file}: no row is '{timepoint}', the file has {found}; pass --timepoint.")
        added = {"measured_day": float("nan"), "status": "ok"}
        return mine.assign(**{k: v for k, v in added.items() if k not in mine}).set_index(_PATIENT)
    if _SAMPLE not in table:
        raise DataFileError(
            f"{file}: has neither 'sample_id' nor 'patient_id' with 'timepoint'. When a feature was measured "
            "decides what it may be tested against: add a column timepoint (pre, on or post), or name samples and "
            "pass --manifest."
        )
    if cohort is None:
        raise PlanError(f"{file}: rows are samples; pass --manifest, which knows whose they are and when taken.")
    scores = table.set_index(_SAMPLE)
    scores = scores.drop(columns=[_PATIENT, "timepoint", "simulated"], errors="ignore")
    return cohort.at(timepoint).per_patient(scores)


def _columns(patients: pd.DataFrame, names: list[str] | None, option: str) -> pd.DataFrame | None:
    if not names:
        return None
    for name in names:
        if name not in patients:
            raise PlanError(f"{option} {name}: the patients have no such column.{did_you_mean(name, patients)}")
    return patients[names]


def _read(file: Path) -> pd.DataFrame:
    import pandas as pd

    if not file.is_file():
        raise DataFileError(f"{file}: no such file.")
    between = "," if ".csv" in file.suffixes else "\t"
    try:
        return pd.read_csv(file, sep=between, dtype={_SAMPLE: str, _PATIENT: str})
    except (ValueError, OSError) as failure:  # parser and decoding errors are ValueErrors
        kind = "comma" if between == "," else "tab"
        raise DataFileError(f"{file}: cannot be read as a {kind}-separated table: {failure}") from failure


def _sha256(file: Path) -> str:
    import hashlib

    return hashlib.sha256(file.read_bytes()).hexdigest()
