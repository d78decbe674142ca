"""What earlier trials say to the designer of the next one: rates to beat, and what a marker did elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from immunosarc.catalog._files import read_json
from immunosarc.catalog._tables import load_evidence

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["load_historical_controls", "load_marker_evidence"]

_CARRIED = ("regimen", "evidence", "citation", "doi")


def load_historical_controls() -> pd.DataFrame:
    """Return published rates that a trial in advanced soft-tissue sarcoma could be compared with.

    The choice among them decides the conclusion: line of therapy, histologies and the definition of six months
    differ, and rates of different trials must not be pooled. Each is a fact of :func:`load_evidence`.

    Returns
    -------
    DataFrame
        ``endpoint``, ``label``, ``role`` ("doxorubicin" alone, or "other" regimens), ``rate`` (0 to 1),
        ``trial, item, regimen, evidence, citation, doi, note``.

    Examples
    --------
    >>> table = load_historical_controls()
    >>> table.query("endpoint == 'pfs6' and role == 'doxorubicin'")["rate"].round(3).tolist()
    [0.434, 0.336]
    """
    return _with_facts(read_json("evidence.json")["controls"], rate=True)


def load_marker_evidence() -> pd.DataFrame:
    """Return published counts of responders with and without a marker in sarcoma.

    The regimens are not those of the model trial and none of the comparisons was randomized: use the contrast,
    widened by what trials differ in, never the rates themselves.

    Returns
    -------
    DataFrame
        ``marker`` ("tls", "immune_hot"), ``endpoint``, ``responders_with, n_with, responders_without,
        n_without``, ``trial, item, regimen, evidence, citation, doi, note``.

    Examples
    --------
    >>> load_marker_evidence().set_index(["marker", "endpoint"]).loc[("tls", "objective_response"), "n_with"]
    np.int64(30)
    """
    table = _with_facts(read_json("evidence.json")["markers"], rate=False)
    counts = {
        f"{what}_{name}": [pair[place] for pair in table[column]]
        for column, name in (("with_marker", "with"), ("without", "without"))
        for place, what in enumerate(("responders", "n"))
    }
    return table.drop(columns=["with_marker", "without"]).assign(**counts)


def _with_facts(chosen: list[dict[str, Any]], *, rate: bool) -> pd.DataFrame:
    """Return the chosen facts with their citation; a note of the choice stands before that of the fact."""
    import pandas as pd

    facts = load_evidence().set_index(["trial", "item"])
    rows = []
    for one in chosen:
        fact = facts.loc[(one["trial"], one["item"])]
        row = {**one, **{name: fact[name] for name in _CARRIED}}
        row["note"] = "; ".join(note for note in (one.get("note", ""), fact["note"]) if note)
        rows.append(row | ({"rate": fact["number"] / 100.0} if rate else {}))
    return pd.DataFrame(rows)
