"""Batches that cannot be told from time or response: seen before any test, and never corrected."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from immunosarc.cohort import Cohort

__all__ = ["batch_checks"]

_PERMUTATIONS = 10_000
_ALPHA = 0.05
_NOT_CORRECTED = "nothing was corrected"


def batch_checks(cohort: Cohort, outcomes: pd.DataFrame | None, *, seed: int) -> list[dict[str, Any]]:
    """Return one row for each thing that a batch could be mistaken for; see :func:`qc`.

    Association is Cramer's V with the permutation p of chi-square over 10,000 shuffles of the
    batches. Where each batch holds one level only no statistics can tell the two apart.
    """
    samples = cohort.samples
    if "batch" not in samples or samples["batch"].isna().all():
        return [_row("batch", "timepoint or response", not_assessed="no batch is recorded")]
    known = samples[samples["batch"].notna()]
    rows = [_against("batch_timepoint", known["batch"], known["timepoint"], "timepoint", seed=seed)]
    rows += _split_pairs(known)
    if outcomes is None:
        return [*rows, _row("batch_response", "response", not_assessed="no outcomes were given")]
    response = outcomes["objective_response"]
    for timepoint, part in known.groupby("timepoint", sort=True):
        of_sample = response.reindex(part["patient_id"]).set_axis(part.index)
        words = of_sample.map({True: "responder", False: "non-responder"})
        row = _against("batch_response", part["batch"], words, "response", seed=seed)
        rows.append(row | {"timepoint": timepoint})
    return rows


def _row(
    check: str, what: str, *, value: float = np.nan, found: str = "", concern: str = "", not_assessed: str = ""
) -> dict[str, Any]:
    said = concern or (f"not assessed: {not_assessed}" if not_assessed else "ok")
    expected = f"every batch holds every {what}" if what != "pair" else "the two samples of a pair in one batch"
    about = {"check": check, "value": value, "found": found, "expected": expected}
    return {**about, "level": "batch", "concern": bool(concern), "status": said}


def _against(check: str, batch: pd.Series, level: pd.Series, what: str, *, seed: int) -> dict[str, Any]:
    both = batch.notna() & level.notna()
    table = pd.crosstab(batch[both].astype(str), level[both].astype(str))
    if min(table.shape, default=0) < 2:
        only = "there is one batch" if table.shape[0] < 2 else f"there is one {what}"
        return _row(check, what, not_assessed=only if both.any() else "nothing is known")
    v, p = _association(table, batch[both], level[both], seed=seed)
    found = "; ".join(
        f"{name}: {', '.join(f'{n} {one}' for one, n in row.items() if n)}" for name, row in table.iterrows()
    )
    concern = ""
    if ((table > 0).sum(axis=1) == 1).all():
        concern = f"each batch holds one {what} only, so that the two cannot be told apart; {_NOT_CORRECTED}"
    elif p < _ALPHA:
        concern = f"batch goes with {what} (Cramer's V {v:.2f}, permutation p {p:.2g}); {_NOT_CORRECTED}"
    return _row(check, what, value=v, found=found, concern=concern)


def _association(table: pd.DataFrame, batch: pd.Series, level: pd.Series, *, seed: int) -> tuple[float, float]:
    counts = table.to_numpy(dtype=float)
    expected = np.outer(counts.sum(axis=1), counts.sum(axis=0)) / counts.sum()
    observed = float(((counts - expected) ** 2 / expected).sum())
    codes = np.searchsorted(table.index.to_numpy(dtype=str), batch.to_numpy(dtype=str))
    levels = level.astype(str).to_numpy()[:, None] == table.columns.to_numpy(dtype=str)[None, :]
    shuffled = np.random.default_rng(seed).permuted(np.tile(codes, (_PERMUTATIONS, 1)), axis=1)
    chance = np.zeros(_PERMUTATIONS)
    for code in range(len(counts)):
        found: NDArray[np.float64] = (shuffled == code).astype(float) @ levels.astype(float)
        chance += ((found - expected[code]) ** 2 / expected[code]).sum(axis=1)
    p = (1 + int((chance >= observed - 1e-9).sum())) / (1 + _PERMUTATIONS)
    return float(np.sqrt(observed / counts.sum() / (min(counts.shape) - 1))), p


def _split_pairs(known: pd.DataFrame) -> list[dict[str, Any]]:
    """Say how many patients were measured before and on treatment in different batches."""
    sides = [known[known["timepoint"] == when].drop_duplicates("patient_id") for when in ("pre", "on")]
    before, after = (side.set_index("patient_id")["batch"].astype(str) for side in sides)
    pairs = before.index.intersection(after.index)
    if not len(pairs):
        return []
    apart = int((before[pairs] != after[pairs]).sum())
    found = f"{apart} of {len(pairs)} pairs were measured in two batches"
    concern = f"{found}: their change holds the difference between the batches; {_NOT_CORRECTED}" if apart else ""
    return [_row("batch_pairs", "pair", value=apart / len(pairs), found=found, concern=concern)]
