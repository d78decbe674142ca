"""The next trial on the command line: its numbers, what it does, and the sentence for the protocol."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from immunosarc.cli._app import command_app

__all__ = ["design_app", "tell"]

design_app = typer.Typer(
    help="How large must the next trial be, when does it stop, how many patients are screened?",
    epilog="Example: immunosarc design simon --p0 0.434 --p1 0.634 --alpha 0.10 --power 0.80 --kind minimax",
    no_args_is_help=True,
)
command_app.add_typer(design_app, name="design")

_Null = Annotated[float, typer.Option(help="Response rate of no interest.")]
_Hoped = Annotated[float, typer.Option(help="Response rate worth finding; above p0.")]
_Alpha = Annotated[float, typer.Option(help="One-sided type-I error at p0.")]
_Power = Annotated[float, typer.Option(help="Power at p1.")]
_Largest = Annotated[int, typer.Option(help="Largest trial to consider.")]
_Out = Annotated[Path | None, typer.Option(help="Folder for the tables; only printed when not given.")]


class Kind(StrEnum):
    """What a two-stage design minimizes."""

    optimal = "optimal"
    minimax = "minimax"
    admissible = "admissible"


class Endpoint(StrEnum):
    """An endpoint with published rates."""

    pfs6 = "pfs6"
    objective_response = "objective_response"


@design_app.command(
    epilog="Example: immunosarc design simon --p0 0.434 --p1 0.634 --alpha 0.10 --power 0.80 --kind minimax"
)
def simon(
    p0: _Null,
    p1: _Hoped,
    alpha: _Alpha,
    power: _Power,
    kind: Annotated[Kind, typer.Option(help="What to minimize.")] = Kind.optimal,
    weight: Annotated[float, typer.Option(help="Weight of the maximum size; for 'admissible' alone.")] = 0.5,
    n_max: _Largest = 100,
    out: _Out = None,
) -> None:
    """Two stages: stop early when too few patients respond."""
    import immunosarc as ims

    asked: dict[str, Any] = {"p0": p0, "p1": p1, "alpha": alpha, "power": power, "kind": kind.value}
    asked |= {"weight": weight, "n_max": n_max}
    tell(ims.design.simon(**asked), "simon", asked, out)


@design_app.command(epilog="Example: immunosarc design ahern --p0 0.2 --p1 0.4 --alpha 0.05 --power 0.80")
def ahern(p0: _Null, p1: _Hoped, alpha: _Alpha, power: _Power, out: _Out = None) -> None:
    """One stage, exact: the smallest trial that keeps both error rates."""
    import immunosarc as ims

    asked = {"p0": p0, "p1": p1, "alpha": alpha, "power": power}
    tell(ims.design.ahern(**asked), "ahern", asked, out)


@design_app.command(epilog="Example: immunosarc design fleming --p0 0.2 --p1 0.4 --alpha 0.05 --power 0.80")
def fleming(p0: _Null, p1: _Hoped, alpha: _Alpha, power: _Power, out: _Out = None) -> None:
    """One stage by the normal approximation, with the error rates that it really has."""
    import immunosarc as ims

    asked = {"p0": p0, "p1": p1, "alpha": alpha, "power": power}
    tell(ims.design.fleming(**asked), "fleming", asked, out)


@design_app.command(
    epilog="Example: immunosarc design predictive-probability --p0 0.2 --p1 0.4 --alpha 0.05 --power 0.80"
)
def predictive_probability(
    p0: _Null,
    p1: _Hoped,
    alpha: _Alpha,
    power: _Power,
    first: Annotated[int, typer.Option(help="Patients at the first look.")] = 10,
    every: Annotated[int, typer.Option(help="Patients between looks.")] = 1,
    n_max: _Largest = 100,
    out: _Out = None,
) -> None:
    """Bayesian monitoring: stop as soon as success has become unlikely."""
    import immunosarc as ims

    asked: dict[str, Any] = {"p0": p0, "p1": p1, "alpha": alpha, "power": power}
    asked |= {"first": first, "every": every, "n_max": n_max}
    tell(ims.design.predictive_probability(**asked), "predictive_probability", asked, out)


@design_app.command(
    epilog="Example: immunosarc design bryant-day --response 0.1 0.4 --toxicity 0.5 0.2 --alpha 0.10 --power 0.80"
)
def bryant_day(
    response: Annotated[tuple[float, float], typer.Option(help="Unacceptable and acceptable response rate.")],
    toxicity: Annotated[tuple[float, float], typer.Option(help="Unacceptable and acceptable toxicity rate.")],
    alpha: Annotated[
        float, typer.Option(help="Largest chance of success when response or toxicity is unacceptable.")
    ],
    power: Annotated[float, typer.Option(help="Smallest chance of success when both are acceptable.")],
    n_max: _Largest = 60,
    out: _Out = None,
) -> None:
    """Two stages that also stop when the treatment is too toxic."""
    import immunosarc as ims

    asked: dict[str, Any] = {"response": response, "toxicity": toxicity, "alpha": alpha, "power": power}
    asked["n_max"] = n_max
    tell(ims.design.bryant_day(**asked), "bryant_day", asked, out)


@design_app.command(epilog="Example: immunosarc design screening --treated 28 --prevalence 0.25")
def screening(
    treated: Annotated[int, typer.Option(help="Evaluable patients wanted.")],
    prevalence: Annotated[float, typer.Option(help="Share of patients who have the marker.")],
    sensitivity: Annotated[float, typer.Option(help="Of the assay.")] = 1.0,
    specificity: Annotated[float, typer.Option(help="Of the assay.")] = 1.0,
    dropout: Annotated[float, typer.Option(help="Share of selected patients never treated or evaluated.")] = 0.0,
    out: _Out = None,
) -> None:
    """How many patients to screen, to treat as many as are needed."""
    import immunosarc as ims

    asked: dict[str, Any] = {"treated": treated, "prevalence": prevalence, "sensitivity": sensitivity}
    asked |= {"specificity": specificity, "dropout": dropout}
    tell(ims.design.screening(**asked), "screening", asked, out)


@design_app.command(
    "historical-controls", epilog="Example: immunosarc design historical-controls --x 13 --n 28 --endpoint pfs6"
)
def historical_controls(
    x: Annotated[int, typer.Option(help="Patients with the endpoint.")],
    n: Annotated[int, typer.Option(help="Patients in whom it is known.")],
    endpoint: Annotated[Endpoint, typer.Option(help="What is counted.")],
    alpha: Annotated[float, typer.Option(help="One-sided level of the conclusion.")] = 0.10,
    gain: Annotated[float, typer.Option(help="What a next trial is to find above the control.")] = 0.20,
    out: _Out = None,
) -> None:
    """One count against every published rate: the choice decides the conclusion."""
    import immunosarc as ims

    known = ims.catalog.load_historical_controls()
    controls = known[known["endpoint"] == endpoint.value]
    asked: dict[str, Any] = {"x": x, "n": n, "endpoint": endpoint.value, "alpha": alpha, "gain": gain}
    table = ims.design.control_sensitivity(x, n, controls, endpoint=endpoint.value, alpha=alpha, gain=gain)
    typer.echo("p0\tp_value\tbeaten\tn_next\tcontrol")
    for row in table.itertuples():
        beaten = "yes" if row.superior else "no"
        typer.echo(f"{row.p0:.3f}\t{row.p_value:.3f}\t{beaten}\t{row.n_next:.0f}\t{row.control}")
    typer.echo(f"\nany rate below {table['break_even'].iloc[0]:.3f} would be beaten at {alpha:g}")
    if out is not None:
        about = {"design": "historical_controls", "arguments": asked}
        written = ims.report.write_tables(
            {"historical_controls": table}, out, title="Against every historical rate", about=about
        )
        typer.echo(f"\n{written / 'tables' / 'historical_controls.tsv'}")


def tell(record: Any, name: str, asked: dict[str, Any], out: Path | None) -> None:
    """Print the record and the sentences for the protocol; write both, and what the trial does, where asked."""
    import pandas as pd

    lines = list(record.facts().items())
    for key, value in lines:
        typer.echo(f"{key}\t{value:.6g}" if isinstance(value, float) else f"{key}\t{value}")
    typer.echo(f"\n{record.protocol}")
    if out is None:
        return
    import immunosarc as ims

    table = pd.DataFrame([(key, str(value)) for key, value in lines], columns=["quantity", "value"])
    tables = {"design": table}
    if record.truths:
        tables["operating_characteristics"] = record.operating_characteristics(record.truths)
    about = {"design": name, "arguments": asked, "protocol": record.protocol}
    written = ims.report.write_tables(tables, out, title=f"Design of the next trial: {name}", about=about)
    typer.echo(f"\n{written / 'tables' / 'design.tsv'}")
