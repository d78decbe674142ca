"""Everything that a run found, in one ranked list: how sure, what others saw, what would settle it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from immunosarc import catalog, features, schema, stats
from immunosarc.cohort import is_simulated, marked
from immunosarc.study._plan import Plan
from immunosarc.study._replication_words import replications_in_words

if TYPE_CHECKING:
    from immunosarc.study._replicate import Replication

__all__ = ["ledger"]

_KEY = ["family", "feature"]
_KINDS: Mapping[str, tuple[str, ...]] = {
    "tls_b": ("TLS", "B lineage", "CD20", "plasma-cell", "B-cell"),
    "t_cell_inflamed": ("hot vs cold", "lymphoid", "CD8"),
    "cytotoxicity": ("cytotoxic", "CD8"),
    "regulatory": ("regulatory", "Treg"),
    "myeloid": ("myeloid", "macrophage"),
    "vascular": ("vessel",),
    "checkpoint": ("PD-L1",),
}
"""Category of a signature -> words by which a published marker is known to be of that kind."""
_CELLS: Mapping[str, str] = {
    "b_lineage": "tls_b",
    "b_cells": "tls_b",
    "cytotox": "cytotoxicity",
    "cd8": "cytotoxicity",
    "treg": "regulatory",
    "monocytic": "myeloid",
    "macrophage": "myeloid",
    "endothelial": "vascular",
}
"""Part of a cell population's name -> the category whose published markers are of its kind."""


def ledger(
    tables: Mapping[str, pd.DataFrame],
    plan: Plan,
    *,
    replication: Replication | None = None,
    cohort: str = "",
) -> pd.DataFrame:
    """Rank everything that a run found, and say of each what would be needed to believe it.

    Pre-stated questions come first, then p maxT decides, then p; ties go by name, so that the same tables give the
    same ledger. The patients needed to confirm an effect are counted for the shrunken effect, never for the raw
    one. A published finding is listed because its marker is of the same kind, not because it agrees.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Of a study: ``associations``, and where there are such ``shrinkage`` and ``changes``.
    plan : Plan
        What the features of the panels are.
    replication : Replication, optional
        From :func:`replicate` or :func:`read_replication`. Where it holds this study's cohort, its effect there
        must be the one found here; else the plans differ, and the ledger says so instead.
    cohort : str
        The name of this study's cohort in the replication; its own estimate replicates nothing.

    Returns
    -------
    DataFrame
        ``schema.LEDGER``, one row per estimated association and change.

    Examples
    --------
    >>> import immunosarc as ims
    >>> plan = ims.Plan(timepoints=("pre",), endpoints=("objective_response",), n_permutations=50)
    >>> study = ims.run(ims.simulate_cohort(seed=7), plan)
    >>> found = ledger(study.tables, study.plan)
    >>> found["rank"].tolist() == list(range(1, len(found) + 1))
    True
    """
    parts = [part for part in (_associations(tables), _changes(tables)) if len(part)]
    if not parts:
        return schema.LEDGER.empty()
    rows = pd.concat(parts, ignore_index=True)
    rows = rows.sort_values(
        ["_after", "p_maxt", "p_value", "claim", "family", "feature"], kind="stable", na_position="last"
    ).reset_index(drop=True)
    kind = {name: what for panel in plan.panels for name, (_, what) in panel.specs() if isinstance(what, str)}
    known = features.signatures()
    published = _published()
    about = [_about(kind.get(name, name), known, published) for name in rows["feature"]]
    filled = rows.assign(
        rank=np.arange(1, len(rows) + 1),
        replication=replications_in_words(rows, replication, cohort),
        literature=[one[0] for one in about],
        biology=[one[1] for one in about],
        n_to_confirm=_sizes(rows),
    )
    filled["design"] = [_next(row) for row in filled.to_dict(orient="records")]
    simulated = any(is_simulated(table) for table in tables.values())
    return marked(schema.LEDGER.check(filled[list(schema.LEDGER.columns)]), simulated=simulated)


def _associations(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    found = tables["associations"]
    found = found[found["p_value"].notna()].copy()
    shrunk = tables.get("shrinkage", pd.DataFrame(columns=[*_KEY, "shrunken"]))
    shrunken = shrunk.set_index(_KEY)["shrunken"].to_dict()
    pulled = [shrunken.get(key, np.nan) for key in zip(found["family"], found["feature"], strict=True)]
    return _claims(found, "association", found["n_events"], found["estimate"]).assign(shrunken=pulled)


def _changes(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    found = tables.get("changes", schema.CHANGE.empty())
    found = found[found["p_value"].notna()].assign(measure="hodges_lehmann_shift")
    return _claims(found, "change", np.nan, found["hodges_lehmann"]).assign(shrunken=np.nan)


def _claims(found: pd.DataFrame, claim: str, n_events: Any, raw: pd.Series) -> pd.DataFrame:
    columns = found[["feature", "family", "measure", "stamp"]].astype(object)
    numbers = found[["n", "p_value", "p_maxt"]].astype(float)
    return columns.join(numbers).assign(
        claim=claim,
        n_events=pd.Series(n_events, index=found.index, dtype=float),
        raw=raw.astype(float),
        below_alpha=schema.significant(found),
        _after=(found["stamp"] != "confirmatory").to_numpy(),
    )


def _sizes(rows: pd.DataFrame) -> np.ndarray:
    """Patients for the shrunken effect; only log ratios per standard deviation have a size."""
    share = (rows["n_events"].astype(float) / rows["n"].astype(float)).to_numpy()
    effect = rows["shrunken"].to_numpy(dtype=float)
    hazard = (rows["measure"] == "log_hazard_ratio_per_sd").to_numpy(dtype=bool)
    odds = (rows["measure"] == "log_odds_ratio_per_sd").to_numpy(dtype=bool)
    of_events = stats.confirmation_size(effect, share, events=True)
    of_odds = stats.confirmation_size(effect, share, events=False)
    return np.where(hazard, of_events, np.where(odds, of_odds, np.nan))


def _published() -> dict[str, str]:
    """Return the published findings on markers, each in one line with its source: marker -> finding."""
    facts = catalog.load_evidence()
    parts = facts["item"].str.extract(r"^biomarkers\.(?P<number>\d+)\.(?P<what>.+)$")
    facts = facts.assign(**parts)[parts["number"].notna()]
    found = {}
    for (_, number), rows in facts.groupby(["trial", "number"], sort=False):
        said = dict(zip(rows["what"], rows["value"], strict=True))
        if marker := said.pop("marker", None):
            words = ", ".join(
                f"{what.replace('_', ' ')}: {value}" for what, value in said.items() if "." not in what
            )
            source = f"{rows['citation'].iloc[0]}; evidence {rows['evidence'].iloc[0]}"
            found[f"{marker} [{number}, {rows['trial'].iloc[0]}]"] = f"{marker} ({words}) [{source}]"
    return found


def _about(name: str, known: catalog.Signatures, published: Mapping[str, str]) -> tuple[str | None, str | None]:
    """Return what is published on features of this kind, and what the signature stands for."""
    if name not in known:
        return None, None
    signature = known[name]
    kind = signature.category
    if kind == "cell_population":
        kind = next((kind for part, kind in _CELLS.items() if part in name), kind)
    words = _KINDS.get(kind, ())
    lines = [line for marker, line in published.items() if any(word in marker for word in words)]
    notes = [signature.meaning, signature.citation, *signature.flags, signature.caution]
    return " | ".join(lines) or None, "; ".join(note for note in notes if note) or None


def _next(row: Mapping[str, Any]) -> str:
    """Say what to do next, by rule: from when it was measured, and what is left after shrinkage."""
    if row["claim"] == "change":
        return "measure it again before and on treatment, with this feature named beforehand"
    before = str(row["family"]).startswith("pre/")
    if row["measure"].endswith("_per_sd") and row["shrunken"] == 0:
        if row["below_alpha"]:
            return "confirm it with a smaller effect in mind: its family as a whole has no more spread than chance"
        return "none: the family shows no more spread than chance, and nothing is left of the effect"
    if not before:
        return (
            "early read-out, no selection: name it and a landmark day beforehand (it is known only on treatment)"
        )
    size = row["n_to_confirm"]
    patients = f" in {size:,.0f} new patients" if np.isfinite(size) else ""
    if row["below_alpha"]:
        return f"name it beforehand and confirm it{patients}; then design.enrichment, with this rate shrunken"
    return f"unproven here: name it beforehand and test it as a number{patients}; no selection by it yet"
